package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod is what a kubelet would make of a pod's spec.
type pod struct {
	*fixture
	container *container
	name      string
	namespace string
	spec      corev1.PodSpec
}

// run starts the pod's only container, with its command line, environment, files and user, and waits for its end.
func (p *pod) run() result {
	p.Helper()
	if n := len(p.spec.Containers) + len(p.spec.InitContainers); n != 1 {
		p.Fatalf("the pod has %d containers", n)
	}
	c := p.spec.Containers[0]
	for _, m := range c.VolumeMounts {
		p.mount(m)
	}
	if c.Command != nil {
		p.Fatalf("the pod runs %q and not the image's program", c.Command)
	}
	before := p.tree()
	r := p.runInContainer(p.container, p.environment(c), c.Args...)
	if after := p.tree(); !slices.Equal(before, after) {
		p.Errorf("the container's files were %q, and are %q", before, after)
	}
	return r
}

// environment is what the spec says, and what every container is told.
func (p *pod) environment(c corev1.Container) []string {
	p.Helper()
	server, err := url.Parse(p.servers.KubeURL)
	if err != nil {
		p.Fatal(err)
	}
	env := []string{"HOSTNAME=" + p.name, "KUBERNETES_SERVICE_HOST=" + server.Hostname(), "KUBERNETES_SERVICE_PORT=" + server.Port()}
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			value = p.field(e.ValueFrom.FieldRef)
		}
		env = append(env, e.Name+"="+value)
	}
	return env
}

// field is a value of the downward API.
func (p *pod) field(ref *corev1.ObjectFieldSelector) string {
	p.Helper()
	switch {
	case ref != nil && ref.FieldPath == "metadata.name":
		return p.name
	case ref != nil && ref.FieldPath == "metadata.namespace":
		return p.namespace
	}
	p.Fatalf("the pod asks for %v", ref)
	return ""
}

// mount puts a volume's files where a container finds them.
func (p *pod) mount(m corev1.VolumeMount) {
	p.Helper()
	i := slices.IndexFunc(p.spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
	if i < 0 || m.SubPath != "" {
		p.Fatalf("no volume for %+v", m)
	}
	source := p.spec.Volumes[i].VolumeSource
	files := map[string]string{}
	switch {
	case source.ConfigMap != nil:
		p.configMap(source.ConfigMap.Name, source.ConfigMap.Items, files)
	case source.Projected != nil:
		for _, s := range source.Projected.Sources {
			p.project(s, files)
		}
	default:
		p.Fatalf("a volume of a kind that nothing here mounts: %+v", source)
	}
	for name, content := range files {
		p.container.put(path.Join(m.MountPath, name), 0o444, []byte(content))
	}
}

func (p *pod) project(s corev1.VolumeProjection, files map[string]string) {
	p.Helper()
	switch {
	case s.ServiceAccountToken != nil:
		var audiences []string
		if s.ServiceAccountToken.Audience != "" {
			audiences = []string{s.ServiceAccountToken.Audience}
		}
		files[s.ServiceAccountToken.Path] = p.serviceAccountToken(p.namespace, p.spec.ServiceAccountName, audiences...)
	case s.ConfigMap != nil:
		p.configMap(s.ConfigMap.Name, s.ConfigMap.Items, files)
	case s.DownwardAPI != nil:
		for _, item := range s.DownwardAPI.Items {
			files[item.Path] = p.field(item.FieldRef)
		}
	default:
		p.Fatalf("a projection of a kind that nothing here mounts: %+v", s)
	}
}

func (p *pod) configMap(name string, items []corev1.KeyToPath, files map[string]string) {
	p.Helper()
	got, err := p.client().CoreV1().ConfigMaps(p.namespace).Get(p.Context(), name, metav1.GetOptions{})
	if err != nil {
		p.Fatal(err)
	}
	for key, content := range got.Data {
		at := key
		if items != nil {
			i := slices.IndexFunc(items, func(k corev1.KeyToPath) bool { return k.Key == key })
			if i < 0 {
				continue
			}
			at = items[i].Path
		}
		files[at] = content
	}
}

// tree lists the files of the container, with sizes.
func (p *pod) tree() []string {
	p.Helper()
	var all []string
	err := filepath.WalkDir(p.container.root, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		all = append(all, fmt.Sprintf("%s %d", path.Clean(strings.TrimPrefix(name, p.container.root)), info.Size()))
		return nil
	})
	if err != nil {
		p.Fatal(err)
	}
	return all
}
