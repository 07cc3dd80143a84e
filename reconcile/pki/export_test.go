package pki

// What only this package's tests use.
var (
	Check     = check
	NewSerial = newSerial
)
