package review

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
	"github.com/certsync/certsync/reconcile/revocation"
	"github.com/certsync/certsync/reconcile/usage"
)

// used is the use of a certificate at a time.
func used(username, sha string, at time.Time) usage.Certificate {
	return usage.Certificate{SHA256: sha, Username: username, Use: usage.Use{First: at.Add(-time.Minute), Last: at, Requests: 3}}
}

// fingerprints of a user's certificates in the ledger, the oldest first.
func fingerprints(w *reconciletest.World, user string) (all []string) {
	entry := w.Ledger[user]
	for _, c := range entry.Versions[entry.Current].Record.Certificates {
		all = append(all, c.SHA256)
	}
	return all
}

// TestAddUse: a certificate counts as used against the rules only from the time at which it should not have been.
func TestAddUse(t *testing.T) {
	w := newWorld(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	began := w.Now
	w.MustApply(reconciletest.Parse(t, team))
	renewed := w.Now.Add(150 * time.Hour)
	w.Now = renewed
	w.MustApply(reconciletest.Parse(t, team)) // everybody's second certificate
	left := w.Now.Add(time.Hour)
	w.Now = left
	w.MustApply(reconciletest.Parse(t, withoutBob))
	w.Rules.Revoke = []string{"carol"}
	revoked := w.Now.Add(time.Hour)
	w.Now = revoked
	w.MustApply(reconciletest.Parse(t, withoutBob))
	w.Now = w.Now.Add(time.Hour)
	o := observe(w)
	alice, bob, carol := fingerprints(w, "alice"), fingerprints(w, "bob"), fingerprints(w, "carol")
	for sentence, c := range map[string]struct {
		certificate usage.Certificate
		want        string
	}{
		"the current certificate":                       {used("alice", alice[1], w.Now), ""},
		"the one before, before there was another":      {used("alice", alice[0], renewed.Add(-time.Hour)), ""},
		"the one before, after there was another":       {used("alice", alice[0], renewed.Add(time.Hour)), "superseded"},
		"a leaver's, before they left":                  {used("bob", bob[1], left.Add(-time.Minute)), ""},
		"a leaver's, after they left":                   {used("bob", bob[1], left.Add(time.Minute)), "revoked"},
		"a revoked one, before":                         {used("carol", carol[0], revoked.Add(-time.Minute)), ""},
		"a revoked one, after":                          {used("carol", carol[0], revoked.Add(time.Minute)), "revoked"},
		"one that has expired since":                    {used("alice", "aa", began), "not-kept"},
		"one that nobody knows, long after the renewal": {used("alice", "aa", renewed.Add(200*time.Hour)), "unknown"},
		"one that nobody knows, of a leaver":            {used("bob", "aa", left.Add(time.Hour)), "unknown"},
		"of a name that is not certsync's":              {used("admin", "aa", began), "unknown"},
		"of Kubernetes itself":                          {used("system:kube-scheduler", "aa", began), ""},
	} {
		r := Of(reconciletest.Parse(t, withoutBob), o, reconcile.Rules{})
		log := usage.Log{From: began, To: w.Now, Events: 3, Requests: 3, Users: map[string]usage.User{}}
		if _, asked := r.Usernames()[c.certificate.Username]; asked {
			log.Users[c.certificate.Username] = usage.User{Use: c.certificate.Use, Certificates: []usage.Certificate{c.certificate}}
		} else {
			log.Others = []usage.Certificate{c.certificate}
		}
		revoked, err := revocation.Of("test", o)
		if err != nil {
			t.Fatal(err)
		}
		r.AddUse(log, revoked.Certificates)
		got := ""
		for _, u := range r.Use.Unexpected {
			got += string(u.Standing)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", sentence, got, c.want)
		}
	}
}

// TestUnused: access is unused from when the log begins, or from when its binding was made, and requests under an earlier name count.
func TestUnused(t *testing.T) {
	w := newWorld(t)
	began := w.Now
	w.MustApply(reconciletest.Parse(t, team))
	w.Rules.Revoke = []string{"alice"}
	w.Now = w.Now.Add(24 * time.Hour)
	w.MustApply(reconciletest.Parse(t, team))
	others(w, "new", "staging", "User", "carol", "view")
	w.Now = w.Now.Add(24 * time.Hour)
	r := reviewOf(w, reconciletest.Parse(t, team))
	binding := usage.Binding{Kind: reconcile.ClusterRoleBinding, Name: "certsync:test:group:devs:view"}
	log := usage.Log{From: began.Add(time.Hour), To: w.Now, Events: 1, Requests: 1, Users: map[string]usage.User{
		"alice": {Use: usage.Use{First: began, Last: began.Add(time.Hour), Requests: 7}, Bindings: []usage.BindingUse{{Binding: binding, Use: usage.Use{First: began, Requests: 7}}}},
	}}
	r.AddUse(log, nil)
	got := map[string]string{}
	for _, p := range r.People {
		for _, a := range p.Access {
			since := "used"
			if a.UnusedSince != nil {
				since = a.UnusedSince.Sub(began).String()
			}
			got[p.Name+" "+a.Namespace+"/"+a.Role] = since
		}
	}
	want := map[string]string{
		"alice /admin": "24h0m0s", "alice /view": "used", "alice staging/edit": "1h0m0s", "bob /view": "1h0m0s", "bob staging/edit": "1h0m0s",
		"carol payments/edit": "1h0m0s", "carol staging/view": "1h0m0s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if u := r.People[0].Use; u.Requests != 7 || u.Last == nil {
		t.Errorf("%+v", u)
	}
	r = reviewOf(w, reconciletest.Parse(t, team))
	r.AddUse(usage.Log{Events: 5, From: began, To: w.Now}, nil)
	if r.People[0].Use != nil || r.People[0].Access[0].UnusedSince != nil || r.Use.Requests != 0 {
		t.Errorf("a log without ends of requests tells something: %s", fmt.Sprint(r.People[0]))
	}
}
