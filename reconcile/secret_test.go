package reconcile

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"go/ast"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/certsync/certsync/inventory"
)

// holder has a secret in all the ways in which a struct can.
type holder struct {
	Shown   Secret
	Pointer *Secret
	List    []Secret
	ByName  map[string]Secret
	Any     any
	hidden  Secret
	pointer *Secret
	list    []Secret
	byName  map[string]Secret
	inner   struct{ deeper Secret }
}

type embedding struct{ Secret }

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
	s := NewSecret(key)
	p := &s
	h := holder{
		Shown: s, Pointer: p, List: []Secret{s}, ByName: map[string]Secret{"a": s}, Any: s,
		hidden: s, pointer: p, list: []Secret{s}, byName: map[string]Secret{"a": s}, inner: struct{ deeper Secret }{s},
	}
	for what, v := range map[string]any{
		"itself": s, "a pointer": p, "a pointer to a pointer": &p, "a list": []Secret{s}, "pointers in a list": []*Secret{p},
		"an array": [2]Secret{s, s}, "a map": map[string]Secret{"a": s}, "a map of pointers": map[string]*Secret{"a": p},
		"a list of anything": []any{s, p}, "a struct": h, "a pointer to a struct": &h,
		"structs in a list": []holder{h}, "structs in a map": map[string]*holder{"a": &h}, "embedded": embedding{s}, "embedded, by pointer": &embedding{s},
		"an unnamed struct": struct{ s Secret }{s}, "an error": WithHint(fmt.Errorf("storing %v: %+v", s, h), fmt.Sprint(s)),
	} {
		noLeak(t, what, v, key)
	}
	if !bytes.Equal(s.Reveal(), key) {
		t.Error("Reveal does not reveal it")
	}
}

// TestSecretIsNamed: where a secret stands, it says so, instead of looking like an empty string.
func TestSecretIsNamed(t *testing.T) {
	for _, s := range []Secret{NewSecret([]byte("key")), NewSecret(nil), {}} {
		for form, text := range renderings(s) {
			if strings.HasPrefix(form, "%") && strings.ContainsAny(form, "pTw") || strings.HasSuffix(form, "error") {
				continue // where it stands, its type, and a verb of Errorf alone: fmt asks no value about these
			}
			if !strings.Contains(text, "[redacted]") {
				t.Errorf("%s: %q", form, text)
			}
		}
	}
	if (Secret{}).Reveal() != nil {
		t.Error("the zero Secret holds something")
	}
	text, err := json.Marshal(struct{ Key Secret }{NewSecret([]byte("key"))})
	if err != nil || string(text) != `{"Key":"[redacted]"}` {
		t.Errorf("%s, %v", text, err)
	}
}

// TestNothingExportedShowsAKey goes through a run with real keys, and prints everything of it that has a name outside
// of this package, and what holds a key inside of it.
func TestNothingExportedShowsAKey(t *testing.T) {
	w := newWorld(t)
	inv := parse(t, team)
	before := w.plan(inv)
	o := w.mustApply(inv)
	var keys [][]byte
	for _, s := range w.users {
		keys = append(keys, s.versions[1].credential.Key.Reveal())
	}
	if len(keys) != 3 || !bytes.Contains(keys[0], []byte("PRIVATE KEY")) {
		t.Fatalf("%d keys", len(keys))
	}
	observed, err := Observe(t.Context(), "test", w, w, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	record := *w.ledger["alice"].versions[1].record
	x := &Executor{Bindings: w, Store: w, Issuer: w, Login: w, Kubeconfigs: w, Now: time.Now, Report: func(Event) {}}
	observed.At = w.now
	who, made := Status(inv, observed), ExportBindings("test", observed.Bindings)
	account := Account{Owner: "test", Err: errBoom, Outcome: o}
	exported := []any{
		account, account.News()[0], account.Figures(), *account.Figures().Census,
		who, who.Users[0], who.Users[0].Grants[0], who.Users[0].Certificates[0], made, LeftOut{},
		Secret{}, *w.users["alice"].versions[1].credential, before, before.Steps[0], *before.Steps[0].Detail, Note{}, o, o.Events[0],
		record, record.Kubeconfig, record.Certificates[0], record.Certificates[0].CSR, *w.state, observed, observed.ClusterView, observed.StoreView,
		observed.Endpoint, observed.Bindings[0], observed.Bindings[0].Subjects[0], observed.Bindings[0].RoleRef, Grant{}, Request{}, Power{}, Rule{},
		observed.Ledger["alice"], observed.Credentials["alice"], observed.Credentials["alice"].Versions[0],
		Identity{}, Permission{}, StoreNeeds{}, FrontProxy{CAs: []byte(leafPEM(w.ca))}, CertificateRequest{User: "alice"}, Issued{Chain: []byte(record.Certificates[0].Certificate)},
		Check{}, LockView{Taken: Locked{}}, StoreHealth{}, PreflightReport{Checks: []Check{{}}}, Preflight{Inventory: inv},
		Refused{}, Rules{}, UnknownName{}, Denial{}, Locked{}, Limit{}, *x, Apply{Cluster: w, Store: w, Access: w, StoreAccess: w, Executor: x},
	}
	ca := authority{w.ca, w.caKey, w.now}
	keys = append(keys, ca.pkcs8(t), number(t, w.caKey))
	exported = append(exported, *ca.issuer(t))
	names := map[string]bool{}
	for _, v := range exported {
		name := reflect.TypeOf(v).Name()
		names[name] = true
		noLeak(t, name, v, keys...)
		noLeak(t, "*"+name, &v, keys...)
	}
	for _, name := range exportedStructs(t) {
		if !names[name] {
			t.Errorf("%s is not looked at", name)
		}
	}
	k, err := newKeyPair(inventory.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	for what, v := range map[string]any{"keyPair": k, "*keyPair": &k, "a struct": struct{ k keyPair }{k}, "a list": []keyPair{k}} {
		noLeak(t, what, v, number(t, k.signer), k.pem.Reveal())
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

// exportedStructs lists the structs of this package that others can name.
func exportedStructs(t *testing.T) []string {
	found := map[string]bool{}
	for _, file := range goFiles(t, ".") {
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range group.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() {
					if _, ok := s.Type.(*ast.StructType); ok {
						found[s.Name.Name] = true
					}
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}
