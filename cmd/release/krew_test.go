package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// TestKrewManifest: the manifest has the address, the checksum and the program of each archive.
func TestKrewManifest(t *testing.T) {
	platforms := []v1.Platform{{OS: "linux", Architecture: "arm64"}, {OS: "windows", Architecture: "amd64"}}
	var archives []archive
	for _, platform := range platforms {
		archives = append(archives, archive{archiveName(released, platform), []byte(platform.OS)})
	}
	for _, base := range []string{"https://example.com/certsync/v1.2.3", "https://example.com/certsync/v1.2.3/"} {
		got := krewManifest(released, platforms, archives, base)
		if diff := cmp.Diff(wantKrew, string(got.content)); diff != "" || got.name != "certsync.yaml" {
			t.Errorf("%s: %s", got.name, diff)
		}
	}
}

const wantKrew = `apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: certsync
spec:
  version: v1.2.3
  shortDescription: Client certificates for users, from a users.yaml
  description: |
    Issues client certificates for the users of a cluster and binds their ClusterRoles,
    from a users.yaml in git. Users fetch their kubeconfigs from Vault.
  platforms:
  - selector:
      matchLabels:
        os: linux
        arch: arm64
    uri: "https://example.com/certsync/v1.2.3/certsync_v1.2.3_linux_arm64.tar.gz"
    sha256: caf90169eefa5f807d577486b9f795ab86ae2983c5c20806cff959117e90af18
    bin: certsync
    files:
      - from: certsync
        to: .
      - from: LICENSE
        to: .
  - selector:
      matchLabels:
        os: windows
        arch: amd64
    uri: "https://example.com/certsync/v1.2.3/certsync_v1.2.3_windows_amd64.zip"
    sha256: 340d600392818df2413382dc7d8325c360d83ea49a262d31760348484bbc10b5
    bin: certsync.exe
    files:
      - from: certsync.exe
        to: .
      - from: LICENSE
        to: .
`

// TestCheckKrew: krew wants a version with a v, and the address of a folder.
func TestCheckKrew(t *testing.T) {
	const base = "https://example.com/v1.2.3"
	for _, tt := range []struct {
		version, base string
		ok            bool
	}{
		{"v1.2.3", base, true},
		{"v1.2.3-rc.1", base, true},
		{"1.2.3", base, false},
		{"v1.2", base, false},
		{"3fa1b2c4d5e6", base, false},
		{"v1.2.3", "http://example.com", false},
		{"v1.2.3", "https://joe:secret@example.com", false},
		{"v1.2.3", "https://example.com/?v=1", false},
		{"v1.2.3", "releases/v1.2.3", false},
	} {
		if err := checkKrew(tt.version, tt.base); (err == nil) != tt.ok {
			t.Errorf("%s at %s: %v", tt.version, tt.base, err)
		}
	}
}
