package inventory

import (
	"testing"
	"time"
)

func TestRenewBefore(t *testing.T) {
	for sentence, c := range map[string]struct {
		written  string
		lifetime time.Duration
		want     time.Duration
	}{
		"a share":                               {"33%", 100 * time.Hour, 33 * time.Hour},
		"a share of an odd time":                {"50%", 3, 1},
		"a duration":                            {"24h", 100 * time.Hour, 24 * time.Hour},
		"a duration beyond a short certificate": {"24h", 10 * time.Hour, 9 * time.Hour},
		"the largest share of the longest life": {"90%", maxExpiration, maxExpiration / 10 * 9},
	} {
		t.Run(sentence, func(t *testing.T) {
			inv := mustParse(t, header+"defaults: {renewBefore: "+c.written+"}\nusers: []", nil)
			if got := inv.Defaults.RenewBefore.Of(c.lifetime); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := inv.Defaults.RenewBefore.String(); got != c.written {
				t.Errorf("printed as %s, want %s", got, c.written)
			}
		})
	}
}
