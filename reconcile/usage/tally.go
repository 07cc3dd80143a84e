package usage

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// users are those that were asked about, and the certificates of each that are known. They are never changed.
type users map[string]map[fingerprint]bool

// tally is what one worker has counted. Tallies of the same users can be merged in any order.
type tally struct {
	asked    users
	persons  map[string]*person // those of asked who were seen
	from, to time.Time
	requests int
	invalid  int
	events   []int // of each source
	others   smallest[other]
}

// person is the tally of one user who was asked about.
type person struct {
	name           string
	all            Use
	impersonations int

	known        map[fingerprint]bool // never changed
	certificates map[fingerprint]*Use // those that are known
	unknown      smallest[fingerprint]
	without      Use

	bindings  smallest[Binding]
	otherwise Use
}

// other is a certificate of somebody whom nobody asked about.
type other struct {
	certificate fingerprint
	username    string
}

func compareFingerprints(a, b fingerprint) int { return bytes.Compare(a[:], b[:]) }

func compareOthers(a, b other) int {
	return cmp.Or(compareFingerprints(a.certificate, b.certificate), strings.Compare(a.username, b.username))
}

func newTally(asked users, sources int) *tally {
	return &tally{asked: asked, persons: map[string]*person{}, events: make([]int, sources), others: newSmallest(maxOthers, compareOthers)}
}

// person returns the tally of somebody who was asked about.
func (t *tally) person(name string) *person {
	p := t.persons[name]
	if p == nil {
		p = &person{
			name: name, known: t.asked[name], certificates: map[fingerprint]*Use{},
			unknown: newSmallest(maxCertificates, compareFingerprints), bindings: newSmallest(maxBindings, compareBindings),
		}
		t.persons[name] = p
	}
	return p
}

// count adds an event of a source.
func (t *tally) count(source int, e *event) {
	t.events[source]++
	if t.from.IsZero() || e.at.Before(t.from) {
		t.from = e.at
	}
	if e.at.After(t.to) {
		t.to = e.at
	}
	if e.final() {
		t.requests++
	}
	if p := t.persons[string(e.username)]; p != nil {
		p.count(e)
	} else if _, asked := t.asked[string(e.username)]; asked {
		t.person(string(e.username)).count(e)
	} else if e.certified && !bytes.HasPrefix(e.username, []byte("system:")) {
		t.others.use(other{e.certificate, reconcile.Shown(string(e.username))}).see(e)
	}
}

func (p *person) count(e *event) {
	p.all.see(e)
	switch {
	case !e.certified:
		p.without.see(e)
	case p.known[e.certificate]:
		p.ofKnown(e.certificate).see(e)
	default:
		p.unknown.use(e.certificate).see(e)
	}
	switch {
	case e.impersonates:
		// Whatever allowed the request allowed it to somebody else.
		if e.final() {
			p.impersonations++
		}
	case string(e.decision) == "allow":
		p.allowedBy(e).see(e)
	}
}

func (p *person) ofKnown(f fingerprint) *Use {
	u := p.certificates[f]
	if u == nil {
		u = &Use{}
		p.certificates[f] = u
	}
	return u
}

func (p *person) allowedBy(e *event) *Use {
	if e.reason != nil {
		text, _ := decode(e.reason)
		if b, ok := parseReason(string(text)); ok {
			return p.bindings.use(b)
		}
	}
	return &p.otherwise
}

func (t *tally) merge(o *tally) {
	if t.from.IsZero() || !o.from.IsZero() && o.from.Before(t.from) {
		t.from = o.from
	}
	if o.to.After(t.to) {
		t.to = o.to
	}
	t.requests += o.requests
	t.invalid += o.invalid
	for i, n := range o.events {
		t.events[i] += n
	}
	t.others.merge(o.others)
	for name, p := range o.persons {
		t.person(name).merge(p)
	}
}

func (p *person) merge(o *person) {
	p.all.merge(o.all)
	p.impersonations += o.impersonations
	for f, u := range o.certificates {
		p.ofKnown(f).merge(*u)
	}
	p.unknown.merge(o.unknown)
	p.without.merge(o.without)
	p.bindings.merge(o.bindings)
	p.otherwise.merge(o.otherwise)
}

// log is the result. The tally must not be used any more.
func (t *tally) log() *Log {
	l := &Log{From: t.from.UTC(), To: t.to.UTC(), Requests: t.requests, Invalid: t.invalid, Users: map[string]User{}, Others: []Certificate{}}
	for _, n := range t.events {
		l.Events += n
	}
	t.others.trim()
	for _, o := range slices.SortedFunc(maps.Keys(t.others.kept), compareOthers) {
		l.Others = append(l.Others, certificate(o.certificate, o.username, *t.others.kept[o]))
	}
	l.OthersRest = t.others.rest
	for name := range t.asked {
		l.Users[name] = t.person(name).user()
	}
	return l
}

func (p *person) user() User {
	u := User{Use: p.all, Impersonations: p.impersonations, WithoutCertificate: p.without, AllowedOtherwise: p.otherwise, Certificates: []Certificate{}, Bindings: []BindingUse{}}
	p.unknown.trim()
	p.bindings.trim()
	u.CertificatesRest, u.BindingsRest = p.unknown.rest, p.bindings.rest
	maps.Copy(p.certificates, p.unknown.kept)
	for _, f := range slices.SortedFunc(maps.Keys(p.certificates), compareFingerprints) {
		u.Certificates = append(u.Certificates, certificate(f, p.name, *p.certificates[f]))
	}
	for _, b := range slices.SortedFunc(maps.Keys(p.bindings.kept), compareBindings) {
		u.Bindings = append(u.Bindings, BindingUse{b, *p.bindings.kept[b]})
	}
	return u
}

func certificate(f fingerprint, username string, u Use) Certificate {
	return Certificate{SHA256: hex.EncodeToString(f[:]), Username: username, Use: u}
}
