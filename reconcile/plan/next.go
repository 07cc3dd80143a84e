package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// nextState is the index that a run of these steps writes before the first of them: a superset of what is true whenever the run
// ends. A user whose removal is in the plan has left from then on, whatever comes of the run.
func nextState(x *index.Index, d *draft) reconcile.State {
	s := reconcile.State{
		FormatVersion: reconcile.StateVersion, ClusterUID: x.Observed.ClusterView.UID, InventoryDigest: x.File.Digest(),
		Endpoint: x.Recorded, Grants: nextGrants(x, d), Names: nextNames(x, d),
	}
	if x.Observed.State != nil {
		s.Generation, s.Runs = x.Observed.State.Generation, x.Observed.State.Runs
	}
	s.Epochs, s.LostEpochs, s.LostUntil = x.Epochs.Counter, x.Epochs.LostEpochs, x.Epochs.LostUntil
	s.Generation = max(s.Generation, x.Observed.Generation) + 1 // it only ever rises
	return s
}

// makeRoom reports whether a state leaves room for removals. A state that does not goes without the grants that the run takes: for
// one member of a group they have all roles of the group once more.
func makeRoom(s *reconcile.State) bool {
	if !s.Crowded() {
		return true
	}
	if s.Grants.Going == nil {
		return false
	}
	s.Grants.Going = nil
	return !s.Crowded()
}

// nextGrants is what the inventory wants, and earlier grants that the run leaves: a guard or the policy holds them, or a rename
// waits. The grants that the run takes are in Going.
func nextGrants(x *index.Index, d *draft) *reconcile.Grants {
	all, going := maps.Clone(x.Wanted), map[reconcile.Grant][]string{}
	for _, p := range d.parts {
		g := p.grant
		g.Part = 0
		for _, e := range p.edits {
			switch name := e.user(); {
			case e.adds || name == "" || x.Wants(g, name):
			case x.Counts(g, e.subject) && (e.held != "" || e.successor != ""):
				all[g] = append(slices.Clone(all[g]), name)
			case x.Counts(g, e.subject), x.Grants != nil && x.Grants.Going.Explains(g):
				going[g] = append(going[g], name)
			}
		}
	}
	next := reconcile.NewGrants(all)
	if len(going) > 0 {
		next.Going = reconcile.NewGrants(going)
	}
	return next
}

// nextNames is the index of names with the certificates that the run asks for. An entry goes only when its end has passed, it
// never had a later epoch, nothing of it is stored, the name is not in the inventory, and it is not protected.
func nextNames(x *index.Index, d *draft) map[string]reconcile.Name {
	stays := staying(d)
	names := map[string]reconcile.Name{}
	for name, n := range x.Names {
		_, inInventory := x.Users[name]
		meta, rec := x.Observed.Credentials[name], x.Observed.Ledger[name].Record
		n.Stored = meta.CurrentVersion > 0 && (n.Stored || rec != nil && rec.State != reconcile.Removed && rec.Knows(meta.CurrentVersion))
		kept := inInventory || n.Stored || n.Protected && !n.Left
		if !n.Until.After(x.Observed.At) && n.Epoch <= reconcile.FirstEpoch && !kept {
			continue
		}
		n.Left = n.Left || !inInventory && !stays[name] || x.Epochs.Void[name]
		n.Ended = n.Ended || (x.Lapsed[name] || x.Ahead[name]) && !stays[name]
		if n.Epoch = x.Epoch(name); x.Epochs.Raised[name] {
			n.Since, n.Left, n.Ended, n.Revoked = x.Now(), false, n.Ended && x.Lapsed[name], x.Observed.Revoked[name]
		}
		names[name] = n
	}
	for name := range x.Epochs.Raised {
		if _, known := names[name]; !known {
			names[name] = reconcile.Name{Epoch: x.Epoch(name), Since: x.Now(), Revoked: x.Observed.Revoked[name]}
		}
	}
	for name, v := range d.verdicts {
		if v.issues() == "" || v.step.Held != "" {
			continue
		}
		n, known := names[name]
		n.Epoch = x.Epoch(name)
		if !known {
			n.Until = x.Epochs.LostUntil // an index that may lack names does not tell of older certificates
		}
		// No certificate from before lives. Where a guard refuses the next epoch, one may.
		if !x.Epochs.Withheld[name] && (n.Left || !n.Until.After(x.Observed.At)) {
			n.Since = x.Now()
		}
		n.Left, n.Ended = false, false
		if end := v.step.Issue.Spec.LatestEnd(x.Observed.At); end.After(n.Until) {
			n.Until = end
		}
		names[name] = n
	}
	protect(x, names)
	return names
}

// staying has the users from whom the run does not take all, though they are not in the inventory: a guard or the policy holds
// it, or it waits.
func staying(d *draft) map[string]bool {
	stays := map[string]bool{}
	for name, v := range d.verdicts {
		if s := v.step; s != nil && s.Leave != nil && s.Held != "" && s.HeldBy != reconcile.ByConflict {
			stays[name] = true
		}
	}
	for _, p := range d.parts {
		for _, e := range p.edits {
			if !e.adds && !e.runs() {
				stays[e.user()] = true
			}
		}
	}
	return stays
}

// staysRevoked has the revocations that stay at the lock when the index is written, nil if all of them do. Those of users who begin
// a new epoch go, and so do those of users whom the index then calls gone: they begin one when they return.
func staysRevoked(x *index.Index, next reconcile.State) map[string]time.Time {
	if len(x.Observed.Revoked) == 0 {
		return nil
	}
	stays := maps.Clone(x.Observed.Revoked)
	maps.DeleteFunc(stays, func(name string, _ time.Time) bool {
		_, inInventory := x.Users[name]
		_, living := x.Living(name)
		open := living || inInventory && !x.Indexed(name)
		return !open || !x.RevokedAtLock(name) || x.Epochs.Raised[name] || next.Names[name].Left
	})
	if len(stays) == len(x.Observed.Revoked) {
		return nil
	}
	return stays
}
