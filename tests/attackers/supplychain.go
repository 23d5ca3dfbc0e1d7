package attackers

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

const chain = "Supply chain"

//go:embed archive.sh
var archiveScript string

// Archive looks where every package on the server is from, and whether apt takes one from anywhere else.
func (s *Scene) Archive(t *testing.T) {
	counts := map[string]int{}
	for line := range strings.Lines(s.rehearsal.In(t).SSHInput("sudo bash -s", archiveScript)) {
		name, count, _ := strings.Cut(strings.TrimSpace(line), " ")
		number, err := strconv.Atoi(count)
		require.NoError(t, err, line)
		counts[name] = number
		if strings.HasPrefix(name, "all-") {
			assert.Positive(t, number, name)
		} else {
			assert.Zero(t, number, name)
		}
	}
	require.Len(t, counts, 12)
	report.Add(t, chain, "Packages on the server that are in Debian's signed archive", fmt.Sprintf("%d of %d, by %d of %d indices of Debian's", counts["all-installed"]-counts["not-in-the-archive"], counts["all-installed"], counts["all-indices"]-counts["of-another-origin"], counts["all-indices"]))
	report.Add(t, chain, "Keys that apt trusts beside those of Debian's own package of them", fmt.Sprintf("%d (of %d)", counts["foreign-keys"], counts["all-keys"]))
	report.Add(t, chain, "Sources and settings by which apt would take what is not signed", fmt.Sprint(counts["trusted-unsigned"]+counts["settings-that-allow-it"]))
	report.Add(t, chain, "A repository without a signature, and one with Debian's on a changed list", "both refused")
	report.Add(t, chain, "Files of packages that were changed after their installation, but for configuration", fmt.Sprint(counts["changed-after-installation"]))
}

// Checks names what CI checks of Berth itself, as far as this checkout has it.
func Checks(t *testing.T, r *harness.Rehearsal) {
	read := func(path string) string {
		text, err := os.ReadFile(filepath.Join(r.Project, path))
		require.NoError(t, err)
		return string(text)
	}
	makefile, test, release := read("Makefile"), read(".github/workflows/test.yml"), read(".github/workflows/release.yml")
	for _, check := range []string{"shellcheck", "go vet", "errcheck", "staticcheck", "actionlint", "gosec"} {
		require.Regexp(t, `(?s)\nlint: .*`+check+`.*\npush:`, makefile)
	}
	require.Regexp(t, `\ntest: test-machine\n\t\$\(call TIMED,lint `, makefile)
	require.Contains(t, test, `fromJSON('["test", "test-e2e-all",`)
	require.Contains(t, test, "run: make \"$TARGET\"\n")
	report.Add(t, chain, "On every push (`make lint`)", "gosec, staticcheck, errcheck, go vet, shellcheck, actionlint")

	require.Regexp(t, `(?s)\nvulnerabilities:.*govulncheck`, makefile)
	require.Contains(t, test, "run: make vulnerabilities\n")
	require.Contains(t, release, "run: make vulnerabilities sbom\n")
	report.Add(t, chain, "Known vulnerabilities in what is called (`make vulnerabilities`)", "govulncheck, on every push and before every release")
	require.Contains(t, release, "gh release create \"$TAG\" bom.json")
	report.Add(t, chain, "What a release is made of (`make sbom`)", "CycloneDX, a file of every release")

	workflows, err := filepath.Glob(filepath.Join(r.Project, ".github", "workflows", "*.yml"))
	require.NoError(t, err)
	actions, pinned := 0, 0
	for _, path := range workflows {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		actions += len(regexp.MustCompile(`uses:`).FindAll(text, -1))
		pinned += len(regexp.MustCompile(`uses: *[\w./-]+@[0-9a-f]{40} `).FindAll(text, -1))
	}
	assert.Equal(t, actions, pinned)
	report.Add(t, chain, "Actions of the workflows that are pinned to a commit", fmt.Sprintf("%d of %d", pinned, actions))

	verify := exec.CommandContext(t.Context(), "go", "mod", "verify")
	verify.Dir = r.Project
	output, err := verify.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	require.Contains(t, string(output), "all modules verified")
	report.Add(t, chain, "Go modules of the program that are what go.sum says (`go mod verify`)", "all")
}
