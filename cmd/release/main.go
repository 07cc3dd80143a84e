// Command release builds what is published of certsync, each in one go: the container image for linux/amd64 and
// linux/arm64, without a daemon and without a base image, as an OCI image layout and as a tar file; and an archive with
// the binary for every platform that people sit at.
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.root, "root", "../..", "where certsync's source is")
	flag.StringVar(&o.image, "image", "", "write the image's layout there; what is there goes")
	flag.StringVar(&o.archives, "archives", "", "write the archives to this folder; what is there goes")
	flag.StringVar(&o.url, "url", "", "also write a manifest for krew; the archives are published in this folder")
	flag.StringVar(&o.platforms, "platforms", "", "build for these alone, such as linux/amd64,windows/arm64; the image has those of Linux")
	flag.StringVar(&o.goCommand, "go", "go", "the go command that compiles certsync")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

type options struct {
	root, goCommand string
	image, archives string // where to; empty: not at all
	platforms       string
	url             string // of the folder where the archives are published; empty: no manifest for krew
}

func run(ctx context.Context, o options) (err error) {
	for _, path := range []*string{&o.root, &o.image, &o.archives} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	platforms, err := chosen(o.platforms)
	if err != nil {
		return err
	}
	src, err := findSource(ctx, o.root, os.Getenv)
	if err != nil {
		return err
	}
	if o.url != "" {
		if err := checkKrew(src.version, o.url); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp("", "certsync-release-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	env, err := compileEnv(ctx, o.goCommand, o.root, os.Environ())
	if err != nil {
		return err
	}
	c := compiler{goCommand: o.goCommand, root: o.root, env: env, dir: work}
	if o.image != "" {
		if err := writeImage(ctx, c, src, platforms, o.image); err != nil {
			return err
		}
	}
	if o.archives != "" {
		return writeArchives(ctx, c, src, platforms, o.url, o.archives)
	}
	return nil
}

// shown is a path as people read it: from the root of the source, where make was run.
func (c compiler) shown(path string) string {
	if relative, err := filepath.Rel(c.root, path); err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return path
}

// binary compiles for a platform.
func (c compiler) binary(ctx context.Context, src source, platform v1.Platform) ([]byte, error) {
	path, err := c.compile(ctx, src.version, platform)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
