package credentials

import (
	"slices"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
)

// TestPluginEnvironmentHasNoPassword: not even one in an address that is no URL.
func TestPluginEnvironmentHasNoPassword(t *testing.T) {
	for _, value := range []string{"https://me:s3cret@vault.example.com", "https://me:s3cret#x@vault.example.com", "me:s3cret@vault.example.com", "https://me:12#s3cret@vault.example.com"} {
		fixture.CleanEnvironment(t)
		t.Setenv("VAULT_ADDR", value)
		var said []string
		env, err := PluginEnvironment(func(text string) { said = append(said, text) })
		if err != nil || len(env) > 0 || len(said) != 1 || strings.Contains(said[0], "s3cret") {
			t.Errorf("%s: %q, %q, %v", value, env, said, err)
		}
	}
}

// TestPluginEnvironment: the plugin finds the Vault that the shell finds. What would make it trust any server for good is named.
func TestPluginEnvironment(t *testing.T) {
	for value, warned := range map[string]bool{"": false, "false": false, "0": false, "true": true, "1": true} {
		fixture.CleanEnvironment(t)
		t.Setenv("VAULT_ADDR", "https://vault.service.consul")
		t.Setenv("VAULT_SRV_LOOKUP", "true")
		t.Setenv("VAULT_SKIP_VERIFY", value)
		var said []string
		env, err := PluginEnvironment(func(text string) { said = append(said, text) })
		if err != nil || !slices.Contains(env, "VAULT_SRV_LOOKUP=true") || value != "" && !slices.Contains(env, "VAULT_SKIP_VERIFY="+value) {
			t.Errorf("%q: %q, %v", value, env, err)
		}
		if len(said) > 0 != warned || warned && !strings.HasPrefix(said[0], "VAULT_SKIP_VERIFY is set") {
			t.Errorf("%q: %q", value, said)
		}
	}
}
