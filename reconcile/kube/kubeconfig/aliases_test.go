package kubeconfig

import (
	"runtime"
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile"
)

// TestStoredWithAliases: 70 kB in Vault do not become 128 MiB in memory, nor 1 MiB many GiB. YAML writes a text out for each of
// its aliases.
func TestStoredWithAliases(t *testing.T) {
	c, text := aliceStored(t, nil)
	text += "extra: &a " + strings.Repeat("x", 64<<10) + "\nmore: [" + strings.Repeat("*a,", 2<<10) + "]\n"
	c.Kubeconfig = reconcile.NewSecret([]byte(text))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Stored("alice@example.com", c)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "it has YAML aliases") || reconcile.Hint(err) == "" {
		t.Errorf("error %v, hint %q", err, reconcile.Hint(err))
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
		t.Errorf("it took %d MiB", took>>20)
	}
}
