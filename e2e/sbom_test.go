package e2e

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/e2e/harness"
)

// sbom is what the tests look at of CycloneDX.
type sbom struct {
	BOMFormat, SpecVersion, SerialNumber string
	Metadata                             struct {
		Timestamp string
		Component struct {
			Name, Version string
			Hashes        []struct{ Alg, Content string }
		}
	}
	Components []struct{ Name, Version, PURL string }
}

// TestImageSBOM: what is attached to each image, and written beside the layout, lists what is in its binary, as the
// linker has it.
func TestImageSBOM(t *testing.T) {
	t.Parallel()
	l := image(t)
	for arch := range machines {
		t.Run(arch, func(t *testing.T) {
			manifest, config, err := l.Image(arch)
			if err != nil {
				t.Fatal(err)
			}
			files, err := l.Files(manifest, config)
			if err != nil {
				t.Fatal(err)
			}
			text := attachedSBOM(t, l, arch)
			checkSBOM(t, text, files[0].Content, config.Config.Labels["org.opencontainers.image.version"])
			beside, err := os.ReadFile(l.Dir + "-linux-" + arch + ".cdx.json")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(text, beside) {
				t.Error("the SBOM beside the layout is another one")
			}
		})
	}
}

func checkSBOM(t *testing.T, text, binary []byte, version string) {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"stdlib " + strings.TrimPrefix(info.GoVersion, "go")}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		want = append(want, dep.Path+" "+dep.Version)
	}
	var s sbom
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range s.Components {
		got = append(got, c.Name+" "+c.Version)
		if purl := "pkg:golang/" + c.Name + "@" + strings.ReplaceAll(c.Version, "+", "%2B"); c.PURL != purl {
			t.Errorf("package URL %q, want %q", c.PURL, purl)
		}
	}
	if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" || len(got) < 30 {
		t.Errorf("%d components: %s", len(got), diff)
	}
	main := s.Metadata.Component
	if main.Name != info.Main.Path || main.Version != version {
		t.Errorf("the SBOM is of %s %s", main.Name, main.Version)
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(binary)); len(main.Hashes) != 1 || main.Hashes[0].Content != sum {
		t.Errorf("hashes %v, want %s", main.Hashes, sum)
	}
	if s.BOMFormat != "CycloneDX" || s.SerialNumber != "" || s.Metadata.Timestamp != "" {
		t.Errorf("format %q, serial number %q, time %q", s.BOMFormat, s.SerialNumber, s.Metadata.Timestamp)
	}
}

// attachedSBOM finds the manifest whose subject is the image for an architecture, as a registry does when it is asked for
// the image's referrers.
func attachedSBOM(t *testing.T, l *harness.Layout, arch string) []byte {
	t.Helper()
	const kind = "application/vnd.cyclonedx+json"
	var subject string
	for _, d := range l.Index.Manifests {
		if d.Platform.Architecture == arch {
			subject = d.Digest
		}
	}
	for _, d := range l.Index.Manifests {
		var m harness.Manifest
		if err := l.Read(d, &m); err != nil {
			t.Fatal(err)
		}
		if m.Subject == nil || m.Subject.Digest != subject {
			continue
		}
		if m.ArtifactType != kind || d.ArtifactType != kind || d.Platform.OS != "unknown" || len(m.Layers) != 1 || m.Layers[0].MediaType != kind {
			t.Errorf("the SBOM's manifest: %+v, described as %+v", m, d)
		}
		if _, err := l.Blob(m.Config); err != nil {
			t.Error(err)
		}
		text, err := l.Blob(m.Layers[0])
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	t.Fatalf("nothing refers to %s", subject)
	return nil
}
