package ec2host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"berth/rehearsal/aws"
	"berth/rehearsal/machineimage"
)

//go:embed pebble.json
var pebbleConfig string

//go:embed git-server.sh
var gitServer string

// Start brings up what surrounds the account: the internet network, the storage, the name server, the
// certificate authority and the git host. It changes nothing that exists.
func (w *World) Start(ctx context.Context) error {
	if err := w.makeGitKeys(ctx); err != nil {
		return err
	}
	// One question for all of them: most often they run.
	names, err := docker(ctx, "", "container", "ls", "--format", "{{.Names}}", "--filter", "label="+w.label())
	if err != nil {
		return err
	}
	up := lines(names)
	// Where the name server runs, its network is there.
	if !slices.Contains(up, w.object("dns")) {
		if err := w.makeInternet(ctx); err != nil {
			return err
		}
	}
	begun, ctx := errgroup.WithContext(ctx)
	begun.Go(func() error { return w.saveBaseImage(ctx) })
	for _, service := range []struct {
		container string
		start     func(context.Context) error
	}{{w.ebs(), w.startDisks}, {w.object("dns"), w.startDNS}, {w.object("acme"), w.startACME}, {w.object("git"), w.startGit}} {
		if !slices.Contains(up, service.container) {
			begun.Go(func() error { return service.start(ctx) })
		}
	}
	return begun.Wait()
}

func (w *World) startDNS(ctx context.Context) error {
	return w.replaceContainer(ctx, w.object("dns"), "--network", w.internet(), "--ip", w.nameServer(),
		"--volume", filepath.Join(w.Bin, "rehearsal-dns")+":/usr/local/bin/rehearsal-dns:ro",
		"--volume", w.path("aws")+":/var/lib/aws:ro",
		machineimage.AMI, "rehearsal-dns", "-state", "/var/lib/aws", "-listen", ":53")
}

// Files of a service that speaks TLS, in its folder of the rehearsal's state.
const (
	acmeAPIRoot = "api-root.pem"
	acmeAPICert = "api.pem"
	acmeAPIKey  = "api.key"
)

func (w *World) startACME(ctx context.Context) error {
	folder := w.path("acme")
	if err := writeAuthorityCertificate(folder, w.authority()); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "pebble.json"), []byte(pebbleConfig), 0o600); err != nil {
		return err
	}
	return w.replaceContainer(ctx, w.object("acme"), "--network", w.internet(), "--ip", w.authority(),
		"--sysctl", "net.ipv6.conf.all.disable_ipv6=0",
		// By default it refuses one good nonce in twenty. certbot sends again once, so that now and then a renewal is asked for
		// twice, and tests count how often it was.
		"--env", "PEBBLE_VA_NOSLEEP=1", "--env", "PEBBLE_WFE_NONCEREJECT=0",
		"--volume", filepath.Join(w.Bin, "pebble")+":/usr/local/bin/pebble:ro", "--volume", folder+":/etc/pebble:ro",
		machineimage.AMI, "pebble", "-config", "/etc/pebble/pebble.json", "-dnsserver", w.nameServer()+":53")
}

// ACMEDirectory is the URL of the authority's directory, as a certbot on a host asks for it.
func (w *World) ACMEDirectory() string { return "https://" + w.authority() + ":14000/dir" }

// ACMERoots is the certificate that signed the authority's own HTTPS interface, PEM.
func (w *World) ACMERoots() (string, error) {
	pem, err := os.ReadFile(filepath.Join(w.path("acme"), acmeAPIRoot))
	return string(pem), err
}

// GitURL is the app's repository as a private one is reached: over SSH with a deploy key.
func (w *World) GitURL() string {
	return "ssh://git@" + w.Internet.Address(aws.GitHost) + "/srv/app.git"
}

// makeGitKeys makes the deploy key and the git host's where they are missing.
func (w *World) makeGitKeys(ctx context.Context) error {
	folder := w.path("git")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"host_key", "deploy_key"} {
		file := filepath.Join(folder, name)
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if output, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "berth-rehearsal", "-f", file).CombinedOutput(); err != nil {
			return fmt.Errorf("make %s: %w: %s", name, err, output)
		}
	}
	return nil
}

func (w *World) startGit(ctx context.Context) error {
	folder := w.path("git")
	if err := os.WriteFile(filepath.Join(folder, "git-server.sh"), []byte(gitServer), 0o700); err != nil {
		return err
	}
	return w.replaceContainer(ctx, w.object("git"), "--network", w.internet(), "--ip", w.Internet.Address(aws.GitHost),
		"--volume", folder+":/etc/git-server:ro", "--volume", w.path("repository")+":/srv:rw",
		machineimage.AMI, "bash", "/etc/git-server/git-server.sh")
}

// GitKeys are the deploy key (private, OpenSSH) and the git host's public key ("ssh-ed25519 …").
func (w *World) GitKeys() (deployKey, hostKey string, err error) {
	private, err1 := os.ReadFile(w.path("git", "deploy_key"))
	public, err2 := os.ReadFile(w.path("git", "host_key.pub"))
	fields := strings.Fields(string(public))
	if err := errors.Join(err1, err2); err != nil {
		return "", "", err
	}
	return string(private), strings.Join(fields[:2], " "), nil
}
