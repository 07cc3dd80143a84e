package reconcile_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"go/ast"
	"log/slog"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/apply"
	"github.com/certsync/certsync/reconcile/export"
	"github.com/certsync/certsync/reconcile/granted"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/plan"
	"github.com/certsync/certsync/reconcile/plan/index"
	"github.com/certsync/certsync/reconcile/preflight"
	"github.com/certsync/certsync/reconcile/reconciletest"
	"github.com/certsync/certsync/reconcile/removals"
	"github.com/certsync/certsync/reconcile/report"
	"github.com/certsync/certsync/reconcile/review"
	"github.com/certsync/certsync/reconcile/revocation"
	"github.com/certsync/certsync/reconcile/status"
	"github.com/certsync/certsync/reconcile/usage"
)

// holder has a secret in all the ways in which a struct can.
type holder struct {
	Shown   reconcile.Secret
	Pointer *reconcile.Secret
	List    []reconcile.Secret
	ByName  map[string]reconcile.Secret
	Any     any
	hidden  reconcile.Secret
	pointer *reconcile.Secret
	list    []reconcile.Secret
	byName  map[string]reconcile.Secret
	inner   struct{ deeper reconcile.Secret }
}

type embedding struct{ reconcile.Secret }

const verbs = "vsqxXdobcUtTeEfFgGpwz"

// renderings is a value in every form in which it could reach a log, a file or a terminal.
func renderings(v any) map[string]string {
	out := map[string]string{"Sprint": fmt.Sprint(v), "Sprintln": fmt.Sprintln(v)}
	for _, verb := range verbs {
		for _, flags := range []string{"", "+", "#", " ", "0", "-", "30", ".3", "+#"} {
			format := "%" + flags + string(verb)
			out[format] = fmt.Sprintf(format, v)
		}
	}
	encode := func(name string, text []byte, err error) {
		out[name] = string(text)
		if err != nil {
			out[name+" error"] = err.Error()
		}
	}
	text, err := json.Marshal(v)
	encode("json", text, err)
	text, err = xml.Marshal(v)
	encode("xml", text, err)
	text, err = yaml.Marshal(v)
	encode("yaml", text, err)
	var b bytes.Buffer
	err = gob.NewEncoder(&b).Encode(v)
	encode("gob", b.Bytes(), err)
	b.Reset()
	err = template.Must(template.New("").Parse("{{.}} {{printf `%x` .}} {{print .}}")).Execute(&b, v)
	encode("template", b.Bytes(), err)
	b.Reset()
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v, slog.Group("g", "v", v))
	encode("slog text", slices.Clone(b.Bytes()), nil)
	b.Reset()
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v, slog.Group("g", "v", v))
	encode("slog json", slices.Clone(b.Bytes()), nil)
	return out
}

// disguises is what a part of a key looks like after an encoder that does not know what it has there.
func disguises(part []byte) []string {
	return []string{
		string(part), hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)), fmt.Sprintf("% x", part),
		base64.RawStdEncoding.EncodeToString(part), base64.RawURLEncoding.EncodeToString(part),
		strings.Trim(fmt.Sprint(part), "[]"), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte{"), "}"),
	}
}

// parts of a key, since something may have cut it off, or wrapped it.
func parts(key []byte) [][]byte {
	const enough = 18 // and a multiple of three, for base64
	middle := len(key) / 2 / enough * enough
	return [][]byte{key[:enough], key[middle:min(middle+enough, len(key))]}
}

func noLeak(t *testing.T, what string, v any, keys ...[]byte) {
	t.Helper()
	var sought []string
	for _, key := range keys {
		for _, part := range parts(key) {
			sought = append(sought, disguises(part)...)
		}
	}
	for form, text := range renderings(v) {
		if slices.ContainsFunc(sought, func(s string) bool { return strings.Contains(text, s) }) {
			t.Errorf("%s as %s shows the key: %.200s", what, form, text)
		}
	}
}

