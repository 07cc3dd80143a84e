package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

const (
	// batchSize is how many users are without access at once while everybody's certificates are exchanged.
	batchSize = 100
	// signerRate is how many certificates a second kube-controller-manager issues with its default flags.
	signerRate = 20
)

// inBatches numbers the users whose revoked certificates are exchanged in batches: from 1, in the order of the names. It is
// empty if one batch is enough for all. Of these users the old name goes at once, in no batch:
//
//   - a user named by --revoke, or with a revokedBefore of their own;
//   - a user who gets no new certificate in this run.
func (d *draft) inBatches() map[string]int {
	var users []string
	for name, v := range d.verdicts {
		if v.issues() == reconcile.CertificateRevoked && v.step.Held == "" && !urgent(d.x, name) {
			users = append(users, name)
		}
	}
	size := perBatch(d.x)
	if len(users) <= size {
		return nil
	}
	slices.Sort(users)
	numbers := map[string]int{}
	for i, name := range users {
		numbers[name] = i/size + 1
	}
	return numbers
}

// perBatch is how many users a batch has.
func perBatch(x *index.Index) int { return cmp.Or(x.Rules.BatchSize, batchSize) }

// urgent reports whether somebody asks for the end of this user's certificates in particular.
func urgent(x *index.Index, user string) bool {
	own := x.Users[user].RevokedBefore
	return slices.Contains(x.Rules.Revoke, user) || own.After(x.Inventory.Defaults.RevokedBefore) && !own.After(x.Now())
}

// batchOf is the batch in which an edit is made: that of its user, for the name that is revoked and the one that takes its place.
// Access that a user loses for another reason goes at once.
func (a assembler) batchOf(e *edit) int {
	if e.adds || e.reason == reconcile.CertificateRevoked {
		return a.batches[e.user()]
	}
	return 0
}

// batchNotes says how long a revocation in batches takes.
func batchNotes(x *index.Index, batches map[string]int) []reconcile.Note {
	if len(batches) == 0 {
		return nil
	}
	takes := func(users int) string {
		return inventory.DurationText(time.Duration((users+signerRate-1)/signerRate) * time.Second)
	}
	size := perBatch(x)
	return []reconcile.Note{{Kind: reconcile.RevocationBatches, Message: fmt.Sprintf(
		"%d users get new certificates in %d batches of up to %d users. At the signer's default rate of %d certificates a second, this takes about %s (an estimate). "+
			"A user has no access while the batch runs, about %s",
		len(batches), (len(batches)+size-1)/size, size, signerRate, takes(len(batches)), takes(size))}}
}
