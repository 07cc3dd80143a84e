package fleet

import "testing"

// TestDigest: the digest is fixed by its definition: `printf '[["dev","sha256:aa"],["prod-eu","error"]]' | sha256sum`.
func TestDigest(t *testing.T) {
	const want = "sha256:f88509c3af6697869421e75a650bc508de1fd620b8323448dd170c16897b461d"
	if got := digest([]string{"dev", "prod-eu"}, []string{"sha256:aa", ""}); got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if digest([]string{"prod-eu", "dev"}, []string{"", "sha256:aa"}) == want {
		t.Error("the order does not matter")
	}
	if got := digest(nil, nil); got != "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945" {
		t.Errorf("%s of nothing", got)
	}
}
