package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var (
	// version is the first of a program's output that looks like one.
	version = regexp.MustCompile(`(\d+)\.(\d+)(?:\.(\d+))?`)
	// needsSDK and needsGo are what go.mod asks for.
	needsSDK = regexp.MustCompile(`(?m)^\s*github\.com/pulumi/pulumi/sdk/v3 v(\S+)`)
	needsGo  = regexp.MustCompile(`(?m)^go (\S+)`)
)

// leastGit is the first with git fetch --no-write-fetch-head. Source: Git's release notes, 2.29.
const leastGit = "2.29"

// older compares two versions, number by number; what a version does not say is 0.
func older(have, than string) bool {
	left, right := version.FindStringSubmatch(have), version.FindStringSubmatch(than)
	if left == nil || right == nil {
		return false
	}
	for i := 1; i < len(left); i++ {
		// What is not there is 0.
		a, _ := strconv.Atoi(left[i])
		b, _ := strconv.Atoi(right[i])
		if a != b {
			return a < b
		}
	}
	return false
}

// asked is what a program says of its version; the finding is there where it says nothing.
func asked(ctx context.Context, fix, name string, args ...string) (string, *finding) {
	output, err := run(ctx, os.TempDir(), silent, name, args...)
	if errors.Is(err, exec.ErrNotFound) {
		missing := fail("tool-missing", fix, "there is no %s on this machine", name)
		return "", &missing
	}
	if err != nil {
		broken := fail("tool-broken", fix, "%s does not run: %s", name, err)
		return "", &broken
	}
	return version.FindString(output), nil
}

// required is what Berth's go.mod asks for, "" where it cannot be read.
func (d *doctor) required(what *regexp.Regexp) string {
	text, err := os.ReadFile(filepath.Join(d.project, "go.mod"))
	if err != nil {
		return ""
	}
	if found := what.FindStringSubmatch(string(text)); found != nil {
		return found[1]
	}
	return ""
}

func (d *doctor) pulumi(ctx context.Context) finding {
	const install = "curl -fsSL https://get.pulumi.com | sh"
	have, missing := asked(ctx, install, "pulumi", "version")
	if missing != nil {
		return *missing
	}
	if !hasGoHost() {
		return fail("pulumi-without-go", install, "pulumi %s is there, but not its host for Go, pulumi-language-go, which comes with it", have)
	}
	if least := d.required(needsSDK); older(have, least) {
		return warn("pulumi-too-old", install, "pulumi %s is older than what Berth is built with, %s", have, least)
	}
	return fine("pulumi %s, with its host for Go", have)
}

// hasGoHost searches where Pulumi does: beside itself, on the PATH, among its plugins, or attached.
func hasGoHost() bool {
	const host = "pulumi-language-go"
	if strings.Contains(","+os.Getenv("PULUMI_DEBUG_LANGUAGES"), ",go:") {
		return true
	}
	if _, err := exec.LookPath(host); err == nil {
		return true
	}
	var beside []string
	if program, err := exec.LookPath("pulumi"); err == nil {
		beside = append(beside, filepath.Join(filepath.Dir(program), host))
		if real, err := filepath.EvalSymlinks(program); err == nil {
			beside = append(beside, filepath.Join(filepath.Dir(real), host))
		}
	}
	home := os.Getenv("PULUMI_HOME")
	if user, err := os.UserHomeDir(); home == "" && err == nil {
		home = filepath.Join(user, ".pulumi")
	}
	for _, pattern := range append(beside, filepath.Join(home, "plugins", "language-go-v*")) {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

func (d *doctor) golang(ctx context.Context) finding {
	const install = "install it from https://go.dev/dl/"
	have, missing := asked(ctx, install, "go", "version")
	if missing != nil {
		return *missing
	}
	least := d.required(needsGo)
	if !older(have, least) {
		return fine("go %s", have)
	}
	chain, err := run(ctx, os.TempDir(), nil, "go", "env", "GOTOOLCHAIN")
	if err != nil || strings.HasPrefix(strings.TrimSpace(chain), "local") {
		return fail("go-too-old", install, "go %s is older than what Berth needs, %s", have, least)
	}
	return fine("go %s, which automatically fetches the %s that Berth needs", have, least)
}

func (d *doctor) git(ctx context.Context) finding {
	const install = "install it from https://git-scm.com/downloads"
	have, missing := asked(ctx, install, "git", "version")
	if missing != nil {
		return *missing
	}
	if older(have, leastGit) {
		return fail("git-too-old", install, "git %s is older than what Berth needs, %s", have, leastGit)
	}
	return fine("git %s", have)
}

// ssh is what git reaches a repository with, and the operator the server. Its version goes to standard error.
func (d *doctor) ssh(ctx context.Context) finding {
	const install = "install OpenSSH's client (Debian: apt-get install openssh-client)"
	if _, err := exec.LookPath("ssh"); err != nil {
		if cfg, _, skipped := d.sound(ctx, "repository"); skipped == nil && strings.HasPrefix(cfg.Repository, "https://") {
			return warn("ssh-missing", install, "there is no ssh on this machine, with which one logs in to the server")
		}
		return fail("ssh-missing-for-repository", install, "there is no ssh on this machine, with which the repository is reached")
	}
	output, err := exec.CommandContext(ctx, "ssh", "-V").CombinedOutput()
	if err != nil {
		return fail("ssh-broken", install, "ssh does not run: %s", output)
	}
	words, _, _ := strings.Cut(strings.TrimSpace(string(output)), ",")
	return fine("%s", fmt.Sprint(words))
}
