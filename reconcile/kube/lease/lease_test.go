package lease

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
	"github.com/certsync/certsync/reconcile/preflight"
)

func TestGeneration(t *testing.T) {
	for name, tc := range map[string]struct {
		annotations map[string]string
		want        reconcile.Mark
		err         string
	}{
		"no annotation":     {nil, reconcile.Mark{}, ""},
		"a generation":      {map[string]string{generationAnnotation: "41"}, reconcile.Mark{Generation: 41}, ""},
		"the largest":       {map[string]string{generationAnnotation: "4611686018427387903"}, reconcile.Mark{Generation: 4611686018427387903}, ""},
		"one too large":     {map[string]string{generationAnnotation: "4611686018427387904"}, reconcile.Mark{}, `is "4611686018427387904"`},
		"a negative number": {map[string]string{generationAnnotation: "-1"}, reconcile.Mark{}, `is "-1"`},
		"no number":         {map[string]string{generationAnnotation: "\x1b[2J"}, reconcile.Mark{}, `is "\x1b[2J"`},
		"epochs too":        {map[string]string{generationAnnotation: "41", epochsAnnotation: "7"}, reconcile.Mark{Generation: 41, Epochs: 7}, ""},
		"an empty one":      {map[string]string{generationAnnotation: ""}, reconcile.Mark{}, `is ""`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *leaseServer) {
				s.edit(func(l *coordinationv1.Lease) { l.Annotations = tc.annotations })
				got, _, leased, err := s.client().Mark(t.Context(), "prod-eu")
				if tc.err == "" {
					if err != nil || got != tc.want || !leased {
						t.Errorf("%+v, error %v", got, err)
					}
					return
				}
				want := "reading Lease kube-system/certsync-prod-eu: its annotation certsync.dev/generation " + tc.err + ", not a whole number"
				if err == nil || err.Error() != want || !strings.Contains(reconcile.Hint(err),
					"kubectl annotate --overwrite lease -n kube-system certsync-prod-eu certsync.dev/generation=N") {
					t.Errorf("error is %v, hint %q", err, reconcile.Hint(err))
				}
			})
		})
	}
}

func TestLook(t *testing.T) {
	lease := func(holder, generation string) http.HandlerFunc {
		return apitest.Answers(http.StatusOK, apitest.Object{"kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
			"metadata": apitest.Object{"name": "certsync-prod-eu", "uid": "u", "resourceVersion": "1", "annotations": apitest.Object{generationAnnotation: generation}},
			"spec":     apitest.Object{"holderIdentity": holder, "leaseDurationSeconds": 60, "renewTime": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00")}})
	}
	for name, tc := range map[string]struct {
		lease http.HandlerFunc
		want  preflight.LockView
		taken bool
		fails bool
	}{
		"none":               {apitest.Fails(apierrors.NewNotFound(leaseResource, "certsync-prod-eu")), preflight.LockView{}, false, false},
		"free":               {lease("", "7"), preflight.LockView{Leased: true, Mark: reconcile.Mark{Generation: 7}}, false, false},
		"held":               {lease("somebody", "7"), preflight.LockView{Leased: true, Mark: reconcile.Mark{Generation: 7}}, true, false},
		"of no generation":   {lease("", "many"), preflight.LockView{Leased: true}, false, true},
		"not for us to read": {apitest.Fails(apierrors.NewForbidden(leaseResource, "certsync-prod-eu", errors.New("no"))), preflight.LockView{}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := apitest.New(t)
			s.Routes["GET "+leasePath] = tc.lease
			got, err := clientOf(t, s.Begin()).View(t.Context(), "prod-eu")
			var locked reconcile.Locked
			if errors.As(got.Taken, &locked) != tc.taken || tc.taken && locked.Holder != "somebody" {
				t.Errorf("taken: %v", got.Taken)
			}
			got.Taken = nil
			if diff := cmp.Diff(tc.want, got); diff != "" || (err != nil) != tc.fails {
				t.Errorf("%s%v", diff, err)
			}
		})
	}
}
