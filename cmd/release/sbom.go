package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// newSBOM lists the modules in the binary, as the linker recorded them, in CycloneDX. It includes Go's standard library,
// which can have vulnerabilities too. It has no time and no serial number, so that the build is reproducible.
func newSBOM(src source, platform v1.Platform, binary []byte) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return nil, fmt.Errorf("reading what is in the binary: %w", err)
	}
	sum := sha256.Sum256(binary)
	main := module(cdx.ComponentTypeApplication, info.Main.Path, src.version)
	main.Description = description
	main.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}}
	main.Licenses = &cdx.Licenses{{License: &cdx.License{ID: licence}}}
	main.Properties = &[]cdx.Property{{Name: "platform", Value: platform.String()}}

	components := []cdx.Component{module(cdx.ComponentTypeLibrary, "stdlib", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, dep := range info.Deps {
		c, err := dependency(dep)
		if err != nil {
			return nil, err
		}
		components = append(components, c)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &main}
	bom.Components = &components
	bom.Dependencies = dependsOn(main, components)
	var out bytes.Buffer
	// 1.6, because scanners do not support the latest version at once.
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("encoding the SBOM: %w", err)
	}
	return out.Bytes(), nil
}

// dependency describes a module with its sum from go.sum. That is a sum of the module's files, not of an archive.
func dependency(dep *debug.Module) (cdx.Component, error) {
	if dep.Replace != nil {
		dep = dep.Replace
	}
	c := module(cdx.ComponentTypeLibrary, dep.Path, dep.Version)
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(dep.Sum, "h1:"))
	if err != nil || len(sum) != sha256.Size {
		return cdx.Component{}, fmt.Errorf("module %s has the sum %q, which is not a sum of go.sum", dep.Path, dep.Sum)
	}
	c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
	return c, nil
}

func module(kind cdx.ComponentType, path, version string) cdx.Component {
	// In a package URL, + means a space. The rest of a module's path and version needs no escape.
	purl := "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
	return cdx.Component{BOMRef: purl, Type: kind, Name: path, Version: version, PackageURL: purl}
}

// dependsOn makes all modules direct dependencies of certsync. The binary does not record which module needs which.
func dependsOn(main cdx.Component, components []cdx.Component) *[]cdx.Dependency {
	var refs []string
	for _, c := range components {
		refs = append(refs, c.BOMRef)
	}
	return &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
}
