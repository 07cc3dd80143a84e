package lease

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/kube/apitest"
	"github.com/certsync/certsync/reconcile/report"
)

const (
	eventsPath = "/api/v1/namespaces/kube-system/events"
	leasePath  = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/certsync-prod-eu"
)

var toldAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// eventsOf decodes the Events that were created.
func eventsOf(t *testing.T, s *apitest.Server) []corev1.Event {
	t.Helper()
	var all []corev1.Event
	for _, c := range s.Called("POST " + eventsPath) {
		var e corev1.Event
		if _, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(c.Body), nil, &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// clientOf returns a Client for a server that has begun.
func clientOf(t *testing.T, s *apitest.Server) *Client {
	t.Helper()
	server, err := api.New(s.RESTConfig(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return New(server, "kube-system")
}

// tellingServer has a Lease, and answers an Event with status.
func tellingServer(t *testing.T, lease string, created *apierrors.StatusError) *apitest.Server {
	s := apitest.New(t)
	s.Routes["GET "+leasePath] = func(w http.ResponseWriter, _ *http.Request) {
		if lease == "" {
			apitest.Fail(w, apierrors.NewNotFound(schema.GroupResource{Resource: "leases"}, "certsync-prod-eu"))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, lease)
	}
	s.Routes["POST "+eventsPath] = func(w http.ResponseWriter, _ *http.Request) {
		if created != nil {
			apitest.Fail(w, created)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(corev1.Event{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Event"}})
	}
	return s.Begin()
}

const aLease = `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"certsync-prod-eu","namespace":"kube-system","uid":"uid-1","resourceVersion":"7"}}`

// TestWrite: an Event for each piece of news, about the Lease that stands there, and no longer than the API takes.
func TestWrite(t *testing.T) {
	long := strings.Repeat("…", 500)
	tests := map[string]struct {
		lease string
		news  []report.KubernetesEvent
		want  []string // type, reason and message
	}{
		"nothing to tell": {lease: aLease},
		"no lease yet":    {news: []report.KubernetesEvent{{Reason: report.EventRefused, Message: "refused"}}},
		"some of each": {
			lease: aLease,
			news:  []report.KubernetesEvent{{Reason: report.EventApplied, Message: "2 issue"}, {Reason: report.EventFailed, Message: "alice"}},
			want:  []string{"Normal Applied 2 issue", "Warning Failed alice"},
		},
		"more than the API takes": {
			lease: aLease,
			news:  []report.KubernetesEvent{{Reason: report.EventRefused, Message: long}},
			want:  []string{"Warning Refused " + strings.Repeat("…", 341)}, // 340 of them, and the one that says that there is more
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := tellingServer(t, tt.lease, nil)
			if err := clientOf(t, s).Events("prod-eu", "0123").Write(t.Context(), toldAt, tt.news); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range eventsOf(t, s) {
				got = append(got, fmt.Sprintf("%s %s %s", e.Type, e.Reason, e.Message))
				if len(e.Message) > maxEventText || !utf8.ValidString(e.Message) {
					t.Errorf("%d bytes: %q", len(e.Message), e.Message)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if len(tt.news) == 0 && len(s.Called("")) > 0 {
				t.Errorf("it asked: %v", s.Called(""))
			}
		})
	}
}

// TestEventIsAboutTheLease: the Event has the fields by which kubectl describe and other tools find it.
func TestEventIsAboutTheLease(t *testing.T) {
	s := tellingServer(t, aLease, nil)
	if err := clientOf(t, s).Events("prod-eu", "0123").Write(t.Context(), toldAt, []report.KubernetesEvent{{Reason: report.EventHeld, Message: "m"}}); err != nil {
		t.Fatal(err)
	}
	when := metav1.NewTime(toldAt)
	want := []corev1.Event{{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "certsync-prod-eu.", Namespace: "kube-system", Labels: api.Labels("prod-eu")},
		InvolvedObject: corev1.ObjectReference{APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Namespace: "kube-system",
			Name: "certsync-prod-eu", UID: "uid-1", ResourceVersion: "7"},
		Type: "Warning", Reason: "Held", Message: "m", FirstTimestamp: when, LastTimestamp: when, Count: 1,
		Source: corev1.EventSource{Component: "certsync"}, ReportingController: "certsync", ReportingInstance: "run-0123",
	}}
	if diff := cmp.Diff(want, eventsOf(t, s), cmpopts.IgnoreFields(corev1.Event{}, "TypeMeta")); diff != "" {
		t.Error(diff)
	}
}

// TestWriteFails: an Event that was not written is an error that says which, and keeps no other from being tried.
func TestWriteFails(t *testing.T) {
	s := tellingServer(t, aLease, apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", fmt.Errorf("no rule")))
	err := clientOf(t, s).Events("prod-eu", "0123").Write(t.Context(), toldAt,
		[]report.KubernetesEvent{{Reason: report.EventApplied}, {Reason: report.EventFailed}})
	if err == nil || !strings.Contains(err.Error(), "writing Event Applied about Lease kube-system/certsync-prod-eu: ") ||
		!strings.Contains(err.Error(), "Event Failed") || reconcile.Hint(err) == "" {
		t.Errorf("%v, hint %q", err, reconcile.Hint(err))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := clientOf(t, s).Events("prod-eu", "0123").Write(ended, toldAt, []report.KubernetesEvent{{Reason: report.EventApplied}}); err == nil {
		t.Error("it told after the end of its time")
	}
}