// TestSecretStaysSecret prints a secret in every way and place.
func TestSecretStaysSecret(t *testing.T) {
	key := []byte("the-bytes-of-a-key-that-nobody-may-see")
	s := reconcile.NewSecret(key)
	p := &s
	h := holder{
		Shown: s, Pointer: p, List: []reconcile.Secret{s}, ByName: map[string]reconcile.Secret{"a": s}, Any: s,
		hidden: s, pointer: p, list: []reconcile.Secret{s}, byName: map[string]reconcile.Secret{"a": s}, inner: struct{ deeper reconcile.Secret }{s},
	}
	for what, v := range map[string]any{
		"itself": s, "a pointer": p, "a pointer to a pointer": &p, "a list": []reconcile.Secret{s}, "pointers in a list": []*reconcile.Secret{p},
		"an array": [2]reconcile.Secret{s, s}, "a map": map[string]reconcile.Secret{"a": s}, "a map of pointers": map[string]*reconcile.Secret{"a": p},
		"a list of anything": []any{s, p}, "a struct": h, "a pointer to a struct": &h,
		"structs in a list": []holder{h}, "structs in a map": map[string]*holder{"a": &h}, "embedded": embedding{s}, "embedded, by pointer": &embedding{s},
		"an unnamed struct": struct{ s reconcile.Secret }{s}, "an error": reconcile.WithHint(fmt.Errorf("storing %v: %+v", s, h), fmt.Sprint(s)),
	} {
		noLeak(t, what, v, key)
	}
	if !bytes.Equal(s.Reveal(), key) {
		t.Error("Reveal does not reveal it")
	}
}

// TestSecretIsNamed: where a secret stands, it says so, instead of looking like an empty string.
func TestSecretIsNamed(t *testing.T) {
	for _, s := range []reconcile.Secret{reconcile.NewSecret([]byte("key")), reconcile.NewSecret(nil), {}} {
		for form, text := range renderings(s) {
			if strings.HasPrefix(form, "%") && strings.ContainsAny(form, "pTw") || strings.HasSuffix(form, "error") {
				continue // where it stands, its type, and a verb of Errorf alone: fmt asks no value about these
			}
			if !strings.Contains(text, "[redacted]") {
				t.Errorf("%s: %q", form, text)
			}
		}
	}
	if (reconcile.Secret{}).Reveal() != nil {
		t.Error("the zero Secret holds something")
	}
	text, err := json.Marshal(struct{ Key reconcile.Secret }{reconcile.NewSecret([]byte("key"))})
	if err != nil || string(text) != `{"Key":"[redacted]"}` {
		t.Errorf("%s, %v", text, err)
	}
}

