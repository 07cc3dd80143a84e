package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// krewFile is the manifest with which krew installs certsync as the plugin of kubectl.
const krewFile = "certsync.yaml"

// krewVersion is a version that krew accepts: a semantic version with a v.
var krewVersion = regexp.MustCompile(`^v(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}(-[0-9A-Za-z.-]+)?$`)

// checkKrew returns an error if krew would refuse a manifest for this version, with archives in the folder base.
func checkKrew(version, base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("the URL of the release must begin with https:// and have no user, query or fragment")
	}
	if !krewVersion.MatchString(version) {
		return fmt.Errorf("krew does not accept version %q: set VERSION, such as v1.2.3", version)
	}
	return nil
}

// krewManifest describes the archives, one for each platform in the same order, as they are published in the folder base.
func krewManifest(src source, platforms []v1.Platform, archives []archive, base string) archive {
	var b bytes.Buffer
	fmt.Fprintf(&b, `apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: certsync
spec:
  version: %s
  shortDescription: Client certificates for users, from a users.yaml
  description: |
    Issues client certificates for the users of a cluster and binds their ClusterRoles,
    from a users.yaml in git. Users fetch their kubeconfigs from Vault.
  platforms:
`, src.version)
	for i, platform := range platforms {
		fmt.Fprintf(&b, `  - selector:
      matchLabels:
        os: %s
        arch: %s
    uri: %q
    sha256: %x
    bin: %s
    files:
      - from: %[5]s
        to: .
      - from: LICENSE
        to: .
`, platform.OS, platform.Architecture, strings.TrimSuffix(base, "/")+"/"+archives[i].name, sha256.Sum256(archives[i].content), program(platform))
	}
	return archive{krewFile, b.Bytes()}
}
