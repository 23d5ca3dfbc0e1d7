// Package program tests what runs on the operator's machine beside Pulumi: tools/program.sh, by which Pulumi runs Berth's program, and
// tools/open.sh.
package program

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// project is a checkout with the script, little to build, and stand-ins for Go and curl.
type project struct {
	t                  *testing.T
	folder, cache, bin string
}

func newProject(t *testing.T) *project {
	scratch := t.TempDir()
	p := &project{t: t, folder: filepath.Join(scratch, "a checkout"), cache: filepath.Join(scratch, "cache"), bin: filepath.Join(scratch, "bin")}
	script, err := os.ReadFile("../../tools/program.sh")
	require.NoError(t, err)
	p.write("tools/program.sh", string(script))
	for _, name := range []string{"go.mod", "go.sum", "main.go", "docs/iam/trust.json", "infra/infra.go", "internal/a/a.go", "provision/scripts/lib.sh"} {
		p.write(name, name)
	}
	// What Go builds says its arguments, and ends as a program that told the engine what went wrong.
	p.stub("go", `echo "go: downloading example.com/one v1.0.0" >&2
while [ $# -gt 0 ]; do [ "$1" != -o ] || out=$2; shift; done
[ ! -e broken ] || { echo "main.go:1: it is broken" >&2; exit 1; }
printf '#!/bin/sh\necho "built, run in $(basename "$PWD")"\nexit 32\n' >"$out"; chmod +x "$out"; echo built >>builds`)
	p.stub("curl", `echo "no network" >&2; exit 7`)
	return p
}

func (p *project) write(name, text string) {
	p.t.Helper()
	file := filepath.Join(p.folder, name)
	require.NoError(p.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(p.t, os.WriteFile(file, []byte(text), 0o755))
}

func (p *project) stub(name, script string) {
	p.t.Helper()
	require.NoError(p.t, os.MkdirAll(p.bin, 0o755))
	require.NoError(p.t, os.WriteFile(filepath.Join(p.bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
}

// run runs the script, which may be started from anywhere, and gives what it printed, what it said, and its exit code.
func (p *project) run(args ...string) (printed, said string, code int) {
	p.t.Helper()
	command := exec.CommandContext(p.t.Context(), filepath.Join(p.folder, "tools/program.sh"), args...)
	command.Dir = p.t.TempDir()
	command.Env = []string{"PATH=" + p.bin + ":/usr/bin:/bin", "HOME=" + p.cache, "XDG_CACHE_HOME=" + p.cache}
	var out, errs strings.Builder
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out.String(), errs.String(), exit.ExitCode()
	}
	require.NoError(p.t, err)
	return out.String(), errs.String(), 0
}

// kept are the programs in the cache; nothing else may be there.
func (p *project) kept() int {
	entries, err := os.ReadDir(filepath.Join(p.cache, "berth/program"))
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(p.t, err)
	}
	for _, entry := range entries {
		assert.Len(p.t, entry.Name(), sha256.Size*2, "nothing half made stays")
	}
	return len(entries)
}

func (p *project) builds() int {
	text, err := os.ReadFile(filepath.Join(p.folder, "builds"))
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(p.t, err)
	}
	return strings.Count(string(text), "built")
}

// release pins a program of the project's own sources, and has curl bring text.
func (p *project) release(pinned, brought string) {
	p.t.Helper()
	source, _, code := p.run("source_sum")
	require.Zero(p.t, code)
	sum := sha256.Sum256([]byte(pinned))
	platform := runtime.GOOS + "-" + runtime.GOARCH
	p.write("tools/program.txt", "url https://example.com/v1\nsource "+source+platform+" "+hex.EncodeToString(sum[:])+"\n")
	p.write("brought", brought)
	p.stub("curl", `for last; do :; done; echo "$last" >>asked; while [ $# -gt 0 ]; do [ "$1" != --output ] || cp brought "$2"; shift; done`)
}

func TestItIsBuiltOnceForItsSources(t *testing.T) {
	p := newProject(t)
	printed, said, code := p.run()
	assert.Equal(t, "built, run in a checkout\n", printed)
	assert.Equal(t, 32, code, "the program's own exit code, which tells Pulumi that it has said what went wrong")
	assert.Contains(t, said, "no version of these sources was released")
	assert.Contains(t, said, "building the program from its source, once")
	assert.NotContains(t, said, "downloading")

	printed, said, code = p.run()
	assert.Equal(t, "built, run in a checkout\n", printed)
	assert.Equal(t, 32, code)
	assert.Empty(t, said)
	assert.Equal(t, 1, p.builds())

	for _, changed := range []string{"main.go", "go.sum", "internal/a/a.go", "provision/scripts/new.sh", "docs/iam/trust.json"} {
		before := p.builds()
		p.write(changed, "changed")
		p.run()
		assert.Equal(t, before+1, p.builds(), changed)
	}
	before := p.builds()
	for _, other := range []string{"README.md", "internal/a/a_test.go", "provision/testdata/x.sh", "tests/x.go"} {
		p.write(other, "changed")
		p.run()
	}
	assert.Equal(t, before, p.builds(), "what is no part of the program builds nothing")
	assert.Equal(t, 4, p.kept(), "old ones go")
}

func TestAReleasedProgramIsUsed(t *testing.T) {
	const program = "#!/bin/sh\necho released\n"
	p := newProject(t)
	p.release(program, program)
	printed, said, code := p.run()
	assert.Equal(t, "released\n", printed)
	assert.Empty(t, said)
	assert.Zero(t, code)
	p.run()
	asked, err := os.ReadFile(filepath.Join(p.folder, "asked"))
	require.NoError(t, err)
	assert.Equal(t, "https://example.com/v1/berth-"+runtime.GOOS+"-"+runtime.GOARCH+"\n", string(asked), "once, by its platform")
	assert.Zero(t, p.builds())

	p.write("main.go", "changed")
	printed, _, _ = p.run()
	assert.Equal(t, "built, run in a checkout\n", printed, "other sources are another program")
}

func TestWhatIsNotTheReleasedProgramIsNotRun(t *testing.T) {
	for name, brought := range map[string]string{"another": "#!/bin/sh\necho another\n", "half": "#!/bin/sh\n", "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			p.release("#!/bin/sh\necho released\n", brought)
			printed, said, code := p.run()
			assert.Empty(t, printed)
			assert.Contains(t, said, "is not the released program")
			assert.Contains(t, said, "nothing was changed. Fix: ")
			assert.Equal(t, 1, code)
			assert.Zero(t, p.kept())
			assert.Zero(t, p.builds(), "and what was tampered with is no reason to go on in another way")
		})
	}
}

