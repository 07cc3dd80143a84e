package main

import "testing"

func TestDemo(t *testing.T) {
	t.Chdir(".") // and back at the end: run changes the folder
	t.Setenv("KEEP", "")
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
}
