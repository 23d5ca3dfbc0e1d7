package provision

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checked has put_checked write a file where the check refuses the word "bad", or is cut ("cut"). Only files *.conf count.
func checked(t *testing.T, file, content string) (string, error) {
	t.Helper()
	check := `check() { case $(cat ` + filepath.Dir(file) + `/*.conf) in *bad*) echo "line 1: bad" >&2; return 1 ;; *cut*) kill -KILL $$ ;; esac; }`
	put := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", "source scripts/lib.sh; umask 077; "+check+"; put_checked "+file+" sshd check <<<"+content)
	output, err := put.CombinedOutput()
	return string(output), err
}

// TestWhatIsRefusedIsPutBack writes what the program refuses over what it took, where nothing was, and after a run that was cut.
func TestWhatIsRefusedIsPutBack(t *testing.T) {
	for name, test := range map[string]struct {
		contents []string
		want     string
	}{
		"nothing, then bad":           {[]string{"bad"}, ""},
		"good, then bad":              {[]string{"good", "bad"}, "good"},
		"good, then better":           {[]string{"good", "better"}, "better"},
		"good, bad twice":             {[]string{"good", "bad", "bad"}, "good"},
		"good, cut, then bad":         {[]string{"good", "cut", "bad"}, "good"},
		"good, cut twice, then bad":   {[]string{"good", "cut", "cut", "bad"}, "good"},
		"good, cut, then better":      {[]string{"good", "cut", "better"}, "better"},
		"good, bad, better, then bad": {[]string{"good", "bad", "better", "bad"}, "better"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			file := filepath.Join(folder, "10-berth.conf")
			for _, content := range test.contents {
				output, err := checked(t, file, content)
				switch content {
				case "bad":
					require.Error(t, err)
					assert.Contains(t, output, "line 1: bad")
					assert.Contains(t, output, "sshd refuses its configuration")
					if test.want == "" {
						assert.Contains(t, output, "the file, which was not there before, is removed")
					} else {
						assert.Contains(t, output, "the previous file is back")
					}
				case "cut":
					require.Error(t, err)
				default:
					require.NoErrorf(t, err, "%s", output)
				}
			}
			left, err := os.ReadDir(folder)
			require.NoError(t, err)
			if test.want == "" {
				assert.Empty(t, left)
				return
			}
			assert.Len(t, left, 1, "nothing but the file is left")
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, test.want+"\n", string(text))
		})
	}
}

// TestFoldersInEtcHaveTheSystemsModes has put make folders with the umask of the steps: in /etc for every reader, elsewhere not.
func TestFoldersInEtcHaveTheSystemsModes(t *testing.T) {
	output := inNamespace(t, nil, `
mount -t tmpfs -o mode=0755 tmpfs /etc; mount -t tmpfs -o mode=0755 tmpfs /opt
source scripts/lib.sh
for mask in 077 027 022; do
  umask "$mask"
  put "/etc/$mask/journald.conf.d/berth.conf" 0644 <<<x
  put "/opt/$mask/files/secret" 0600 <<<x
  [ "$(umask)" = "0$mask" ]
done
stat --format '%a %n' /etc/*/ /etc/*/*/ /etc/*/*/* /opt/077 /opt/077/files /opt/077/files/secret`)
	var want []string
	for _, mask := range []string{"022", "027", "077"} {
		want = append(want, fmt.Sprintf("755 /etc/%s/", mask))
	}
	for _, mask := range []string{"022", "027", "077"} {
		want = append(want, fmt.Sprintf("755 /etc/%s/journald.conf.d/", mask))
	}
	for _, mask := range []string{"022", "027", "077"} {
		want = append(want, fmt.Sprintf("644 /etc/%s/journald.conf.d/berth.conf", mask))
	}
	assert.Equal(t, append(want, "700 /opt/077", "700 /opt/077/files", "600 /opt/077/files/secret"), strings.Split(strings.TrimSpace(output), "\n"))
}

// inNamespace runs a script, as root, with mounts of its own.
func inNamespace(t *testing.T, env []string, script string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounts take root; run: sudo -E env PATH=$PATH go test ./provision")
	}
	command := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "bash", "-euo", "pipefail", "-c", script)
	command.Env = append(os.Environ(), env...)
	output, err := command.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	return string(output)
}
