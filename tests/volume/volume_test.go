package volume

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/report"
)

// superblock is where ext has its own.
const superblock = 1024

// tried counts what the tests did with volumes.
var tried, formatted, refused, used atomic.Int32

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("loop devices and mounts take root; run: sudo -E env PATH=$PATH go test ./volume")
	}
}

// refuses has the step refuse the volume with words that match, and change nothing on it.
func (s *server) refuses(d *disk, says string) {
	s.t.Helper()
	before := d.content()
	output, err := s.step(d)
	tried.Add(1)
	require.Errorf(s.t, err, "%s", output)
	assert.Regexp(s.t, says, output)
	assert.Contains(s.t, output, id)
	assert.NotContains(s.t, output, "making a file system")
	assert.Equal(s.t, before, d.content(), "nothing on the volume was changed")
	refused.Add(1)
}

// formats has the step make a file system.
func (s *server) formats(d *disk) {
	s.t.Helper()
	output, err := s.step(d)
	tried.Add(1)
	require.NoErrorf(s.t, err, "%s", output)
	assert.Contains(s.t, output, "making ")
	d.whole()
	formatted.Add(1)
}

// takes has the step mount what is there, and make nothing.
func (s *server) takes(d *disk) {
	s.t.Helper()
	before := uuid(d)
	output, err := s.step(d)
	tried.Add(1)
	require.NoErrorf(s.t, err, "%s", output)
	assert.NotContains(s.t, output, "making ")
	assert.Equal(s.t, before, uuid(d))
	d.whole()
	used.Add(1)
}

func uuid(d *disk) string {
	d.t.Helper()
	return regexp.MustCompile(`Filesystem UUID: .*`).FindString(run(d.t, "dumpe2fs", "-h", d.device))
}

// whole says that the volume holds a file system of Berth's without an error, and no mark.
func (d *disk) whole() {
	d.t.Helper()
	run(d.t, "e2fsck", "-f", "-n", d.device)
	assert.Regexp(d.t, `Filesystem volume name: +berth-data`, run(d.t, "dumpe2fs", "-h", d.device))
	assert.Equal(d.t, make([]byte, mib), d.read(size-mib, mib), "the last MiB is not the file system's")
}

// ours is a volume with a file in a file system that the step made.
func ours(t *testing.T) *disk {
	t.Helper()
	d := newDisk(t, size)
	newServer(t).formats(d)
	d.mount(func(folder string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "file"), []byte("kept"), 0o600))
	})
	return d
}

func mark() []byte {
	block := make([]byte, 4096)
	copy(block, "Berth began to make a file system on "+id+"; nothing was stored on it yet.")
	return block
}

// lvm is the label of a physical volume of LVM. Source: lvm2, lib/label/label.h; its checksum begins with 0xf597a6cf.
func lvm() []byte {
	sector := make([]byte, 512)
	copy(sector, "LABELONE")
	binary.LittleEndian.PutUint64(sector[8:], 1)
	binary.LittleEndian.PutUint32(sector[20:], 32)
	copy(sector[24:], "LVM2 001")
	copy(sector[32:], "0123456789abcdef0123456789abcdef")
	sum := uint32(0xf597a6cf)
	for _, b := range sector[20:] {
		sum ^= uint32(b)
		for range 8 {
			sum = sum>>1 ^ 0xedb88320*(sum&1)
		}
	}
	binary.LittleEndian.PutUint32(sector[16:], sum)
	return sector
}

func zero(d *disk, at int64, count int) { d.write(at, make([]byte, count)) }

