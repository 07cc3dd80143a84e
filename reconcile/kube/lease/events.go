package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/report"
)

const (
	// eventController is the name in the column From of kubectl describe.
	eventController = "certsync"
	// maxEventText is the limit for the text of an Event in events.k8s.io/v1, in bytes. v1 has no limit but etcd's.
	maxEventText = 1024
)

// Events writes Kubernetes Events about an owner's Lease: one for each result of a run that people should see.
//
// Write creates them one by one and waits for each answer. client-go's recorders (tools/record, tools/events) do not fit:
// they are for processes that keep running. They send in the background, log an error, and lose the rest when the process
// ends. Here the process ends after the Event, and must report that it could not be written.
type Events struct {
	client *Client
	owner  string
	runID  string
}

// Events returns the Events of a run. It sends nothing before Write.
func (c *Client) Events(owner, runID string) *Events { return &Events{c, owner, runID} }

// Write writes each of the events, with at most 1,024 bytes of its message. Before an owner's first run there is
// no Lease that an Event could be about. Then Write writes nothing.
func (e *Events) Write(ctx context.Context, at time.Time, events []report.KubernetesEvent) error {
	if len(events) == 0 {
		return nil
	}
	lease, err := e.client.read(ctx, e.owner)
	if err != nil || lease == nil {
		return err
	}
	about := corev1.ObjectReference{
		APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Namespace: lease.Namespace, Name: lease.Name,
		UID: lease.UID, ResourceVersion: lease.ResourceVersion,
	}
	var all error
	for _, k := range events {
		_, err := e.client.server.Client.CoreV1().Events(lease.Namespace).Create(api.Quiet(ctx), e.event(about, at, k), metav1.CreateOptions{})
		if err != nil {
			all = errors.Join(all, e.client.server.Failed(fmt.Sprintf("writing Event %s about Lease %s", k.Reason, e.client.name(e.owner)), err))
		}
	}
	return all
}

func (e *Events) event(about corev1.ObjectReference, at time.Time, n report.KubernetesEvent) *corev1.Event {
	kind, when := corev1.EventTypeWarning, metav1.NewTime(at)
	if n.Reason == report.EventApplied {
		kind = corev1.EventTypeNormal
	}
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: about.Name + ".", Namespace: about.Namespace, Labels: api.Labels(e.owner),
		},
		InvolvedObject: about,
		Type:           kind,
		Reason:         string(n.Reason),
		Message:        inventory.Shorten(n.Message, maxEventText-len("…")),
		// client-go's recorder sets these fields too. Tools sort by them and count them.
		FirstTimestamp: when, LastTimestamp: when, Count: 1,
		Source:              corev1.EventSource{Component: eventController},
		ReportingController: eventController, ReportingInstance: "run-" + e.runID,
	}
}
