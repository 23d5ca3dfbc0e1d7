package volume

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/report"
)

// TestACommandThatFailsLosesNothing has each command of the step fail, and print nothing, where a damaged file system is on the
// volume: the step ends with an error and changes nothing.
func TestACommandThatFailsLosesNothing(t *testing.T) {
	needRoot(t)
	d := ours(t)
	d.flip(superblock + 4)
	before, ran := d.content(), 0
	for _, command := range commands {
		for how, script := range map[string]string{"fails": "exit 1", "prints nothing": "exit 0"} {
			output, err := newServer(t).with(command, script).step(d)
			require.Errorf(t, err, "%s %s: %s", command, how, output)
			require.Equalf(t, before, d.content(), "%s %s: %s", command, how, output)
			ran++
		}
	}
	report.Add(t, "Data", "A command of the volume step fails or prints nothing, with a damaged file system on the volume", fmt.Sprintf("%d tried, %d failed closed, nothing changed", ran, ran))
}

// TestGrowRefusesWithoutStoppingAnything has a volume that grew, and a resize2fs that fails.
func TestGrowRefusesWithoutStoppingAnything(t *testing.T) {
	needRoot(t)
	d, s := ours(t), newServer(t)
	require.NoError(t, os.Truncate(d.image, size+size/2))
	run(t, "losetup", "--set-capacity", d.device)
	s.gib = 3
	output, err := s.with("resize2fs", `echo "resize2fs: No space left on device While trying to add group #16" >&2; exit 1`).step(d)
	require.Errorf(t, err, "%s", output)
	assert.Contains(t, output, "While trying to add group #16")
	assert.Contains(t, output, "nothing was stopped")
	d.whole()
	output, err = s.with("resize2fs", `echo "$2" >/tmp/asked; exit 0`).step(d)
	require.NoErrorf(t, err, "%s", output)
	asked, err := os.ReadFile(s.root + "/tmp/asked")
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("%dK\n", (size+size/2)/1024-1024), string(asked), "up to the last MiB")
}
