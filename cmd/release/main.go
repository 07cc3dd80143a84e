// Command release builds the published files of certsync. The container image is for linux/amd64 and linux/arm64. It needs
// no daemon and no base image, and is an OCI image layout and a tar file. The archives hold the binary for Linux, macOS and
// Windows.
//
// The build is reproducible: the same source, version and Go release give the same bytes on every machine. Nothing of the
// machine, its environment or the state of the clone is in them.
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
	flag.StringVar(&o.root, "root", "../..", "folder with the source of certsync")
	flag.StringVar(&o.image, "image", "", "write the layout of the image to this folder, and delete its old content")
	flag.StringVar(&o.archives, "archives", "", "write the archives to this folder, and delete its old content")
	flag.StringVar(&o.url, "url", "", "also write a krew manifest, for archives that are published under this URL")
	flag.StringVar(&o.platforms, "platforms", "", "build only for these platforms, for example linux/amd64,windows/arm64; an image has only those of Linux (default: all)")
	flag.StringVar(&o.goCommand, "go", "go", "go command for compiling certsync")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

type options struct {
	root, goCommand string
	image, archives string // target folders; empty for none
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

// shown is a path relative to the root of the source, where make runs.
func (c compiler) shown(path string) string {
	if relative, err := filepath.Rel(c.root, path); err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return path
}

// binary compiles certsync for a platform.
func (c compiler) binary(ctx context.Context, src source, platform v1.Platform) ([]byte, error) {
	path, err := c.compile(ctx, src.version, platform)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
