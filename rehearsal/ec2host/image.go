package ec2host

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"berth/rehearsal/machineimage"
)

// imagesDir holds the archives of the base images that a host loads into its own Docker.
func (w *World) imagesDir() string { return w.path("images") }

// BuildImages makes the images the rehearsal runs on, where 'make rehearse' has not made them yet. say is called with what takes time.
func (w *World) BuildImages(ctx context.Context, say io.Writer) error {
	if err := machineimage.Build(ctx, filepath.Join(w.Bin, "..", "packages"), say); err != nil {
		return err
	}
	if w.Warm {
		if err := machineimage.BuildWarm(ctx, say); err != nil {
			return err
		}
	}
	return nil
}

// machineImage is what hosts start from.
func (w *World) machineImage() string {
	if w.Warm {
		return machineimage.Warm
	}
	return machineimage.AMI
}

// saveBaseImage writes the base image where hosts load it from, named image@tag.tar.
func (w *World) saveBaseImage(ctx context.Context) error {
	if err := os.MkdirAll(w.imagesDir(), 0o755); err != nil {
		return err
	}
	archive := filepath.Join(w.imagesDir(), strings.ReplaceAll(machineimage.Base, ":", "@")+".tar")
	if _, err := os.Stat(archive); err == nil {
		return nil
	}
	_, err := docker(ctx, "", "image", "save", "--output", archive, machineimage.Base)
	return err
}
