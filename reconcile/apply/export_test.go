package apply

// Afterwards is for tests of what an interruption leaves time for.
var Afterwards = afterwards
