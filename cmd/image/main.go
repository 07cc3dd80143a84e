// Command image builds certsync's container image for linux/amd64 and linux/arm64 without a daemon and without a base
// image: an OCI image layout, the same as a tar file, and a list of what is in each binary.
//
// The same source, version and Go release give the same bytes, wherever and whenever they are built: nothing of the
// machine, its environment or the state of the clone goes in.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// platforms are what the image is for, in the order of its index.
var platforms = []v1.Platform{
	{OS: "linux", Architecture: "amd64"},
	{OS: "linux", Architecture: "arm64"},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := flag.String("root", "../..", "where certsync's source is")
	out := flag.String("out", "../../.build/image", "the layout to write; what is there goes")
	goCommand := flag.String("go", "go", "the go command that compiles certsync")
	flag.Parse()
	if err := run(ctx, *root, *out, *goCommand); err != nil {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, out, goCommand string) error {
	var err error
	if root, err = filepath.Abs(root); err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	src, err := findSource(ctx, root, os.Getenv)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "certsync-image-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()

	env, err := compileEnv(ctx, goCommand, root, os.Environ())
	if err != nil {
		return err
	}
	var builds []build
	for _, platform := range platforms {
		b, err := newBuild(ctx, compiler{goCommand: goCommand, root: root, env: env, dir: work}, src, platform)
		if err != nil {
			return fmt.Errorf("building for %s: %w", platform, err)
		}
		builds = append(builds, b)
	}
	index, err := newIndex(src, builds)
	if err != nil {
		return err
	}
	if err := write(out, src, index, builds); err != nil {
		return fmt.Errorf("writing %q: %w", out, err)
	}
	if relative, err := filepath.Rel(root, out); err == nil {
		out = relative
	}
	return report(out, src, index, builds)
}

// build is what one platform gets.
type build struct {
	platform v1.Platform
	image    v1.Image
	sbom     []byte
	artifact v1.Image // the SBOM as a manifest whose subject is the image
}

func newBuild(ctx context.Context, c compiler, src source, platform v1.Platform) (build, error) {
	binary, err := c.compile(ctx, src.version, platform)
	if err != nil {
		return build{}, err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return build{}, err
	}
	return assemble(src, platform, content)
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
