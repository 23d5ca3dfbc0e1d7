// Package machineimage makes what the rehearsal's hosts start from, of Debian alone and of nothing that Go builds: it runs beside the
// compiler.
package machineimage

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
	"regexp"
	"strings"

	"berth/provision/scripts"
)

const (
	// Base is Debian 13 as a registry names it: the base of the machine image and of the sample app's images.
	Base = "debian:13-slim"
	// AMI is the machine image of every host, and of the services, which need a part of what it holds.
	AMI = "berth-rehearsal/ami"
	// Warm is the machine image of a warm host: the step of packages finds them installed.
	Warm = "berth-rehearsal/warm"
	// Balancer is the load balancer's image: the machine image with Debian's HAProxy.
	Balancer = "berth-rehearsal/balancer"
	// Database is the image of a database in RDS: the machine image with Debian's Postgres.
	Database = "berth-rehearsal/database"
)

//go:embed ami
var amiFiles embed.FS

//go:embed warm
var warmFiles embed.FS

//go:embed database
var databaseFiles embed.FS

//go:embed balancer
var balancerFiles embed.FS

// Build makes the images the rehearsal runs on, where they are missing or their sources changed. say is called with what takes time. What is
// downloaded for the base is kept in folder packages.
func Build(ctx context.Context, packages string, say io.Writer) error {
	if built(ctx, amiFiles, "ami", Base, AMI) {
		return nil
	}
	if !Exists(ctx, "image", Base) {
		if err := makeBaseImage(ctx, packages, say); err != nil {
			return err
		}
	}
	return build(ctx, amiFiles, "ami", Base, AMI, "Building the hosts' machine image (about half a minute)", say)
}

// BuildWarm makes the image of warm hosts. The other images have to be there.
func BuildWarm(ctx context.Context, say io.Writer) error {
	script, err := scripts.Read("steps/packages.sh")
	if err != nil {
		return err
	}
	packages := list.FindStringSubmatch(script)
	if packages == nil {
		return errors.New("provision/scripts/steps/packages.sh has no list PACKAGES=(…)")
	}
	return build(ctx, warmFiles, "warm", AMI, Warm, "Building the image of a warm host, which has Debian's packages (about a minute, once)", say, "PACKAGES="+packages[1])
}

// list matches the packages that the step of packages installs.
var list = regexp.MustCompile(`(?m)^readonly PACKAGES=\((.*)\)$`)

// BuildBalancer makes the load balancer's image, which only several servers have.
func BuildBalancer(ctx context.Context, say io.Writer) error {
	return build(ctx, balancerFiles, "balancer", AMI, Balancer, "Building the load balancer's image (some seconds, once)", say)
}

// BuildDatabase makes the image of a database in RDS, which only stacks with berth:rds have.
func BuildDatabase(ctx context.Context, say io.Writer) error {
	return build(ctx, databaseFiles, "database", AMI, Database, "Building the database's image (about half a minute, once)", say)
}

