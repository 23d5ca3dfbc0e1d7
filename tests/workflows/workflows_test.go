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
		if name != "release.yml" { // It makes the release and its tag, started by hand.
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
	assert.Equal(t, 4, count)
}

// jobs are a workflow's, by name.
func jobs(text string) map[string]string {
	_, after, _ := strings.Cut(text, "\njobs:\n")
	found, name := map[string]string{}, ""
	for line := range strings.Lines(after) {
		if start := regexp.MustCompile(`^  ([a-z]+):$`).FindStringSubmatch(strings.TrimSuffix(line, "\n")); start != nil {
			name = start[1]
		}
		found[name] += line
	}
	return found
}

// What the reviewer saw is what goes out, though both branches may have moved on meanwhile.
func TestTheApprovedCommitsGoOut(t *testing.T) {
	all := jobs(workflows(t)["deploy.yml"])
	require.Contains(t, all, "preview")
	require.Contains(t, all, "deploy")
	assert.Contains(t, all["preview"], "environment: plan\n", "before the approval, with the role that reads")
	assert.Contains(t, all["preview"], "ref: ${{ github.sha }}\n")
	assert.Contains(t, all["preview"], "BERTH_COMMIT_FILE: app-commit\n")
	assert.NotContains(t, all["preview"], "pulumi up")
	assert.Contains(t, all["deploy"], "needs: preview\n")
	assert.Contains(t, all["deploy"], "ref: ${{ needs.preview.outputs.commit }}\n")
	assert.Contains(t, all["deploy"], "APP: ${{ needs.preview.outputs.app }}\n")
	assert.Regexp(t, `pulumi up .*--config "berth:ref=\$APP"\n`, all["deploy"])
	for _, output := range []string{"commit", "app"} {
		assert.Contains(t, all["preview"], output+": ${{ steps.preview.outputs."+output+" }}\n")
	}
}

// Code without approval runs with the role that reads, and where a reviewer let it in.
func TestPreviewsHaveTheirOwnEnvironments(t *testing.T) {
	readme := read(t, "../../docs/iam/README.md")
	for name, text := range workflows(t) {
		for job, body := range jobs(text) {
			if !strings.Contains(body, "configure-aws-credentials") {
				continue
			}
			environment := regexp.MustCompile(`\n    environment: (\w+)\n`).FindStringSubmatch(body)
			if assert.NotNil(t, environment, "%s %s", name, job) {
				assert.Contains(t, readme, "`"+environment[1]+"`", "the set-up makes it")
				assert.Equal(t, strings.Contains(body, "pulumi up") || strings.Contains(body, "pulumi destroy"), environment[1] == "production", "%s %s", name, job)
			}
		}
	}
	assert.Regexp(t, "(?i)`preview`[^.]*required reviewers", strings.ReplaceAll(readme, "\n", " "))
}

// A provider runs with the deployer's credentials: no other archive than the one that the repository names.
func TestPluginsArePinned(t *testing.T) {
	modules := map[string]string{}
	for _, match := range regexp.MustCompile(`github\.com/pulumi/pulumi-(\w+)/sdk(?:/v\d+)? v(\S+)`).FindAllStringSubmatch(read(t, "../../go.mod"), -1) {
		modules[match[1]] = match[2]
	}
	require.GreaterOrEqual(t, len(modules), 3)
	listed := map[string]string{}
	for line := range strings.Lines(read(t, "../../.github/plugins.txt")) {
		if !strings.HasPrefix(line, "#") {
			match := regexp.MustCompile(`^(\w+) (\S+) (unknown|[0-9a-f]{64})\n$`).FindStringSubmatch(line)
			require.NotNil(t, match, line)
			listed[match[1]] = match[2]
		}
	}
	assert.Equal(t, modules, listed, "go.mod and .github/plugins.txt name the same versions")
	for name, text := range workflows(t) {
		runs := strings.Count(text, "pulumi/actions@")
		assert.Equal(t, runs, strings.Count(text, "run: .github/plugins.sh install\n"), name)
		if runs > 0 {
			assert.Contains(t, text, "\n  PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true'\n", name)
		}
	}
}

// stands puts a folder with commands before all others.
func stands(t *testing.T, commands map[string]string) (folder string, environment []string) {
	t.Helper()
	folder = t.TempDir()
	for name, script := range commands {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("#!/usr/bin/env bash\n"+script), 0o755))
	}
	return folder, append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "CALLS="+filepath.Join(folder, "calls"))
}