// TestNothingExportedShowsAKey goes through a run with real keys, and prints everything of it that has a name outside
// of this package, and what holds a key inside of it.
func TestNothingExportedShowsAKey(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, reconciletest.Team)
	before := w.Plan(inv)
	o := w.MustApply(inv)
	var keys [][]byte
	for _, s := range w.Users {
		keys = append(keys, s.Versions[1].Credential.Key.Reveal())
	}
	if len(keys) != 3 || !bytes.Contains(keys[0], []byte("PRIVATE KEY")) {
		t.Fatalf("%d keys", len(keys))
	}
	observed, err := reconcile.Observe(t.Context(), "test", w, w, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	record := *w.Ledger["alice"].Versions[1].Record
	x := &apply.Executor{Bindings: w, Store: w, Issuer: w, Login: w, Kubeconfigs: w, Now: time.Now, Report: func(reconcile.Event) {}}
	observed.At = w.Now
	who, made := status.Of(inv, observed, reconcile.Rules{}), export.Bindings("test", observed.Bindings)
	account := report.Account{Owner: "test", Err: reconciletest.ErrBoom, Outcome: o}
	known, _, _ := plan.Credentials(inv, observed, reconcile.Rules{})
	exported := []any{
		account, account.KubernetesEvents()[0], account.Metrics(), *account.Metrics().Census,
		who, who.Users[0], who.Users[0].Grants[0], who.Users[0].Certificates[0], made, export.LeftOut{},
		reconcile.Secret{}, *w.Users["alice"].Versions[1].Credential, before, before.Steps[0], *before.Steps[0].Detail, reconcile.Note{}, o, o.Events[0], reconcile.LastEvent{}, reconcile.EndedEarly{},
		record, record.Kubeconfig, record.Certificates[0], record.Certificates[0].CSR, *w.State, observed, observed.ClusterView, observed.StoreView,
		observed.Endpoint, observed.Bindings[0], observed.Bindings[0].Subjects[0], observed.Bindings[0].RoleRef, reconcile.Grant{}, reconcile.Request{}, reconcile.Rule{}, reconcile.Role{}, reconcile.Namespace{}, reconcile.RevocationPolicy{}, reconcile.RevokedCertificate{}, reconcile.RevocationWrite{}, access.Given{}, access.Lookup{}, access.Power{}, access.Decision{}, revocation.Certificate{}, revocation.Report{}, revocation.Tiers{}, revocation.Condition{}, revocation.Request{},
		observed.Ledger["alice"], observed.Credentials["alice"], observed.Credentials["alice"].Versions[0],
		reconcile.Identity{}, reconcile.Permission{}, reconcile.StoreNeeds{}, reconcile.FrontProxy{CAs: []byte(pki.LeafPEM(w.CA))}, reconcile.CertificateRequest{Username: "alice"}, reconcile.Mark{}, reconcile.Issued{Chain: []byte(record.Certificates[0].Certificate)},
		preflight.Check{}, preflight.LockView{Taken: reconcile.Locked{}}, preflight.StoreHealth{}, preflight.AuthMethods{}, preflight.Report{Checks: []preflight.Check{{}}}, preflight.Preflight{Inventory: inv},
		pki.Signing{Issuer: w, Login: w}, *known, index.Binding{}, index.Epochs{}, reconcile.Refused{}, reconcile.BindingWrite{}, reconcile.CertificateSpec{User: "alice"}, reconcile.Issuance{Record: &record}, reconcile.Leaving{Record: &record}, reconcile.OwnKey{}, reconcile.UserCertificates{}, reconcile.Rules{}, *w.State.Grants, reconcile.UserGrants{}, reconcile.Name{}, reconcile.Refusal{}, reconcile.UnknownName{}, reconcile.Denial{}, reconcile.Locked{}, reconcile.Limit{}, *x, apply.Apply{Terms: apply.Terms{Access: w}, Cluster: w, Store: w, StoreAccess: w, Executor: x}, apply.Removals{Cluster: w, Bindings: w}, apply.Terms{Access: w}, apply.Prepared{}, removals.Emergency{Users: []removals.EmergencyUser{{}}}, removals.EmergencyUser{}, granted.Size{},
		usage.Source{}, usage.Log{}, usage.User{}, usage.Certificate{}, usage.BindingUse{}, usage.Binding{}, usage.Use{},
	}
	r := review.Of(inv, observed, reconcile.Rules{})
	exported = append(exported, reconcile.Run{}, r, r.Population, r.Population.Sums[0], review.Part{}, r.People[0], r.People[0].Access[0], review.Departure{}, review.Other{}, r.Roles[0],
		review.Changes{}, review.Change{}, review.Growth{}, review.Use{}, review.CertificateUse{}, review.PersonUse{})
	ca := reconciletest.Authority{Cert: w.CA, Key: w.CAKey, Now: w.Now}
	keys = append(keys, ca.PKCS8(t), number(t, w.CAKey))
	exported = append(exported, *ca.Issuer(t))
	names := map[string]bool{"pki.KeyPair": true} // below
	for _, v := range exported {
		name := reflect.TypeOf(v).String()
		names[name] = true
		noLeak(t, name, v, keys...)
		noLeak(t, "*"+name, &v, keys...)
	}
	for _, name := range exportedStructs(t) {
		if !names[name] {
			t.Errorf("%s is not looked at", name)
		}
	}
	k, err := pki.NewKeyPair(userkey.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	for what, v := range map[string]any{"keyPair": k, "*keyPair": &k, "a struct": struct{ k pki.KeyPair }{k}, "a list": []pki.KeyPair{k}} {
		noLeak(t, what, v, secretNumber(t, k), k.PEM.Reveal())
	}
}

// number is the secret of an ECDSA key itself.
func number(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	n, err := key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// exportedStructs lists the structs that others can name, of the packages below reconcile that know no server.
func exportedStructs(t *testing.T) []string {
	found := map[string]bool{}
	for _, dir := range packages(t) {
		if _, program := arrows[dir]; !program || strings.HasPrefix(dir, "reconcile/kube") || !within(dir, "reconcile") || dir == "reconcile/httplimit" {
			continue
		}
		for _, file := range goFiles(t, filepath.Join("..", dir)) {
			for _, name := range structs(file) {
				found[file.Name.Name+"."+name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// structs lists the exported structs of a file.
func structs(file *ast.File) (names []string) {
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range group.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() {
				if _, ok := s.Type.(*ast.StructType); ok {
					names = append(names, s.Name.Name)
				}
			}
		}
	}
	return names
}

// secretNumber is number of a key pair's key.
func secretNumber(t *testing.T, k pki.KeyPair) []byte {
	t.Helper()
	block, _ := pem.Decode(k.PEM.Reveal())
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return number(t, key)
}
