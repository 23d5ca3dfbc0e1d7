package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"al.essio.dev/pkg/shellescape"

	"berth/config"
)

// resolveWithin bounds the question to the git host.
const resolveWithin = 60 * time.Second

var fullSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

// ResolveCommit asks the repository which commit the ref names now, so that a preview shows what would go out. A full
// SHA is taken as it is. It runs git on the operator's machine, with the deploy key where there is one.
func ResolveCommit(ctx context.Context, cfg *config.Config) (string, error) {
	if fullSHA.MatchString(cfg.Ref) {
		return cfg.Ref, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveWithin)
	defer cancel()
	listing, err := listRefs(ctx, cfg)
	if err != nil {
		return "", fmt.Errorf("ask %s for %q: %w", cfg.Repository, cfg.Ref, err)
	}
	commit, err := pick(listing, cfg.Ref)
	if err != nil {
		return "", fmt.Errorf("resolve berth:ref in %s: %w", cfg.Repository, err)
	}
	return commit, nil
}

func listRefs(ctx context.Context, cfg *config.Config) (string, error) {
	command := exec.CommandContext(ctx, "git", "ls-remote", "--heads", "--tags", "--", cfg.Repository)
	command.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	if cfg.DeployKey != "" {
		folder, err := os.MkdirTemp("", "berth-key-")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(folder)
		key, hosts := filepath.Join(folder, "key"), filepath.Join(folder, "known_hosts")
		err = errors.Join(
			os.WriteFile(key, []byte(strings.TrimSpace(cfg.DeployKey)+"\n"), 0o600),
			os.WriteFile(hosts, []byte(knownHosts(cfg)+"\n"), 0o600))
		if err != nil {
			return "", err
		}
		command.Env = append(command.Env, fmt.Sprintf(
			"GIT_SSH_COMMAND=ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o ConnectTimeout=15 -o StrictHostKeyChecking=yes -i %s -o UserKnownHostsFile=%s",
			shellescape.Quote(key), shellescape.Quote(hosts)))
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("no answer within %s; is the git host reachable from here?", resolveWithin)
		}
		return "", fmt.Errorf("%w: %s; try it by hand: git ls-remote %s", err, strings.TrimSpace(stderr.String()), shellescape.Quote(cfg.Repository))
	}
	return stdout.String(), nil
}

// pick finds the ref in the output of git ls-remote: a branch before a tag, an annotated tag by the commit it points
// at, an abbreviated SHA where exactly one branch or tag stands there.
func pick(listing, ref string) (string, error) {
	refs, matching := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(listing) {
		sha, name, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || !fullSHA.MatchString(sha) {
			continue
		}
		refs[name] = sha
		if len(ref) >= 7 && strings.HasPrefix(sha, ref) {
			matching[sha] = true
		}
	}
	for _, name := range []string{"refs/heads/" + ref, "refs/tags/" + ref + "^{}", "refs/tags/" + ref, ref + "^{}", ref} {
		if sha, ok := refs[name]; ok {
			return sha, nil
		}
	}
	if len(matching) == 1 {
		for sha := range matching {
			return sha, nil
		}
	}
	return "", fmt.Errorf("there is no branch or tag %q (a commit that no branch or tag points at needs all 40 digits of its SHA); mend it: pulumi config set berth:ref main", ref)
}

// sshHost takes the host and port out of a repository that is reached over SSH, in either of git's two spellings.
func sshHost(repository string) (host, port string, ok bool) {
	if location, err := url.Parse(repository); err == nil && location.Scheme != "" {
		return location.Hostname(), location.Port(), location.Scheme == "ssh"
	}
	_, rest, found := strings.Cut(repository, "@")
	host, _, colon := strings.Cut(rest, ":")
	return host, "", found && colon
}