func TestPlugins(t *testing.T) {
	const sum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" // of "test"
	for _, test := range []struct {
		name, action, list string
		fails              bool
		says, calls, left  string
	}{
		{"installs by its sum", "install", "# comment\naws 6.83.4 " + sum + "\n", false, "", "plugin install resource aws v6.83.4 --checksum " + sum + "\n", ""},
		{"no sum, no plugin", "install", "aws 6.83.4 unknown\n", true, "has no SHA-256 sum of the plugin aws 6.83.4", "", ""},
		{"half a sum", "install", "aws 6.83.4 9f86d08\n", true, "has no SHA-256 sum", "", ""},
		{"nothing of a list with a bad line", "install", "aws $(id) " + sum + "\n", true, "a line that is not NAME VERSION SHA256", "", ""},
		{"an empty list", "install", "# comment\n", true, "lists no plugin", "", ""},
		{"pins", "pin", "# comment\naws 6.83.4 unknown\n", false, "git diff", "", "# comment\naws 6.83.4 " + sum + "\n"},
		{"a replaced archive", "pin", "# comment\naws 6.83.4 " + strings.Repeat("0", 64) + "\n", true, "it was replaced since. Nothing was changed", "", "# comment\naws 6.83.4 " + strings.Repeat("0", 64) + "\n"},
		{"another word", "fetch", "", true, "usage:", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder, environment := stands(t, map[string]string{"pulumi": `printf '%s\n' "$*" >>"$CALLS"`, "curl": "printf test"})
			script := filepath.Join(folder, "plugins.sh")
			require.NoError(t, os.WriteFile(script, []byte(read(t, "../../.github/plugins.sh")), 0o755))
			list := filepath.Join(folder, "plugins.txt")
			require.NoError(t, os.WriteFile(list, []byte(test.list), 0o600))
			command := exec.CommandContext(t.Context(), script, test.action)
			command.Env = environment
			output, err := command.CombinedOutput()
			assert.Equal(t, test.fails, err != nil, string(output))
			assert.Contains(t, string(output), test.says)
			called, _ := os.ReadFile(filepath.Join(folder, "calls"))
			assert.Equal(t, test.calls, string(called))
			if test.left != "" {
				assert.Equal(t, test.left, read(t, list))
			}
		})
	}
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
	const own, killed = "sgr-1\t42\t2026-01-02T03:04:05Z\t198.51.100.9/32", "sgr-2\t41\t2026-01-01T03:04:05Z\t198.51.100.8/32"
	tests := []struct {
		name, action, groups, rules, address string
		fails                                bool
		says                                 string
		calls                                []string
	}{
		{"opens", "open", "sg-1", "", "198.51.100.9", false, "opened port 22 to 198.51.100.9",
			[]string{"describe-security-groups", "describe-security-group-rules", "authorize-security-group-ingress"}},
		{"takes away what a killed run left, and says since when", "open", "sg-1", killed, "198.51.100.9", false,
			"port 22 was left open to 198.51.100.8/32: run 41 opened it at 2026-01-01T03:04:05Z and was ended before it closed it\nrunner-ssh.sh: closed sgr-2",
			[]string{"describe-security-groups", "describe-security-group-rules", "revoke-security-group-ingress", "authorize-security-group-ingress"}},
		{"takes away what an earlier version's run left", "open", "sg-1", "sgr-3\tNone\tNone\t198.51.100.7/32", "198.51.100.9", false, "left open to 198.51.100.7/32",
			[]string{"describe-security-groups", "describe-security-group-rules", "revoke-security-group-ingress", "authorize-security-group-ingress"}},
		{"closes its own and does not mention another", "close", "sg-1", own, "", false, "runner-ssh.sh: closed sgr-1\n",
			[]string{"describe-security-groups", "describe-security-group-rules", "revoke-security-group-ingress"}},
		{"closes all at once", "close", "sg-1", own + "\n" + killed, "", false, "closed sgr-1 sgr-2",
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
			folder, environment := stands(t, map[string]string{"curl": `printf '%s\n' "$ADDRESS"`, "aws": `echo "$2" >>"$CALLS"
printf '%s\n' "$*" >>"$CALLS.whole"
case $2 in
  describe-security-groups) printf '%s\n' "$GROUPS_FOUND" ;;
  describe-security-group-rules) printf '%s\n' "$RULES_FOUND" ;;
esac
`})
			command := exec.CommandContext(t.Context(), "../../.github/runner-ssh.sh", test.action, "production")
			command.Env = append(environment, "GITHUB_RUN_ID=42", "GROUPS_FOUND="+test.groups, "RULES_FOUND="+test.rules, "ADDRESS="+test.address)
			output, err := command.CombinedOutput()
			assert.Equal(t, test.fails, err != nil, string(output))
			assert.Contains(t, string(output), test.says)
			assert.Equal(t, strings.Contains(test.rules, own) && !strings.Contains(test.rules, "\n"), len(test.rules) > 0 && !strings.Contains(string(output), "left open"), string(output))
			called, _ := os.ReadFile(filepath.Join(folder, "calls"))
			assert.Equal(t, test.calls, list(string(called)))
			if test.calls != nil {
				whole := read(t, filepath.Join(folder, "calls.whole"))
				assert.Contains(t, whole, "Name=tag:ManagedBy,Values=berth Name=tag:Project,Values=berth Name=tag:Stack,Values=production")
				if strings.Contains(whole, "authorize-") {
					assert.Regexp(t, `\{Key=Name,Value=berth-runner\},\{Key=ManagedBy,Value=berth\},\{Key=Run,Value=42\},\{Key=Opened,Value=20\d\d-[\dT:-]+Z\}`, whole)
				}
			}
		})
	}
}

