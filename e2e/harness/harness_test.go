package harness_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/certsync/certsync/e2e/harness"
)

var binary string

func TestMain(m *testing.M) {
	if os.Getenv(parentEnv) != "" {
		runParent()
		return
	}
	var err error
	if binary, err = harness.Build(context.Background(), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func start(t *testing.T, o harness.Options) *harness.Servers {
	t.Helper()
	s, err := harness.Start(t.Context(), binary, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func kubectl(t *testing.T, s *harness.Servers, kubeconfig string, args ...string) string {
	t.Helper()
	stdout, _, err := s.Kubectl(t.Context(), kubeconfig, args...)
	if err != nil {
		t.Fatal(err)
	}
	return stdout
}

func vaultClient(t *testing.T, s *harness.Servers) *api.Client {
	t.Helper()
	config := api.DefaultConfig()
	config.Address = s.VaultAddr
	config.MaxRetries = 0
	if err := config.ConfigureTLS(&api.TLSConfig{CACert: s.VaultCACert}); err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(s.VaultToken)
	return client
}

func TestServersCanBeUsed(t *testing.T) {
	s := start(t, harness.Options{})

	t.Run("kubectl shows both versions", func(t *testing.T) {
		version := kubectl(t, s, s.AdminKubeconfig, "version")
		chosen, err := harness.Kubernetes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Client Version: v" + chosen + "\n", "Server Version: v" + chosen + "\n"} {
			if !strings.Contains(version, want) {
				t.Errorf("no %q in:\n%s", want, version)
			}
		}
	})
	t.Run("the cluster has its namespaces", func(t *testing.T) {
		if out := kubectl(t, s, s.AdminKubeconfig, "get", "namespaces", "-o", "name"); !strings.Contains(out, "namespace/kube-system\n") {
			t.Errorf("no kube-system in:\n%s", out)
		}
	})
	t.Run("the front proxy's CA is published and not the clients'", func(t *testing.T) {
		get := func(key string) string {
			return kubectl(t, s, s.AdminKubeconfig, "-n=kube-system", "get", "configmap", "extension-apiserver-authentication",
				"-o", "jsonpath={.data."+key+"}")
		}
		clients, proxy, names := get("client-ca-file"), get("requestheader-client-ca-file"), get("requestheader-allowed-names")
		if clients != string(s.CACert) || proxy == clients || proxy == "" || names != `["front-proxy-client"]` {
			t.Errorf("client CA %q, proxy's CA %q, names %q", clients, proxy, names)
		}
	})
	t.Run("a user has a name, groups and no rights", func(t *testing.T) {
		kubeconfig, err := s.UserKubeconfig("alice@example.com", []string{"developers"})
		if err != nil {
			t.Fatal(err)
		}
		who := kubectl(t, s, kubeconfig, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}")
		if want := `alice@example.com ["developers","system:authenticated"]`; who != want {
			t.Errorf("is %s, want %s", who, want)
		}
		if _, _, err := s.Kubectl(t.Context(), kubeconfig, "get", "secrets"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("error %v, want Forbidden", err)
		}
	})
	t.Run("vault keeps a secret, and both audit logs tell", func(t *testing.T) {
		ctx, kv := t.Context(), vaultClient(t, s).KVv2("secret")
		if _, err := kv.Put(ctx, "certsync/test", map[string]any{"color": "mauve"}); err != nil {
			t.Fatal(err)
		}
		secret, err := kv.Get(ctx, "certsync/test")
		if err != nil {
			t.Fatal(err)
		}
		if secret.Data["color"] != "mauve" {
			t.Errorf("data %v", secret.Data)
		}
		checkLog(t, s.VaultAuditLog, `"path":"secret/data/certsync/test"`, "mauve")
		checkLog(t, s.KubeAuditLog, `"requestURI":"/api/v1/namespaces/default/secrets`, `"requestObject"`)
	})
	t.Run("the rest of vault's auth methods", func(t *testing.T) { testAuthMethods(t, s) })
	t.Run("through a proxy", func(t *testing.T) { testProxy(t, s) })
	t.Run("sealing and unsealing vault", func(t *testing.T) { testSeal(t, s) })
	t.Run("restarts", func(t *testing.T) { testRestarts(t, s) })
	t.Run("another set beside it", func(t *testing.T) { testBeside(t, s) })
}

func checkLog(t *testing.T, path, want, never string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), want) {
		t.Errorf("no %s in %s", want, path)
	}
	if strings.Contains(string(content), never) {
		t.Errorf("%s is in %s", never, path)
	}
}

func testSeal(t *testing.T, s *harness.Servers) {
	kv := vaultClient(t, s).KVv2("secret")
	if err := s.SealVault(t.Context()); err != nil {
		t.Fatal(err)
	}
	var refused *api.ResponseError
	if _, err := kv.Get(t.Context(), "certsync/test"); !errors.As(err, &refused) || refused.StatusCode != 503 {
		t.Errorf("error %v of a sealed vault, want status 503", err)
	}
	if err := s.UnsealVault(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Get(t.Context(), "certsync/test"); err != nil {
		t.Error(err)
	}
}

func testRestarts(t *testing.T, s *harness.Servers) {
	kubectl(t, s, s.AdminKubeconfig, "create", "namespace", "before")
	type end = func(string) error
	for _, test := range []struct {
		process string
		end     end
	}{
		{harness.Vault, s.KillProcess},
		{harness.Vault, s.StopProcess},
		{harness.ControllerManager, s.KillProcess},
		{harness.APIServer, s.StopProcess},
		{harness.APIServer, s.KillProcess},
		{harness.Etcd, s.KillProcess},
	} {
		if err := test.end(test.process); err != nil {
			t.Fatal(err)
		}
		if err := s.StartProcess(t.Context(), test.process); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := vaultClient(t, s).KVv2("secret").Get(t.Context(), "certsync/test"); err != nil {
		t.Error(err)
	}
	kubectl(t, s, s.AdminKubeconfig, "get", "namespace", "before")
	if err := s.WaitSigner(t.Context()); err != nil {
		t.Error(err)
	}
}

func testBeside(t *testing.T, first *harness.Servers) {
	began := time.Now()
	second, err := harness.Start(t.Context(), binary, harness.Options{VaultInMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Stop() }) // if the test ends before it does so itself
	t.Logf("up after %s", time.Since(began))
	if kubectl(t, second, second.AdminKubeconfig, "get", "namespaces") == kubectl(t, first, first.AdminKubeconfig, "get", "namespaces") {
		t.Error("both sets show the same cluster")
	}
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(second.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if _, _, err := second.Kubectl(t.Context(), first.AdminKubeconfig, "--server", second.KubeURL, "get", "namespaces"); err == nil {
		t.Error("the API server still answers")
	}
	kubectl(t, first, first.AdminKubeconfig, "get", "namespaces")
	if err := second.Stop(); err != nil {
		t.Errorf("stopping again: %v", err)
	}
}

func TestStartFails(t *testing.T) {
	t.Run("with the end of the log of a server that ends", func(t *testing.T) {
		_, err := harness.Start(t.Context(), binary, harness.Options{APIServerArgs: []string{"--no-such-flag"}})
		if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("when its time is over, with what it waited for", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := harness.Start(ctx, binary, harness.Options{})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for ") {
			t.Errorf("error %v", err)
		}
	})
}
