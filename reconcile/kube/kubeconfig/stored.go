package kubeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	clientauthenticationv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
)

// maxStored is far more bytes than a kubeconfig of certsync has, and few enough for a YAML parser, unless there are aliases.
const maxStored = 1 << 20

// hasAliases reports whether YAML may have an anchor and aliases. A parser writes an anchor's text out for each alias, so 1 MiB
// would become more than any memory holds. Nothing that Writer writes has both characters.
func hasAliases(text []byte) bool {
	return bytes.Contains(text, []byte("&")) && bytes.Contains(text, []byte("*"))
}

// Stored returns the kubeconfig of a usable credential. It must be the one that Writer would write for this user, certificate
// and key, and for an endpoint that an inventory could hold. Stored refuses any other one, since a kubeconfig can run programs
// and send files. Errors repeat only the certificate's name and an endpoint's name, in quotes.
func Stored(user string, c reconcile.Credential) (reconcile.Secret, error) {
	if _, err := pki.Usable(c, user); err != nil {
		return reconcile.Secret{}, err
	}
	if len(c.Kubeconfig.Reveal()) > maxStored {
		return reconcile.Secret{}, notOurs(fmt.Sprintf("it is larger than %d KiB", maxStored>>10))
	}
	if hasAliases(c.Kubeconfig.Reveal()) {
		return reconcile.Secret{}, notOurs("it has YAML aliases")
	}
	config, err := parseUserConfig(c.Kubeconfig)
	if err != nil {
		return reconcile.Secret{}, err
	}
	cluster := config.Clusters[config.Contexts[config.CurrentContext].Cluster]
	e := reconcile.Endpoint{
		Name: config.CurrentContext, Server: cluster.Server, CA: cluster.CertificateAuthorityData,
		ProxyURL: cluster.ProxyURL, TLSServerName: cluster.TLSServerName,
	}
	if fault := e.Fault(); fault != "" {
		return reconcile.Secret{}, notOurs("its cluster's " + fault)
	}
	written, err := Writer{}.Kubeconfig(e, user, c.Certificate, c.Key)
	if err != nil {
		return reconcile.Secret{}, errNotOurs // err may quote from it
	}
	if text, err := clientcmd.Write(*config); err != nil || !bytes.Equal(text, written.Reveal()) {
		return reconcile.Secret{}, errNotOurs
	}
	return written, nil // not the stored text, which another parser could read in another way
}

// WithKey adds a user's key (PEM) to a kubeconfig that has none. The same inputs give the same bytes. No error repeats a part
// of either.
func WithKey(kubeconfig, key reconcile.Secret) (reconcile.Secret, error) {
	return changeUser(kubeconfig, func(user *clientcmdapi.AuthInfo) { user.ClientKeyData = key.Reveal() })
}

// pluginCommand is the certsync command that kubectl runs as a plugin.
const pluginCommand = "credential"

// Plugin is the command with which kubectl gets a user's certificate and key from certsync whenever it needs them.
type Plugin struct {
	Command string   // certsync: a name in PATH, or an absolute path
	Args    []string // after "credential"
	Env     []string // NAME=value, in addition to kubectl's own variables
}

// WithPlugin replaces the certificate and the key in a user's kubeconfig by a plugin, so that the kubeconfig has no secret in
// it. The same inputs give the same bytes.
func WithPlugin(kubeconfig reconcile.Secret, p Plugin) (reconcile.Secret, error) {
	program := "certsync"
	if filepath.Base(p.Command) == "kubectl-certsync" { // its name as a plugin of kubectl
		program = "kubectl-certsync"
	}
	exec := &clientcmdapi.ExecConfig{
		APIVersion: clientauthenticationv1.SchemeGroupVersion.String(),
		Command:    p.Command,
		Args:       append([]string{pluginCommand}, p.Args...),
		InstallHint: "kubectl gets the certificate for this cluster from certsync, and did not find the program. " +
			"Put " + program + " into a folder of PATH, or run certsync kubeconfig --merge --exec --exec-command PATH with its path.",
		// The plugin asks nothing. So standard input stays free for kubectl apply -f -.
		InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}
	for _, variable := range p.Env {
		name, value, _ := strings.Cut(variable, "=")
		exec.Env = append(exec.Env, clientcmdapi.ExecEnvVar{Name: name, Value: value})
	}
	return changeUser(kubeconfig, func(user *clientcmdapi.AuthInfo) { *user = clientcmdapi.AuthInfo{Exec: exec} })
}

// changeUser changes the only user of a kubeconfig that Writer wrote.
func changeUser(kubeconfig reconcile.Secret, change func(*clientcmdapi.AuthInfo)) (reconcile.Secret, error) {
	config, err := parseUserConfig(kubeconfig)
	if err != nil {
		return reconcile.Secret{}, err
	}
	change(config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo])
	data, err := clientcmd.Write(*config)
	if err != nil {
		return reconcile.Secret{}, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return reconcile.NewSecret(data), nil
}

// parseUserConfig reads a kubeconfig with one cluster, one user and one context, which is the current one.
func parseUserConfig(kubeconfig reconcile.Secret) (*clientcmdapi.Config, error) {
	config, err := clientcmd.Load(kubeconfig.Reveal())
	if err == nil && len(config.Clusters) == 1 && len(config.AuthInfos) == 1 && len(config.Contexts) == 1 {
		context := config.Contexts[config.CurrentContext]
		if context != nil && config.Clusters[context.Cluster] != nil && config.AuthInfos[context.AuthInfo] != nil {
			return config, nil
		}
	}
	return nil, errNotOurs // err may quote from it
}

var errNotOurs = reconcile.WithHint(errors.New("reading the kubeconfig in Vault: certsync did not write it"), reconcile.ForeignHint)

// notOurs returns errNotOurs with a reason.
func notOurs(reason string) error { return fmt.Errorf("%w: %s", errNotOurs, reason) }
