package fake

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// event is a write to the cluster. object is never changed afterwards.
type event struct {
	version int
	Type    watch.EventType
	key     objectKey
	object  object
}

// CompactHistory makes watches from before now too old, as etcd's compaction does.
func (w *World) CompactHistory() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.oldest, w.history = w.version, nil
}

// watch streams events until the client goes, or the time that it gave is over. The caller does not hold the lock.
func (w *World) watch(rw http.ResponseWriter, r *request) {
	wanted, err := selector(r)
	if err != nil {
		fail(rw, r.format, err)
		return
	}
	first, from, err := w.beginWatch(r, wanted)
	if err != nil {
		fail(rw, r.format, err)
		return
	}
	ctx := r.Context()
	if seconds, _ := strconv.Atoi(r.URL.Query().Get("timeoutSeconds")); seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
		defer cancel()
	}
	s := newStream(rw, r.format)
	for {
		w.mu.Lock()
		news, changed := w.history, w.changed
		w.mu.Unlock()
		for _, e := range news {
			if e.version > from && e.key.kind == r.kind && wanted(e.object) {
				first = append(first, e)
			}
		}
		if len(news) > 0 {
			from = max(from, news[len(news)-1].version)
		}
		for _, e := range first {
			if s.send(e) != nil {
				return
			}
		}
		first = nil
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// beginWatch returns what a watch begins with, and the version that it goes on from.
func (w *World) beginWatch(r *request, wanted func(object) bool) (first []event, from int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := r.URL.Query()
	from, _ = strconv.Atoi(q.Get("resourceVersion"))
	switch {
	case q.Get("sendInitialEvents") == "true":
		for _, key := range w.keys(r.kind, r.namespace) {
			if obj := w.objects[key]; wanted(obj) {
				first = append(first, event{Type: watch.Added, object: obj})
			}
		}
		return append(first, event{Type: watch.Bookmark, object: w.bookmark(r.kind)}), w.version, nil
	case from > 0 && from < w.oldest:
		return nil, 0, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", from, w.oldest))
	case from == 0:
		from = w.version
	}
	return nil, from, nil
}

// bookmark says that all that stood in the cluster when a watch began has been told.
func (w *World) bookmark(k *kind) object {
	obj, err := codecScheme.New(k.GroupVersionKind)
	if err != nil {
		panic(err)
	}
	b := obj.(object)
	b.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	b.SetResourceVersion(strconv.Itoa(w.version))
	b.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	return b
}

// stream is the body of a watch.
type stream struct {
	w      http.ResponseWriter
	format format
	frames interface{ Write([]byte) (int, error) }
}

func newStream(w http.ResponseWriter, f format) *stream {
	mediaType := f.MediaType
	if mediaType == runtime.ContentTypeProtobuf {
		mediaType += ";stream=watch"
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	return &stream{w, f, f.StreamSerializer.Framer.NewFrameWriter(w)}
}

func (s *stream) send(e event) error {
	raw, err := runtime.Encode(s.format.Serializer, e.object)
	if err != nil {
		return err
	}
	we := &metav1.WatchEvent{Type: string(e.Type), Object: runtime.RawExtension{Raw: raw}}
	if err := s.format.StreamSerializer.Encode(we, s.frames); err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}
