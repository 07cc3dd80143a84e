package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/certsync/certsync/e2e/fake"
)

// told lists the Events on the owner's Lease that kubectl shows, as "Type Reason", sorted: the time of
// an Event has no more than seconds.
func (f *fixture) told() []string {
	f.Helper()
	var list corev1.EventList
	out := f.kubectl("get", "events", "-n", "kube-system", "-o", "json",
		"--field-selector", "involvedObject.kind=Lease,involvedObject.name=certsync-"+f.owner)
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		f.Fatal(err)
	}
	lease := f.kubectl("get", "lease", "-n", "kube-system", "certsync-"+f.owner, "--ignore-not-found", "-o", "jsonpath={.metadata.uid}")
	told := []string{}
	for _, e := range list.Items {
		told = append(told, e.Type+" "+e.Reason)
		if string(e.InvolvedObject.UID) != lease || len(e.Message) > 1024 || f.secrets.find(e.Message) != "" {
			f.Errorf("about %s, not %s, or too long, or too much: %q", e.InvolvedObject.UID, lease, e.Message)
		}
	}
	return sorted(told)
}

// report is what stands in the file that apply has written.
type report struct {
	Owner, ClusterUID, Run, Error, Hint string
	ExitCode                            int
	StartedAt, EndedAt                  time.Time
	Refusals                            []string
	Summary                             map[string]int
	Events                              []struct{ Run, User, Action, Result string }
}

func (f *fixture) report() (r report) {
	f.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "report.json"))
	if err != nil {
		f.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		f.Fatal(err)
	}
	return r
}

// TestEvents: what runs of every kind tell, by Events that kubectl shows, in the report, and to the Pushgateway.
func TestEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.namespace("staging")
	f.namespace("payments")
	gateway := fake.NewGateway("certsync", "a-password-for-the-gateway")
	defer gateway.Close()
	f.secrets.add("the gateway's password", "a-password-for-the-gateway")
	f.env = append(f.env, "CERTSYNC_REPORT=report.json", "CERTSYNC_PUSHGATEWAY="+gateway.URL,
		"CERTSYNC_PUSHGATEWAY_USERNAME=certsync", "CERTSYNC_PUSHGATEWAY_PASSWORD=a-password-for-the-gateway")
	events := []string{}
	run := func(code int, news []string, args ...string) (report, map[string]float64) {
		t.Helper()
		r := f.must(code, append([]string{"apply"}, args...)...)
		if strings.Contains(r.stderr, "writing Event") || strings.Contains(r.stderr, "pushing") {
			t.Errorf("%s", r.stderr)
		}
		events = append(events, news...)
		if diff := cmp.Diff(sorted(events), f.told()); diff != "" {
			t.Errorf("apply %q: %s", args, diff)
		}
		if got := f.report(); got.ExitCode != code || got.EndedAt.Before(got.StartedAt) {
			t.Errorf("apply %q: %+v", args, got)
		}
		return f.report(), gateway.Metrics("certsync/owner/" + f.owner)
	}
	expect := func(metrics, want map[string]float64) {
		t.Helper()
		for name, value := range want {
			if got, ok := metrics["certsync_"+name]; !ok || got != value {
				t.Errorf("certsync_%s is %v, want %v", name, got, value)
			}
		}
	}

	f.write(team)
	if r, metrics := run(3, nil); len(r.Refusals) != 1 || metrics["certsync_refusals"] != 1 { // no Lease yet, and nobody to ask
		t.Errorf("%+v, %v", r, metrics)
	}
	began := time.Now()
	r, metrics := run(0, []string{"Normal Applied"}, "--yes")
	if diff := cmp.Diff(map[string]int{"issue": 3, "bind": 3, "unchanged": 0}, r.Summary); diff != "" || len(r.Events) != 6 || r.ClusterUID == "" {
		t.Errorf("%s: %+v", diff, r)
	}
	success := metrics["certsync_last_success_timestamp_seconds"]
	expect(metrics, map[string]float64{`changes{action="issue"}`: 3, `changes{action="bind"}`: 3, "refusals": 0, "failures": 0,
		"exit_code": 0, "users": 3, "leavers_live_certificates": 0})
	if expiry := time.Unix(int64(metrics["certsync_earliest_expiry_timestamp_seconds"]), 0); expiry.Sub(began) < 167*time.Hour ||
		expiry.Sub(began) > 169*time.Hour || success < float64(began.Unix()) {
		t.Errorf("the first expires at %s, success at %f", expiry, success)
	}
	_, metrics = run(0, nil, "--yes") // nothing to do
	if metrics["certsync_last_success_timestamp_seconds"] <= success {
		t.Errorf("success at %f, then at %f", success, metrics["certsync_last_success_timestamp_seconds"])
	}
	success = metrics["certsync_last_success_timestamp_seconds"]
	expect(metrics, map[string]float64{`changes{action="issue"}`: 0, "users": 3})

	// Somebody leaves, and somebody else's secret is planted over.
	f.write(strings.Replace(team, "  - {name: bob@OWNER, groups: [devs-OWNER]}\n", "", 1))
	f.vaultWrite("data/certsync/OWNER/users/alice@OWNER", map[string]any{"data": map[string]any{"planted": "by somebody"}})
	r, metrics = run(3, []string{"Warning Refused"}, "--yes", "--protect=bob@"+f.owner)
	if len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0], "bob@"+f.owner) {
		t.Errorf("%q", r.Refusals)
	}
	expect(metrics, map[string]float64{"refusals": 1, "exit_code": 3, "last_success_timestamp_seconds": success})
	_, metrics = run(1, []string{"Normal Applied", "Warning Held"}, "--yes")
	expect(metrics, map[string]float64{"refusals": 0, "held": 1, `changes{action="remove"}`: 1, "users": 2, "leavers_live_certificates": 1,
		"exit_code": 1, "last_success_timestamp_seconds": success})
	f.tellOfFailure(run, expect, success)
}

// tellOfFailure goes on with a run that may not see everything, and one that finds the lock taken.
func (f *fixture) tellOfFailure(run func(int, []string, ...string) (report, map[string]float64), expect func(metrics, want map[string]float64), success float64) {
	f.Helper()
	if r, metrics := run(1, []string{"Warning Failed"}, "--yes", "--vault-mount=nowhere"); r.Error == "" || r.Hint == "" {
		f.Errorf("%+v", r)
	} else {
		expect(metrics, map[string]float64{"failures": 1, "held": 0, "exit_code": 1, "users": 2, "last_success_timestamp_seconds": success})
	}
	f.kubectl("patch", "lease", "-n", "kube-system", "certsync-"+f.owner, "--type=merge", "-p",
		`{"spec":{"holderIdentity":"somebody","leaseDurationSeconds":60,"renewTime":"`+time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00")+`"}}`)
	f.write(team)
	r, metrics := run(4, nil, "--yes", "--adopt=users/alice@"+f.owner, "--retry=bob@"+f.owner)
	if !strings.Contains(r.Error, `"somebody"`) || metrics["certsync_exit_code"] != 1 {
		f.Errorf("%+v, %v", r, metrics)
	}
}
