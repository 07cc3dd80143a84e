package starter

import (
	"strings"

	"github.com/certsync/certsync/inventory"
)

// OwnerFor makes an owner from a cluster's name, or returns "". Of arn:aws:eks:eu-west-1:1234:cluster/prod it takes prod.
func OwnerFor(cluster string) string {
	last := cluster[strings.LastIndexAny(cluster, "/:")+1:]
	legal := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(last))
	legal = strings.Trim(legal[:min(len(legal), 40)], "-")
	if !inventory.ValidOwner(legal) {
		return ""
	}
	return legal
}
