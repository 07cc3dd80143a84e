package usage

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// said is what an event says, in words that encoding/json can give too.
type said struct {
	Stage, Username, Certificate, Source, Decision string
	Received, At                                   string // in UTC
	Certified, Impersonates                        bool
	Code                                           int
	Reason                                         string
}

func sayings(line []byte) (all []said, others int) {
	others = events(line, func(e *event) {
		s := said{
			Stage: string(e.stage), Username: string(e.username), Source: string(e.source), Decision: string(e.decision),
			Received: e.received.String(), At: e.at.String(), Certified: e.certified, Impersonates: e.impersonates, Code: e.code,
		}
		if e.certified {
			s.Certificate = string(e.certificate[:])
		}
		if e.reason != nil && !isNull(e.reason) {
			text, _ := decode(e.reason)
			s.Reason = string(text)
		}
		all = append(all, s)
	})
	return all, others
}

// plainly is sayings with encoding/json: the whole line becomes maps and slices.
func plainly(line []byte) (all []said, others int) {
	var top map[string]any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if d.Decode(&top) != nil || top == nil {
		return nil, 1
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, 1
	}
	event, ok := shaped(top)
	switch {
	case ok && top["kind"] == "Event" && top["apiVersion"] == apiVersion && event.Received != never && event.At != never:
		return []said{event}, 0
	case !ok || top["kind"] != "EventList" || top["apiVersion"] != apiVersion || top["items"] == nil:
		return nil, 1
	}
	for _, item := range top["items"].([]any) {
		object, ok := item.(map[string]any)
		var s said
		if ok {
			s, ok = shaped(object)
		}
		kind, version := object["kind"], object["apiVersion"]
		if !ok || s.Received == never || s.At == never || kind != nil && kind != "Event" || version != nil && version != apiVersion {
			others++
			continue
		}
		all = append(all, s)
	}
	return all, others
}

// shape reads values, and remembers when one is of the wrong type.
type shape struct{ wrong bool }

func (s *shape) text(v any) string {
	t, ok := v.(string)
	s.wrong = s.wrong || !ok && v != nil
	return t
}

func (s *shape) object(v any) map[string]any {
	m, ok := v.(map[string]any)
	s.wrong = s.wrong || !ok && v != nil
	return m
}

func (s *shape) list(v any) []any {
	l, ok := v.([]any)
	s.wrong = s.wrong || !ok && v != nil
	return l
}

func (s *shape) time(v any) string {
	var t time.Time
	if text := s.text(v); v != nil {
		s.wrong = s.wrong || t.UnmarshalText([]byte(text)) != nil
	}
	return t.UTC().String()
}

var never = time.Time{}.String()

func (s *shape) number(v any) int {
	text, ok := v.(json.Number)
	n, err := strconv.Atoi(string(text))
	s.wrong = s.wrong || v != nil && (!ok || err != nil)
	return n
}

func shaped(object map[string]any) (said, bool) {
	s := &shape{}
	user, annotations := s.object(object["user"]), s.object(object["annotations"])
	out := said{
		Stage: s.text(object["stage"]), Received: s.time(object["requestReceivedTimestamp"]), At: s.time(object["stageTimestamp"]),
		Username: s.text(user["username"]), Impersonates: s.object(object["impersonatedUser"]) != nil,
		Code:     s.number(s.object(object["responseStatus"])["code"]),
		Decision: s.text(annotations[decision]), Reason: s.text(annotations[reason]),
	}
	s.text(object["kind"])
	s.text(object["apiVersion"])
	for _, id := range s.list(s.object(user["extra"])[credentialID]) {
		digits, found := strings.CutPrefix(s.text(id), byX509)
		if f, ok := parseFingerprint([]byte(digits)); found && ok && !out.Certified {
			out.Certificate, out.Certified = string(f[:]), true
		}
		s.wrong = s.wrong || id == nil
	}
	for _, address := range s.list(object["sourceIPs"]) {
		out.Source = s.text(address)
	}
	if len(out.Source) > maxSource {
		out.Source = ""
	}
	if items, there := object["items"]; there {
		s.wrong = s.wrong || s.list(items) == nil
	}
	return out, !s.wrong
}

// FuzzEvents: of any line, events says what encoding/json says of it.
func FuzzEvents(f *testing.F) {
	for _, line := range realEvents(f) {
		f.Add(line)
		f.Add(line[:len(line)/2])
	}
	f.Add([]byte(made{user: "alice", cert: "1", impersonate: "bob", code: 200, decision: "allow", reason: allowedBy("x")}.line()))
	for _, line := range oddLines {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got, others := sayings(line)
		want, wantOthers := plainly(line)
		if diff := cmp.Diff(want, got); diff != "" || others != wantOthers {
			t.Errorf("%q (-encoding/json +events), %d others, want %d:\n%s", line, others, wantOthers, diff)
		}
	})
}
