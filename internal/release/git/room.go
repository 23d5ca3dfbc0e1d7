package git

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// Half of what is free may be taken: by a fetch of the disk that the copy is on, by a commit's files of the disk that they are
// written to, and of the server's volume. The server asks the same of what it has (release/source.sh).

// most and inodesPerGiB are how many files a commit may have where a file system does not say how many it takes, and how many an
// ext4 as the server's takes.
const (
	most         = 1_000_000
	inodesPerGiB = 65536
)

// room is what may be taken of the disk that a folder is on.
type room struct{ bytes, files uint64 }

func roomAt(folder string) (room, error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return room{}, fmt.Errorf("ask how much is free for %s: %w", folder, err)
	}
	half := room{bytes: uint64(disk.Bavail) * uint64(disk.Bsize) / 2, files: uint64(disk.Ffree) / 2} // #nosec G115 -- sizes are not negative
	if disk.Ffree == 0 {
		half.files = most / 2
	}
	return half, nil
}

func mebibytes(bytes uint64) uint64 { return bytes >> 20 }

// ofServer is what a commit's files may take of the server's volume, as it is made.
func (r *Repository) ofServer(half room) room {
	if r.cfg.VolumeSize > 0 {
		size := uint64(r.cfg.VolumeSize)
		half.bytes, half.files = min(half.bytes, size<<30/2), min(half.files, size*inodesPerGiB/2)
	}
	return half
}

const lighter = "Fix: take large files and generated folders out of the repository"

// fits refuses a commit whose files take more than half of what is free, before any is written: a few kilobytes of a repository
// can be millions of files. What it reads of one that fits is kept: see entries.
func (r *Repository) fits(ctx context.Context, commit, into string) error {
	half, err := roomAt(into)
	if err != nil {
		return err
	}
	half = r.ofServer(half)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := exec.CommandContext(ctx, "git", "--git-dir", r.mirror, "ls-tree", "-r", "-t", "-l", "-z", commit)
	command.Env = append(isolated(), "LC_ALL=C")
	var said bytes.Buffer
	command.Stderr = &said
	listing, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	var taken room
	var all []entry
	lines := bufio.NewScanner(listing)
	lines.Buffer(nil, 1<<20)
	lines.Split(endedByNUL)
	for lines.Scan() {
		one, err := parseEntry(lines.Text())
		if err != nil {
			cancel()
			_ = command.Wait()
			return err
		}
		all = append(all, one)
		taken.files++
		taken.bytes += 4096 + uint64(max(one.size, 0))&^4095 // #nosec G115 -- a folder, or the end of a file, and the rest of it
		if taken.files > half.files || taken.bytes > half.bytes {
			cancel()
			_ = command.Wait() // It was ended.
			return fmt.Errorf("it has %d files or more, of %d MiB or more, and may take half of what is free here and on the server's volume: %d files of %d MiB; nothing of it was written; %s; or take a larger volume: pulumi config set berth:volumeSize %d",
				taken.files, mebibytes(taken.bytes), half.files, mebibytes(half.bytes), lighter, max(2*r.cfg.VolumeSize, 40))
		}
	}
	if err := lines.Err(); err != nil {
		cancel()
		_ = command.Wait()
		return err
	}
	if err := command.Wait(); err != nil {
		return &gitError{command: "ls-tree", said: sentence(said.String()), cause: err}
	}
	r.lock.Lock()
	r.listed[commit] = all
	r.lock.Unlock()
	return nil
}

// endedByNUL splits what git prints with -z.
func endedByNUL(data []byte, atEnd bool) (advance int, token []byte, err error) {
	if at := bytes.IndexByte(data, 0); at >= 0 {
		return at + 1, data[:at], nil
	}
	if atEnd && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

// bounded is a git that writes no file larger than half of what is free for the copy: all that a fetch brings is one file.
func (r *Repository) bounded() (name string, before []string, limit uint64, err error) {
	half, err := roomAt(r.mirror)
	if err != nil {
		return "", nil, 0, err
	}
	// A shell's ulimit counts blocks of 512 bytes.
	return "sh", []string{"-c", `ulimit -f "$0" && exec git "$@"`, strconv.FormatUint(half.bytes/512, 10)}, half.bytes, nil
}

// cutOff says whether a pack that git did not finish has all that it may have, and removes what is unfinished.
func (r *Repository) cutOff(limit uint64) bool {
	folder := r.mirror + "/objects/pack"
	entries, err := os.ReadDir(folder)
	if err != nil {
		return false
	}
	large := false
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "tmp_") {
			continue
		}
		if info, err := entry.Info(); err == nil && uint64(info.Size())+4096 > limit { // #nosec G115 -- sizes are not negative
			large = true
		}
		_ = os.Remove(folder + "/" + entry.Name())
	}
	return large
}