// found are volumes that have something, and what is said of them.
var found = []struct {
	name string
	make func(t *testing.T) *disk
	says string
}{
	{"an ext4 with the primary superblock zeroed", func(t *testing.T) *disk {
		d := ours(t)
		zero(d, superblock, 1024)
		return d
	}, `not blank.*sudo e2fsck -b 32768 -B 4096 /dev/`},
	{"an ext4 with the first MiB zeroed", func(t *testing.T) *disk {
		d := ours(t)
		zero(d, 0, mib)
		return d
	}, `not blank.*sudo e2fsck -b 32768 -B 4096 /dev/`},
	{"an ext4 with the first MiB and the first copy zeroed", func(t *testing.T) *disk {
		d := ours(t)
		zero(d, 0, mib)
		zero(d, 32768*4096, 4096)
		return d
	}, `not blank.*sudo e2fsck -b 98304 -B 4096 /dev/`},
	{"an ext4 with blocks of 1024 bytes and the first MiB zeroed", func(t *testing.T) *disk {
		d := newDisk(t, size)
		run(t, "mkfs.ext4", "-q", "-b", "1024", d.device)
		zero(d, 0, mib)
		return d
	}, `not blank.*sudo e2fsck -b 8193 -B 1024 /dev/`},
	{"an ext4 with two copies (sparse_super2) and the first MiB and the first copy zeroed", func(t *testing.T) *disk {
		d := newDisk(t, size)
		run(t, "mkfs.ext4", "-q", "-O", "sparse_super2,^resize_inode", "-E", "num_backup_sb=2", d.device)
		zero(d, 0, mib)
		zero(d, 32768*4096, 4096)
		return d
	}, `not blank`},
	{"an ext4 with an incompatible feature that this e2fsprogs does not know", func(t *testing.T) *disk {
		d := newDisk(t, size)
		// Without a checksum, as the one who knows the feature would have it right.
		run(t, "mkfs.ext4", "-q", "-L", "berth-data", "-O", "^metadata_csum", d.device)
		d.write(superblock+99, []byte{0x80})
		return d
	}, `newer e2fsprogs.*sudo e2fsck `},
	{"an ext4 with errors", func(t *testing.T) *disk {
		d := ours(t)
		run(t, "debugfs", "-w", "-R", "set_super_value state 3", d.device)
		return d
	}, `with errors.*sudo e2fsck -f /dev/`},
	{"a foreign ext4 that was never mounted and has files", func(t *testing.T) *disk {
		d := newDisk(t, size)
		run(t, "mkfs.ext4", "-q", "-L", "theirs", "-d", ".", d.device)
		return d
	}, `label 'theirs'.*sudo e2label /dev/\S+ berth-data`},
	{"a foreign ext4 without a label", func(t *testing.T) *disk {
		d := newDisk(t, size)
		run(t, "mkfs.ext4", "-q", d.device)
		return d
	}, `label '<none>'`},
	{"an ext4 that is larger than the volume", func(t *testing.T) *disk {
		d := newDisk(t, 2*size)
		run(t, "mkfs.ext4", "-q", "-L", "berth-data", d.device)
		d.detach()
		require.NoError(t, os.Truncate(d.image, size))
		d.attach()
		return d
	}, `does not mount`},
	{"ext2", made("mkfs.ext4", "-q", "-t", "ext2", "-L", "berth-data"), `holds ext2`},
	{"ext3", made("mkfs.ext4", "-q", "-t", "ext3", "-L", "berth-data"), `holds ext3`},
	{"xfs", made("mkfs.xfs", "-q"), `holds xfs`},
	{"swap", made("mkswap"), `holds swap`},
	{"LVM", written(512, lvm()), `holds LVM2_member`},
	{"LUKS", written(0, []byte("LUKS\xba\xbe\x00\x01")), `holds crypto_LUKS`},
	{"a partition table (MBR)", partitioned("dos"), `holds dos`},
	{"a partition table (GPT)", partitioned("gpt"), `holds gpt`},
	{"an ext4 in a partition (GPT), and the table's beginning zeroed", func(t *testing.T) *disk {
		d := partitioned("gpt")(t)
		zero(d, 0, 34*512)
		return d
	}, `holds gpt`},
	{"one byte in the first MiB", written(mib-1, []byte{1}), `not blank \('byte 1048575'`},
	{"one byte in the last MiB", written(size-1, []byte{1}), `not blank`},
	{"one byte in the middle", written(size/2, []byte{1}), `not blank`},
	{"the mark of another volume", written(size-4096, []byte(strings.Replace(string(mark()), id, "vol-4567", 1))), `not blank`},
	{"the mark, and a foreign ext4", func(t *testing.T) *disk {
		d := made("mkfs.ext4", "-q", "-L", "theirs")(t)
		d.write(size-4096, mark())
		return d
	}, `mark of a file system that was not finished, and one that Berth did not make`},
	{"the mark, and an ext4 of Berth's that was mounted by hand", func(t *testing.T) *disk {
		d := ours(t)
		d.write(size-4096, mark())
		return d
	}, `mark of a file system that was not finished, and one that Berth did not make`},
	{"the mark, and a damaged ext4 of Berth's that was mounted by hand", func(t *testing.T) *disk {
		d := ours(t)
		d.write(size-4096, mark())
		d.flip(superblock + 4)
		return d
	}, `mark of a file system that was not finished.*sudo e2fsck -b 32768 -B 4096 /dev/`},
}