// makeBase pulls Debian where a registry answers and bootstraps it from Debian's packages where none does.
func makeBaseImage(ctx context.Context, packages string, say io.Writer) error {
	fmt.Fprintf(say, "Fetching %s\n", Base)
	_, pullError := Docker(ctx, "", "pull", "--quiet", Base)
	if pullError == nil {
		return nil
	}
	if _, err := exec.LookPath("debootstrap"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("make the image %s: no registry answers, and debootstrap as root is the other way: sudo apt-get install debootstrap, then run this again as root: %w", Base, pullError)
	}
	fmt.Fprintln(say, "No registry answers; bootstrapping Debian 13 from its packages (about half a minute)")
	root, err := os.MkdirTemp("", "berth-debootstrap-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if err := os.MkdirAll(packages, 0o755); err != nil {
		return err
	}
	if output, err := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--cache-dir="+packages, "trixie", root).CombinedOutput(); err != nil {
		return fmt.Errorf("bootstrap Debian 13: %w: %s", err, Tail(string(output), 5))
	}
	for path, content := range baseFiles {
		if err := os.WriteFile(filepath.Join(root, path), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return importTree(ctx, root)
}

// baseFiles are what the registry's image has beside debootstrap's files and a build feels: dpkg does not wait for the disk after each
// file, and unpacks neither manuals nor translations. Source: /etc/dpkg/dpkg.cfg.d and /etc/apt/apt.conf.d of debian:13-slim.
var baseFiles = map[string]string{
	"etc/dpkg/dpkg.cfg.d/docker-apt-speedup": "force-unsafe-io\n",
	"etc/dpkg/dpkg.cfg.d/docker":             "path-exclude /usr/share/doc/*\npath-include /usr/share/doc/*/copyright\npath-exclude /usr/share/info/*\npath-exclude /usr/share/locale/*\npath-exclude /usr/share/man/*\n",
	"etc/apt/apt.conf.d/docker-no-languages": "Acquire::Languages \"none\";\n",
}

// importTree makes the base image of a file tree, without what apt would fetch again anyway.
func importTree(ctx context.Context, root string) error {
	pack := exec.CommandContext(ctx, "tar", "-C", root, "--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*",
		"--exclude=./usr/share/info/*", "--exclude=./usr/share/locale/*", "--exclude=./usr/share/man/*", "--create", ".")
	load := exec.CommandContext(ctx, "docker", "import", "--change", `CMD ["bash"]`, "-", Base)
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
		return fmt.Errorf("import %s: %w: %s", Base, err, Tail(string(output), 5))
	}
	return nil
}

// built says whether the image is there, of these files and arguments and of the base that is there.
func built(ctx context.Context, files embed.FS, root, base, image string, arguments ...string) bool {
	found, err := Docker(ctx, "", "image", "inspect", "--format", `{{.Id}} {{with .Config.Labels}}{{index . "berth.sources"}}{{end}}`, base, image)
	if err != nil {
		return false // One of them is missing.
	}
	of, made, _ := strings.Cut(found, "\n")
	of, _, _ = strings.Cut(of, " ")
	_, made, _ = strings.Cut(made, " ")
	version, err := versionOf(files, root, of, nil, arguments...)
	return err == nil && made == version
}

// versionOf names what is built of the files in a folder, of the base with an id and of arguments; each file is handed to with, where
// there is one.
func versionOf(files embed.FS, root, base string, with func(path string, content []byte) error, arguments ...string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, base)
	for _, argument := range arguments {
		fmt.Fprintln(sum, argument)
	}
	err := fs.WalkDir(files, root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", path, len(content))
		sum.Write(content)
		if with == nil {
			return nil
		}
		return with(path, content)
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// build builds an image of the files in a folder, with arguments such as NAME=value, unless the present one was built from the same files,
// arguments and base.
func build(ctx context.Context, files embed.FS, root, base, image, announced string, say io.Writer, arguments ...string) error {
	if built(ctx, files, root, base, image, arguments...) {
		return nil
	}
	base, err := Docker(ctx, "", "image", "inspect", "--format", "{{.Id}}", base)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "berth-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	version, err := versionOf(files, root, base, func(path string, content []byte) error {
		mode := fs.FileMode(0o644)
		if filepath.Ext(path) == ".sh" {
			mode = 0o755
		}
		return os.WriteFile(filepath.Join(folder, filepath.Base(path)), content, mode)
	}, arguments...)
	if err != nil {
		return err
	}
	fmt.Fprintln(say, announced)
	args := []string{"build", "--quiet", "--label", "berth.sources=" + version, "--tag", image}
	for _, argument := range arguments {
		args = append(args, "--build-arg", argument)
	}
	_, err = Docker(ctx, "", append(args, folder)...)
	return err
}

// Tail is the last lines of a program's output.
func Tail(output string, count int) string {
	all := strings.Split(strings.TrimSpace(output), "\n")
	return strings.Join(all[max(0, len(all)-count):], "\n")
}
