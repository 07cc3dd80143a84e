package vaultstore

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// fakeLogins is what fakeVault knows of logging in: any mount lets in whom refuse does not keep out.
type fakeLogins struct {
	refuse  func(path string, body map[string]any) (status int, reason string)
	lease   int           // of a token, in seconds
	longest time.Duration // that a token may become by being renewed
	batch   bool          // tokens are of type batch
	uses    int           // of a token
	mfa     bool
	logins  []map[string]any // what was sent
	brought []string         // the tokens that came with it: there should be none
	tokens  map[string]*fakeToken
	revoked []string
}

type fakeToken struct {
	ends, latest time.Time
	renewals     int
}

// tokenNumber is the name of the nth token, from 1. All of them hold goodToken.
func tokenNumber(n int) string { return fmt.Sprintf("%s-%d", goodToken, n) }

func (f *fakeVault) login(w http.ResponseWriter, r *http.Request, path string) {
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	f.logins = append(f.logins, body)
	f.brought = append(f.brought, r.Header.Get("X-Vault-Token"))
	if status, reason := f.refuse(path, body); status != 0 {
		fail(w, status, reason)
		return
	}
	auth := map[string]any{"client_token": "", "accessor": "the-accessor", "renewable": !f.batch, "lease_duration": f.lease, "num_uses": f.uses}
	switch {
	case f.mfa:
		auth["mfa_requirement"] = map[string]any{"mfa_request_id": "the-accessor"}
	case f.batch:
		auth["accessor"] = ""
		fallthrough
	default:
		token := tokenNumber(len(f.tokens) + 1)
		f.tokens[token] = &fakeToken{ends: f.now().Add(time.Duration(f.lease) * time.Second), latest: f.now().Add(f.longest)}
		auth["client_token"] = token
	}
	reply(w, 200, map[string]any{"auth": auth})
}

func (f *fakeVault) knows(token string) bool {
	got := f.tokens[token]
	return token == f.token || got != nil && f.now().Before(got.ends)
}

// renew answers with what is left, as Vault does near a token's longest time.
func (f *fakeVault) renew(w http.ResponseWriter, token string) {
	got := f.tokens[token]
	if f.batch || got == nil {
		fail(w, 400, "batch tokens cannot be renewed")
		return
	}
	got.renewals++
	now := f.now()
	if got.ends = now.Add(time.Duration(f.lease) * time.Second); got.ends.After(got.latest) {
		got.ends = got.latest
	}
	left := int(got.ends.Sub(now) / time.Second)
	reply(w, 200, map[string]any{"auth": map[string]any{"client_token": token, "accessor": "the-accessor", "renewable": true, "lease_duration": left}})
}

func (f *fakeVault) revoke(w http.ResponseWriter, token string) {
	if f.batch {
		fail(w, 400, "batch tokens cannot be revoked")
		return
	}
	f.revoked = append(f.revoked, token)
	if got := f.tokens[token]; got != nil {
		got.ends = time.Time{}
	}
	w.WriteHeader(204)
}

// expire ends all tokens that logging in has given, as somebody at Vault can too.
func (f *fakeVault) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, token := range f.tokens {
		token.ends = time.Time{}
	}
}

// living lists the tokens that logging in has given and that did not end.
func (f *fakeVault) living() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(f.tokens)) {
		if f.knows(name) {
			names = append(names, name)
		}
	}
	return names
}

// renewals counts those of the nth token.
func (f *fakeVault) renewals(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if token := f.tokens[tokenNumber(n)]; token != nil {
		return token.renewals
	}
	return 0
}

// loggedIn counts logins.
func (f *fakeVault) loggedIn() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.logins)
}
