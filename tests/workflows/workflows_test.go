// Package workflows tests what GitHub runs: rules that its own checks do not know, and the script that a deploy uses.
package workflows

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func workflows(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../.github/workflows/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	found := map[string]string{}
	for _, path := range paths {
		found[filepath.Base(path)] = read(t, path)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// A tag can be moved to other code, a commit's id cannot; the version beside it is for people.
func TestActionsArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+(\W|$)`)
	commits := map[string]string{}
	for name, text := range workflows(t) {
		for _, match := range regexp.MustCompile(`uses: *(.*)`).FindAllStringSubmatch(text, -1) {
			assert.Regexp(t, pinned, match[1], name)
			action, commit, _ := strings.Cut(strings.Fields(match[1])[0], "@")
			if before, ok := commits[action]; ok {
				assert.Equal(t, before, commit, "%s has one version everywhere", action)
			}
			commits[action] = commit
		}
	}
}

func TestNothingIsAllowedUnlessAJobSaysSo(t *testing.T) {
	for name, text := range workflows(t) {
		assert.Contains(t, text, "\npermissions: {}\n", name)
		if name != "release.yml" { // It makes the release, for a tag alone.
			assert.NotContains(t, text, "contents: write", name)
		}
		assert.NotRegexp(t, `pull_request_target|AWS_ACCESS_KEY|AWS_SECRET`, text, name)
		assert.Equal(t, strings.Count(text, "actions/checkout@"), strings.Count(text, "persist-credentials: false"), name)
		assert.NotRegexp(t, `secrets\.[^P]|secrets\.P[^U]`, text, "%s: the passphrase is the one secret", name)
	}
}

// What others write, a branch's name for instance, is text to a script only as a variable.
func TestScriptsHoldNoExpressions(t *testing.T) {
	for name, text := range workflows(t) {
		indent := -1
		for line := range strings.Lines(text) {
			depth := len(line) - len(strings.TrimLeft(line, " "))
			if strings.TrimSpace(line) != "" && depth <= indent {
				indent = -1
			}
			if start := regexp.MustCompile(`^( *)(- )?run:`).FindString(line); start != "" {
				indent = len(start) - len("run:")
			}
			if indent >= 0 {
				assert.NotContains(t, line, "${{", name)
			}
		}
	}
}

func TestProductionIsApprovedAndNeverTwiceAtOnce(t *testing.T) {
	all := workflows(t)
	for _, name := range []string{"deploy.yml", "destroy.yml"} {
		assert.Contains(t, all[name], "environment: production\n", name)
		assert.Contains(t, all[name], "concurrency:\n  group: production\n  cancel-in-progress: false\n", name)
	}
	assert.Regexp(t, `(?s)^name: destroy\n\non:\n  workflow_dispatch:\n.*\n\npermissions`, all["destroy.yml"])
	assert.NotRegexp(t, `(?m)^  (push|pull_request|schedule):`, all["destroy.yml"])
}

// The rehearsal and production run one version of the engine.
func TestPulumiIsTheOneThatIsBuilt(t *testing.T) {
	version := regexp.MustCompile(`pulumi/pulumi/pkg/v3 v(\S+)`).FindStringSubmatch(read(t, "../../tools/pulumi/go.mod"))[1]
	count := 0
	for name, text := range workflows(t) {
		for _, match := range regexp.MustCompile(`pulumi-version: (\S+)`).FindAllStringSubmatch(text, -1) {
			count++
			assert.Equal(t, version, match[1], name)
		}
	}
	assert.Equal(t, 3, count)
}

// hostile is what an app's commit messages, or a server's answers, may hold.
const hostile = "ordinary\n::error::x\n  ::add-mask::e\n##[group]x\n\x1b[31mred\x1b]0;title\a\x1b[2J\nover\rwritten\n\u009b31m\u202egnp\u2066 \x9b\n~~~~\n@somebody <img src=x>\n~~~~~~~\n```\nno end"

// TestWhatIsPrintedIsNoCommand: what Pulumi prints is in the log as plain text, between the marks that keep GitHub from heeding it.
func TestWhatIsPrintedIsNoCommand(t *testing.T) {
	command := exec.CommandContext(t.Context(), "../../.github/show.sh", "sh", "-c", `printf '%s' "$1"; exit 3`, "sh", hostile)
	output, err := command.Output()
	require.Error(t, err)
	assert.Equal(t, 3, command.ProcessState.ExitCode())
	marks := regexp.MustCompile(`(?s)^::stop-commands::([0-9a-f]{32})\n(.*)\n::([0-9a-f]{32})::\n$`).FindStringSubmatch(string(output))
	require.NotNil(t, marks, string(output))
	assert.Equal(t, marks[1], marks[3])
	assert.Equal(t, "ordinary\n::error::x\n  ::add-mask::e\n##[group]x\nred\noverwritten\n31mgnp \n~~~~\n@somebody <img src=x>\n~~~~~~~\n```\nno end", marks[2])
	for name, text := range workflows(t) {
		for _, line := range regexp.MustCompile(`(?m)^.*\bpulumi (up|preview|destroy|refresh) .*$`).FindAllString(text, -1) {
			if !strings.HasPrefix(strings.TrimSpace(line), "#") {
				assert.Regexp(t, `\.github/show\.sh pulumi|>printed\.txt 2>&1`, line, name)
			}
		}
	}
}

// TestACommentIsOneBlock runs the preview's job and the one that comments, with a Pulumi and a GitHub that are scripts.
func TestACommentIsOneBlock(t *testing.T) {
	blocks := regexp.MustCompile(`(?m)^ {8}run: \|\n((?: {10}.*\n|\n)+)`).FindAllStringSubmatch(read(t, "../../.github/workflows/preview.yml"), -1)
	require.Len(t, blocks, 2)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	folder := t.TempDir()
	for name, script := range map[string]string{"pulumi": `printf '%s' "$HOSTILE"`, "gh": `case "$*" in *POST*) cp comment.md posted ;; esac`} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	for _, shared := range []string{".github", "provision"} {
		require.NoError(t, os.Symlink(filepath.Join(root, shared), filepath.Join(folder, shared)))
	}
	run := func(script string, more ...string) {
		bash := exec.CommandContext(t.Context(), "bash", "-e", "-c", regexp.MustCompile(`(?m)^ {10}`).ReplaceAllString(script, ""))
		bash.Dir, bash.Env = folder, append(append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "GITHUB_OUTPUT="+filepath.Join(folder, "output"), "HOSTILE="+hostile), more...)
		output, err := bash.CombinedOutput()
		require.NoError(t, err, string(output))
	}
	run(blocks[0][1])
	output := regexp.MustCompile(`(?s)^text<<(\w+)\n(.*)\n(\w+)\n$`).FindStringSubmatch(read(t, filepath.Join(folder, "output")))
	require.NotNil(t, output)
	assert.Equal(t, output[1], output[3])
	assert.NotRegexp(t, `[^\P{C}\n\t]`, output[2])
	run(blocks[1][1], "TEXT="+output[2], "MARK=<!-- mark -->", "RESULT=success", "COMMIT=abc", "COMMENTS=c", "COMMENT=c")
	posted := read(t, filepath.Join(folder, "posted"))
	assert.Contains(t, posted, "@somebody")
	assert.Len(t, regexp.MustCompile(`(?m)^ {0,3}~{3,}`).FindAllString(posted, -1), 2, "nothing ends the block before its end: %s", posted)
	assert.True(t, strings.HasSuffix(posted, "\n~~~~\n"), posted)
}

func TestRunnerSSH(t *testing.T) {
	tests := []struct {
		name, action, groups, rules, address string
		fails                                bool
		says                                 string
		calls                                []string
	}{
		{"opens", "open", "sg-1", "", "198.51.100.9", false, "opened port 22 to 198.51.100.9",
			[]string{"describe-security-groups", "describe-security-group-rules", "authorize-security-group-ingress"}},
		{"takes away what a killed run left", "open", "sg-1", "sgr-1\tsgr-2", "198.51.100.9", false, "closed sgr-1",
			[]string{"describe-security-groups", "describe-security-group-rules", "revoke-security-group-ingress", "authorize-security-group-ingress"}},
		{"closes", "close", "sg-1", "sgr-1", "", false, "closed sgr-1",
			[]string{"describe-security-groups", "describe-security-group-rules", "revoke-security-group-ingress"}},
		{"nothing to close", "close", "sg-1", "", "", false, "", []string{"describe-security-groups", "describe-security-group-rules"}},
		{"no stack yet", "open", "", "", "", true, "the first 'pulumi up' is an operator's", []string{"describe-security-groups"}},
		{"no stack to close", "close", "", "", "", false, "", []string{"describe-security-groups"}},
		{"two groups", "open", "sg-1\tsg-2", "", "", true, "more than one security group", []string{"describe-security-groups"}},
		{"an answer that is no address", "open", "sg-1", "", "<html>", true, "cannot tell this runner's address",
			[]string{"describe-security-groups", "describe-security-group-rules"}},
		{"another word", "shut", "sg-1", "", "", true, "usage:", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			stand := func(name, script string) {
				require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("#!/usr/bin/env bash\n"+script), 0o755))
			}
			stand("aws", `echo "$2" >>"$CALLS"
case $2 in
  describe-security-groups) printf '%s\n' "$GROUPS_FOUND" ;;
  describe-security-group-rules) printf '%s\n' "$RULES_FOUND" ;;
esac
`)
			stand("curl", `printf '%s\n' "$ADDRESS"`)
			calls := filepath.Join(folder, "calls")
			command := exec.CommandContext(t.Context(), "../../.github/runner-ssh.sh", test.action, "production")
			command.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "CALLS="+calls,
				"GROUPS_FOUND="+test.groups, "RULES_FOUND="+test.rules, "ADDRESS="+test.address)
			output, err := command.CombinedOutput()
			assert.Equal(t, test.fails, err != nil, string(output))
			assert.Contains(t, string(output), test.says)
			called, _ := os.ReadFile(calls)
			assert.Equal(t, test.calls, list(string(called)))
		})
	}
}

// list is nil for no lines.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Fields(text)
}
