//go:build race

package render

// raceDetector: the tests run with it. 5,000 hostile plans would take half an hour, in one goroutine.
const raceDetector = true