func TestWhatCannotBeFetchedIsBuilt(t *testing.T) {
	for name, prepare := range map[string]func(*project){
		"no network": func(p *project) { p.stub("curl", `echo "no network" >&2; exit 7`) },
		"cut off": func(p *project) {
			p.stub("curl", `while [ $# -gt 0 ]; do [ "$1" != --output ] || echo half >"$2"; shift; done; exit 18`)
		},
		"no program for this platform": func(p *project) {
			text, err := os.ReadFile(filepath.Join(p.folder, "tools/program.txt"))
			require.NoError(p.t, err)
			p.write("tools/program.txt", strings.Replace(string(text), runtime.GOOS+"-", "plan9-", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			p.release("#!/bin/sh\necho released\n", "x")
			prepare(p)
			printed, said, _ := p.run()
			assert.Equal(t, "built, run in a checkout\n", printed)
			assert.Contains(t, said, "released")
			assert.Equal(t, 1, p.kept())
		})
	}
}

func TestWhatDoesNotBuildSaysWhy(t *testing.T) {
	p := newProject(t)
	p.write("broken", "")
	printed, said, code := p.run()
	assert.Empty(t, printed)
	assert.Contains(t, said, "main.go:1: it is broken")
	assert.NotContains(t, said, "downloading")
	assert.Equal(t, 1, code)
	assert.Zero(t, p.kept())
}

// The sum is over everything that Go builds the program from, or a change would not be seen.
func TestTheSumCoversTheSources(t *testing.T) {
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Module,GoFiles,EmbedFiles", ".")
	command.Dir = "../.."
	output, err := command.Output()
	require.NoError(t, err)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	var sources []string
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var listed struct {
			Dir                 string
			Module              *struct{ Main bool }
			GoFiles, EmbedFiles []string
		}
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		if listed.Module == nil || !listed.Module.Main {
			continue
		}
		for _, file := range slices.Concat(listed.GoFiles, listed.EmbedFiles) {
			name, err := filepath.Rel(root, filepath.Join(listed.Dir, file))
			require.NoError(t, err)
			sources = append(sources, name)
		}
	}
	require.Greater(t, len(sources), 100)
	script, err := os.ReadFile("../../tools/program.sh")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(script), "$(find ")
	require.True(t, found)
	roots, rest, found := strings.Cut(rest, " -type f ")
	require.True(t, found)
	require.True(t, strings.HasPrefix(rest, `! -name '*_test.go' ! -path '*/testdata/*'`))
	for _, source := range sources {
		assert.True(t, slices.ContainsFunc(strings.Fields(roots), func(root string) bool {
			return source == root || strings.HasPrefix(source, root+"/")
		}), source)
		assert.NotRegexp(t, `_test\.go$|/testdata/`, source)
	}
}

// Pulumi fails where the file that it is to run is missing, and runs it as it is.
func TestPulumiRunsTheScript(t *testing.T) {
	project, err := os.ReadFile("../../Pulumi.yaml")
	require.NoError(t, err)
	assert.Contains(t, string(project), "\nruntime:\n  name: go\n  options:\n    binary: tools/program.sh\n")
	info, err := os.Stat("../../tools/program.sh")
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o111)
}
