package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// imagePlatforms are what the image is for, in the order of its index.
var imagePlatforms = []v1.Platform{
	{OS: "linux", Architecture: "amd64"},
	{OS: "linux", Architecture: "arm64"},
}

// build is what one platform gets of the image.
type build struct {
	platform v1.Platform
	image    v1.Image
	sbom     []byte
	artifact v1.Image // the SBOM as a manifest whose subject is the image
}

// writeImage builds the image for those of the platforms that are of Linux, and writes it to out.
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
		return errors.New("none of -platforms is one of Linux, which an image needs")
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

// assemble makes of a binary all that goes into the layout for its platform.
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

// report prints the digests, which are all that somebody else needs to compare a build of their own with.
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
