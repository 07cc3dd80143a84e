package lease

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/certsync/certsync/reconcile"
)

// TestRevokedStays: which certificates are void stands in the Lease until a run says otherwise. It moves no mark, and no mark moves
// it.
func TestRevokedStays(t *testing.T) {
	inBubble(t, func(t *testing.T, s *leaseServer) {
		s.edit(func(l *coordinationv1.Lease) {
			l.Annotations = map[string]string{generationAnnotation: "41", "theirs": "kept"}
		})
		at := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
		said := func(want map[string]time.Time, mark reconcile.Mark) {
			t.Helper()
			got, revoked, _, err := s.client().Mark(t.Context(), "prod-eu")
			if diff := cmp.Diff(want, revoked); diff != "" || got != mark || err != nil || s.lease().Annotations["theirs"] != "kept" {
				t.Errorf("%s%+v, error %v", diff, got, err)
			}
		}
		want := map[string]time.Time{"bob": at, "alice@example.com": at.Add(time.Hour + time.Nanosecond)}
		lock := s.acquire("run 1")
		if err := lock.RecordRevoked(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		said(want, reconcile.Mark{Generation: 41})
		s.edit(func(l *coordinationv1.Lease) { delete(l.Annotations, revokedAnnotation) })
		heldFor(t, lock, 20*time.Second)
		said(want, reconcile.Mark{Generation: 41}) // the renewal has put it back
		s.release(lock)
		lock = s.acquire("run 2")
		if err := lock.Record(t.Context(), reconcile.Mark{Generation: 42, Epochs: 8}); err != nil {
			t.Fatal(err)
		}
		said(want, reconcile.Mark{Generation: 42, Epochs: 8})
		if err := lock.RecordRevoked(t.Context(), map[string]time.Time{}); err != nil {
			t.Fatal(err)
		}
		s.release(lock)
		said(nil, reconcile.Mark{Generation: 42, Epochs: 8})
	})
}

// TestRevokedIsReadable: what certsync cannot have written is an error that says what to do, and never nothing.
func TestRevokedIsReadable(t *testing.T) {
	many := strings.Repeat("alice=2026-11-28T10:00:00Z,", reconcile.MaxRevoked) + "bob=2026-11-28T10:00:00Z"
	for text, want := range map[string]string{
		"":                                 `holds "", which is not NAME=TIME`,
		"alice":                            `holds "alice", which is not NAME=TIME`,
		"alice=yesterday":                  `holds "alice=yesterday", which is not NAME=TIME`,
		"alice=2026-11-28T10:00:00Z,":      `holds "", which is not NAME=TIME`,
		"=2026-11-28T10:00:00Z":            `holds "=2026-11-28T10:00:00Z", which is not NAME=TIME`,
		"system:node=2026-11-28T10:00:00Z": `holds "system:node=2026-11-28T10:00:00Z", which is not NAME=TIME`,
		"alice=9999-12-31T23:00:00-02:00":  `holds "alice=9999-12-31T23:00:00-02:00", which is not NAME=TIME`,
		many:                               "has more than 100 entries",
	} {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			s.edit(func(l *coordinationv1.Lease) { l.Annotations = map[string]string{revokedAnnotation: text} })
			_, _, _, err := s.client().Mark(t.Context(), "prod-eu")
			if err == nil || err.Error() != "reading Lease kube-system/certsync-prod-eu: its annotation certsync.dev/revoked "+want ||
				!strings.Contains(reconcile.Hint(err), "kubectl annotate lease -n kube-system certsync-prod-eu certsync.dev/revoked-") {
				t.Errorf("%q: error is %v, hint %q", text, err, reconcile.Hint(err))
			}
		})
	}
}
