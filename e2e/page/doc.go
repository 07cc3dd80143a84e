// Package page opens the access review in a real browser. It is a module of its own, so that those who import certsync need not
// download the browser's protocol.
package page
