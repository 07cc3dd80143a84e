package apply_test

import (
	"regexp"
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// asks chooses the flags of the next runs: the first of each choice takes away all that there is to take.
func (s *scenario) asks(f *choices) {
	r := &s.Rules
	r.Policy = choose(f, "", "", "", reconcile.UpsertOnly, reconcile.CreateOnly)
	s.limit = choose(f, "100%", "", "", "", "1", "0")
	r.MaxRemovals = reconcile.Limit{}
	if s.limit != "" {
		_ = r.MaxRemovals.UnmarshalText([]byte(s.limit))
	}
	r.AllowEmpty = f.below(3) != 1
	r.Self = choose(f, "", "", "", "alice", "dave")
	r.Protect, r.Adopt, r.Retry = nil, nil, nil
	if f.below(3) == 1 {
		r.Protect = f.some("alice", "bob", "carol", "dave", "zoe")
	}
	if f.below(3) == 1 {
		r.Adopt = f.some(persons...)
	}
	if f.below(2) == 1 {
		r.Retry = slices.Clone(persons)
	}
	r.NewLedger, r.AcceptRollback = false, false // once it was refused
	s.tell("asked for: policy %q, --max-removals=%s, --allow-empty=%t, self %q, --protect=%q, --adopt=%q, --retry=%q",
		r.Policy, r.MaxRemovals, r.AllowEmpty, r.Self, r.Protect, r.Adopt, r.Retry)
}

// onlyKnown takes those names out of the flags that a run would refuse to know.
func (s *scenario) onlyKnown(inv *inventory.Inventory, o reconcile.Observed) {
	keep := func(list []string, as func(string) reconcile.Rules) []string {
		return slices.DeleteFunc(slices.Clone(list), func(n string) bool { return as(n).Unknown(inv, o) != nil })
	}
	r := &s.Rules
	r.Revoke = keep(r.Revoke, func(n string) reconcile.Rules { return reconcile.Rules{Revoke: []string{n}} })
	r.Retry = keep(r.Retry, func(n string) reconcile.Rules { return reconcile.Rules{Retry: []string{n}} })
	r.Protect = keep(r.Protect, func(n string) reconcile.Rules { return reconcile.Rules{Protect: []string{n}} })
	r.Adopt = keep(r.Adopt, func(n string) reconcile.Rules { return reconcile.Rules{Adopt: []string{n}} })
}

// lift lifts what forbids every write, which --hold does not.
func (s *scenario) lift() {
	s.Rules.NewLedger, s.Rules.AcceptRollback = s.State == nil, s.State != nil
	s.tell("with --new-ledger=%t --accept-rollback=%t", s.Rules.NewLedger, s.Rules.AcceptRollback)
}

var (
	userLine   = regexp.MustCompile(`(?m)^  - \{name: (\w+), groups: .*\}$`)
	priorNames = regexp.MustCompile(`, previously: \[([\w, ]+)\]\}$`)
)

// renamed chooses whether a user of an inventory has another name from now on. Time after time, two may exchange theirs.
func (c *choices) renamed(text string) string {
	users := userLine.FindAllStringSubmatch(text, -1)
	free := slices.DeleteFunc(slices.Clone(persons), func(n string) bool {
		return slices.ContainsFunc(users, func(u []string) bool { return u[1] == n })
	})
	if c.below(3) != 1 || len(users) == 0 || len(free) == 0 {
		return text
	}
	was, now := choose(c, users...)[1], choose(c, free...)
	return userLine.ReplaceAllStringFunc(text, func(line string) string {
		var before []string
		if m := priorNames.FindStringSubmatch(line); m != nil {
			before = slices.DeleteFunc(strings.Split(m[1], ", "), func(n string) bool { return n == now }) // in use again
			line = strings.TrimSuffix(line, m[0]) + "}"
		}
		if strings.HasPrefix(line, "  - {name: "+was+",") {
			line, before = strings.Replace(line, was, now, 1), append(before, was)
		}
		if len(before) == 0 {
			return line
		}
		return strings.TrimSuffix(line, "}") + ", previously: [" + strings.Join(before, ", ") + "]}"
	})
}
