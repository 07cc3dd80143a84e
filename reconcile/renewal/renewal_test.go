package renewal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/renewal"
)

// TestDue: a share is of the actual life from issue to expiry; the jitter only ever renews later, by less than a tenth.
func TestDue(t *testing.T) {
	issued := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cert := reconcile.CertificateEntry{NotBefore: issued.Add(-5 * time.Minute), IssuedAt: issued, NotAfter: issued.Add(100 * time.Hour)}
	tests := map[string]struct {
		policy  inventory.RenewBefore
		before  time.Duration
		clamped bool
	}{
		"a share":                               {inventory.RenewBefore{Share: 33}, 33 * time.Hour, false},
		"a duration":                            {inventory.RenewBefore{Duration: 24 * time.Hour}, 24 * time.Hour, false},
		"less than the jitter":                  {inventory.RenewBefore{Share: 3}, 3 * time.Hour, false},
		"a duration over 90%: a third":          {inventory.RenewBefore{Duration: 91 * time.Hour}, 100 * time.Hour / 3, true},
		"a duration longer than the whole life": {inventory.RenewBefore{Duration: 1000 * time.Hour}, 100 * time.Hour / 3, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			seen := map[time.Duration]bool{}
			for i := range 100 {
				at, clamped := renewal.Due(tt.policy, "o", fmt.Sprint(i), cert)
				jitter := at.Sub(cert.NotAfter.Add(-tt.before))
				if !at.Before(cert.NotAfter.Add(-tt.before / 2)) {
					t.Fatalf("due at %s, which leaves no time to try again", at)
				}
				if clamped != tt.clamped || jitter < 0 || jitter >= 10*time.Hour {
					t.Fatalf("due at %s, jitter %s, clamped %v", at, jitter, clamped)
				}
				seen[jitter] = true
			}
			if len(seen) < 90 {
				t.Errorf("100 users fall due at %d times", len(seen))
			}
		})
	}
}
