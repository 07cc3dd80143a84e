// Package files reads and replaces files that others may have put there.
//
// Read takes regular files only, follows links, never waits for a pipe, and has a limit. It takes text in UTF-8, with or without a byte order mark. Open is the same without a limit.
// Folder keeps a reader inside one folder: no link leads out of it. Folder.Open may return any kind of file, and
// ReadOpened refuses those that are not regular. Replace writes a file beside the old one and renames it, so that a reader
// sees one or the other, and a full disk leaves the old one. Overwrite is for a file that cannot be replaced.
package files
