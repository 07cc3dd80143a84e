package kubeconfig

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// definition is a context in one of the files.
type definition struct {
	name string
	*clientcmdapi.Context
}

// others returns the contexts that are not ours and pass a test, sorted by name.
func (f userFiles) others(ours *clientcmdapi.Config, test func(*clientcmdapi.Context) bool) []definition {
	user := ours.Contexts[ours.CurrentContext].AuthInfo
	var found []definition
	for _, d := range f.contexts {
		if test(d.Context) && (d.name != ours.CurrentContext || d.AuthInfo != user) {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b definition) int { return cmp.Compare(a.name, b.name) })
	return slices.CompactFunc(found, func(a, b definition) bool { return a.name == b.name && a.AuthInfo == b.AuthInfo })
}

// sharedCluster returns the other contexts that use the cluster's entry. kubectl sends their tokens to the server in it.
func (f userFiles) sharedCluster(ours *clientcmdapi.Config) []definition {
	name := ours.Contexts[ours.CurrentContext].Cluster
	return f.others(ours, func(c *clientcmdapi.Context) bool { return c.Cluster == name })
}

// clusterConflict returns the reason for which the cluster's entry must not be written, or "".
func (f userFiles) clusterConflict(ours *clientcmdapi.Config, kubectl string) string {
	context := ours.Contexts[ours.CurrentContext]
	others := f.sharedCluster(ours)
	foreign := slices.DeleteFunc(slices.Clone(others), func(d definition) bool { return d.AuthInfo == context.AuthInfo })
	has := f.whole.Clusters[context.Cluster]
	switch {
	case has == nil && len(foreign) > 0:
		return fmt.Sprintf("%s uses cluster %q, which does not exist: it would get the cluster from Vault (%s; or, if nobody needs it, %s)",
			listed("context", foreign), context.Cluster, elsewhereFile, deleteContexts(kubectl, foreign))
	case has == nil || len(others) == 0:
		return ""
	}
	changes := clusterChanges(has, ours.Clusters[context.Cluster])
	if len(changes) == 0 {
		return ""
	}
	way := deleteContexts(kubectl, foreign)
	if len(foreign) == 0 { // the contexts are the user's own, and may change with the entry
		way = fmt.Sprintf("%s delete-cluster %s, and merge again", kubectl, argument(context.Cluster))
	}
	return fmt.Sprintf("cluster %q in %s is also used by %s and would change: %s (%s; or, if your certsync administrator says that this is right, %s)",
		context.Cluster, has.LocationOfOrigin, listed("context", others), strings.Join(changes, ", "), elsewhereFile, way)
}

// userConflict returns the reason for which the user's entry must not be written, or "". All contexts of the user on this
// cluster may get the new certificate.
func (f userFiles) userConflict(ours *clientcmdapi.Config, kubectl string) string {
	context := ours.Contexts[ours.CurrentContext]
	others := f.others(ours, func(c *clientcmdapi.Context) bool {
		return c.AuthInfo == context.AuthInfo && c.Cluster != context.Cluster
	})
	has := f.whole.AuthInfos[context.AuthInfo]
	if has == nil || len(others) == 0 {
		return ""
	}
	was, is := has.DeepCopy(), ours.AuthInfos[context.AuthInfo].DeepCopy()
	was.LocationOfOrigin, was.Extensions, is.LocationOfOrigin, is.Extensions = "", nil, "", nil
	if apiequality.Semantic.DeepEqual(was, is) {
		return ""
	}
	return fmt.Sprintf("user %q in %s is also used by %s on another cluster and would log in with another credential (%s; or, if nobody needs it, %s)",
		context.AuthInfo, has.LocationOfOrigin, listed("context", others), elsewhereFile, deleteContexts(kubectl, others))
}

const elsewhereFile = "merge into another file with --kubeconfig FILE"

// listed returns the names of contexts after a noun, in the plural if there are several.
func listed(noun string, contexts []definition) string {
	names := make([]string, len(contexts))
	for i, d := range contexts {
		names[i] = strconv.Quote(d.name)
	}
	if len(names) > 1 {
		noun += "s"
	}
	return noun + " " + strings.Join(names, " and ")
}

// deleteContexts returns the kubectl commands that delete contexts.
func deleteContexts(kubectl string, contexts []definition) string {
	commands := make([]string, len(contexts))
	for i, d := range contexts {
		commands[i] = kubectl + " delete-context " + argument(d.name)
	}
	return strings.Join(commands, " and ")
}

// clusterChanges lists the differences between the cluster's entry and ours: another server, proxy or trust. Another spelling
// of the same value is no difference.
func clusterChanges(has, ours *clientcmdapi.Cluster) []string {
	var changes []string
	change := func(key string, same bool, was, is string) {
		if !same {
			changes = append(changes, fmt.Sprintf("%s: %q becomes %q", key, was, is))
		}
	}
	change("server", address(has.Server) == address(ours.Server), redacted(has.Server), redacted(ours.Server))
	if !slices.Equal(authority(has), authority(ours)) {
		changes = append(changes, "another certificate authority")
	}
	change("proxy-url", address(has.ProxyURL) == address(ours.ProxyURL), redacted(has.ProxyURL), redacted(ours.ProxyURL))
	change("tls-server-name", tlsName(has) == tlsName(ours), has.TLSServerName, ours.TLSServerName)
	change("insecure-skip-tls-verify", has.InsecureSkipTLSVerify == ours.InsecureSkipTLSVerify,
		strconv.FormatBool(has.InsecureSkipTLSVerify), strconv.FormatBool(ours.InsecureSkipTLSVerify))
	return changes
}

// tlsName returns the name that the server's certificate must have. It is "" if that is the server's own name, whose changes
// clusterChanges lists already.
func tlsName(c *clientcmdapi.Cluster) string {
	if u, err := url.Parse(c.Server); err == nil && strings.EqualFold(u.Hostname(), c.TLSServerName) {
		return ""
	}
	return c.TLSServerName
}

// amongTheUsual reports whether kubectl also reads the file without --kubeconfig.
func amongTheUsual(file string) bool {
	return slices.ContainsFunc(clientcmd.NewDefaultPathOptions().LoadingRules.Precedence, func(name string) bool {
		if name == "" {
			return false
		}
		a, errA := os.Stat(name)
		b, errB := os.Stat(file)
		if errA == nil && errB == nil {
			return os.SameFile(a, b)
		}
		pathA, errA := filepath.Abs(name) // the file does not exist yet
		pathB, errB := filepath.Abs(file)
		return errA == nil && errB == nil && pathA == pathB
	})
}
