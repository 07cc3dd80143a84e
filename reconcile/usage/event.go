package usage

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"time"
)

// The names in the log that the API server gives.
const (
	apiVersion   = "audit.k8s.io/v1"
	credentialID = "authentication.kubernetes.io/credential-id"
	byX509       = "X509SHA256=" // before the fingerprint, in hex
	decision     = "authorization.k8s.io/decision"
	reason       = "authorization.k8s.io/reason"
)

// maxSource is the length in bytes above which something is no address.
const maxSource = 64

// fingerprint is the SHA-256 of a certificate's DER.
type fingerprint [32]byte

// event is what an audit event says, as far as it is counted. The slices are parts of the line.
type event struct {
	kind, version []byte
	stage         []byte
	received, at  time.Time // when the request arrived, and when it came to stage
	username      []byte
	certificate   fingerprint
	certified     bool // certificate is one
	impersonates  bool
	source        []byte // the address that the API server itself saw: the client may choose all others
	code          int
	decision      []byte
	reason        []byte // raw: it is always in need of decoding, and seldom wanted
	items         []byte // raw: an EventList's
}

// final reports that the request is over. Each request has one such event.
func (e *event) final() bool {
	return string(e.stage) == "ResponseComplete" || string(e.stage) == "Panic"
}

func (e *event) denied() bool { return string(e.decision) == "forbid" || e.code == 403 }

// events calls each with the events of a line, and returns how many others stand there: a line that is none, or items of a
// list. The event holds parts of the line.
func events(line []byte, each func(*event)) (others int) {
	e, ok := parse(line)
	switch {
	case !ok:
		return 1
	case string(e.kind) == "Event" && string(e.version) == apiVersion && e.dated():
		each(&e)
		return 0
	case string(e.kind) != "EventList" || string(e.version) != apiVersion || e.items == nil:
		return 1
	}
	array(e.items, 0, 1, func(item []byte) bool {
		// The items of a list do not repeat kind and version.
		switch e, ok := parse(item); {
		case !ok, !e.dated(), e.kind != nil && string(e.kind) != "Event", e.version != nil && string(e.version) != apiVersion:
			others++
		default:
			each(&e)
		}
		return true
	})
	return others
}

func (e *event) dated() bool { return !e.received.IsZero() && !e.at.IsZero() }

// parse reads a line that holds one object and nothing else. Of a field that stands there twice, the last counts.
func parse(line []byte) (event, bool) {
	var e event
	end, ok := object(line, space(line, 0), 0, e.field)
	return e, ok && space(line, end) == len(line)
}

func (e *event) field(name, value []byte) bool {
	switch string(name) {
	case "kind":
		return text(&e.kind, value)
	case "apiVersion":
		return text(&e.version, value)
	case "stage":
		return text(&e.stage, value)
	case "requestReceivedTimestamp":
		return timestamp(&e.received, value)
	case "stageTimestamp":
		return timestamp(&e.at, value)
	case "user":
		e.username, e.certificate, e.certified = nil, fingerprint{}, false
		return fields(value, e.user)
	case "impersonatedUser":
		e.impersonates = !isNull(value)
		return fields(value, func(_, _ []byte) bool { return true })
	case "sourceIPs":
		e.source = nil
		ok := list(value, func(item []byte) bool { return text(&e.source, item) })
		if len(e.source) > maxSource {
			e.source = nil
		}
		return ok
	case "responseStatus":
		e.code = 0
		return fields(value, e.status)
	case "annotations":
		e.decision, e.reason = nil, nil
		return fields(value, e.annotation)
	case "items":
		e.items = value
		return value[0] == '['
	}
	return true
}

func (e *event) user(name, value []byte) bool {
	switch string(name) {
	case "username":
		return text(&e.username, value)
	case "extra":
		e.certificate, e.certified = fingerprint{}, false
		return fields(value, e.extra)
	}
	return true
}

func (e *event) extra(name, value []byte) bool {
	if string(name) != credentialID {
		return true
	}
	e.certificate, e.certified = fingerprint{}, false
	return list(value, func(item []byte) bool {
		id, ok := decode(item)
		if digits, found := bytes.CutPrefix(id, []byte(byX509)); found && !e.certified {
			e.certificate, e.certified = parseFingerprint(digits)
		}
		return ok
	})
}

func parseFingerprint(digits []byte) (f fingerprint, ok bool) {
	if len(digits) != hex.EncodedLen(len(f)) {
		return f, false
	}
	if _, err := hex.Decode(f[:], digits); err != nil {
		return fingerprint{}, false
	}
	return f, true
}

func (e *event) status(name, value []byte) bool {
	if string(name) != "code" {
		return true
	}
	if isNull(value) {
		e.code = 0
		return true
	}
	var err error
	e.code, err = strconv.Atoi(string(value))
	return err == nil
}

func (e *event) annotation(name, value []byte) bool {
	switch string(name) {
	case decision:
		return text(&e.decision, value)
	case reason:
		e.reason = value
		return isNull(value) || value[0] == '"'
	}
	return true
}

// text sets a field to a string. null, here and below, is the same as no field.
func text(field *[]byte, value []byte) (ok bool) {
	if isNull(value) {
		*field = nil
		return true
	}
	*field, ok = decode(value)
	return ok
}

func timestamp(field *time.Time, value []byte) bool {
	var written []byte
	if !text(&written, value) {
		return false
	}
	var t time.Time
	if written != nil && t.UnmarshalText(written) != nil {
		return false
	}
	*field = t.UTC()
	return true
}

func fields(value []byte, field func(name, value []byte) bool) bool {
	_, ok := object(value, 0, 1, field)
	return ok || isNull(value)
}

func list(value []byte, item func(value []byte) bool) bool {
	_, ok := array(value, 0, 1, item)
	return ok || isNull(value)
}
