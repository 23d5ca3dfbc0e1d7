package ec2host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"berth/rehearsal/aws"
	"berth/rehearsal/machineimage"
)

const (
	volumeType     = "aws:ebs/volume:Volume"
	snapshotType   = "aws:ebs/snapshot:Snapshot"
	attachmentType = "aws:ec2/volumeAttachment:VolumeAttachment"
)

// An EBS volume is a sparse file in a Docker volume, which a loop device presents as a block device. The "ebs"
// container is the storage network: the only one that holds the files.

func (w *World) ebs() string { return w.object("ebs") }

func diskFile(id string) string { return "/ebs/" + id + ".img" }

// onDisks runs one command in the storage container.
func (w *World) onDisks(ctx context.Context, args ...string) (string, error) {
	return docker(ctx, "", append([]string{"exec", w.ebs()}, args...)...)
}

// startDisks starts the storage container.
func (w *World) startDisks(ctx context.Context) error {
	if _, err := docker(ctx, "", "volume", "create", "--label", w.label(), w.ebs()); err != nil {
		return err
	}
	return w.replaceContainer(ctx, w.ebs(),
		"--network", "none", "--volume", w.ebs()+":/ebs", "--volume", "/dev:/dev",
		"--cap-add", "SYS_ADMIN", "--cap-add", "MKNOD", "--security-opt", "apparmor=unconfined",
		"--device-cgroup-rule", "b 7:* rwm", "--device-cgroup-rule", "c 10:237 rwm",
		machineimage.AMI, "sleep", "infinity")
}

// disk is the file of a volume or a snapshot.
type disk struct {
	// size and shown are the bytes of the file, and those of the device, where there is one.
	size, shown int64
	// device is the loop device that presents the file, or "" where none does. One that is detached and that somebody still holds open
	// is none.
	device string
}

// listDisks prints "file ID.img BYTES" for each file, and "device DETACHED FILE DEVICE SECTORS" for each loop device of the machine.
const listDisks = `set -euo pipefail
find /ebs -name '*.img' -printf 'file %f %s\n'
losetup --noheadings --raw --output AUTOCLEAR,BACK-FILE,NAME | while read -r detached file name; do
  echo "device $detached $file $name $(cat "/sys/block/${name##*/}/size" 2>/dev/null || true)"
done`

// disks finds what has a file, volumes and snapshots, by its id. It looks again only after a change, and when Converge begins.
func (w *World) disks(ctx context.Context) (map[string]disk, error) {
	if w.present != nil {
		return w.present, nil
	}
	output, err := w.onDisks(ctx, "bash", "-c", listDisks)
	if err != nil {
		return nil, err
	}
	found, err := parseDisks(lines(output))
	if err == nil {
		w.present = found
	}
	return found, err
}

// parseDisks reads the lines of listDisks. The ids of all rehearsals differ.
func parseDisks(lines []string) (map[string]disk, error) {
	found := map[string]disk{}
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "file" {
			continue
		}
		size, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the size of the disk %q: %w", line, err)
		}
		found[strings.TrimSuffix(words[1], ".img")] = disk{size: size}
	}
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "device" || words[1] != "0" {
			continue
		}
		id := strings.TrimSuffix(path.Base(words[2]), ".img")
		if one, ok := found[id]; ok {
			sectors, err := strconv.ParseInt(words[len(words)-1], 10, 64)
			if err != nil || len(words) != 5 {
				return nil, fmt.Errorf("read the size of the device %q", line)
			}
			one.device, one.shown = words[3], sectors*512
			found[id] = one
		}
	}
	return found, nil
}

// change runs one command in the storage container that changes what disks finds.
func (w *World) change(ctx context.Context, args ...string) (string, error) {
	w.present = nil
	return w.onDisks(ctx, args...)
}

