// Package terminal has what certsync's texts for people share: colours, safe names, wrapped lines, and tables of clusters.
//
// The package is pure, as package render is. Text from others must pass Clean: control characters become escapes, and the text cannot
// begin a line of its own.
package terminal
