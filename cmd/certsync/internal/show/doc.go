// Package show turns what commands find out into text for a terminal: users, revoked certificates and checks, of one cluster or of
// several. None of it changes anything.
//
// Begin with Status and Statuses. The package is pure, as package render is: it takes data and returns text. Status and preflight are at
// most 80 characters wide, unless a single word is longer.
package show
