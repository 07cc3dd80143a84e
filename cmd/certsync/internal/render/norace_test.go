//go:build !race

package render

// raceDetector: the tests run without it.
const raceDetector = false