func made(command string, args ...string) func(t *testing.T) *disk {
	return func(t *testing.T) *disk {
		t.Helper()
		d := newDisk(t, size)
		run(t, command, append(args, d.device)...)
		return d
	}
}

func written(at int64, content []byte) func(t *testing.T) *disk {
	return func(t *testing.T) *disk {
		t.Helper()
		d := newDisk(t, size)
		d.write(at, content)
		return d
	}
}

func partitioned(label string) func(t *testing.T) *disk {
	return func(t *testing.T) *disk {
		t.Helper()
		d := newDisk(t, size)
		run(t, "bash", "-c", fmt.Sprintf("printf 'label: %s\\nstart=2048\\n' | sfdisk --quiet --no-reread --no-tell-kernel %s", label, d.device))
		return d
	}
}

// TestOnlyWhatIsBlankOrBegunIsFormatted has the step meet volumes of every kind, and counts them.
func TestOnlyWhatIsBlankOrBegunIsFormatted(t *testing.T) {
	needRoot(t)
	t.Run("volumes", func(t *testing.T) {
		t.Run("blank, and again", func(t *testing.T) {
			t.Parallel()
			d, s := newDisk(t, size), newServer(t)
			s.formats(d)
			s.takes(d)
			newServer(t).takes(d)
		})
		for _, volume := range found {
			t.Run(volume.name, func(t *testing.T) {
				t.Parallel()
				newServer(t).refuses(volume.make(t), volume.says)
			})
		}
		t.Run("local disks beside it", testLocalDisks)
		t.Run("one flipped bit of the superblock", testFlipped)
		t.Run("what makes a device unfit", testUnfit)
		t.Run("a power cut", testPowerCut)
		t.Run("mkfs that was cut", testCut)
	})
	report.Add(t, "Data", "Volumes in every state at the volume step: blank, damaged, foreign, unreadable, cut while formatted",
		fmt.Sprintf("%d tried: %d formatted (blank, or begun by Berth), %d mounted as they were, %d refused with nothing changed", tried.Load(), formatted.Load(), used.Load(), refused.Load()))
}

// testLocalDisks has the step meet servers with disks of their own, which are blank with each start: none is taken for the volume.
func testLocalDisks(t *testing.T) {
	t.Parallel()
	blank, labelled := newDisk(t, size), ours(t)
	locals := []*disk{blank, labelled}
	untouched := func(s *server, d *disk, step func(*disk)) {
		before := []string{blank.content(), labelled.content()}
		step(d)
		assert.Equal(s.t, before, []string{blank.content(), labelled.content()}, "the server's own disks are as they were")
	}
	d, s := newDisk(t, size), newServer(t)
	s.local = locals
	untouched(s, d, s.formats)
	untouched(s, d, s.takes)
	lost := newServer(t)
	lost.local = locals
	untouched(lost, &disk{t: t, image: d.image}, func(none *disk) {
		output, err := lost.step(none)
		require.Errorf(t, err, "%s", output)
		assert.Contains(t, output, "volume "+id+" did not appear")
		assert.NotContains(t, output, "making a file system")
	})
}

// testFlipped flips one bit in each of several bytes: of counts, of the magic number, the features, the label, the unused
// rest, the checksum.
func testFlipped(t *testing.T) {
	t.Parallel()
	d := ours(t)
	for _, at := range []int64{4, 56, 96, 104, 120, 600, 1020} {
		d.flip(superblock + at)
		newServer(t).refuses(d, `(not blank|superblock is damaged).*create-snapshot --volume-id `+id+`.*sudo e2fsck -b 32768 -B 4096 /dev/.*berth:volumeSnapshot`)
		d.flip(superblock + at)
	}
	newServer(t).takes(d)
}

