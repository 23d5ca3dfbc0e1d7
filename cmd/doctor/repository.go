package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"berth/internal/release"
	"berth/internal/release/git"
)

// candidate is the commit that would go out, with the place where the repository's copy is.
type candidate struct {
	copy *git.Repository
	sha  string
}

// resolved asks the repository what would go out, once, with the deploy key alone where there is one.
func (d *doctor) resolved(ctx context.Context) (*candidate, error) {
	return d.commit.of(ctx, download, func(ctx context.Context) (*candidate, error) {
		cfg, _, skipped := d.sound(ctx, repositoryKeys...)
		if skipped != nil {
			return nil, fmt.Errorf("%s", skipped.Reason)
		}
		copied, err := git.Open(cfg)
		if err != nil {
			return nil, err
		}
		sha, err := copied.Resolve(ctx)
		if err != nil {
			return nil, err
		}
		return &candidate{copied, sha}, nil
	})
}

// repositoryKeys are the settings that say what is released from where.
var repositoryKeys = []string{"repository", "repositoryHostKey", "deployKey", "ref"}

// repository checks that this machine reaches the repository, and that the server will.
func (d *doctor) repository(ctx context.Context) finding {
	cfg, _, skipped := d.sound(ctx, repositoryKeys...)
	if skipped != nil {
		return *skipped
	}
	out, err := d.resolved(ctx)
	if err != nil {
		return fail("repository-not-checked", "", "%s", err)
	}
	with := "with the deploy key"
	if strings.HasPrefix(cfg.Repository, "https://") {
		with = "without credentials, as the server will"
		if err := anonymous(ctx, cfg.Repository); err != nil {
			return fail("repository-needs-deploy-key", "pulumi config set berth:repository git@HOST:PATH, and a deploy key: "+makeKey,
				"your own git opens %s, but the server has no credentials for it: %s", cfg.Repository, err)
		}
	}
	return fine("%s: %s is %.12s, read %s", cfg.Repository, cfg.Ref, out.sha, with)
}

// makeKey makes a deploy key and sets it.
const makeKey = "ssh-keygen -t ed25519 -N '' -f deploy_key && cat deploy_key | pulumi config set --secret berth:deployKey"

// anonymous asks a repository with nothing of what this machine knows to say: as the server does.
func anonymous(ctx context.Context, address string) error {
	environment := []string{"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true", "SSH_ASKPASS=true", "LC_ALL=C"}
	_, err := run(ctx, os.TempDir(), environment, "git", "-c", "credential.helper=", "-c", "http.extraHeader=", "ls-remote", "--quiet", "--heads", "--", address)
	return err
}

// compose checks that the commit can be released, as a preview does.
func (d *doctor) compose(ctx context.Context) finding {
	cfg, _, skipped := d.sound(ctx, append(repositoryKeys, "composeFile", "routes", "environment", "secrets", "images", "registries", "allow", "migration", "database", "releaseStrategy")...)
	if skipped != nil {
		return *skipped
	}
	out, err := d.resolved(ctx)
	if err != nil {
		return wait("the repository does not answer (see repository)")
	}
	made, err := release.Make(ctx, cfg, out.copy, out.sha)
	if err != nil {
		lines := strings.Split(err.Error(), "\n  - ")
		found := fail("release-refused", "", "%s", strings.TrimSuffix(lines[0], ":"))
		found.Details = lines[1:]
		return found
	}
	services := len(made.Plan.Stateless) + len(made.Plan.Stateful)
	said := fmt.Sprintf("%s of %.12s can be released: %s, %s", strings.Join(cfg.ComposeFiles, " with "), out.sha, counted(services, "service", "services"), counted(len(cfg.Routes), "route", "routes"))
	if len(made.Advice) > 0 {
		said += fmt.Sprintf("; %s in pulumi preview", counted(len(made.Advice), "piece of advice", "pieces of advice"))
	}
	return fine("%s", said)
}
