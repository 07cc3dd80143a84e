package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// fastSigner is a controller manager whose signer is not what limits a run: 300 certificates a second instead of 20.
var fastSigner = []string{"--kube-api-qps=2000", "--kube-api-burst=4000"}

// BenchmarkApply2000 applies an inventory with 2,000 new users, each with a ClusterRole of their own and all in one group,
// and runs the yardstick for as many: a program that sends the bare requests for the same result and checks nothing. The
// two take turns on the same servers, and the medians are reported.
//
//	users/s            2,000 by the time from the start of the process to its end: connecting, observing twice, asking for
//	                   its rights, the canary and the group's binding are in it
//	bare-users/s       the same of the yardstick
//	of-yardstick       users/s by bare-users/s
//	issuing-users/s    between the canary and the last certificate, by the events' own times
//	k8s-writes/user    creates, updates, patches and deletes; reviews write nothing
//	k8s-other          reads, watches and reviews of the whole run
//	vault-writes/user  writes of data, but for the one of the state
//	vault/user         all requests to the owner's folder
//	cpu-ms/user        of certsync's process alone; bare-cpu-ms/user is the yardstick's
//	peak-MB            of certsync's process
func BenchmarkApply2000(b *testing.B) {
	const users, rounds = 2000, 4
	s := newBench(b, fastSigner...)
	s.bare("warm-up", users/10)
	var certsyncs, bares []measured
	for round := range rounds {
		// Each goes first as often as second: the servers grow with what they were told.
		for turn := range 2 {
			if (round+turn)%2 == 0 {
				bares = append(bares, s.bare(fmt.Sprintf("bare-%d", round), users))
			} else {
				certsyncs = append(certsyncs, s.apply(fmt.Sprintf("apply-%d", round), users))
			}
		}
	}
	bare := median(bares, measured.perSecond)
	s.report(certsyncs)
	b.ReportMetric(bare, "bare-users/s")
	b.ReportMetric(median(bares, measured.cpuPerUser), "bare-cpu-ms/user")
	ratio := median(certsyncs, measured.perSecond) / bare
	b.ReportMetric(ratio, "of-yardstick")
	b.Logf("CPU of process and servers: certsync %.2f ms a user, the bare program %.2f",
		median(certsyncs, measured.allCPU), median(bares, measured.allCPU))
	b.Logf("certsync %.0f users/s, the bare program %.0f: %.0f%% (goal: 90%% or more); certsync %s, bare %s",
		median(certsyncs, measured.perSecond), bare, 100*ratio, rates(certsyncs), rates(bares))
}

// BenchmarkApplyDefaultSigner applies 200 new users to a controller manager with its default flags, whose signer serves
// a burst of 30 and then 20 requests a second. The metrics are those of BenchmarkApply2000.
func BenchmarkApplyDefaultSigner(b *testing.B) {
	const users = 200
	s := newBench(b)
	m := s.apply("default-signer", users)
	s.report([]measured{m})
	b.Logf("certsync %.1f users/s, issuing %.1f; the signer's own pace is 20", m.perSecond(), m.issuing)
}

// BenchmarkPlanNothingToDo plans over 1,000 and then over 5,000 users who have all that they should have. The requests
// of the last hour, which the cluster has not deleted yet, are there as well.
//
//	s/plan, peak-MB    of the 5,000, with the process's start
//	bare-s             of the yardstick, which takes turns with plan: a program that reads two entries of Vault a user
//	of-yardstick       s/plan by bare-s
//	kB/user            by how much the peak grows from the 1,000 to the 5,000
//	k8s-requests       of one plan
//	vault/user         all requests to the owner's folder
func BenchmarkPlanNothingToDo(b *testing.B) {
	const few, many = 1000, 5000
	s := newBench(b, fastSigner...)
	f := s.owner("plan")
	s.seed(f, 0, few)
	fewer, _ := s.plans(f, few)
	before := median(fewer, measured.peakMB)
	s.seed(f, few, many)
	plans, bares := s.plans(f, many)
	peak := median(plans, measured.peakMB)
	growth := (peak - before) * 1000 / (many - few)
	b.ReportMetric(0, "ns/op") // of the whole benchmark: says nothing
	b.ReportMetric(median(plans, measured.seconds), "s/plan")
	b.ReportMetric(median(bares, measured.seconds), "bare-s")
	b.ReportMetric(median(plans, measured.seconds)/median(bares, measured.seconds), "of-yardstick")
	b.ReportMetric(peak, "peak-MB")
	b.ReportMetric(growth, "kB/user")
	b.ReportMetric(float64(plans[0].kubeOther), "k8s-requests")
	b.ReportMetric(plans[0].perUser(plans[0].vault), "vault/user")
	b.Logf("memory grows by %.1f kB a user (at most 10 are wanted; for all, 200 MB and 5 s)", growth)
}

