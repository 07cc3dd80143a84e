package fleet

import "testing"

func TestExitCode(t *testing.T) {
	for sentence, c := range map[string]struct {
		all  []Ending
		want int
	}{
		"all is done":                           {[]Ending{{0, true}, {0, false}}, 0},
		"one failed, and others were written":   {[]Ending{{1, false}, {0, true}}, 1},
		"one was refused, and nothing written":  {[]Ending{{3, false}, {0, false}}, 3},
		"one was refused, and others written":   {[]Ending{{3, false}, {0, true}}, 1},
		"one was locked, and nothing written":   {[]Ending{{4, false}, {0, false}}, 4},
		"one was locked, and others written":    {[]Ending{{4, false}, {0, true}}, 1},
		"one was refused, and another locked":   {[]Ending{{4, false}, {3, false}}, 3},
		"one was refused, and another failed":   {[]Ending{{3, false}, {1, false}}, 1},
		"an interruption counts more than that": {[]Ending{{1, true}, {130, true}, {3, false}}, 130},
		"a wrong name":                          {[]Ending{{80, false}, {0, false}}, 1},
	} {
		if got := exitCode(c.all); got != c.want {
			t.Errorf("%s: exit %d, want %d", sentence, got, c.want)
		}
	}
}