func testUnfit(t *testing.T) {
	t.Parallel()
	t.Run("read-only and blank", func(t *testing.T) {
		newServer(t).refuses(newDisk(t, size, "--read-only"), `cannot be written.*blockdev --setrw`)
	})
	t.Run("read-only and Berth's", func(t *testing.T) {
		d := ours(t)
		d.detach()
		d.attach("--read-only")
		newServer(t).refuses(d, `cannot be written`)
	})
	t.Run("shorter than the setting", func(t *testing.T) {
		s := newServer(t)
		s.gib = 3
		s.refuses(newDisk(t, size), `has '2147483648' bytes, not the 3 GiB of berth:volumeSize`)
	})
	t.Run("without a byte", func(t *testing.T) {
		newServer(t).refuses(newDisk(t, 0), `has '0' bytes`)
	})
	// What of a loop device's file is gone answers with an I/O error.
	for _, whole := range []int64{0, 4096, mib, size / 2, size - mib, size - 4096} {
		t.Run(fmt.Sprintf("blank, with I/O errors from byte %d on", whole), func(t *testing.T) {
			d := newDisk(t, size)
			require.NoError(t, os.Truncate(d.image, whole))
			newServer(t).refuses(d, `cannot be read`)
		})
	}
	t.Run("Berth's, with I/O errors", func(t *testing.T) {
		d := ours(t)
		run(t, "blockdev", "--flushbufs", d.device)
		require.NoError(t, os.Truncate(d.image, 512))
		newServer(t).refuses(d, `cannot be read`)
	})
	t.Run("blank, and mounted by this server before", func(t *testing.T) {
		d, s := newDisk(t, size), newServer(t)
		s.formats(d)
		s.refuses(newDisk(t, size), `was mounted by this server before`)
	})
}

// testPowerCut has the volume as a server leaves it that loses its power: its journal has to be read back, which a mount does.
func testPowerCut(t *testing.T) {
	t.Parallel()
	d := ours(t)
	copied := newDisk(t, size)
	d.mount(func(folder string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "later"), []byte("kept"), 0o600))
		run(t, "sync", "--file-system", folder)
		copied.detach()
		run(t, "cp", "--sparse=always", d.image, copied.image)
	})
	copied.attach()
	require.Contains(t, run(t, "dumpe2fs", "-h", copied.device), "needs_recovery")
	newServer(t).takes(copied)
	copied.mount(func(folder string) { assert.FileExists(t, filepath.Join(folder, "later")) })
}

// testCut cuts the step while it makes a file system, at each of its acts and in the middle of mkfs, and runs it again.
func testCut(t *testing.T) {
	t.Parallel()
	const real = "kill -KILL $PPID; exit 1"
	cuts := map[string][2]string{
		"before the mark":                     {"dd", `for a in "$@"; do case $a in of=*) ` + real + `;; esac; done; exec dd "$@"`},
		"after the mark":                      {"mkfs.ext4", real},
		"after mkfs, before its mark is gone": {"mkfs.ext4", `mkfs.ext4 "$@"; ` + real},
		"mkfs fails":                          {"mkfs.ext4", `echo "mkfs.ext4: Input/output error" >&2; exit 1`},
	}
	writes := strings.Count(run(t, "strace", "-f", "-e", "trace=pwrite64", "mkfs.ext4", "-q", "-L", "berth-data", newDisk(t, size).device, fmt.Sprint(size/1024-1024)+"k"), "pwrite64(")
	require.Greater(t, writes, 100)
	for _, n := range []int{1, 2, writes / 2, writes - 10, writes - 4, writes - 2, writes - 1, writes} {
		cuts[fmt.Sprintf("mkfs killed at write %d of %d", n, writes)] = [2]string{"mkfs.ext4", fmt.Sprintf(`exec strace -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when=%d mkfs.ext4 "$@"`, n)}
	}
	for name, cut := range cuts {
		t.Run(name, func(t *testing.T) {
			d, s := newDisk(t, size), newServer(t)
			output, err := s.with(cut[0], cut[1]).step(d)
			require.Errorf(t, err, "%s", output)
			s.formats(d)
		})
	}
	t.Run("before the first mount", func(t *testing.T) {
		d, s := newDisk(t, size), newServer(t)
		output, err := s.with("systemctl", `[ "$1" = daemon-reload ] || exit 3; `+real).step(d)
		require.Errorf(t, err, "%s", output)
		s.takes(d)
	})
}
