package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"slices"
	"strconv"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/certsync/certsync/e2e/fake"
	"github.com/certsync/certsync/reconcile"
)

// history is what a world has ever said of the owner's epochs. A restored or lost state does not take it back: a certificate that
// was revoked before that lives on.
type history struct {
	given   map[int64]string // who got a number
	highest map[string]int64 // the latest epoch, by name
	counter int64            // the highest in a state
	marked  int64            // the highest at the lock

	stands map[string]int64 // by name, as the state in the world has it
	bound  map[string]bool  // usernames in bindings before the run, of which it can learn what the state has lost
	mark   bool             // the lock in the world has a number
}

func newHistory() *history { return &history{given: map[int64]string{}, highest: map[string]int64{}} }

func (h *history) clone() *history {
	c := *h
	c.given, c.highest = maps.Clone(h.given), maps.Clone(h.highest)
	return &c
}

// begin notes what stands in a world before a run, whoever put it there.
func (h *history) begin(w *fake.World) {
	h.stands, h.bound = epochsOf(w), map[string]bool{}
	for g := range grants(w) {
		username, _, _ := strings.Cut(g, ":")
		h.bound[username] = true
	}
	_, h.mark = markOf(w)
}

// wrote looks at a world after a write, and returns what should not be: an epoch or a counter that fell, or a number that was
// given twice.
func (h *history) wrote(target string, w *fake.World) (problems []string) {
	switch target {
	case "secret/" + ownFolder + "/state":
		return h.wroteState(w)
	case lockName:
		n, there := markOf(w)
		if h.mark && !there || there && n < h.marked {
			problems = append(problems, "the counter at the lock fell")
		}
		h.mark, h.marked = there, max(n, h.marked)
	}
	return problems
}

func (h *history) wroteState(w *fake.World) (problems []string) {
	s, epochs := stateOf(w), epochsOf(w)
	if s.Epochs < h.counter {
		problems = append(problems, "the counter in the state fell")
	}
	h.counter = max(h.counter, s.Epochs)
	for _, name := range slices.Sorted(maps.Keys(h.highest)) {
		comesBackLater := s.LostEpochs > 0 && epochs[name] <= s.LostEpochs
		if h.highest[name] > max(epochs[name], reconcile.FirstEpoch) && !comesBackLater {
			problems = append(problems, "the epoch of "+name+" fell")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(epochs)) {
		n := epochs[name]
		learned := h.given[n] == name && h.bound[reconcile.Username(name, n)]
		if who, taken := h.given[n]; n != h.stands[name] && taken && !learned {
			problems = append(problems, "number "+strconv.FormatInt(n, 10)+" was given to "+who+", and again to "+name)
		}
		if h.highest[name] = max(h.highest[name], n); n > reconcile.FirstEpoch {
			h.given[n] = name
		}
		if n > s.Epochs {
			problems = append(problems, "the counter is behind the epoch of "+name)
		}
	}
	h.stands = epochs
	return problems
}

// stateOf is the owner's state, or a zero one.
func stateOf(w *fake.World) reconcile.State {
	if s, err := reconcile.ParseState(w.Secret(ownFolder + "/state")); err == nil {
		return *s
	}
	return reconcile.State{}
}

// epochsOf is the epoch of each name, as the state has it.
func epochsOf(w *fake.World) map[string]int64 {
	epochs := map[string]int64{}
	for name, n := range stateOf(w).Names {
		epochs[name] = n.Epoch
	}
	return epochs
}

// markOf is the counter at the lock.
func markOf(w *fake.World) (n int64, there bool) {
	var lease coordinationv1.Lease
	_ = json.Unmarshal([]byte(w.Dump()[lockName]), &lease) // there may be none
	n, err := strconv.ParseInt(lease.Annotations["certsync.dev/epochs"], 10, 64)
	return n, err == nil
}

// inForce reports whether a username is of the person's present epoch, by epochs.
func inForce(epochs map[string]int64, username string) bool {
	name, epoch := reconcile.Person(username)
	return epoch == max(epochs[name], reconcile.FirstEpoch)
}

// subjectStanding is a subject of a binding without the number, which differs from run to run.
func subjectStanding(epochs map[string]int64, subject string) string {
	username, user := strings.CutPrefix(subject, "User ")
	name, _ := reconcile.Person(username)
	switch {
	case !user:
		return subject
	case inForce(epochs, username):
		return "User " + name
	}
	return "User " + name + ", whose certificate is revoked"
}

// usernameIn is the name in a certificate, "" if there is none.
func usernameIn(text string) string {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return ""
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return ""
	}
	return cert.Subject.CommonName
}
