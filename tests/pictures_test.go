package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"al.essio.dev/pkg/shellescape"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// TestPictures makes the pictures of README and docs from a rehearsal: a recording of the first run, the preview of a
// change as its reviewer sees it, the page, and the status page. Run it with make pictures.
func TestPictures(t *testing.T) {
	folder := os.Getenv("BERTH_PICTURES")
	if folder == "" {
		t.Skip("it draws rather than tests; run it with: make pictures")
	}
	r := harness.New(t, "berth-pictures")
	sample := r.App
	r.App = filepath.Join(t.TempDir(), "app")
	require.NoError(t, os.CopyFS(r.App, os.DirFS(sample)))
	first := filepath.Join(t.TempDir(), "first.svg")
	// A frame of the recording is shown for a sixth of a second at the most: builds and waits are passed over.
	terminal(t, 100, 32, fmt.Sprintf("termtosvg %s -g 100x32 -m 100 -M 170 -D 6000 -c %s", first, shellescape.Quote(shellescape.QuoteCommand(r.Command("up")))))
	keep(t, first, filepath.Join(folder, "rehearsal.svg"))

	address := r.Account().Only("aws:ec2/eip:Eip").Output("publicIp")
	harness.NewSite(t, address, r.File("root.pem")).Write("Rehearsed before it was real")
	look(t, address, r.File("root.pem"), "https://"+harness.Domain+"/", "Rehearsed before it was real", filepath.Join(folder, "page.png"))

	status := filepath.Join(t.TempDir(), "status.html")
	require.NoError(t, os.WriteFile(status, []byte(r.SSH("sudo /opt/berth/status.sh --html")), 0o600))
	open(t, "file://"+status, 1000, filepath.Join(folder, "status.png"))

	r.Commit(map[string]string{"web/style.css": string(read(t, filepath.Join(r.App, "web", "style.css"))) + "\nmain { max-width: 60rem; }\n"})
	said := terminal(t, 120, 100, shellescape.QuoteCommand(r.Command("preview", "--set", "instanceType=t3.small", "--set", "volumeSize=40")))
	text := filepath.Join(t.TempDir(), "preview.txt")
	require.NoError(t, os.WriteFile(text, []byte(said), 0o600))
	frames := t.TempDir()
	rows := strings.Count(said, "\n") + 1
	terminal(t, 120, rows, fmt.Sprintf("termtosvg %s -s -g 120x%d -c %s", frames, rows, shellescape.Quote("cat "+text)))
	all, err := filepath.Glob(filepath.Join(frames, "*.svg"))
	require.NoError(t, err)
	require.NotEmpty(t, all)
	keep(t, slices.Max(all), filepath.Join(folder, "preview.svg"))
}

// terminal runs a command in a terminal of its own and gives what it printed there.
func terminal(t *testing.T, columns, rows int, command string) string {
	t.Helper()
	run := exec.CommandContext(t.Context(), "script", "--quiet", "--return", "--command", fmt.Sprintf("stty cols %d rows %d; %s", columns, rows, command), "/dev/null")
	run.Env = append(os.Environ(), "TERM=xterm-256color")
	output, err := run.CombinedOutput()
	require.NoErrorf(t, err, "%s:\n%s", command, output)
	return string(output)
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return text
}

func keep(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, os.WriteFile(to, read(t, from), 0o644))
}
