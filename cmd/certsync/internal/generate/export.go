package generate

import (
	"fmt"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile/export"
)

// Export writes an inventory made from a cluster's bindings, as a file that certsync reads. Its comments list the checks
// before the first apply, and the subjects that are left out. cluster is the cluster's name, or "".
func Export(e export.Result, cluster string) []byte {
	source := "the cluster"
	if cluster != "" {
		source += " " + terminal.QuoteName(cluster)
	}
	head := comment("", "certsync export made this from the bindings of "+source+". Read it before you apply it:")
	head = append(head, comment("- ", "apply issues a certificate to every user below. Remove the users who log in another way.")...)
	head = append(head, comment("- ", "An old certificate for one of these names, made by hand, gets the access that certsync gives the name. To prevent that, "+
		"add a past time to the user before the first apply, such as revokedBefore: 2026-01-31T10:00:00Z. certsync then binds another name.")...)
	head = append(head, comment("- ", "Bindings that certsync did not make stay until you delete them. certsync plan lists them as existing-access.")...)
	head = append(head, comment("- ", "A cluster does not know when access begins and ends. Add from and until to temporary access. Otherwise, it becomes permanent.")...)
	head = append(head, comment("- ", "A cluster does not know who is in a group that is bound as a Group. Add the group to its members. It does not know why either: add reason and ticket.")...)
	if e.ByLabel != "" {
		head = append(head, comment("- ", "Selectors stand for all namespaces that have the same value of label "+terminal.QuoteName(e.ByLabel)+
			" now. Users who may label namespaces then give and take this access.")...)
	}
	if len(e.LeftOut) > 0 {
		head = append(head, "", "Left out:")
	}
	for _, l := range e.LeftOut {
		head = append(head, comment("- ", fmt.Sprintf("%s %s", terminal.Plural(l.Count, "subject"), l.Reason))...)
		for _, example := range l.Examples {
			head = append(head, comment("    ", example)...)
		}
		if more := l.Count - len(l.Examples); more > 0 && len(l.Examples) > 0 {
			head = append(head, fmt.Sprintf("    and %d more", more))
		}
	}
	c := inventory.Comments{Head: append(head, ""), Groups: map[string][]string{}}
	for _, group := range e.AsGroup {
		c.Groups[group] = comment("", "Bound as a Group. Kubernetes does not know its members: list them under users. certsync binds the users, not the Group.")
	}
	for group, members := range e.Uneven {
		names := strings.Join(members[:min(len(members), terminal.MaxListed)], ", ")
		if more := len(members) - terminal.MaxListed; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		c.Groups[group] = append(c.Groups[group], comment("", "Some bindings of this group leave out "+names+". These users have their roles of this group under users.")...)
	}
	return e.Inventory.Encode(c)
}

// comment wraps text into lines that fit behind the # of a comment.
func comment(lead, text string) []string {
	const hash = "  "
	lines := strings.Split(strings.TrimSuffix(terminal.Wrap(hash+lead, terminal.Clean(text)), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], hash)
	}
	return lines
}
