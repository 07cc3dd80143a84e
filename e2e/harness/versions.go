package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// kubernetesVar chooses the version of Kubernetes, as in `make soak K8S=1.35.4`.
const kubernetesVar = "CERTSYNC_K8S"

// KubernetesVersions returns the versions of Kubernetes, such as "1.37.2", that Build can make servers of.
// The first is that of e2e/servers/go.mod; each other has a go.mod of its own in e2e/servers/versions.
func KubernetesVersions(ctx context.Context) ([]string, error) {
	dir, err := serversDir()
	if err != nil {
		return nil, err
	}
	versions := make([]string, 1)
	if versions[0], err = kubernetesOf(ctx, dir); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, versionsFolder, "*.mod"))
	if err != nil {
		return nil, fmt.Errorf("looking for versions of Kubernetes in %q: %w", dir, err)
	}
	for _, file := range files {
		versions = append(versions, strings.TrimSuffix(filepath.Base(file), ".mod"))
	}
	return versions, nil
}

// Kubernetes returns the version that Build makes servers of: what CERTSYNC_K8S says, or else the first.
// One that is not known is an error, which lists those that are.
func Kubernetes(ctx context.Context) (string, error) {
	k, err := findKubernetes(ctx, os.Getenv(kubernetesVar))
	return k.version, err
}

const versionsFolder = "versions"

// kubernetes is a version of Kubernetes, and where its servers come from and go to.
type kubernetes struct {
	version string
	modfile string // in the servers' folder; the go.sum is beside it
	folder  string // of the binaries, in .build/bin
}

// findKubernetes returns the version of that name; "" is the first one.
func findKubernetes(ctx context.Context, version string) (kubernetes, error) {
	versions, err := KubernetesVersions(ctx)
	if err != nil {
		return kubernetes{}, err
	}
	switch {
	case version == "" || version == versions[0]:
		return kubernetes{version: versions[0], modfile: "go.mod"}, nil
	case slices.Contains(versions, version):
		// A folder each, as each set of servers has its own kubectl beside it.
		return kubernetes{version, filepath.Join(versionsFolder, version+".mod"), "kubernetes-" + version}, nil
	}
	slices.Sort(versions)
	return kubernetes{}, fmt.Errorf("choosing a Kubernetes by %s: %q is none of %s (e2e/servers/README.md says how to add one)",
		kubernetesVar, version, strings.Join(versions, ", "))
}

// kubernetesOf reads the version from go.mod, so that it is written down once.
func kubernetesOf(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("reading the version of kubernetes in %q: %w", dir, err)
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v"), nil
}

// versionFlags sets the version that kube-apiserver and kubectl show. Without, it is one that kubectl
// cannot parse.
func (k kubernetes) versionFlags() string {
	major, rest, _ := strings.Cut(k.version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	var flags strings.Builder
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		fmt.Fprintf(&flags, " -X %[1]s.gitVersion=v%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s",
			pkg, k.version, major, minor)
	}
	return flags.String()
}

func serversDir() (string, error) {
	root, err := Root()
	return filepath.Join(root, "e2e", "servers"), err
}
