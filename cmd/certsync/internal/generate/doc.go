// Package generate writes what other programs read or run: manifests for kubectl, scripts for sh, items of the API server's
// configuration, and inventories.
//
// The package is pure, as package render is. In a comment of YAML, text from others passes terminal.Clean, and every line begins with a #.
package generate
