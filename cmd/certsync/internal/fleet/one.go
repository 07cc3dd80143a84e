package fleet

import (
	"fmt"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// OneFlag chooses the cluster of a command that is for exactly one.
type OneFlag struct {
	Cluster string `placeholder:"NAME" help:"Cluster of an inventory that has several."`
}

// Target returns the chosen cluster. An inventory with several needs a choice.
func (f OneFlag) Target(file *inventory.File) (Target, error) {
	var names Names
	if f.Cluster != "" {
		names = Names{f.Cluster}
	}
	members, err := names.Choose(file)
	if err != nil {
		return Target{}, err
	}
	if len(members) == 1 {
		return Target{members[0], file.Effective(members[0])}, nil
	}
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.Name
	}
	what := "the inventory has"
	if f.Cluster != "" {
		what = fmt.Sprintf("--cluster %s selects", f.Cluster)
	}
	return Target{}, reconcile.WithHint(fmt.Errorf("%s %d clusters, and this command is for one: %s", what, len(members), strings.Join(all, ", ")),
		"set --cluster to the name of one of them")
}
