package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// imagePlatforms are the platforms of the image, in the order of its index.
var imagePlatforms = []v1.Platform{
	{OS: "linux", Architecture: "amd64"},
	{OS: "linux", Architecture: "arm64"},
}

// build holds the parts of the image for one platform.
type build struct {
	platform v1.Platform
	image    v1.Image
	sbom     []byte
	artifact v1.Image // the SBOM as a manifest whose subject is the image
}

// writeImage builds the image for the Linux platforms in the list, and writes it to out.
func writeImage(ctx context.Context, c compiler, src source, platforms []v1.Platform, out string) error {
	var builds []build
	for _, platform := range imagePlatforms {
		if !slices.ContainsFunc(platforms, platform.Equals) {
			continue
		}
		b, err := newBuild(ctx, c, src, platform)
		if err != nil {
			return fmt.Errorf("building for %s: %w", platform, err)
		}
		builds = append(builds, b)
	}
	if len(builds) == 0 {
		return errors.New("-platforms has no Linux platform, which an image needs")
	}
	index, err := newIndex(src, builds)
	if err != nil {
		return err
	}
	if err := write(out, src, index, builds); err != nil {
		return fmt.Errorf("writing %q: %w", out, err)
	}
	return report(c.shown(out), src, index, builds)
}

func newBuild(ctx context.Context, c compiler, src source, platform v1.Platform) (build, error) {
	binary, err := c.binary(ctx, src, platform)
	if err != nil {
		return build{}, err
	}
	return assemble(src, platform, binary)
}

// assemble makes all parts of the layout for the platform of a binary.
func assemble(src source, platform v1.Platform, binary []byte) (b build, err error) {
	b.platform = platform
	if b.image, err = newImage(src, platform, binary); err != nil {
		return b, err
	}
	if b.sbom, err = newSBOM(src, platform, binary); err != nil {
		return b, err
	}
	b.artifact, err = newArtifact(src, b.image, b.sbom)
	return b, err
}

// report prints the digests. Anyone can compare them with their own build.
func report(out string, src source, index v1.ImageIndex, builds []build) error {
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("%s: certsync %s\n%s\n", out, src.version, digest)
	for _, b := range builds {
		if digest, err = b.image.Digest(); err != nil {
			return err
		}
		fmt.Printf("%s %s\n", digest, b.platform)
	}
	return nil
}
