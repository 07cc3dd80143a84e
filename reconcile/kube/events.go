package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile/report"
)

const (
	// eventController is who tells, in kubectl describe.
	eventController = "certsync"
	// maxEventText is how long the API lets the text of an Event be (events.k8s.io/v1; in v1 only etcd sets a limit).
	maxEventText = 1024
)

// Events tells of the runs of an owner by Events about its Lease.
//
// They are created one by one and awaited. client-go's recorders (tools/record, tools/events) are for processes that go
// on: they hand an event to a goroutine, try for minutes while something else goes on, log what fails, and at the end of
// the process forget what is left. Here the process ends with the event, and has to say that it could not be written.
type Events struct {
	cluster *Cluster
	owner   string
	runID   string
}

// Events returns the Events of a run. It sends nothing before Tell.
func (c *Cluster) Events(owner, runID string) *Events { return &Events{c, owner, runID} }

// Tell writes an Event for each piece of news, the message cut to what the API takes. Before an owner's first run there
// is no Lease, and nothing to attach them to: then nothing is written.
func (e *Events) Tell(ctx context.Context, at time.Time, news []report.KubernetesEvent) error {
	if len(news) == 0 {
		return nil
	}
	lease, err := e.cluster.lease(ctx, e.owner)
	if err != nil || lease == nil {
		return err
	}
	about := corev1.ObjectReference{
		APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Namespace: lease.Namespace, Name: lease.Name,
		UID: lease.UID, ResourceVersion: lease.ResourceVersion,
	}
	var all error
	for _, n := range news {
		_, err := e.cluster.client.CoreV1().Events(lease.Namespace).Create(quiet(ctx), e.event(about, at, n), metav1.CreateOptions{})
		if err != nil {
			all = errors.Join(all, e.cluster.failed(fmt.Sprintf("writing Event %s about Lease %s", n.Kind, e.cluster.leaseName(e.owner)), err))
		}
	}
	return all
}

func (e *Events) event(about corev1.ObjectReference, at time.Time, n report.KubernetesEvent) *corev1.Event {
	kind, when := corev1.EventTypeWarning, metav1.NewTime(at)
	if n.Kind == report.EventApplied {
		kind = corev1.EventTypeNormal
	}
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: about.Name + ".", Namespace: about.Namespace, Labels: ourLabels(e.owner),
		},
		InvolvedObject: about,
		Type:           kind,
		Reason:         string(n.Kind),
		Message:        inventory.Shorten(n.Message, maxEventText-len("…")),
		// As client-go's recorder fills them in, for what sorts by time and counts.
		FirstTimestamp: when, LastTimestamp: when, Count: 1,
		Source:              corev1.EventSource{Component: eventController},
		ReportingController: eventController, ReportingInstance: "run-" + e.runID,
	}
}
