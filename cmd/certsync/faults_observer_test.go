package main

import (
	"crypto/ecdsa"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/certsync/certsync/e2e/fake"
	"github.com/certsync/certsync/reconcile"
)

// observer looks at a world after every write and notes what must never be.
type observer struct {
	start, end *fake.World // before the run, and after one without a fault
	own        []any       // public keys that certsync never had the other half of

	grants  []string        // that users have before and after, and so all the time
	holders []string        // who has a credential before and after
	had     map[string]bool // grants before
	foreign map[string]string
	unknown map[string]bool // certificates of stored keys that the ledger has lost before the run
	history *history

	mu       sync.Mutex
	problems []string
}

func newObserver(start, end *fake.World, past *history, own []any, yields []string) *observer {
	o := &observer{start: start, end: end, own: own, history: past, had: grants(start), foreign: foreign(start, yields), unknown: map[string]bool{}}
	after := grants(end)
	for _, g := range slices.Sorted(maps.Keys(o.had)) {
		if after[g] {
			o.grants = append(o.grants, g)
		}
	}
	users := end.Users(ownFolder)
	for name, u := range start.Users(ownFolder) {
		for _, v := range u.Stored {
			if _, recorded := u.Recorded(v.Certificate); !recorded {
				o.unknown[v.Certificate] = true
			}
		}
		if u.Credential() != "" && users[name].Credential() != "" {
			o.holders = append(o.holders, name)
		}
	}
	return o
}

// foreign is all that is not ours. Requests for certificates that were there before the run are among it.
func foreign(w *fake.World, yields []string) map[string]string {
	all := w.Dump()
	maps.DeleteFunc(all, func(name, _ string) bool { return isOurs(name) || slices.Contains(yields, name) })
	return all
}

// fresh is an observer for another case of the same scenario.
func (o *observer) fresh() *observer {
	return &observer{start: o.start, end: o.end, own: o.own, history: o.history.clone(), grants: o.grants, holders: o.holders, had: o.had,
		foreign: o.foreign, unknown: o.unknown}
}

func (o *observer) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := fmt.Sprintf(format, args...); !slices.Contains(o.problems, p) {
		o.problems = append(o.problems, p)
	}
}

// wrote is called after every write.
func (o *observer) wrote(target string, now *fake.World) {
	if _, theirs := o.foreign[target]; theirs {
		o.note("%s, which is not ours, was written", target)
	}
	has := grants(now)
	for _, g := range o.grants {
		if !has[g] {
			o.note("lost for a while: %s (after a write of %s)", g, target)
		}
	}
	for _, problem := range o.history.wrote(target, now) {
		o.note("%s (with a write of %s)", problem, target)
	}
	users := now.Users(ownFolder)
	for _, name := range o.holders {
		if users[name].Credential() == "" {
			o.note("%s had no credential for a while (after a write of %s)", name, target)
		}
	}
	for _, cert := range now.Issued() {
		key := cert.PublicKey.(*ecdsa.PublicKey)
		name, _ := reconcile.Person(cert.Subject.CommonName)
		if slices.ContainsFunc(o.own, func(k any) bool { return key.Equal(k) }) && !users[name].Knows(cert) {
			o.note("the ledger did not know a certificate of %s, for their own key", name)
		}
	}
	for g := range has {
		username, _, _ := strings.Cut(g, ":")
		if name, _ := reconcile.Person(username); !o.had[g] && usernameIn(users[name].Credential()) != username {
			o.note("given before there was a credential: %s", g)
		}
		if !o.had[g] && !inForce(o.history.stands, username) {
			o.note("given to a revoked certificate: %s", g)
		}
	}
	for name, u := range users {
		if u.State == "removed" {
			o.gone(name, has, u)
		}
		if n := currents(u); n > 1 {
			o.note("%s had %d current certificates", name, n)
		}
		for _, v := range u.Stored {
			if _, recorded := u.Recorded(v.Certificate); v.Live && !recorded && !o.unknown[v.Certificate] {
				o.note("the ledger did not know the certificate of version %d of users/%s", v.Version, name)
			}
		}
	}
}

func currents(u fake.User) (n int) {
	for _, c := range u.Certificates {
		if c.Status == "current" {
			n++
		}
	}
	return n
}

// ended looks at the world when all runs are over.
func (o *observer) ended(w *fake.World) {
	all := w.Dump()
	for name, text := range o.foreign {
		if all[name] != text {
			o.note("%s is not ours and is now %q, not %q", name, all[name], text)
		}
	}
	has, users := grants(w), w.Users(ownFolder)
	for g := range has {
		if username, _, _ := strings.Cut(g, ":"); !inForce(o.history.highest, username) {
			o.note("a revoked certificate keeps %s", g)
		}
	}
	end := o.end.Users(ownFolder)
	for _, name := range slices.Sorted(maps.Keys(users)) {
		if end[name].State != "active" {
			o.gone(name, has, users[name])
		}
	}
}

// gone notes what somebody who left still has.
func (o *observer) gone(name string, has map[string]bool, u fake.User) {
	for g := range has {
		if strings.HasPrefix(g, name+": ") {
			o.note("left, and keeps %s", g)
		}
	}
	if len(u.Stored) > 0 {
		o.note("%s left, and a credential can be read", name)
	}
}
