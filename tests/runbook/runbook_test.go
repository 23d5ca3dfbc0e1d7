package runbook

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

func TestBlocks(t *testing.T) {
	tests := []struct {
		name, page string
		want       []Block
	}{
		{"nothing", "", nil},
		{"prose alone", "# Page\n\n`sh host` is not a block\n", nil},
		{"two kinds in order", "a\n```sh operator\npulumi up\n```\nb\n```sh host\none\ntwo\n```\n", []Block{
			{Operator, "pulumi up\n"}, {Host, "one\ntwo\n"},
		}},
		{"without a kind, or another language", "```sh\nrm -rf /\n```\n```\nx\n```\n```text host\nx\n```\n", nil},
		{"indented in a list", "1. do\n\n   ```sh host\n   if a; then\n     b\n   fi\n   ```\n", []Block{{Host, "if a; then\n  b\nfi\n"}}},
		{"fence inside a longer one", "````sh host\ncat <<E\n```\nE\n````\n", []Block{{Host, "cat <<E\n```\nE\n"}}},
		{"Windows' line ends", "```sh host\r\none\r\n```\r\n", []Block{{Host, "one\n"}}},
		{"not closed", "```sh host\none\n", nil},
		{"empty", "```sh host\n```\n", []Block{{Host, ""}}},
	}
	for _, test := range tests {
		assert.Equal(t, test.want, Blocks([]byte(test.page)), test.name)
	}
}

// Every page has what its reader needs, and its commands are of a known kind and are shell.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/runbook/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	index, err := os.ReadFile("../../docs/runbook/README.md")
	require.NoError(t, err)
	for _, path := range pages {
		page, err := os.ReadFile(path)
		require.NoError(t, err)
		name := filepath.Base(path)
		if name != "README.md" {
			assert.Contains(t, string(index), "]("+name+")", "the index links to every page")
			for _, heading := range []string{"## Symptoms", "## What to do", "## How to know that it is solved"} {
				assert.Contains(t, string(page), heading, name)
			}
		}
		blocks := Blocks(page)
		assert.NotEmpty(t, blocks, name)
		for _, block := range blocks {
			assert.Contains(t, []string{Host, Operator, Rehearsal}, block.Kind, name)
			check := exec.CommandContext(t.Context(), "bash", "-n")
			check.Stdin = strings.NewReader(block.Script)
			output, err := check.CombinedOutput()
			assert.NoError(t, err, "%s: %s", name, output)
		}
	}
}

// A command of ours that a page names is one that there is.
func TestPagesNameWhatThereIs(t *testing.T) {
	pages, err := filepath.Glob("../../docs/runbook/*.md")
	require.NoError(t, err)
	read := func(path string) string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(text)
	}
	settings, makefile := read("../../Pulumi.yaml"), read("../../Makefile")
	scripts := map[string]string{
		"deploy.sh":      read("../../provision/scripts/deploy.sh"),
		"ssl-manager.sh": read("../../provision/scripts/ssl-manager.sh"),
		"log-monitor.sh": read("../../provision/scripts/log-monitor.sh"),
	}
	for _, path := range pages {
		for _, block := range Blocks([]byte(read(path))) {
			for _, match := range regexp.MustCompile(`berth:([a-zA-Z]+)`).FindAllStringSubmatch(block.Script, -1) {
				assert.Contains(t, settings, "\n  "+match[1]+":\n", "%s: the setting %s", path, match[0])
			}
			for _, match := range regexp.MustCompile(`/opt/berth/(\S+\.sh) (\S+)`).FindAllStringSubmatch(block.Script, -1) {
				assert.Regexp(t, `(?m)^`+match[2]+`\(\)|\b`+match[2]+`( \||\))`, scripts[match[1]], "%s: %s", path, match[0])
			}
			for _, match := range regexp.MustCompile(`(?m)^make (\S+)`).FindAllStringSubmatch(block.Script, -1) {
				assert.Regexp(t, `(?m)^([\w.-]+ )*`+match[1]+`( [\w.-]+)*:[^=]`, makefile, "%s: %s", path, match[0])
			}
		}
	}
}