// seed has certsync give access to the users from known to all.
func (s *bench) seed(f *fixture, known, all int) {
	s.Helper()
	f.write(people(all))
	m := s.run(f, s.command(f, s.binary, "apply", "--yes"), all-known)
	s.Logf("an apply with %d new users beside %d: %.0f users/s, %.0f MB", all-known, known, m.perSecond(), m.peakMB())
}

// plans measures the same plan five times, and the yardstick in between.
func (s *bench) plans(f *fixture, users int) (plans, bares []measured) {
	s.Helper()
	for range 5 {
		plans, bares = append(plans, s.plan(f, users)), append(bares, s.bareReads(f, users))
	}
	s.Logf("a plan over %d users: %.2f s, %.2f ms of CPU a user, %.2f with that of the servers, %.0f MB; the bare reads %.2f s, %.2f ms and %.2f",
		users, median(plans, measured.seconds), median(plans, measured.cpuPerUser), median(plans, measured.allCPU), median(plans, measured.peakMB),
		median(bares, measured.seconds), median(bares, measured.cpuPerUser), median(bares, measured.allCPU))
	return plans, bares
}

// apply measures an apply with new users only, and checks what it may cost.
func (s *bench) apply(owner string, users int) measured {
	s.Helper()
	f := s.owner(owner)
	defer s.clear(f)
	f.write(people(users))
	m := s.run(f, s.command(f, s.binary, "apply", "--yes", "-o", "json"), users)
	m.issuing = issuingRate(f, m.stdout)
	if m.kubeWrites > 4*users || m.vaultWrites != 2*users {
		s.Errorf("%d Kubernetes writes and %d Vault data writes for %d new users, over 4 and 2 a user", m.kubeWrites, m.vaultWrites, users)
	}
	// What is read, watched and asked for does not grow with the users.
	if m.kubeOther > 50 || m.vault-m.vaultWrites > 20 {
		s.Errorf("%d reads, watches and reviews in Kubernetes and %d other requests to Vault", m.kubeOther, m.vault-m.vaultWrites)
	}
	return m
}

// plan measures a plan with nothing to do, and checks what it may cost.
func (s *bench) plan(f *fixture, users int) measured {
	s.Helper()
	m := s.run(f, s.command(f, s.binary, "plan"), users)
	if want := fmt.Sprintf("nothing to do; %d users unchanged", users); !strings.Contains(m.stdout, want) {
		s.Errorf("plan does not say %q: %.300s", want, m.stdout)
	}
	const page = 500
	pages := 2*users/page + 2 // of bindings, and of requests
	if m.kubeWrites > 0 || m.kubeOther > pages+10 {
		s.Errorf("%d writes and %d other requests to Kubernetes, for %d pages", m.kubeWrites, m.kubeOther, pages)
	}
	if m.vaultWrites > 0 || m.vault > 2*users+5 {
		s.Errorf("%d writes and %d requests in all to Vault, over 2 reads a user", m.vaultWrites, m.vault)
	}
	return m
}

// people is an inventory in which everybody has a ClusterRole of their own and is in the one group.
func people(n int) string {
	var b strings.Builder
	b.WriteString("groups: [{name: developers, clusterRoles: [edit]}]\nusers:\n")
	for i := range n {
		fmt.Fprintf(&b, "- {name: %s, groups: [developers], clusterRoles: [view]}\n", person(i))
	}
	return b.String()
}

func person(i int) string { return fmt.Sprintf("user-%05d@example.com", i) }

// rates lists every round, to show how far apart they are.
func rates(list []measured) string {
	var out []string
	for _, m := range list {
		out = append(out, fmt.Sprintf("%.0f", m.perSecond()))
	}
	return strings.Join(out, " ")
}

// report is what the benchmarks of apply have in common.
func (s *bench) report(list []measured) {
	s.ReportMetric(0, "ns/op") // of the whole benchmark: says nothing
	s.ReportMetric(median(list, measured.perSecond), "users/s")
	s.ReportMetric(median(list, func(m measured) float64 { return m.issuing }), "issuing-users/s")
	s.ReportMetric(median(list, func(m measured) float64 { return m.perUser(m.kubeWrites) }), "k8s-writes/user")
	s.ReportMetric(median(list, func(m measured) float64 { return float64(m.kubeOther) }), "k8s-other")
	s.ReportMetric(median(list, func(m measured) float64 { return m.perUser(m.vaultWrites) }), "vault-writes/user")
	s.ReportMetric(median(list, func(m measured) float64 { return m.perUser(m.vault) }), "vault/user")
	s.ReportMetric(median(list, measured.cpuPerUser), "cpu-ms/user")
	s.ReportMetric(median(list, measured.peakMB), "peak-MB")
}
