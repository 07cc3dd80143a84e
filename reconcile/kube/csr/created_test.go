package csr

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/certsync/certsync/reconcile"
)

// TestCreatedIsTold: Created gets the request's name and UID before it can be approved, by certsync or by people. If Created
// fails, nothing is approved or announced, and the request is deleted.
func TestCreatedIsTold(t *testing.T) {
	for _, manual := range []bool{false, true} {
		for _, fails := range []error{nil, errors.New("the ledger is away")} {
			t.Run(fmt.Sprintf("manual %v, %v", manual, fails), func(t *testing.T) {
				var g *signer
				asked := false
				g, i := issuing(t, nil, func(o *Options) {
					o.Manual = manual
					o.Announce = func(string, reconcile.CSRRef) {
						asked = true
						g.locked(func() { g.becomes("certsync-1", approved, issued) })
					}
				})
				told := 0
				req := aliceRequest
				req.Created = func(_ context.Context, ref reconcile.CSRRef) error {
					told++
					if ref != (reconcile.CSRRef{Name: "certsync-1", UID: "uid-1"}) {
						t.Errorf("told of %+v", ref)
					}
					if asked || g.Called("PUT ") != nil || len(g.object("certsync-1").Status.Conditions) > 0 {
						t.Error("told too late")
					}
					return fails
				}
				_, err := i.Issue(t.Context(), req)
				if told != 1 || !errors.Is(err, fails) {
					t.Errorf("told %d times, error %v", told, err)
				}
				if fails != nil && (asked || g.Called("PUT ") != nil || g.left() != 0) {
					t.Errorf("asked %v, approved %v, %d left", asked, g.Called("PUT "), g.left())
				}
			})
		}
	}
}
