package provision

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hosted is a server with a repository that it releases from.
type hosted struct {
	*rebooted
	repository string
}

func newHosted(t *testing.T) *hosted {
	t.Helper()
	h := &hosted{rebooted: newRebooted(t)}
	h.repository = filepath.Join(h.dir, "repository")
	require.NoError(t, os.MkdirAll(h.repository, 0o755))
	h.git("init", "--quiet", "--initial-branch", "main")
	return h
}

func (h *hosted) git(args ...string) string {
	h.t.Helper()
	output, err := exec.CommandContext(h.t.Context(), "git", append([]string{"-C", h.repository, "-c", "user.name=T", "-c", "user.email=t@example.test"}, args...)...).CombinedOutput()
	require.NoErrorf(h.t, err, "%s", output)
	return strings.TrimSpace(string(output))
}

func (h *hosted) commit(files map[string]string) string {
	h.t.Helper()
	for name, text := range files {
		path := filepath.Join(h.repository, name)
		require.NoError(h.t, os.MkdirAll(filepath.Dir(path), 0o755))
		if target, isLink := strings.CutPrefix(text, "-> "); isLink {
			require.NoError(h.t, os.Symlink(target, path))
		} else {
			require.NoError(h.t, os.WriteFile(path, []byte(text), 0o644))
		}
	}
	h.git("add", "--all")
	h.git("commit", "--quiet", "--allow-empty", "--message", "files")
	return h.git("rev-parse", "HEAD")
}

// deploy runs shell among the functions of deploy.sh, for a commit.
func (h *hosted) deploy(commit, shell string) (string, error) {
	h.t.Helper()
	return h.source("deploy.sh", fmt.Sprintf("umask 077; REPOSITORY=%s COMMIT=%s COMPOSE_FILE=compose.yaml APP='{\"allow\":[]}'\n%s", h.repository, commit, shell))
}

// TestKeptFilesComeOutOfTheCommit, whatever a container made of the checkout meanwhile, and are no links.
func TestKeptFilesComeOutOfTheCommit(t *testing.T) {
	h := newHosted(t)
	secret := filepath.Join(h.dir, "secret")
	require.NoError(t, os.MkdirAll(secret, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(secret, "a"), []byte("the server's"), 0o600))
	h.commit(map[string]string{"conf/a": "committed\n", "conf/deeper/b": "b\n", "conf/.env.development": "x\n", "other": "one\n", "run.sh": "#!/bin/sh\n", "compose.yaml": "services: {}\n"})
	h.git("update-index", "--chmod=+x", "run.sh")
	h.git("commit", "--quiet", "--message", "executable")
	commit := h.git("rev-parse", "HEAD")
	hash := func(path string) string { return h.git("rev-parse", commit+":"+path) }
	folder := filepath.Join(h.data, "releases", "new")
	var files []string
	for _, path := range []string{"conf", "conf/a", "run.sh", "other"} {
		files = append(files, fmt.Sprintf(`{"source":"%s/source/%s","hash":"%s"}`, folder, path, hash(path)))
	}
	h.write("data/releases/new/plan.json", `{"files":[`+strings.Join(files, ",")+`]}`)
	// What a release before this one left, by links of a commit.
	require.NoError(t, os.MkdirAll(filepath.Join(h.data, "files"), 0o755))
	require.NoError(t, os.Symlink(secret, filepath.Join(h.data, "files", hash("conf"))))
	require.NoError(t, os.Symlink(filepath.Join(secret, "absent"), filepath.Join(h.data, "files", hash("other"))))
	require.NoError(t, os.Symlink(secret, filepath.Join(h.data, "files", hash("run.sh")+".new")))
	said, err := h.deploy(commit, fmt.Sprintf(`fetch; check_out %[1]s/source; rm -rf %[1]s/source/conf %[1]s/source/other; ln -s %[2]s %[1]s/source/conf; ln -s %[2]s/a %[1]s/source/other; keep_files %[1]s; keep_files %[1]s`, folder, secret))
	require.NoError(t, err, said)
	for path, want := range map[string]string{hash("conf") + "/a": "committed\n", hash("conf") + "/deeper/b": "b\n", hash("conf/a"): "committed\n", hash("other"): "one\n", hash("run.sh"): "#!/bin/sh\n"} {
		text, err := os.ReadFile(filepath.Join(h.data, "files", path))
		require.NoError(t, err, path)
		assert.Equal(t, want, string(text), path)
	}
	count := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(h.data, "files"), func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		assert.True(t, entry.IsDir() || entry.Type().IsRegular(), path)
		assert.NotZero(t, info.Mode().Perm()&0o044, "%s: its container's user reads it", path)
		assert.NotContains(t, path, ".env.development")
		count++
		return nil
	}))
	assert.Equal(t, 8, count, "nothing is left beside them")
	info, err := os.Stat(filepath.Join(h.data, "files", hash("run.sh")))
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o111)
	left, err := os.ReadDir(secret)
	require.NoError(t, err)
	assert.Len(t, left, 1)
}

