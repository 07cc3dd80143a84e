package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/e2e/fake"
)

// begun are three clusters in which everybody has what severalBefore gives, and the inventory after that.
func begun(t *testing.T) (l *lab, s several, file string) {
	t.Helper()
	l = newLab(t, 1)
	s = newSeveral(l)
	if r, calls := l.applyAll(t, s, l.inventory(t, severalBefore), nil, "--yes"); r.exit != exitOK || calls["prod"][0].Name != firstCall {
		t.Fatalf("exit %d, first %v: %s", r.exit, calls["prod"][0], r.output)
	}
	return l, s, l.inventory(t, severalAfter)
}

// down has a cluster refuse each connection for the question with which every run begins.
func down(cluster string) map[string][]fake.Fault {
	var all []fake.Fault
	for n := range 20 {
		all = append(all, fake.Fault{Call: fake.Call{Name: firstCall, N: n + 1}, Kind: fake.Refused})
	}
	return map[string][]fake.Fault{cluster: all}
}

const firstCall = "POST selfsubjectreviews of certsync"

// TestClustersOutage: a cluster that is down fails by itself, and its removals are outstanding until they are done.
func TestClustersOutage(t *testing.T) {
	l, s, file := begun(t)
	g := fake.NewGateway("", "")
	defer g.Close()
	path := filepath.Join(t.TempDir(), "report.json")
	args := []string{"--yes", "--report=" + path, "--pushgateway=" + g.URL}
	before := s.standing("prod")
	for _, step := range []struct {
		faults      map[string][]fake.Fault
		exit        int
		outstanding []string
		metric      string
	}{
		{down("prod"), exitError, []string{"alice", "carol"}, "certsync_removals_outstanding 2\n"},
		{nil, exitOK, nil, "certsync_removals_outstanding 0\n"},
	} {
		r, _ := l.applyAll(t, s, file, step.faults, args...)
		for _, count := range regexp.MustCompile(`(?m)^\[\d+/(\d+)\]`).FindAllStringSubmatch(r.output, -1) {
			if all := strings.Count(r.output, "/"+count[1]+"] "); count[1] != fmt.Sprint(all) {
				t.Errorf("a step is one of %s, and there are %d: %s", count[1], all, r.output)
			}
		}
		if r.exit != step.exit || step.exit != exitOK && !strings.Contains(r.output, "certsync: cluster prod: removals are outstanding: alice, carol\n") {
			t.Errorf("exit %d: %s", r.exit, r.output)
		}
		if changed := !cmp.Equal(before, s.standing("prod")); changed != (step.exit == exitOK) {
			t.Errorf("prod has changed: %v", changed)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var report struct {
			ExitCode int
			Clusters []struct {
				Cluster, Owner, Run string
				ExitCode            int
				Outstanding         []string
			}
		}
		if err := json.Unmarshal(text, &report); err != nil || report.ExitCode != step.exit || len(report.Clusters) != 3 {
			t.Fatalf("%v: %s", err, text)
		}
		runs := map[string]bool{}
		for i, c := range report.Clusters {
			runs[c.Run] = true
			code, outstanding, metric := exitOK, []string(nil), "certsync_removals_outstanding 0\n"
			if c.Cluster == "prod" {
				code, outstanding, metric = step.exit, step.outstanding, step.metric
			}
			if c.Cluster != clusterNames[i] || c.Owner != c.Cluster || c.ExitCode != code || !slices.Equal(c.Outstanding, outstanding) {
				t.Errorf("report: %+v", c)
			}
			if pushed := g.Text("certsync/owner/" + c.Owner); !strings.Contains(pushed, metric) {
				t.Errorf("%q is not in %s", metric, pushed)
			}
		}
		if len(runs) != 3 {
			t.Errorf("runs %v", runs)
		}
	}
}

// TestClustersGuard: a guard refuses its own cluster alone.
func TestClustersGuard(t *testing.T) {
	l, s, file := begun(t)
	before := s.standing("prod")
	r, _ := l.applyAll(t, s, file, nil, "--yes", "--max-removals=1")
	if r.exit != exitError || !strings.Contains(r.output, "certsync: cluster prod: refused, nothing was written:\n") ||
		!cmp.Equal(before, s.standing("prod")) || !slices.Contains(s.standing("dev"), "alice: removed, 0 current, 0 requested, 0 stored") {
		t.Errorf("exit %d, %q: %s", r.exit, s.standing("dev"), r.output)
	}
	r, _ = l.applyAll(t, s, file, nil, "--yes", "--max-removals=1")
	if r.exit != exitRefused || !cmp.Equal(before, s.standing("prod")) {
		t.Errorf("nothing is left but what a guard refuses: exit %d: %s", r.exit, r.output)
	}
}

// TestClustersWithoutVault: removals without Vault take the bindings in all clusters.
func TestClustersWithoutVault(t *testing.T) {
	l, s, file := begun(t)
	r, calls := l.applyAll(t, s, file, nil, "--yes", "--removals-only", "--revoke=bob")
	if r.exit != exitOK || len(calls[""]) > 0 {
		t.Errorf("exit %d, %d calls of Vault: %s", r.exit, len(calls[""]), r.output)
	}
	for _, name := range clusterNames {
		for _, b := range s[name].Bindings() {
			if slices.Contains(b.Subjects, "User alice") || slices.Contains(b.Subjects, "User bob") {
				t.Errorf("%s: %v", name, b)
			}
		}
	}
}

// TestClustersNames: a flag may name somebody who is in one cluster alone. A name that no cluster knows is a typing error.
func TestClustersNames(t *testing.T) {
	l, s, _ := begun(t)
	file := l.inventory(t, strings.Replace(severalAfter, "dave, groups: [developers]", "dave, groups: [developers], clusters: {name: prod}", 1))
	unchanged := s.standing("stage")
	r, _ := l.applyAll(t, s, file, nil, "--yes", "--protect=dave", "--protect=eve")
	if r.exit != exitUsage || !strings.Contains(r.output, `certsync: --protect "eve": this name is neither in`) || !cmp.Equal(unchanged, s.standing("stage")) {
		t.Errorf("exit %d: %s", r.exit, r.output)
	}
	if r, _ = l.applyAll(t, s.clone(), file, nil, "--yes", "--protect=dave"); r.exit != exitOK {
		t.Errorf("exit %d: %s", r.exit, r.output)
	}

	// A cluster that is down may be the one that knows the name. Nobody keeps access elsewhere for that.
	if r, _ = l.applyAll(t, s, file, down("prod"), "--yes", "--protect=eve"); r.exit != exitUsage || !cmp.Equal(unchanged, s.standing("stage")) {
		t.Errorf("exit %d: %s", r.exit, r.output)
	}
	r, _ = l.applyAll(t, s, file, down("prod"), "--yes", "--protect=dave")
	if r.exit != exitError || !slices.Contains(s.standing("dev"), "alice: removed, 0 current, 0 requested, 0 stored") {
		t.Errorf("exit %d, %q: %s", r.exit, s.standing("dev"), r.output)
	}
}

// TestClustersFlagForOne: the report says that the run was refused, and is not that of the run before.
func TestClustersFlagForOne(t *testing.T) {
	l := newLab(t, 1)
	path := filepath.Join(t.TempDir(), "report.json")
	r, _ := l.applyAll(t, newSeveral(l), l.inventory(t, severalBefore), nil, "--yes", "--move-to-this-cluster", "--report="+path)
	text, err := os.ReadFile(path)
	if r.exit != exitError || err != nil || strings.Count(string(text), `"exitCode":1`) != 4 {
		t.Errorf("exit %d: %s: %v, %s", r.exit, r.output, err, text)
	}
}

// TestClustersChosen: one cluster of several is as one cluster alone.
func TestClustersChosen(t *testing.T) {
	l, s, file := begun(t)
	before := s.standing("dev")
	r, _ := l.applyAll(t, s, file, nil, "--yes", "--cluster=env=prod")
	if r.exit != exitOK || strings.Contains(r.output, "Cluster prod") || !strings.Contains(r.output, "Plan for prod") || !cmp.Equal(before, s.standing("dev")) || len(s["prod"].Bindings()) != 1 {
		t.Errorf("exit %d: %s", r.exit, r.output)
	}
}

// TestClustersInterrupted: an interruption ends the run in all clusters, also while they wait for each other, and the next run does the
// rest.
func TestClustersInterrupted(t *testing.T) {
	l, s, file := begun(t)
	end := s.clone()
	_, calls := l.applyAll(t, end, file, nil, "--yes")
	writes := slices.DeleteFunc(slices.Clone(calls["prod"]), func(c fake.Call) bool { return !writing(c) || c.Name == "POST events" })
	for i, call := range writes {
		if !*everyCall && i != len(writes)/2 {
			continue // each takes ten seconds, in which certsync tries to write Events
		}
		now := s.clone()
		r, _ := l.applyAll(t, now, file, map[string][]fake.Fault{"prod": {{Call: call, Kind: fake.DieBefore}}}, "--yes", "-o", "json")
		if r.exit != exitInterrupted {
			t.Errorf("%s (%d of %d): exit %d: %s", call, i+1, len(writes), r.exit, r.output)
		}
		for _, name := range clusterNames {
			ends := regexp.MustCompile(`(?m)^\{"cluster":"`+name+`",.*"exitCode":.*$`).FindAllString(r.output, -1)
			if len(ends) != 1 || !strings.Contains(ends[0], `"summary":`) {
				t.Errorf("%s: %s ends with %q: %s", call, name, ends, r.output)
			}
		}
		for _, name := range clusterNames {
			now[name].Advance(lockLife)
		}
		r, _ = l.applyAll(t, now, file, nil, "--yes")
		for _, name := range clusterNames {
			if diff := cmp.Diff(end.standing(name), now.standing(name)); diff != "" || r.exit != exitOK {
				t.Errorf("%s: %s: exit %d (-want +got): %s\n%s", call, name, r.exit, diff, r.output)
			}
		}
	}
}
