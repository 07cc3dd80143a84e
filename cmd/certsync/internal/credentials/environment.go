package credentials

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The variables that say where Vault is and how to reach it. No other variable is written to a file, since VAULT_TOKEN and
// VAULT_HEADERS hold secrets.
var (
	plainVariables   = []string{"VAULT_NAMESPACE", "VAULT_CACERT_BYTES", "VAULT_TLS_SERVER_NAME", "VAULT_SRV_LOOKUP", "VAULT_SKIP_VERIFY", "VAULT_CLIENT_TIMEOUT"}
	addressVariables = []string{"VAULT_ADDR", "VAULT_AGENT_ADDR", "VAULT_PROXY_ADDR", "VAULT_HTTP_PROXY"}
	fileVariables    = []string{"VAULT_CACERT", "VAULT_CAPATH", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY", "VAULT_CONFIG_PATH"}
)

// PluginEnvironment returns the variables of this environment that the plugin needs, with absolute paths. It warns of those that hold
// a secret, and leaves them out. It also warns of VAULT_SKIP_VERIFY, which would stay in the file after a test by hand.
func PluginEnvironment(warn func(string)) ([]string, error) {
	var env []string
	for _, name := range addressVariables {
		value := os.Getenv(name)
		if strings.Contains(value, "@") { // also in what is no URL
			warn(name + " contains a user name or a password, so the kubeconfig does not get it; set it where kubectl runs")
		} else if value != "" {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range plainVariables {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	if skip, _ := strconv.ParseBool(os.Getenv("VAULT_SKIP_VERIFY")); skip {
		warn("VAULT_SKIP_VERIFY is set, and the kubeconfig gets it: kubectl's plugin will send your Vault token to any server that answers; unset it and run the command again")
	}
	for _, name := range fileVariables {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		path, err := filepath.Abs(value)
		if err != nil {
			return nil, fmt.Errorf("finding the file of %s: %w", name, err)
		}
		env = append(env, name+"="+path)
	}
	return env, nil
}
