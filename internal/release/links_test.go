package release

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// link commits symbolic links, by their paths.
func (s *source) link(links map[string]string) {
	s.t.Helper()
	for path, target := range links {
		require.NoError(s.t, os.MkdirAll(filepath.Dir(filepath.Join(s.folder, path)), 0o755))
		require.NoError(s.t, os.Symlink(target, filepath.Join(s.folder, path)))
	}
}

// TestNoCommittedLinkIsMountedOrBuiltFrom, whatever its target and its place in the path.
func TestNoCommittedLinkIsMountedOrBuiltFrom(t *testing.T) {
	const says = "is a symbolic link there [path-through-link]; Fix: commit the file or folder itself at that path, or name the target of the link"
	s := newSource(t)
	s.link(map[string]string{"absolute": "/etc", "inside": "conf", "file": "conf/a", "dangling": "nowhere", "deep/er/link": "../../conf",
		"web/Dockerfile": "../conf/Dockerfile", "ignores/.dockerignore": "/etc/passwd"})
	s.commit("files", map[string]string{"conf/a": "x", "conf/Dockerfile": "FROM scratch\n", "ignores/Dockerfile": "FROM scratch\n", ".env.example": ""})
	service := func(lines string) string {
		return "services:\n  web:\n    image: \"x:1\"\n    restart: always\n    healthcheck: {test: [CMD, \"true\"]}\n    " + lines + "\n"
	}
	cases := []string{
		service("volumes: [\"./inside:/x:ro\"]"), service("volumes: [{type: bind, source: ./conf/../deep/er/link/still, target: /x}]"), service("build: {context: ., dockerfile: file}"),
		service("build: {context: ./conf, additional_contexts: {more: ./absolute}}"), service("secrets: [s]") + "secrets: {s: {file: ./dangling}}\n",
		service("build: web"), service("build: ignores"),
	}
	for _, text := range cases {
		_, err := Make(t.Context(), s.cfg, s.repo, s.commit("compose", map[string]string{"compose.yaml": text}))
		require.ErrorContains(t, err, says, text)
		s.cfg.Allow = []string{"host-mounts"}
		_, err = Make(t.Context(), s.cfg, s.repo, s.git("rev-parse", "HEAD"))
		require.ErrorContains(t, err, says, "what may be mounted of the server says nothing of links: %s", text)
		s.cfg.Allow = nil
	}
}

// TestWhatIsKeptHoldsNoLink: the copies of committed files that persistent services mount outlive the release.
func TestWhatIsKeptHoldsNoLink(t *testing.T) {
	s := newSource(t)
	s.link(map[string]string{"conf/enabled/a": "../available/a"})
	compose := func(lines string) string {
		return "services:\n  web:\n    image: \"x:1\"\n    restart: always\n    volumes: [\"./conf:/conf:ro\"]\n    " + lines + "\n"
	}
	sha := s.commit("stateless", map[string]string{"conf/available/a": "x", "confidential": "x", "compose.yaml": compose("")})
	_, err := Make(t.Context(), s.cfg, s.repo, sha)
	require.NoError(t, err, "it goes with the release, and a link in it leads where the container is")
	sha = s.commit("stateful", map[string]string{"compose.yaml": compose("labels: {berth.stateful: \"true\"}")})
	_, err = Make(t.Context(), s.cfg, s.repo, sha)
	require.ErrorContains(t, err, "the folder conf, which a persistent service mounts, holds the symbolic link conf/enabled/a [link-in-persistent-files]; Fix: ")
	sha = s.commit("all of it", map[string]string{"compose.yaml": strings.Replace(compose("labels: {berth.stateful: \"true\"}"), "./conf", ".", 1)})
	_, err = Make(t.Context(), s.cfg, s.repo, sha)
	require.ErrorContains(t, err, "the folder ., which a persistent service mounts, holds the symbolic link conf/enabled/a")
	sha = s.commit("written to", map[string]string{"compose.yaml": strings.Replace(compose("labels: {berth.stateful: \"true\"}"), "./conf:/conf:ro", "./conf/enabled:/conf", 1)})
	_, err = Make(t.Context(), s.cfg, s.repo, sha)
	require.ErrorContains(t, err, "the folder conf/enabled, which a persistent service mounts, holds the symbolic link conf/enabled/a")
	s.link(map[string]string{"out/link": "/etc"})
	sha = s.commit("out of the checkout", map[string]string{"compose.yaml": strings.Replace(compose("labels: {berth.stateful: \"true\"}"), "./conf:/conf:ro", "./out:/conf", 1)})
	_, err = Make(t.Context(), s.cfg, s.repo, sha)
	require.ErrorContains(t, err, "the folder out, which a persistent service mounts, holds the symbolic link out/link")
	sha = s.commit("beside it", map[string]string{"compose.yaml": strings.Replace(compose("labels: {berth.stateful: \"true\"}"), "./conf", "./conf/available", 1)})
	_, err = Make(t.Context(), s.cfg, s.repo, sha)
	require.NoError(t, err)
}

// TestFilesWithLabelsComeFromTheCommit, as env files do.
func TestFilesWithLabelsComeFromTheCommit(t *testing.T) {
	s := newSource(t)
	for file, says := range map[string]string{
		"/etc/labels": "service web reads /etc/labels of the server", "../../labels": "service web reads ../labels, which is outside the repository", "~/labels": "service web reads /root/labels of the server",
	} {
		sha := s.commit("labels", map[string]string{"compose.yaml": "services: {web: {image: \"x:1\", label_file: \"" + file + "\"}}\n"})
		_, err := Make(t.Context(), s.cfg, s.repo, sha)
		require.ErrorContains(t, err, says)
	}
}
