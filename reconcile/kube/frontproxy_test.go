package kube

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// TestObserveClusterReadsTheFrontProxy: every content of the ConfigMap is read without an error.
func TestObserveClusterReadsTheFrontProxy(t *testing.T) {
	other := apitest.PEM("CERTIFICATE", []byte("junk"))
	for name, tc := range map[string]struct {
		data   object
		shared bool
		names  []string
	}{
		"one CA for both, any name":   {object{"client-ca-file": string(apitest.CA), "requestheader-client-ca-file": string(apitest.CA), "requestheader-allowed-names": "[]"}, true, []string{}},
		"one CA for both, some names": {object{"client-ca-file": string(apitest.CA), "requestheader-client-ca-file": string(apitest.CA), "requestheader-allowed-names": `["a","b"]`}, true, []string{"a", "b"}},
		"names that are no list":      {object{"client-ca-file": string(apitest.CA), "requestheader-client-ca-file": string(apitest.CA), "requestheader-allowed-names": `{"a":`}, true, nil},
		"a CA for clients alone":      {object{"client-ca-file": string(apitest.CA)}, false, nil},
		"garbage":                     {object{"client-ca-file": string(other), "requestheader-client-ca-file": string(other), "requestheader-allowed-names": "[1]"}, false, nil},
		"nothing":                     {nil, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := observable(t)
			s.Routes["GET "+frontProxyPath] = apitest.Answers(http.StatusOK, object{"apiVersion": "v1", "kind": "ConfigMap",
				"metadata": object{"name": "extension-apiserver-authentication", "namespace": "kube-system"}, "data": tc.data})
			s.Begin()
			got, err := connect(t, s).ObserveCluster(t.Context(), "prod-eu")
			if err != nil || got.FrontProxy.SharedCA != tc.shared {
				t.Errorf("shared: %t, error %v", got.FrontProxy.SharedCA, err)
			}
			if diff := cmp.Diff(tc.names, got.FrontProxy.AllowedNames); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFrontProxyIsNotGoneForAProxy: a 404 of a proxy in front of the API server does not count as a cluster without front proxies.
func TestFrontProxyIsNotGoneForAProxy(t *testing.T) {
	s := observable(t)
	s.Routes["GET "+frontProxyPath] = http.NotFound
	s.Begin()
	f, err := connect(t, s).FrontProxy(t.Context())
	if err == nil || reconcile.Hint(err) == "" {
		t.Errorf("%+v, error %v", f, err)
	}
}
