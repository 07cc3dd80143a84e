package kube

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestObserveClusterReadsTheFrontProxy: what the ConfigMap says, whatever is there.
func TestObserveClusterReadsTheFrontProxy(t *testing.T) {
	other := pemBlock("CERTIFICATE", []byte("junk"))
	for name, tc := range map[string]struct {
		data   object
		shared bool
		names  []string
	}{
		"one CA for both, any name":   {object{"client-ca-file": string(testCA), "requestheader-client-ca-file": string(testCA), "requestheader-allowed-names": "[]"}, true, []string{}},
		"one CA for both, some names": {object{"client-ca-file": string(testCA), "requestheader-client-ca-file": string(testCA), "requestheader-allowed-names": `["a","b"]`}, true, []string{"a", "b"}},
		"names that are no list":      {object{"client-ca-file": string(testCA), "requestheader-client-ca-file": string(testCA), "requestheader-allowed-names": `{"a":`}, true, nil},
		"a CA for clients alone":      {object{"client-ca-file": string(testCA)}, false, nil},
		"garbage":                     {object{"client-ca-file": string(other), "requestheader-client-ca-file": string(other), "requestheader-allowed-names": "[1]"}, false, nil},
		"nothing":                     {nil, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := observable(t)
			s.routes["GET "+frontProxyPath] = answers(http.StatusOK, object{"apiVersion": "v1", "kind": "ConfigMap",
				"metadata": object{"name": "extension-apiserver-authentication", "namespace": "kube-system"}, "data": tc.data})
			s.begin()
			got, err := s.cluster().ObserveCluster(t.Context(), "prod-eu")
			if err != nil || got.FrontProxy.SharedCA != tc.shared {
				t.Errorf("shared: %t, error %v", got.FrontProxy.SharedCA, err)
			}
			if diff := cmp.Diff(tc.names, got.FrontProxy.AllowedNames); diff != "" {
				t.Error(diff)
			}
		})
	}
}