// Two projects of one account may have stacks of one name: what looks for resources by a tag of the stack asks for the project's, too.
func TestFiltersByTagNameTheProject(t *testing.T) {
	looked := 0
	for _, folder := range []string{"../../.github", "../../docs", "../../internal/program", "../../infra", "../../provision"} {
		require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			for line := range strings.Lines(read(t, path)) {
				if strings.Contains(line, "tag:Stack,Values=") {
					looked++
					assert.Contains(t, line, "tag:Project,Values=", path)
				}
			}
			return nil
		}))
	}
	assert.Greater(t, looked, 5)
}

// list is nil for no lines.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Fields(text)
}

// TestAVersionIsReleased by its number and what the changelog says of it, or not at all.
func TestAVersionIsReleased(t *testing.T) {
	const changelog = "# Changelog\n\n## [Unreleased]\n\n- soon\n\n## [0.2.0] - 2027-01-02\n\n### Added\n\n- this\n\n## [0.1.0] - 2026-12-01\n\n- that\n"
	for _, test := range []struct {
		name, action, version, there, changelog string
		fails                                   bool
		says                                    string
	}{
		{"a tag", "tag", "0.2.0\n", "0", changelog, false, "v0.2.0\n"},
		{"a tag that is there", "tag", "0.2.0\n", "1", changelog, true, "v0.2.0 was released already"},
		{"GitHub says nothing", "tag", "0.2.0\n", "", changelog, true, "nothing was released"},
		{"GitHub does not answer", "tag", "0.2.0\n", "fails", changelog, true, ""},
		{"no version", "tag", "next\n", "0", changelog, true, "holds 'next'"},
		{"notes", "notes", "0.2.0\n", "", changelog, false, "\n### Added\n\n- this\n"},
		{"the oldest's notes", "notes", "0.1.0\n", "", changelog, false, "\n- that\n"},
		{"no notes", "notes", "0.3.0\n", "", changelog, true, "CHANGELOG.md has nothing below '## [0.3.0] - YEAR-MONTH-DAY'"},
		{"another word", "release", "0.2.0\n", "", changelog, true, "usage:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder, environment := stands(t, map[string]string{"gh": "[ '" + test.there + "' != fails ] || exit 1\necho '" + test.there + "'\n"})
			script, err := filepath.Abs("../../.github/release.sh")
			require.NoError(t, err)
			require.NoError(t, os.MkdirAll(filepath.Join(folder, "provision", "scripts"), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "provision", "scripts", "VERSION"), []byte(test.version), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "CHANGELOG.md"), []byte(test.changelog), 0o600))
			command := exec.CommandContext(t.Context(), script, test.action)
			command.Dir, command.Env = folder, append(environment, "GITHUB_REPOSITORY=you/berth")
			output, err := command.CombinedOutput()
			assert.Equal(t, test.fails, err != nil, string(output))
			assert.Contains(t, string(output), test.says)
		})
	}
}

// TestTheChangelogKnowsTheVersion, as released or as the next one.
func TestTheChangelogKnowsTheVersion(t *testing.T) {
	version := strings.TrimSpace(read(t, "../../provision/scripts/VERSION"))
	assert.Regexp(t, `^\d+\.\d+\.\d+$`, version)
	changelog := read(t, "../../CHANGELOG.md")
	assert.Contains(t, changelog, "\n## [Unreleased]\n")
	assert.Contains(t, changelog, version)
	assert.Regexp(t, `(?m)^### (Added|Changed|Deprecated|Removed|Fixed|Security)$`, changelog)
}
