package main

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
)

// The servers here are a cluster without bindings, whose requests for certificates are forbidden, and a Vault without
// an entry that forgets what is written: enough for a plan and for the beginning and the end of an apply. What happens
// between is tested on the real servers.

// newCluster starts the cluster, and returns its address and the CA as kubeconfigs want it.
func newCluster(t *testing.T) (address, ca string) {
	t.Helper()
	return newClusterThat(t, answerAsCluster)
}

// newClusterThat is a cluster that answers otherwise.
func newClusterThat(t *testing.T, answers http.HandlerFunc) (address, ca string) {
	t.Helper()
	s := httptest.NewUnstartedServer(answers)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that clients end
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return s.URL, base64.StdEncoding.EncodeToString(text)
}

const (
	rbacPath   = "/apis/rbac.authorization.k8s.io/v1/"
	csrPath    = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
	leasesPath = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
)

// described are the resources that the cluster says it has.
var described = map[string]string{
	"/apis/certificates.k8s.io/v1":       "certificatesigningrequests",
	"/apis/rbac.authorization.k8s.io/v1": "clusterrolebindings",
	"/apis/coordination.k8s.io/v1":       "leases",
	"/apis/authentication.k8s.io/v1":     "selfsubjectreviews",
	"/apis/authorization.k8s.io/v1":      "selfsubjectaccessreviews",
}

func answerAsCluster(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Query().Get("watch") != "":
		w.Header().Set("Content-Type", "application/json")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case r.Method == http.MethodGet && r.URL.Path == rbacPath+"clusterrolebindings":
		list(w, "rbac.authorization.k8s.io/v1", "ClusterRoleBindingList")
	case r.Method == http.MethodGet && r.URL.Path == rbacPath+"rolebindings":
		list(w, "rbac.authorization.k8s.io/v1", "RoleBindingList")
	case r.Method == http.MethodGet && r.URL.Path == rbacPath+"clusterroles":
		list(w, "rbac.authorization.k8s.io/v1", "ClusterRoleList", "view", "edit", "admin")
	case r.Method == http.MethodGet && r.URL.Path == rbacPath+"roles":
		list(w, "rbac.authorization.k8s.io/v1", "RoleList")
	case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/"):
		answer(w, http.StatusNotFound, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"no such policy"}`)
	case r.Method == http.MethodGet && r.URL.Path == "/api/v1/namespaces":
		list(w, "meta.k8s.io/v1", "PartialObjectMetadataList", "kube-system", "staging")
	case r.Method == http.MethodGet && r.URL.Path == csrPath:
		list(w, "certificates.k8s.io/v1", "CertificateSigningRequestList")
	case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, leasesPath+"/"):
		answer(w, http.StatusNotFound, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"no such lease"}`)
	case r.Method == http.MethodGet && r.URL.Path == "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication":
		answer(w, http.StatusNotFound, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"no such configmap"}`)
	case r.Method == http.MethodPost && r.URL.Query().Get("dryRun") != "":
		echo(w, r)
	case strings.HasPrefix(r.URL.Path, leasesPath):
		storeLease(w, r)
	case r.URL.Path == "/version":
		answer(w, http.StatusOK, `{"gitVersion":"v1.36.3"}`)
	case described[r.URL.Path] != "":
		answer(w, http.StatusOK, `{"kind":"APIResourceList","apiVersion":"v1","resources":[{"name":"`+described[r.URL.Path]+`"}]}`)
	case strings.HasSuffix(r.URL.Path, "/selfsubjectreviews"):
		answer(w, http.StatusCreated, `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1","status":{"userInfo":{"username":"certsync"}}}`)
	case strings.HasSuffix(r.URL.Path, "/subjectaccessreviews"):
		answer(w, http.StatusCreated, `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":false}}`)
	case strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews"):
		answer(w, http.StatusCreated, `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":true}}`)
	default:
		answer(w, http.StatusForbidden, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":`+
			`"certificatesigningrequests.certificates.k8s.io is forbidden: User \"certsync\" cannot create resource \"certificatesigningrequests\" `+
			`in API group \"certificates.k8s.io\" at the cluster scope"}`)
	}
}

// echo answers a dry run with what it was asked to make.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	obj, kind, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		panic(err)
	}
	obj.GetObjectKind().SetGroupVersionKind(*kind)
	if request, ok := obj.(*certificatesv1.CertificateSigningRequest); ok {
		request.Spec.Username = "certsync"
	}
	text, err := json.Marshal(obj)
	if err != nil {
		panic(err)
	}
	answer(w, http.StatusCreated, string(text))
}

// storeLease says that it did what it was asked.
func storeLease(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	var lease coordinationv1.Lease
	if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, &lease); err != nil {
		panic(err)
	}
	lease.APIVersion, lease.Kind, lease.UID, lease.ResourceVersion = "coordination.k8s.io/v1", "Lease", "uid-of-the-lease", "1"
	text, err := json.Marshal(lease)
	if err != nil {
		panic(err)
	}
	answer(w, http.StatusOK, string(text))
}

func list(w http.ResponseWriter, version, kind string, names ...string) {
	items := []any{}
	for _, name := range names {
		items = append(items, map[string]any{"metadata": map[string]string{"name": name, "uid": "uid-of-" + name}})
	}
	text, err := json.Marshal(map[string]any{
		"kind": kind, "apiVersion": version, "metadata": map[string]string{"resourceVersion": "1"}, "items": items,
	})
	if err != nil {
		panic(err)
	}
	answer(w, http.StatusOK, string(text))
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprint(w, text)
}

