package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/certsync/certsync/reconcile"
)

// maxFiles is the API server's limit for the data of a ConfigMap, in bytes.
const maxFiles = 1 << 20

// vaultCAKey is the only key of the ConfigMap that does not stand for a path in InventoryFolder.
const vaultCAKey = "vault-ca.crt"

// configMap returns the ConfigMap with the job's files. It is immutable, and its name has the files' hash. So a job that runs
// keeps the files with which it began, and nobody changes them in place.
func (d Deployment) configMap() (*corev1.ConfigMap, error) {
	files, yes := &corev1.ConfigMap{TypeMeta: kind(corev1.SchemeGroupVersion, "ConfigMap"), Data: map[string]string{}}, true
	files.Immutable = &yes
	sum, size := sha256.New(), 0
	add := func(key string, data []byte) {
		files.Data[key] = string(data)
		size += len(data)
		fmt.Fprintf(sum, "%s %d\n%s", key, len(data), data)
	}
	for _, item := range d.items() {
		add(item.Key, d.Files[item.Path])
	}
	if d.VaultCA != nil {
		add(vaultCAKey, d.VaultCA)
	}
	if size > maxFiles {
		return nil, reconcile.WithHint(
			fmt.Errorf("putting the inventory into a ConfigMap: it has %d bytes, and a ConfigMap holds at most %d", size, maxFiles),
			"split it into inventories with an owner each, or run apply where it can read the file without a ConfigMap")
	}
	files.ObjectMeta = d.meta("-inventory-"+hex.EncodeToString(sum.Sum(nil))[:10], d.Namespace)
	return files, nil
}

// items returns the keys of the files in InventoryFolder. A key allows fewer characters than a path.
func (d Deployment) items() []corev1.KeyToPath {
	taken := map[string]bool{vaultCAKey: true}
	var items []corev1.KeyToPath
	for _, path := range slices.Sorted(maps.Keys(d.Files)) {
		key := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r) {
				return r
			}
			return '_'
		}, path)
		for taken[key] {
			key += "_"
		}
		taken[key] = true
		items = append(items, corev1.KeyToPath{Key: key, Path: path})
	}
	return items
}

// mounts returns the job's volumes and their paths in its container: the files, and a token for each of the two servers.
func (d Deployment) mounts(files *corev1.ConfigMap) (volumes []corev1.Volume, mounts []corev1.VolumeMount) {
	add := func(name, path string, source corev1.VolumeSource) {
		volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: source})
		mounts = append(mounts, corev1.VolumeMount{Name: name, MountPath: path, ReadOnly: true})
	}
	from := func(name string, items ...corev1.KeyToPath) *corev1.ConfigMapProjection {
		return &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Items: items}
	}
	projected := func(sources ...corev1.VolumeProjection) corev1.VolumeSource {
		return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: sources}}
	}
	add("inventory", InventoryFolder, projected(corev1.VolumeProjection{ConfigMap: from(files.Name, d.items()...)}))
	if d.VaultCA != nil {
		folder, file := split(VaultCAFile)
		add("vault-ca", folder, projected(corev1.VolumeProjection{ConfigMap: from(files.Name, corev1.KeyToPath{Key: vaultCAKey, Path: file})}))
	}
	folder, file := split(VaultTokenFile)
	add("vault-token", folder, projected(token(file, d.VaultAudience, vaultTokenSeconds)))
	// This is the volume that the API server adds to a pod unless AutomountServiceAccountToken is false.
	add("kube-api-access", "/var/run/secrets/kubernetes.io/serviceaccount", projected(
		token("token", "", apiTokenSeconds),
		corev1.VolumeProjection{ConfigMap: from("kube-root-ca.crt", corev1.KeyToPath{Key: "ca.crt", Path: "ca.crt"})},
		corev1.VolumeProjection{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
			Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: corev1.SchemeGroupVersion.Version, FieldPath: "metadata.namespace"},
		}}}},
	))
	return volumes, mounts
}

func split(path string) (folder, file string) {
	cut := strings.LastIndexByte(path, '/')
	return path[:cut], path[cut+1:]
}

// The lifetimes of the tokens are as short as possible. The kubelet renews both. client-go reads the token for the API server
// again; certsync reads the one for Vault once.
const (
	apiTokenSeconds   = 3600
	vaultTokenSeconds = 600 // Kubernetes' minimum
)

// token returns the volume of a token. Without an audience it is for the API server.
func token(file, audience string, seconds int64) corev1.VolumeProjection {
	return corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
		Path: file, Audience: audience, ExpirationSeconds: &seconds,
	}}
}

// variables returns the job's environment, sorted.
func (d Deployment) variables() []corev1.EnvVar {
	var all []corev1.EnvVar
	for _, name := range slices.Sorted(maps.Keys(d.Environment)) {
		all = append(all, corev1.EnvVar{Name: name, Value: d.Environment[name]})
	}
	return all
}
