package inventory

import (
	"fmt"
	"strings"
	"testing"
)

// company is an inventory of 5,000 users in 300 groups.
func company(group func(i int) string) []byte {
	var b strings.Builder
	b.WriteString(header + "groups:\n")
	for i := range 300 {
		fmt.Fprintf(&b, "  - name: team-%d\n    clusterRoles: [view]\n    namespaces: {team-%d: [edit]}\n", i, i)
	}
	b.WriteString("users:\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "  - name: user-%d@example.com\n    groups: [%s]\n    clusterRoles: [node-reader, {name: admin, until: 2027-01-31}]\n    namespaces: {payments: [admin]}\n", i, group(i))
	}
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	for sentence, group := range map[string]func(i int) string{
		"5000 users":                    func(i int) string { return fmt.Sprintf("team-%d", i%300) },
		"5000 users in unknown groups":  func(i int) string { return fmt.Sprintf("taem-x%d", i) },
		"5000 users in six groups each": func(int) string { return "team-0, team-1, team-2, team-3, team-4, team-5" },
	} {
		data := company(group)
		b.Run(sentence, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				Parse("users.yaml", data, nil)
			}
		})
	}
}

func BenchmarkDigest(b *testing.B) {
	inv := mustParse(b, string(company(func(i int) string { return fmt.Sprintf("team-%d", i%300) })), nil)
	for b.Loop() {
		inv.Digest()
	}
}
