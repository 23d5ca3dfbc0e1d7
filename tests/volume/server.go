// Package volume runs the volume step, as it is, against block devices in every state that a data volume can be in.
package volume

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const (
	id = "vol-0123"
	// size of a volume: small, and with several of ext4's copies of its superblock. It is a sparse file.
	size = 2 << 30
	mib  = 1 << 20
)

// commands are all that the step calls: nothing else is in its PATH.
var commands = []string{
	"awk", "blockdev", "cat", "chmod", "cut", "date", "dd", "df", "dirname", "dumpe2fs", "find", "findmnt", "grep", "mkdir", "mkfs.ext4", "mountpoint",
	"mv", "perl", "resize2fs", "rm", "sleep", "sort", "sync", "systemctl", "tail", "timeout", "touch", "tr", "wipefs",
}

// disk is a volume: a file that a loop device presents.
type disk struct {
	t      *testing.T
	image  string
	device string
}

func newDisk(t *testing.T, bytes int64, options ...string) *disk {
	t.Helper()
	d := &disk{t: t, image: filepath.Join(t.TempDir(), "volume.img")}
	require.NoError(t, os.WriteFile(d.image, nil, 0o600))
	require.NoError(t, os.Truncate(d.image, bytes))
	d.attach(options...)
	return d
}

// attach presents the file.
func (d *disk) attach(options ...string) {
	d.t.Helper()
	said := strings.Fields(run(d.t, "losetup", append(options, "--find", "--show", d.image)...))
	// A warning may come before it.
	d.device = said[len(said)-1]
	d.t.Cleanup(func() {
		// Another test's volume may have the device by now.
		if d.device != "" {
			d.detach()
		}
	})
}

// detach lets go of the device and hands back the file as it was written.
func (d *disk) detach() {
	d.t.Helper()
	output, err := exec.Command(located(d.t, "losetup"), "--detach", d.device).CombinedOutput()
	require.NoErrorf(d.t, err, "%s", output)
	d.device = ""
}

// write puts bytes at an offset of the device.
func (d *disk) write(at int64, content []byte) {
	d.t.Helper()
	file, err := os.OpenFile(d.device, os.O_RDWR|os.O_SYNC, 0)
	require.NoError(d.t, err)
	_, err = file.WriteAt(content, at)
	require.NoError(d.t, errors.Join(err, file.Close()))
}

func (d *disk) read(at int64, count int) []byte {
	d.t.Helper()
	file, err := os.Open(d.device)
	require.NoError(d.t, err)
	content := make([]byte, count)
	_, err = file.ReadAt(content, at)
	require.NoError(d.t, errors.Join(err, file.Close()))
	return content
}

// flip changes one bit of the byte at an offset.
func (d *disk) flip(at int64) {
	d.t.Helper()
	d.write(at, []byte{d.read(at, 1)[0] ^ 0x10})
}

// mount mounts the device by hand, has use do something in it, and unmounts it.
func (d *disk) mount(use func(folder string)) {
	d.t.Helper()
	folder := d.t.TempDir()
	run(d.t, "mount", d.device, folder)
	use(folder)
	run(d.t, "umount", folder)
}

// content is a hash of everything on the volume that is not zero.
func (d *disk) content() string {
	d.t.Helper()
	run(d.t, "blockdev", "--flushbufs", d.device)
	file, err := os.Open(d.image)
	require.NoError(d.t, err)
	defer func() { require.NoError(d.t, file.Close()) }()
	sum, zero, block := sha256.New(), make([]byte, 4096), make([]byte, 4096)
	for at := int64(0); ; {
		if at, err = unix.Seek(int(file.Fd()), at, unix.SEEK_DATA); errors.Is(err, unix.ENXIO) {
			return fmt.Sprintf("%x", sum.Sum(nil))
		}
		require.NoError(d.t, err)
		count, err := file.ReadAt(block, at)
		if !errors.Is(err, io.EOF) {
			require.NoError(d.t, err)
		}
		if !bytes.Equal(block[:count], zero[:count]) {
			fmt.Fprintf(sum, "%d\n", at)
			sum.Write(block[:count])
		}
		at += int64(count)
	}
}

// server is the root of a server that the volume is attached to, with stand-ins for some commands.
type server struct {
	t        *testing.T
	root     string
	standins map[string]string
	gib      int
	// local are disks of the server itself.
	local []*disk
}

func newServer(t *testing.T) *server {
	t.Helper()
	systemctl, err := os.ReadFile("systemctl.sh")
	require.NoError(t, err)
	return &server{t: t, root: t.TempDir(), gib: size >> 30, standins: map[string]string{"systemctl": string(systemctl)}}
}

// with is the same server with a stand-in for a command.
func (s *server) with(command, script string) *server {
	changed := *s
	changed.standins = map[string]string{command: "#!/bin/bash\nPATH=/usr/sbin:/usr/bin\n" + script + "\n"}
	for name, script := range s.standins {
		if name != command {
			changed.standins[name] = script
		}
	}
	return &changed
}

// path makes the folder of all commands that the step has.
func (s *server) path() string {
	s.t.Helper()
	folder := s.t.TempDir()
	for _, command := range commands {
		if script, ok := s.standins[command]; ok {
			require.NoError(s.t, os.WriteFile(filepath.Join(folder, command), []byte(script), 0o755))
			continue
		}
		require.NoError(s.t, os.Symlink(located(s.t, command), filepath.Join(folder, command)))
	}
	return folder
}

// step runs the volume step; its output is what it says and what its commands print.
func (s *server) step(d *disk) (string, error) {
	s.t.Helper()
	scripts, err := filepath.Abs("../../provision/scripts")
	require.NoError(s.t, err)
	args := []string{"--mount", "--propagation", "private", "bash", "step.sh", s.root, d.device, s.path(), scripts}
	for _, local := range s.local {
		args = append(args, local.device)
	}
	command := exec.CommandContext(s.t.Context(), "unshare", args...)
	command.Stdin = strings.NewReader(fmt.Sprintf(`{"VOLUME_ID":"%s","VOLUME_SIZE":%d}`, id, s.gib))
	output, err := command.CombinedOutput()
	return string(output), err
}

// located is a command's path, also where an ordinary user's PATH lacks it.
func located(t *testing.T, command string) string {
	t.Helper()
	for _, folder := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if path := filepath.Join(folder, command); unix.Access(path, unix.X_OK) == nil {
			return path
		}
	}
	t.Fatalf("there is no %s on this machine; run: tools/machine.sh test", command)
	return ""
}

func run(t *testing.T, command string, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), located(t, command), args...).CombinedOutput()
	require.NoErrorf(t, err, "%s %v: %s", command, args, output)
	return string(output)
}
