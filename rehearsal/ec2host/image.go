package ec2host

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	// BaseImage is Debian 13 as a registry names it: the base of the machine image and of the sample app's images.
	BaseImage = "debian:13-slim"
	// AMIImage is the machine image of every host, and of the services, which need a part of what it holds.
	AMIImage = "berth-rehearsal/ami"
)

//go:embed ami
var amiFiles embed.FS

// imagesDir holds the archives of the base images that a host loads into its own Docker.
func (w *World) imagesDir() string { return w.path("images") }

// BuildImages makes the images the rehearsal runs on, where they are missing or their sources changed. say is told
// what takes time.
func (w *World) BuildImages(ctx context.Context, say io.Writer) error {
	if !exists(ctx, "image", BaseImage) {
		if err := makeBaseImage(ctx, say); err != nil {
			return err
		}
	}
	if err := buildAMI(ctx, say); err != nil {
		return err
	}
	return w.saveBaseImage(ctx)
}

// makeBaseImage pulls Debian where a registry answers and bootstraps it from Debian's packages where none does.
func makeBaseImage(ctx context.Context, say io.Writer) error {
	fmt.Fprintf(say, "Fetching %s\n", BaseImage)
	_, pullError := docker(ctx, "", "pull", "--quiet", BaseImage)
	if pullError == nil {
		return nil
	}
	if _, err := exec.LookPath("debootstrap"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("make the image %s: no registry answers, and debootstrap as root is the other way: sudo apt-get install debootstrap, then run this again as root: %w", BaseImage, pullError)
	}
	fmt.Fprintln(say, "No registry answers; bootstrapping Debian 13 from its packages (about half a minute)")
	root, err := os.MkdirTemp("", "berth-debootstrap-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if output, err := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "trixie", root).CombinedOutput(); err != nil {
		return fmt.Errorf("bootstrap Debian 13: %w: %s", err, tail(string(output), 5))
	}
	return importTree(ctx, root)
}

// importTree makes the base image of a file tree, without what apt would fetch again anyway.
func importTree(ctx context.Context, root string) error {
	pack := exec.CommandContext(ctx, "tar", "-C", root, "--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "--create", ".")
	load := exec.CommandContext(ctx, "docker", "import", "--change", `CMD ["bash"]`, "-", BaseImage)
	pipe, err := pack.StdoutPipe()
	if err != nil {
		return err
	}
	load.Stdin = pipe
	if err := pack.Start(); err != nil {
		return err
	}
	output, loadError := load.CombinedOutput()
	if err := errors.Join(pack.Wait(), loadError); err != nil {
		return fmt.Errorf("import %s: %w: %s", BaseImage, err, tail(string(output), 5))
	}
	return nil
}

// buildAMI builds the machine image unless the present one was built from the same files and base.
func buildAMI(ctx context.Context, say io.Writer) error {
	base, err := docker(ctx, "", "image", "inspect", "--format", "{{.Id}}", BaseImage)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "berth-ami-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	sum := sha256.New()
	fmt.Fprintln(sum, base)
	err = fs.WalkDir(amiFiles, "ami", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := amiFiles.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", path, len(content))
		sum.Write(content)
		mode := fs.FileMode(0o644)
		if filepath.Ext(path) == ".sh" {
			mode = 0o755
		}
		return os.WriteFile(filepath.Join(folder, filepath.Base(path)), content, mode)
	})
	if err != nil {
		return err
	}
	version := hex.EncodeToString(sum.Sum(nil))
	if present, err := docker(ctx, "", "image", "inspect", "--format", `{{index .Config.Labels "berth.sources"}}`, AMIImage); err == nil && present == version {
		return nil
	}
	fmt.Fprintln(say, "Building the hosts' machine image (about half a minute)")
	_, err = docker(ctx, "", "build", "--quiet", "--label", "berth.sources="+version, "--tag", AMIImage, folder)
	return err
}

// saveBaseImage writes the base image where hosts load it from, named image@tag.tar.
func (w *World) saveBaseImage(ctx context.Context) error {
	if err := os.MkdirAll(w.imagesDir(), 0o755); err != nil {
		return err
	}
	archive := filepath.Join(w.imagesDir(), strings.ReplaceAll(BaseImage, ":", "@")+".tar")
	if _, err := os.Stat(archive); err == nil {
		return nil
	}
	_, err := docker(ctx, "", "image", "save", "--output", archive, BaseImage)
	return err
}

func tail(output string, count int) string {
	all := strings.Split(strings.TrimSpace(output), "\n")
	return strings.Join(all[max(0, len(all)-count):], "\n")
}