// TestAHugeCommitIsRefusedBeforeItIsWritten, whichever way it is huge, and a repository whose pack is.
func TestAHugeCommitIsRefusedBeforeItIsWritten(t *testing.T) {
	h := newHosted(t)
	small := h.commit(map[string]string{"a": "x"})
	many := map[string]string{}
	for i := range 200 {
		many[fmt.Sprintf("many/%d", i)] = "x"
	}
	files := h.commit(many)
	h.git("rm", "--quiet", "-r", "many")
	// Zeros are nothing to send and all there on a disk.
	zeros := h.commit(map[string]string{"zeros": strings.Repeat("\x00", 40<<20)})
	h.git("rm", "--quiet", "zeros")
	// Folders that hold one another ten times, twelve deep: 10^12 files of some kilobytes.
	tree := func(entry string) string {
		command := exec.CommandContext(t.Context(), "git", "-C", h.repository, "mktree")
		var list strings.Builder
		for i := range 10 {
			fmt.Fprintf(&list, "%s\t%d\n", entry, i)
		}
		command.Stdin = strings.NewReader(list.String())
		hash, err := command.Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(hash))
	}
	last := tree("100644 blob " + h.git("rev-parse", small+":a"))
	for range 11 {
		last = tree("040000 tree " + last)
	}
	bomb := h.git("commit-tree", "-m", "bomb", "-p", small, last)
	h.git("branch", "bomb", bomb)
	const room = `free_mib() { echo 60; }; df() { printf 'IFree\n  300\n'; }; `
	for name, test := range map[string]struct{ commit, shell, says string }{
		"fits":                   {small, room + "fits; echo fits", "(?m)^fits$"},
		"too many files":         {files, room + "fits", `has 151 files or more.*may take half of what is free on .*: 150 files of 30 MiB \[commit-too-large\]; nothing of it was written; Fix: `},
		"too large":              {zeros, room + "fits", `of 40 MiB or more`},
		"a bomb":                 {bomb, room + "fits", `has 151 files or more`},
		"a bomb, no inode table": {bomb, `free_mib() { echo 60; }; df() { printf 'IFree\n  0\n'; }; fits`, `of 30 MiB or more`},
		"git ends in the middle": {files, room + `git_mirror() { command git --git-dir "$MIRROR" "$@" | head -n 3; return 1; }; fits`, `failed or printed nothing`},
		"git prints nothing":     {files, room + `git_mirror() { :; }; fits`, `nothing is done on a guess`},
		"nothing is free":        {small, `free_mib() { echo 0; }; fits`, `may take half of what is free`},
	} {
		said, err := h.deploy(test.commit, "fetch >/dev/null; "+test.shell)
		assert.Equal(t, test.says == "(?m)^fits$", err == nil, "%s: %s", name, said)
		assert.Regexp(t, test.says, said, name)
	}

	random := make([]byte, 3<<20)
	source, err := os.Open("/dev/urandom")
	require.NoError(t, err)
	_, err = source.Read(random)
	require.NoError(t, err)
	require.NoError(t, source.Close())
	heavy := h.commit(map[string]string{"heavy": string(random)})
	for free, want := range map[string]string{"4": "takes more than 2 MiB, half of the 4 MiB that are free on .*, and was removed again \\[repository-too-large\\]; Fix: take large files out", "100": "^there\n$"} {
		require.NoError(t, os.RemoveAll(filepath.Join(h.data, "app.git")))
		said, err := h.deploy(heavy, "free_mib() { echo "+free+"; }; fetch >&2; echo there")
		assert.Equal(t, free == "100", err == nil, said)
		assert.Regexp(t, want, strings.ReplaceAll(said, "bash: fetching "+h.repository+"\n", ""), said)
		var size int64
		require.NoError(t, filepath.WalkDir(filepath.Join(h.data, "app.git"), func(path string, entry fs.DirEntry, err error) error {
			require.NoError(t, err)
			info, err := entry.Info()
			require.NoError(t, err)
			size += info.Size()
			return nil
		}))
		if free == "4" {
			assert.Less(t, size, int64(1<<20), "nothing of it is left")
		}
	}
}

