package inventory

import (
	"strings"
	"testing"
)

func TestValid(t *testing.T) {
	for sentence, c := range map[string]struct {
		valid func(string) bool
		yes   []string
		no    []string
	}{
		"names of users and groups": {ValidName,
			[]string{"a", "0", "alice@example.com", "A.b_c+d-e@f", strings.Repeat("a", 64)},
			[]string{"", ".", "..", "-a", "a-", "a..b", "a/b", "a:b", "a b", "a\n", "ä", "system:masters", "kubeadm:cluster-admins", strings.Repeat("a", 65)}},
		"owners": {ValidOwner,
			[]string{"a", "prod-eu", "0", strings.Repeat("a", 40)},
			[]string{"", "-", "a-", "-a", "A", "a.b", "a_b", "a\n", strings.Repeat("a", 41)}},
		"ClusterRoles": {ValidRole,
			[]string{"view", "system:node-reader", "...", "a@b", strings.Repeat("r", 253)},
			[]string{"", ".", "..", "a/b", "a%b", "a#2", "a b", "a\tb", "a\x1b", "a\u00a0b", "a\u202eb", "\xff", strings.Repeat("r", 254)}},
		"namespaces": {ValidNamespace,
			[]string{"a", "kube-system", "0", strings.Repeat("n", 63)},
			[]string{"", "-", "A", "a.b", "*", "a\n", strings.Repeat("n", 64)}},
	} {
		t.Run(sentence, func(t *testing.T) {
			for _, s := range c.yes {
				if !c.valid(s) {
					t.Errorf("%q is refused", s)
				}
			}
			for _, s := range c.no {
				if c.valid(s) {
					t.Errorf("%q is taken", s)
				}
			}
		})
	}
}
