package starter

import (
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory"
)

// common are the names that tools give to every cluster: kubeadm, k3s, kind and others. Two such clusters must not share an owner.
var common = []string{"cluster", "default", "kind", "kubernetes", "local"}

// OwnerFor makes an owner from a cluster's name, or returns "". Of arn:aws:eks:eu-west-1:1234:cluster/prod it takes prod. A name
// that many clusters have gives none.
func OwnerFor(cluster string) string {
	last := cluster[strings.LastIndexAny(cluster, "/:")+1:]
	legal := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(last))
	legal = strings.Trim(legal[:min(len(legal), 40)], "-")
	if !inventory.ValidOwner(legal) || slices.Contains(common, legal) {
		return ""
	}
	return legal
}