// TestNoContainersLinkIsMounted: Docker would follow it as root.
func TestNoContainersLinkIsMounted(t *testing.T) {
	for name, test := range map[string]struct{ mounts, prepare, says string }{
		"nothing is there":                {"uploads a/b/c", "", ""},
		"folders, a file":                 {"uploads a/b", "mkdir -p a/b; touch uploads", ""},
		"a link":                          {"uploads", "ln -s /etc uploads", "/data/binds/uploads is a symbolic link, which a container of the app made"},
		"a link without a target":         {"uploads", "ln -s /etc/absent uploads", "/data/binds/uploads is a symbolic link"},
		"a link on the way":               {"a/b/c", "mkdir a; ln -s /etc a/b", "/data/binds/a/b is a symbolic link"},
		"a link to a folder of the app's": {"a/b", "mkdir -p c a; ln -s ../c a/b", "/data/binds/a/b is a symbolic link"},
	} {
		h := newHosted(t)
		binds := filepath.Join(h.data, "binds")
		var volumes []string
		for _, mount := range strings.Fields(test.mounts) {
			volumes = append(volumes, fmt.Sprintf(`{"type":"bind","source":"%s/%s"}`, binds, mount))
		}
		h.write("data/releases/new/app.json", `{"services":{"web":{}}}`)
		h.write("data/releases/new/data.json", `{"services":{"db":{"volumes":[{"type":"volume","source":"v"},`+strings.Join(volumes, ",")+`]}}}`)
		said, err := h.deploy("c0ffee", fmt.Sprintf("mkdir -p %[1]s; (cd %[1]s; %[2]s); prepare_binds new", binds, test.prepare))
		if test.says == "" {
			require.NoError(t, err, "%s: %s", name, said)
			for _, mount := range strings.Fields(test.mounts) {
				_, err := os.Stat(filepath.Join(binds, mount))
				assert.NoError(t, err, name)
			}
			continue
		}
		require.Error(t, err, name)
		assert.Contains(t, said, test.says, name)
		assert.Contains(t, said, "nothing was started", name)
	}
}

// TestABuildsEnvironmentIsOurs: nothing of root's and nothing that the repository names is in it, or among the arguments; the
// values are in a file that root alone reads, and which is gone afterwards.
func TestABuildsEnvironmentIsOurs(t *testing.T) {
	for name, code := range map[string]string{"built": "0", "failed": "7"} {
		h := newHosted(t)
		h.write("data/releases/new/.env.production", "OTHER='no'\nNPM_TOKEN=\"it's \\\\ \\\"secret\\\" \\$1\"\n")
		h.write("data/releases/new/plan.json", `{"app":{"secrets":{"npm":{"environment":"NPM_TOKEN"}}},"builds":[{"services":["web"],"build":{"context":"/src","secrets":[{"source":"npm"}],"args":{
		  "GREETING":"it's $$5","GIT_SSH_COMMAND":"touch pwned","LD_PRELOAD":"/src/evil.so","HTTPS_PROXY":"x","HOME":"/src","PATH":"/src","DOCKER_HOST":"tcp://x"}}}]}`)
		script := filepath.Join(h.dir, "scripts", "release", "images.sh")
		text, err := os.ReadFile(script)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(script, []byte(strings.Replace(string(text), "/usr/bin/docker", "\"$DIR/bin/told\"", 1)), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(h.dir, "bin", "told"), []byte("#!/bin/bash\nprintf '%s\\n' \"$@\" >'"+h.dir+"/arguments'\ntr '\\0' '\\n' </proc/$$/environ >'"+h.dir+
			"/environment'\nstat --format %a '"+h.data+"/releases/new/build.json' >'"+h.dir+"/mode'\n(stat --format %a '"+h.data+"/releases/new/build-secrets/npm'; cat '"+h.data+"/releases/new/build-secrets/npm') >'"+h.dir+"/secret'\nexit "+code+"\n"), 0o755))
		said, err := h.deploy("c0ffee", "export GIT_DIR=/nowhere SECRET_OF_ROOT=1 LD_LIBRARY_PATH=/nowhere; code=0; build "+h.data+"/releases/new 0 image key || code=$?; echo \"code $code\"")
		require.NoError(t, err, said)
		assert.Contains(t, said, "code "+code, name)
		read := func(name string) string {
			content, err := os.ReadFile(filepath.Join(h.dir, name))
			require.NoError(t, err)
			return strings.TrimSpace(string(content))
		}
		assert.ElementsMatch(t, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "BUILDX_GIT_INFO=false", "BUILDKIT_PROGRESS=plain"}, strings.Split(read("environment"), "\n"), name)
		assert.Equal(t, "compose --env-file /dev/null --file "+h.data+"/releases/new/build.json build build", strings.ReplaceAll(read("arguments"), "\n", " "), name)
		assert.Equal(t, "600", read("mode"), name)
		assert.Equal(t, "600\nit's \\ \"secret\" $1", read("secret"), name)
		assert.NoFileExists(t, filepath.Join(h.data, "releases", "new", "build.json"), name)
		assert.NoDirExists(t, filepath.Join(h.data, "releases", "new", "build-secrets"), name)
	}
}
