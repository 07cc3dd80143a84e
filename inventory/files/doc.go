// Package files reads and replaces files that others may have put there.
//
// Read and Open take regular files only, follow links, never wait for a pipe, and have a limit. Folder keeps a reader
// inside one folder: no link leads out of it. Replace writes a file beside the old one and renames it, so that a reader
// sees one or the other, and a full disk leaves the old one.
package files
