package main

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRepository(t *testing.T) {
	b := newBench(t)
	found := b.look((*doctor).repository)
	assert.Equal(t, ok, found.Verdict)
	assert.Regexp(t, `^https://github.com/you/app.git: main is [0-9a-f]{12}, read without credentials, as the server will$`, found.Reason)
	b.set("ref", "nowhere")
	found = b.look((*doctor).repository)
	assert.Equal(t, fails, found.Verdict)
	assert.Contains(t, found.Reason, `there is no branch or tag "nowhere"`)
	assert.Contains(t, b.look((*doctor).compose).Reason, "because the repository does not answer")
}

// TestARepositoryThatOnlyThisMachineOpens is the trap of a laptop whose git knows a password.
func TestARepositoryThatOnlyThisMachineOpens(t *testing.T) {
	b := newBench(t)
	git, err := exec.LookPath("git")
	require.NoError(t, err)
	b.tool("git", `case "$*" in *credential.helper=*) echo "fatal: could not read Username" >&2; exit 128 ;; *) exec `+git+` "$@" ;; esac`)
	found := b.look((*doctor).repository)
	assert.Equal(t, fails, found.Verdict)
	assert.Contains(t, found.Reason, "your own git opens https://github.com/you/app.git, but the server has no credentials for it")
	assert.Contains(t, found.Fix, "ssh-keygen -t ed25519")
}

func TestARepositoryOverSSH(t *testing.T) {
	b := newBench(t)
	key := newKey(t)
	b.set("repository", "ssh://git@git.example.com/app.git", "repositoryHostKey", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", "!deployKey", key)
	b.tool("ssh", `exec git-upload-pack "$TEST_ORIGIN"`)
	found := b.look((*doctor).repository)
	assert.Regexp(t, `main is [0-9a-f]{12}, read with the deploy key$`, found.Reason)
	b.tool("ssh", `echo "git@git.example.com: Permission denied (publickey)." >&2; exit 255`)
	found = b.look((*doctor).repository)
	assert.Equal(t, fails, found.Verdict)
	assert.Contains(t, found.Reason, "Permission denied (publickey)")
	b.tool("ssh", `echo "Host key verification failed." >&2; exit 255`)
	assert.Contains(t, b.look((*doctor).repository).Reason, "another host answers there")
}

func TestCompose(t *testing.T) {
	b := newBench(t)
	found := b.look((*doctor).compose)
	assert.Equal(t, ok, found.Verdict)
	assert.Regexp(t, `^compose.yaml of [0-9a-f]{12} can be released: 1 service, 1 route; 2 pieces of advice in pulumi preview$`, found.Reason)

	b.set("routes", "api:80")
	found = b.look((*doctor).compose)
	assert.Equal(t, fails, found.Verdict)
	assert.Regexp(t, `^commit [0-9a-f]{12} cannot be released as it is; nothing was touched$`, found.Reason)
	require.Len(t, found.Details, 1)
	assert.Contains(t, found.Details[0], "api")

	b.set("routes", "web:80")
	b.app("services: {web: {image: example.com/web:latest, privileged: true, environment: {A: '${B:?is missing}'}}}\n")
	found = b.look((*doctor).compose)
	assert.Equal(t, fails, found.Verdict)
	assert.Contains(t, found.Details[0], "B")
	b.set("environment", `{"B":"x"}`)
	assert.Contains(t, b.look((*doctor).compose).Details[0], "berth:allow")
}
