package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

type exportCmd struct {
	clusterFlags `group:"Cluster and Vault:"`
	Owner        ownerName `placeholder:"NAME" help:"Owner of the inventory, instead of the kubeconfig's name for the cluster."`
}

// Help is shown below the flags.
func (exportCmd) Help() string {
	return `Prints an inventory with the users and groups that bindings name today, certsync's own or not: something to start from, and to read before it is applied. Needs the right to list bindings, and nothing of Vault.

  certsync export > found.yaml && certsync validate -f found.yaml

Exit codes: 0 done; 1 an error; 80 usage; 130 interrupted.`
}

// ownerName is the value of --owner.
type ownerName string

// UnmarshalText refuses what no inventory may have as its owner.
func (o *ownerName) UnmarshalText(text []byte) error {
	if !inventory.ValidOwner(string(text)) {
		return fmt.Errorf("a-z, 0-9 and - are allowed, the first and the last not a -, at most 40 in all")
	}
	*o = ownerName(text)
	return nil
}

// Run prints the inventory.
func (c exportCmd) Run(ctx context.Context, p program) error {
	cluster, err := c.cluster()
	if err != nil {
		return err
	}
	bindings, err := cluster.EveryBinding(ctx)
	if err != nil {
		return err
	}
	owner := cmp.Or(string(c.Owner), legalOwner(cluster.Name()), "my-owner")
	return writeAll(p.stdout, exportText(reconcile.ExportBindings(owner, bindings), cluster.Name()))
}

// legalOwner makes an owner of a cluster's name, or nothing: arn:aws:eks:eu-west-1:1234:cluster/prod is called prod by
// its people.
func legalOwner(cluster string) string {
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

// exportText is an inventory with what a reader must know of it as comments.
func exportText(e reconcile.Export, cluster string) []byte {
	named := "the cluster"
	if cluster != "" {
		named += " " + name(cluster)
	}
	head := comment("", "What certsync export found in the bindings of "+named+". Read it before you apply it:")
	head = append(head, comment("- ", "apply issues a certificate to everybody under users. Take out who logs in some other way.")...)
	head = append(head, comment("- ", "Bindings that certsync did not make stay until you delete them: certsync plan lists them as existing-access.")...)
	if len(e.LeftOut) > 0 {
		head = append(head, "", "Left out:")
	}
	for _, l := range e.LeftOut {
		head = append(head, comment("- ", fmt.Sprintf("%s %s", plural(l.Count, "subject"), l.Reason))...)
		for _, example := range l.Examples {
			head = append(head, comment("    ", example)...)
		}
		if more := l.Count - len(l.Examples); more > 0 && len(l.Examples) > 0 {
			head = append(head, fmt.Sprintf("    and %d more", more))
		}
	}
	c := inventory.Comments{Head: append(head, ""), Groups: map[string][]string{}}
	for _, group := range e.AsGroup {
		c.Groups[group] = comment("", "Bound as a Group, which does not tell who is in it: name its members under users. certsync binds them, not the Group.")
	}
	for group, members := range e.Uneven {
		shown := strings.Join(members[:min(len(members), listed)], ", ")
		if more := len(members) - listed; more > 0 {
			shown += fmt.Sprintf(" and %d more", more)
		}
		c.Groups[group] = append(c.Groups[group], comment("", "Some of these roles are new to "+shown+".")...)
	}
	return e.Inventory.Encode(c)
}

// comment breaks text into lines that fit behind the # of a comment.
func comment(lead, text string) []string {
	const hash = "  "
	lines := strings.Split(strings.TrimSuffix(fill(hash+lead, clean(text)), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], hash)
	}
	return lines
}
