package usage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// realEvents are what the audit, authorization and RBAC code of kube-apiserver v1.37.2 wrote for six requests by one certificate.
func realEvents(t testing.TB) [][]byte {
	text, err := os.ReadFile("testdata/audit.log")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(text), []byte("\n"))
}

// dated are the two times that an event needs.
const dated = `"requestReceivedTimestamp":"2026-11-30T10:00:00.000000Z","stageTimestamp":"2026-11-30T10:00:00.100000Z"`

// oddLines are what a parser may get wrong.
var oddLines = []string{
	``, ` `, `{}`, `[]`, `null`, `"Event"`, `{`, `{"kind"`, `{"kind":}`, `{"kind":"Event",}`, `{,}`, `{"a":1 "b":2}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `}`,
	` { "kind" : "Event" , "apiVersion" : "audit.k8s.io/v1" , ` + dated + "\t}\r",
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `}{}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1beta1",` + dated + `}`,
	`{"Kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `}`,
	`{"k\u0069nd":"\u0045vent","apiVersion":"audit.k8s.io\/v1",` + dated + `,"user":{"username":"\ud83d\ude00\ud83d \u0000` + "\xff" + `"}}`,
	`{"kind":"Event","kind":"Pod","apiVersion":"audit.k8s.io/v1",` + dated + `}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `,"user":{"username":"a","extra":{"` + credentialID + `":["X509SHA256=` + strings.Repeat("0f", 32) + `"]}},"user":{"username":"b"}}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `,"user":{"username":"a","extra":{"` + credentialID + `":["JTI=1","X509SHA256=0g","X509SHA256=` + strings.Repeat("0F", 32) + `","X509SHA256=` + strings.Repeat("1F", 32) + `"]}}}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `,"user":null,"annotations":null,"responseStatus":null,"sourceIPs":null,"impersonatedUser":null,"stage":null}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `,"responseStatus":{"code":4.03e2}}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `,"responseStatus":{"code":99999999999999999999}}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `,"sourceIPs":["10.0.0.1",null]}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `,"sourceIPs":["` + strings.Repeat("1", 65) + `"]}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","requestReceivedTimestamp":"2026-11-30T12:00:00+02:00","stageTimestamp":"yesterday"}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1","requestReceivedTimestamp":"2026-11-30T12:00:00+02:00","stageTimestamp":"2026-11-30T12:00:00+02:00"}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `,"x":[1,-0,0.5,1e9,-1.5E-3,true,false,null,{"a":[[],{}]}]}`,
	`{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + dated + `,"x":01}`, `{"x":-}`, `{"x":1.}`, `{"x":.5}`, `{"x":+1}`, `{"x":1e}`, `{"x":tru}`, `{"x":nulll}`, `{"x":"\x"}`, `{"x":"\u12g4"}`, `{"x":"` + "\t" + `"}`, `{"x":[1,]}`, `{"x":[`, `{"x":"\`, `{"x":"\u12`,
	`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[{"stage":"Panic",` + dated + `},{"kind":"Pod",` + dated + `},{"apiVersion":"v1",` + dated + `},{},7,null]}`,
	`{"items":[{` + dated + `}],"kind":"EventList","apiVersion":"audit.k8s.io/v1"}`,
	`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":{}}`, `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":null}`, `{"kind":"EventList","apiVersion":"audit.k8s.io/v1"}`,
	`{"x":` + strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999) + `}`,
	`{"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
	`{"x":` + strings.Repeat(`{"a":`, 20_000) + `1` + strings.Repeat("}", 20_000) + `}`,
}

// certOf is the fingerprint of a made-up certificate, in hex.
func certOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// made is an event in the form that the API server writes.
type made struct {
	user, cert  string
	at          time.Duration // after epoch
	stage       string        // ResponseComplete if empty
	impersonate string
	source      string
	code        int
	decision    string
	reason      string
}

var epoch = time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)

func (m made) line() string {
	extra, impersonated := "", ""
	if m.cert != "" {
		extra = `,"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=` + certOf(m.cert) + `"]}`
	}
	if m.impersonate != "" {
		impersonated = `,"impersonatedUser":{"username":` + strconv.Quote(m.impersonate) + `,"groups":["system:authenticated"]}`
	}
	if m.stage == "" {
		m.stage = "ResponseComplete"
	}
	if m.source == "" {
		m.source = "10.0.0.1"
	}
	at := epoch.Add(m.at)
	const micro = "2006-01-02T15:04:05.000000Z07:00"
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"6a0b6b1e-5a4f-4f5e-9a0d-%012d","stage":%q,`+
		`"requestURI":"/apis/apps/v1/namespaces/payments/deployments/checkout-frontend?fieldManager=kubectl-client-side-apply\u0026fieldValidation=Strict","verb":"patch",`+
		`"user":{"username":%q,"groups":["developers","on-call","system:authenticated"]%s}%s,"sourceIPs":["10.12.144.7",%q],"userAgent":"kubectl/v1.37.2 (linux/amd64) kubernetes/8b3e1b2",`+
		`"objectRef":{"resource":"deployments","namespace":"payments","name":"checkout-frontend","uid":"3f0b6b1e-5a4f-4f5e-9a0d-7c1b2a3d4e5f","apiGroup":"apps","apiVersion":"v1","resourceVersion":"812345678"},`+
		`"responseStatus":{"metadata":{},"code":%d},"requestReceivedTimestamp":%q,"stageTimestamp":%q,"annotations":{"authorization.k8s.io/decision":%q,"authorization.k8s.io/reason":%s,`+
		`"mutation.webhook.admission.k8s.io/round_0_index_3":"{\"configuration\":\"sidecar-injector\",\"webhook\":\"rev.sidecar-injector.example.com\",\"mutated\":false}","pod-security.kubernetes.io/enforce-policy":"baseline:latest"}}`+"\n",
		m.at, m.stage, m.user, extra, impersonated, m.source, m.code, at.Format(micro), at.Add(20*time.Millisecond).Format(micro), m.decision, strconv.Quote(m.reason))
}

func allowedBy(binding string) string {
	return fmt.Sprintf(`RBAC: allowed by ClusterRoleBinding %q of ClusterRole "view" to User "alice"`, binding)
}