// newVault starts the Vault, and returns its address. It knows one token, "token", and another that may do nothing, "bob's".
func newVault(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(answerAsVault))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

func answerAsVault(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch {
	case path == "auth/kubernetes/login":
		answer(w, http.StatusForbidden, `{"errors":["service account name not authorized"]}`)
	case path == "sys/internal/ui/mounts":
		answer(w, http.StatusOK, `{"data":{"auth":{"oidc/":{"type":"oidc"},"corp/":{"type":"userpass"}},"secret":{}}}`)
	case path == "auth/token/lookup-self" && r.Header.Get("X-Vault-Token") == "bob's":
		answer(w, http.StatusOK, `{"data":{"display_name":"oidc-bob@example.com","policies":["default"],"identity_policies":["certsync-prod-eu-users"]}}`)
	case r.Header.Get("X-Vault-Token") == "bob's":
		answer(w, http.StatusForbidden, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`)
	case r.Header.Get("X-Vault-Token") != "token":
		answer(w, http.StatusForbidden, `{"errors":["permission denied","invalid token"]}`)
	case path == "auth/token/lookup-self":
		answer(w, http.StatusOK, `{"data":{}}`)
	case r.Method == http.MethodGet && storedUsers[path] != nil:
		text, err := json.Marshal(map[string]any{"data": map[string]any{"data": storedUsers[path], "metadata": map[string]any{"version": 3}}})
		if err != nil {
			panic(err)
		}
		answer(w, http.StatusOK, string(text))
	case path == "sys/health":
		answer(w, http.StatusOK, `{"initialized":true,"sealed":false,"standby":false,"version":"1.21.4"}`)
	case path == "sys/internal/ui/mounts/secret":
		answer(w, http.StatusOK, `{"data":{"path":"secret/","type":"kv","options":{"version":"2"}}}`)
	case path == "sys/capabilities-self":
		var asked struct{ Paths []string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			panic(err)
		}
		all := map[string][]string{}
		for _, p := range asked.Paths {
			all[p] = []string{"root"}
		}
		text, err := json.Marshal(map[string]any{"data": all})
		if err != nil {
			panic(err)
		}
		answer(w, http.StatusOK, string(text))
	case r.Method == http.MethodPut && strings.HasPrefix(path, "secret/data/"):
		answer(w, http.StatusOK, `{"data":{"version":1}}`)
	default:
		answer(w, http.StatusNotFound, `{"errors":[]}`)
	}
}

// storedUsers are credentials in Vault by their paths, and the places of what differs in them from run to run. Eve's is for a
// key that never left her. The others are as somebody else has changed them: a program in mallory's kubeconfig, a password in
// trudy's, a context for a shell in oscar's, peggy has bob's credential and
// walter no certificate.
var storedUsers, storedPlaces = func() (stored map[string]map[string]string, places map[string]string) {
	stored, places = map[string]map[string]string{}, map[string]string{}
	writer := kubeconfig.Writer{}
	for _, user := range []string{"alice", "eve", "mallory", "trudy", "oscar", "peggy", "walter"} {
		cn := user + "@example.com"
		e := reconcile.Endpoint{Name: "prod-eu", Server: "https://k8s.example.com:6443", CA: []byte("CA")}
		c := fixture.Credential(cn, time.Now().Add(time.Hour*24*365))
		switch user {
		case "trudy":
			e.Server = "https://joe:hunter2@k8s.example.com"
		case "oscar":
			e.Name = "prod;reboot\x1b[2J"
		case "walter":
			c.Certificate = []byte("chain")
		case "peggy":
			c = fixture.Credential("bob\x1b[2J", time.Now().Add(time.Hour))
		}
		kubeconfig, err := writer.Kubeconfig(e, cn, c.Certificate, c.Key)
		if err != nil {
			panic(err)
		}
		key, text := string(c.Key.Reveal()), string(kubeconfig.Reveal())
		encoded := base64.StdEncoding.EncodeToString([]byte(key))
		switch user {
		case "eve":
			key, text = "", strings.Replace(text, "    client-key-data: "+encoded+"\n", "", 1)
		case "mallory":
			text += "    exec: {apiVersion: client.authentication.k8s.io/v1, command: /tmp/evil, interactiveMode: Never}\n"
		}
		if user == "alice" { // of other owners too, one of which has a cluster of the same name
			for owner, cluster := range map[string]string{"dev": "dev", "twin": "prod-eu"} {
				e.Name, e.Server = cluster, "https://"+owner+".example.com:6443"
				other, err := writer.Kubeconfig(e, cn, c.Certificate, c.Key)
				if err != nil {
					panic(err)
				}
				stored["secret/data/certsync/"+owner+"/users/"+cn] = map[string]string{"kubeconfig": string(other.Reveal()), "tls.crt": string(c.Certificate), "tls.key": key, "ca.crt": "CA"}
			}
		}
		stored["secret/data/certsync/prod-eu/users/"+cn] = map[string]string{"kubeconfig": text, "tls.crt": string(c.Certificate), "tls.key": key, "ca.crt": "CA"}
		name := strings.ToUpper(user)
		places["$"+name+"S_CERTIFICATE"], places["$"+name+"S_KEY"] = base64.StdEncoding.EncodeToString(c.Certificate), encoded
	}
	return stored, places
}()
