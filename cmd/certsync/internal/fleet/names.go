package fleet

import (
	"errors"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Names are what --cluster asks for: names of clusters and labels. None asks for all clusters.
type Names []string

// Decode is called by kong for each --cluster. An empty one is refused: an unset variable leaves it in a script, and it must not
// ask for all clusters.
func (n *Names) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("name", &text); err != nil {
		return err
	}
	names := kong.SplitEscaped(text, ctx.Value.Tag.Sep)
	if len(names) == 0 || slices.Contains(names, "") {
		return errors.New("a name is empty: set the name of a cluster, or a label such as env=prod, or leave the flag out for all clusters")
	}
	*n = append(*n, names...)
	return nil
}

// Choose returns the clusters that any of the names asks for, in the order of the file.
func (n Names) Choose(file *inventory.File) ([]inventory.Member, error) {
	members, err := file.Select(n)
	if err != nil && file.Fleet {
		err = reconcile.WithHint(err, "run certsync validate for the list of clusters; a label is written as env=prod")
	} else if err != nil {
		err = reconcile.WithHint(err, "leave out --cluster or --effective")
	}
	return members, err
}