func (w *World) makeVolumes(ctx context.Context, account *aws.Account) error {
	for _, volume := range account.OfType(volumeType) {
		present, err := w.disks(ctx)
		if err != nil {
			return err
		}
		one, there := present[volume.ID]
		if snapshot := aws.Text(volume.Inputs, "snapshotId"); !there && snapshot != "" {
			if err := w.copyDisk(ctx, snapshot, volume.ID); err != nil {
				return fmt.Errorf("make %s from %s: %w", volume.ID, snapshot, err)
			}
		}
		// truncate makes or grows the file; a volume never shrinks.
		size := int64(aws.Number(volume.Outputs, "size")) << 30
		if !there || one.size != size {
			if _, err := w.change(ctx, "truncate", "--size", strconv.FormatInt(size, 10), diskFile(volume.ID)); err != nil {
				return err
			}
		}
		if one.device != "" && one.shown != size {
			if _, err := w.change(ctx, "losetup", "--set-capacity", one.device); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeSnapshots copies the disk of each snapshot that has no file yet.
func (w *World) takeSnapshots(ctx context.Context, account *aws.Account) error {
	present, err := w.disks(ctx)
	if err != nil {
		return err
	}
	for _, snapshot := range account.OfType(snapshotType) {
		if _, there := present[snapshot.ID]; there {
			continue
		}
		source := aws.Text(snapshot.Outputs, "volumeId")
		if err := w.copyDisk(ctx, source, snapshot.ID); err != nil {
			return fmt.Errorf("take %s of %s: %w", snapshot.ID, source, err)
		}
	}
	return nil
}

// copyDisk makes one disk's file from another's. What a file system still holds in memory is written out first, as far
// as it goes: like a snapshot of EBS, a copy of a disk in use is what a power cut would leave. The copy has its name
// only when it is whole, since a file that is there is not made again.
func (w *World) copyDisk(ctx context.Context, from, to string) error {
	script := `sync; cp --sparse=always "$1" "$2.part" && mv "$2.part" "$2"`
	_, err := w.change(ctx, "sh", "-c", script, "sh", diskFile(from), diskFile(to))
	return err
}

func (w *World) deleteVolumes(ctx context.Context, account *aws.Account) error {
	present, err := w.disks(ctx)
	if err != nil {
		return err
	}
	for id := range present {
		if _, ok := account.Resources[volumeType+"::"+id]; ok {
			continue
		}
		if _, ok := account.Resources[snapshotType+"::"+id]; ok {
			continue
		}
		if _, err := w.change(ctx, "rm", diskFile(id)); err != nil {
			return err
		}
	}
	return nil
}

// nodePath is where a Nitro instance finds a volume: udev names it by the volume's id without the hyphen.
func nodePath(volumeID string) string {
	return "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + strings.ReplaceAll(volumeID, "-", "")
}

// attachVolumes puts each attached volume's device node into its instance. The node is in a Docker volume, so it
// is there before the host boots the next time.
func (w *World) attachVolumes(ctx context.Context, account *aws.Account) error {
	for _, attachment := range account.OfType(attachmentType) {
		id, host := aws.Text(attachment.Inputs, "volumeId"), w.host(aws.Text(attachment.Inputs, "instanceId"))
		present, err := w.disks(ctx)
		if err != nil {
			return err
		}
		device := present[id].device
		if device == "" {
			if device, err = w.change(ctx, "losetup", "--find", "--show", diskFile(id)); err != nil {
				return fmt.Errorf("present %s as a block device: %w", id, err)
			}
		}
		if !running(ctx, host) {
			continue // A stopped one finds it when it boots.
		}
		minor := strings.TrimPrefix(device, "/dev/loop")
		script := `mkdir -p /dev/disk/by-id; [ "$(stat --format %T "$1" 2>/dev/null)" = "$(printf %x "$2")" ] || { rm -f "$1"; mknod -m 0660 "$1" b 7 "$2"; }`
		if _, err := docker(ctx, "", "exec", host, "sh", "-c", script, "sh", nodePath(id), minor); err != nil {
			return err
		}
	}
	return nil
}

//go:embed detach.sh
var detachScript string

// detachVolumes takes away what is presented and no longer attached. A host that still has the file system mounted
// loses it as on EC2: from then on whoever uses it gets errors.
func (w *World) detachVolumes(ctx context.Context, account *aws.Account) error {
	attached := map[string]bool{}
	for _, attachment := range account.OfType(attachmentType) {
		attached[aws.Text(attachment.Inputs, "volumeId")] = true
	}
	present, err := w.disks(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for id, one := range present {
		if !attached[id] && one.device != "" {
			problems = append(problems, w.unmount(ctx, account, id, one.device))
		}
	}
	return errors.Join(problems...)
}

func (w *World) unmount(ctx context.Context, account *aws.Account, id, device string) error {
	for _, instance := range account.OfType(instanceType) {
		host := w.host(instance.ID)
		if !running(ctx, host) {
			// What it boots with must not be there.
			if _, err := docker(ctx, "", "run", "--rm", "--label", w.label(), "--volume", w.object("dev", instance.ID)+":/dev/disk", machineimage.AMI, "rm", "-f", nodePath(id)); err != nil {
				return err
			}
			continue
		}
		if _, err := docker(ctx, detachScript, "exec", "--interactive", host, "bash", "-s", nodePath(id)); err != nil {
			return err
		}
	}
	_, err := w.change(ctx, "losetup", "--detach", device)
	return err
}

// releaseDisks lets go of every loop device of the rehearsal.
func (w *World) releaseDisks(ctx context.Context) error {
	if !running(ctx, w.ebs()) {
		if !exists(ctx, "volume", w.ebs()) {
			return nil
		}
		if err := w.startDisks(ctx); err != nil {
			return err
		}
	}
	// A device is freed when its last user goes: the hosts have to stop first.
	hosts, err := docker(ctx, "", "container", "ls", "--quiet", "--filter", "label="+w.label(), "--filter", "label=berth.role=host")
	if err != nil {
		return err
	}
	if ids := lines(hosts); len(ids) > 0 {
		if _, err := docker(ctx, "", append([]string{"container", "rm", "--force", "--volumes"}, ids...)...); err != nil {
			return err
		}
	}
	w.present = nil
	present, err := w.disks(ctx)
	if err != nil {
		return err
	}
	for _, one := range present {
		if one.device == "" {
			continue
		}
		if _, err := w.change(ctx, "losetup", "--detach", one.device); err != nil {
			return err
		}
	}
	return nil
}
