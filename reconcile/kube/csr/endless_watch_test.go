package csr

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// limit is package api's limit for one event.
const limit = 16 << 20

// TestEventWithoutEnd: a watch has no time limit, but an event has a limit of bytes. The error of a wait tells of the broken
// watch, and the certificate arrives all the same.
func TestEventWithoutEnd(t *testing.T) {
	var sent, watches atomic.Int64
	_, i := issuing(t, func(g *signer) {
		serve := g.Before
		g.Before = func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
			if c.Query.Get("watch") == "" {
				return serve(w, r, c)
			}
			watches.Add(1)
			apitest.Flood(&sent, http.StatusOK, `{"type":"ADDED","object":{"metadata":{"name":"`, "x")(w, r)
			return true
		}
	}, nil)
	request := aliceRequest
	request.Within = time.Second
	if _, err := i.Issue(t.Context(), request); err != nil {
		t.Error(err)
	}
	apitest.WaitFor(t, "the watch's error", func() bool { return i.watch.lastError() != nil })
	for _, want := range []string{i.server.Address, "GET ", csrPath, " is larger than " + strconv.Itoa(limit) + " bytes"} {
		if err := i.watch.lastError(); !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	i.Close()
	if most := watches.Load() * (limit + 32<<20); sent.Load() > most {
		t.Errorf("%d bytes were sent in %d watches, at most %d were to be", sent.Load(), watches.Load(), most)
	}
}

// TestManyEventsPass: together they are far over the limit for one.
func TestManyEventsPass(t *testing.T) {
	const events = 24
	s := apitest.New(t)
	s.Routes["GET "+csrPath] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for n := range events {
			fmt.Fprintf(w, `{"type":"MODIFIED","object":{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{"name":"c%d","annotations":{"a":%q}}}}`+"\n",
				n, strings.Repeat("x", limit/20))
		}
	}
	s.Begin()
	sw := newSignerWatch(serverOf(t, s))
	w, err := sw.open(t.Context(), metav1.ListOptions{Watch: true})
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for e := range w.ResultChan() {
		if csr, ok := e.Object.(*certificatesv1.CertificateSigningRequest); !ok || csr.Name != fmt.Sprintf("c%d", got) {
			t.Fatalf("event %d is a %s of %T", got, e.Type, e.Object)
		}
		got++
	}
	if got != events {
		t.Errorf("%d events", got)
	}
}

// TestInitialEventsWithoutEnd: the events with which a watch begins are kept until a bookmark.
func TestInitialEventsWithoutEnd(t *testing.T) {
	sw := newSignerWatch(&api.Server{Address: "https://k8s.example.com"})
	events := make(chan watch.Event)
	source := watch.NewProxyWatcher(events)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case events <- watch.Event{Type: watch.Added, Object: &certificatesv1.CertificateSigningRequest{}}:
			case <-source.StopChan():
				return
			}
		}
	}()
	w := sw.listen(source, func() {}, true)
	n := 0
	for e := range w.ResultChan() {
		if e.Type == watch.Error {
			if err := apierrors.FromObject(e.Object).Error(); !strings.Contains(err, "https://k8s.example.com begins a watch with more than 200000 events") {
				t.Error(err)
			}
			w.Stop()
			break
		}
		n++
	}
	if n != maxInitial {
		t.Errorf("%d events passed", n)
	}
	<-stopped
}
