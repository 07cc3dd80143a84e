package fleet

import (
	"context"
	"slices"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/reviewpage"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/preflight"
	"github.com/certsync/certsync/reconcile/review"
	"github.com/certsync/certsync/reconcile/revocation"
	"github.com/certsync/certsync/reconcile/status"
)

// Sum is what the plans of several clusters come to.
type Sum struct {
	Digest  string
	Changes bool // apply would write something in a cluster
	Runs    bool // some of it is not held
	Refused bool // apply would refuse a cluster
}

// SumOf sums up plans. A name in a flag that no cluster knows is an UnknownName.
func SumOf(results []Result[Planned]) (Sum, error) {
	var s Sum
	var all []Planned
	for _, r := range results {
		p := r.Value
		p.Name, p.Inventory, p.Made = r.Name, r.Inventory, r.Err == nil
		if all = append(all, p); p.Made {
			s.Changes, s.Runs = s.Changes || p.Plan.Changes(), s.Runs || p.Plan.HasWork()
			s.Refused = s.Refused || len(p.Plan.Refusals()) > 0
		}
	}
	s.Digest = digestOf(all)
	return s, unknownEverywhere(all)
}

// PlanDocument is the form of `plan -o json` for several clusters.
func PlanDocument(results []Result[Planned], s Sum) Document {
	return Document{FormatVersion: reconcile.PlanVersion, Digest: s.Digest, Changes: &s.Changes, Clusters: entries(results, func(e *Entry, p Planned) { e.Plan = p.Plan })}
}

// Standing is what status knows of a cluster. If the cluster cannot be reached, it has only what Vault tells.
type Standing struct {
	Report      status.Report
	Outstanding []string // users whose removal waits
}

// StandingOf observes a cluster and its folder in Vault. clusterErr says why there is no cluster. If the cluster fails, the result has an error, and
// what Vault tells.
func StandingOf(ctx context.Context, t Target, cluster reconcile.ClusterReader, clusterErr error, store reconcile.StoreReader, rules reconcile.Rules, now func() time.Time) (Standing, error) {
	err := clusterErr
	if err == nil {
		var observed reconcile.Observed
		limited, cancel := context.WithTimeout(ctx, answerLimit/2) // leaves time to ask Vault
		observed, err = reconcile.Observe(limited, t.Owner, cluster, store, now)
		if cancel(); err == nil {
			err = observed.StateProblem
		}
		if err == nil {
			return Standing{status.Of(t.Inventory, observed, rules), status.Outstanding(t.Inventory, observed.StoreView, observed.At)}, nil
		}
	}
	view, storeErr := store.ObserveStore(ctx)
	if storeErr != nil {
		return Standing{}, err
	}
	return Standing{Outstanding: status.Outstanding(t.Inventory, view, now())}, err
}

// OnlyUsers leaves those users in the reports. A name that no cluster knows is an UnknownName.
func OnlyUsers(results []Result[Standing], names []string) error {
	if len(names) == 0 {
		return nil
	}
	known, failed := map[string]bool{}, false
	for i := range results {
		r := &results[i].Value.Report
		failed = failed || results[i].Err != nil // and may know the name
		r.Users = slices.DeleteFunc(slices.Clone(r.Users), func(u status.User) bool { return !slices.Contains(names, u.Name) })
		for _, u := range r.Users {
			known[u.Name] = true
		}
		results[i].Value.Outstanding = slices.DeleteFunc(results[i].Value.Outstanding, func(n string) bool { return !slices.Contains(names, n) })
	}
	for _, name := range names {
		if !failed && !known[name] {
			return reconcile.UnknownName{Flag: "--user", Name: name}
		}
	}
	return nil
}

// ShownStanding returns standings as render takes them.
func ShownStanding(results []Result[Standing]) []terminal.InCluster[status.Report] {
	all := Shown(results, func(s Standing) status.Report { return s.Report })
	for i, r := range results {
		all[i].Outstanding = r.Value.Outstanding
	}
	return all
}

// StatusDocument is the form of `status -o json` for several clusters.
func StatusDocument(results []Result[Standing]) Document {
	return Document{FormatVersion: reconcile.FormatVersion, Clusters: entries(results, func(e *Entry, s Standing) { e.Status, e.Outstanding = s.Report, s.Outstanding })}
}

// RevocationsDocument is the form of `revocations -o json` for several clusters.
func RevocationsDocument(results []Result[revocation.Report]) Document {
	return Document{FormatVersion: reconcile.FormatVersion, Clusters: entries(results, func(e *Entry, r revocation.Report) { e.Revocations = r })}
}

// PreflightDocument is the form of `preflight -o json` for several clusters.
func PreflightDocument(results []Result[preflight.Report]) Document {
	ok := !slices.ContainsFunc(results, func(r Result[preflight.Report]) bool { return r.Err != nil || !r.Value.OK() })
	return Document{FormatVersion: reconcile.FormatVersion, OK: &ok, Clusters: entries(results, func(e *Entry, r preflight.Report) { e.Preflight = r })}
}

// ReviewDocument is the form of `review -o json` for several clusters.
func ReviewDocument(results []Result[review.Review]) Document {
	return Document{FormatVersion: reconcile.FormatVersion, Clusters: entries(results, func(e *Entry, r review.Review) { e.Review = r })}
}

// Reviewed returns reviews as reviewpage takes them.
func Reviewed(results []Result[review.Review]) []reviewpage.InCluster {
	var all []reviewpage.InCluster
	for _, r := range results {
		in := reviewpage.InCluster{Cluster: r.Name, Owner: r.Owner, Review: r.Value}
		if r.Err != nil {
			in.Problem = r.Err.Error()
		}
		all = append(all, in)
	}
	return all
}
