package provision

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestThereAreAlwaysScripts installs them again and again, whole, broken and cut, while somebody looks, in an /opt of its own.
func TestThereAreAlwaysScripts(t *testing.T) {
	archive, err := bundle()
	require.NoError(t, err)
	folder := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o755))
	}
	write("archive", archive)
	write("half", archive[:len(archive)/2])
	// sudo -n, without sudo.
	write("sudo", "#!/bin/sh\nshift\nexec \"$@\"\n")
	// A cut ends everything at once; the shell that runs tar is what would clean up.
	write("tar.cut", "#!/bin/sh\n/bin/tar \"$@\"\nrm \"${0%/*}/tar\"\nkill -KILL $PPID\n")
	output := inNamespace(t, []string{"FOLDER=" + folder, "PATH=" + folder + ":" + os.Getenv("PATH")}, `
mount -t tmpfs -o mode=0755 tmpfs /opt
install_from() { sh -c "$(cat scripts/install.sh)" <"$FOLDER/$1" 2>&1; }
same() { diff --recursive --exclude=scripts.go scripts /opt/berth/; }
versions() { find /opt/berth.versions -mindepth 1 -maxdepth 1 | wc -l; }

install_from archive; same
first=$(readlink /opt/berth)
[ "$(stat --format '%a %U' -L /opt/berth /opt/berth/steps /opt/berth/lib.sh | sort -u)" = '755 root' ]

# Who looks all the time always finds them.
: >"$FOLDER/looking"
(looks=0; while [ -e "$FOLDER/looking" ]; do [ -r /opt/berth/lib.sh ] && [ -r /opt/berth/steps/volume.sh ] || echo MISSING; looks=$((looks + 1)); done; [ "$looks" -gt 100 ] || echo "only $looks looks") &
for i in 1 2 3 4 5; do install_from archive; done
rm "$FOLDER/looking"; wait
same; [ -d "$first" ] || echo "what may still run is gone"

echo broken:
before=$(readlink /opt/berth); count=$(versions)
if install_from half; then echo INSTALLED; fi
[ "$before" = "$(readlink /opt/berth)" ]; [ "$count" = "$(versions)" ]; same

echo cut:
mv "$FOLDER/tar.cut" "$FOLDER/tar"
if install_from archive; then echo INSTALLED; fi
[ "$before" = "$(readlink /opt/berth)" ]; same
ln -s nowhere /opt/berth.new
install_from archive; same; [ ! -L /opt/berth.new ]

echo old:
before=$(readlink /opt/berth)
find /opt/berth.versions -mindepth 1 -maxdepth 1 -exec touch --date '2 days ago' {} +
install_from archive; same
[ "$(versions)" = 2 ]; [ -d "$before" ]

echo folder:
rm /opt/berth; mkdir /opt/berth; : >/opt/berth/kept
if install_from archive; then echo INSTALLED; fi
[ -e /opt/berth/kept ]
`)
	assert.NotContains(t, output, "MISSING")
	assert.NotContains(t, output, "INSTALLED")
	assert.NotContains(t, output, "only ")
	assert.NotContains(t, output, "is gone")
	assert.Contains(t, output, "so those of before stay")
	assert.Contains(t, output, "/opt/berth is not a link [scripts-folder-in-the-way]; move it away: sudo mv /opt/berth /opt/berth.before")
}
