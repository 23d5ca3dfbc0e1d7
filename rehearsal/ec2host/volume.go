package ec2host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
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

// disks lists the ids of what has a file: volumes and snapshots.
func (w *World) disks(ctx context.Context) ([]string, error) {
	output, err := w.onDisks(ctx, "find", "/ebs", "-name", "*.img", "-printf", "%f\n")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, name := range lines(output) {
		ids = append(ids, strings.TrimSuffix(name, ".img"))
	}
	return ids, nil
}

func (w *World) makeVolumes(ctx context.Context, account *aws.Account) error {
	present, err := w.disks(ctx)
	if err != nil {
		return err
	}
	for _, volume := range account.OfType(volumeType) {
		file, size := diskFile(volume.ID), strconv.Itoa(aws.Number(volume.Outputs, "size"))+"G"
		if !slices.Contains(present, volume.ID) {
			if snapshot := aws.Text(volume.Inputs, "snapshotId"); snapshot != "" {
				if err := w.copyDisk(ctx, snapshot, volume.ID); err != nil {
					return fmt.Errorf("make %s from %s: %w", volume.ID, snapshot, err)
				}
			}
		}
		// truncate makes, grows or leaves the file; a volume never shrinks.
		if _, err := w.onDisks(ctx, "truncate", "--size", size, file); err != nil {
			return err
		}
		if device, err := w.device(ctx, volume.ID); err != nil {
			return err
		} else if device != "" {
			if _, err := w.onDisks(ctx, "losetup", "--set-capacity", device); err != nil {
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
		if slices.Contains(present, snapshot.ID) {
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
	_, err := w.onDisks(ctx, "sh", "-c", script, "sh", diskFile(from), diskFile(to))
	return err
}

func (w *World) deleteVolumes(ctx context.Context, account *aws.Account) error {
	present, err := w.disks(ctx)
	if err != nil {
		return err
	}
	for _, id := range present {
		if _, ok := account.Resources[volumeType+"::"+id]; ok {
			continue
		}
		if _, ok := account.Resources[snapshotType+"::"+id]; ok {
			continue
		}
		if _, err := w.onDisks(ctx, "rm", diskFile(id)); err != nil {
			return err
		}
	}
	return nil
}

// device is the loop device that presents a volume's file, or "" where none does. One that is detached and that somebody
// still holds open is none.
func (w *World) device(ctx context.Context, id string) (string, error) {
	output, err := w.onDisks(ctx, "losetup", "--noheadings", "--raw", "--output", "AUTOCLEAR,NAME", "--associated", diskFile(id))
	if err != nil {
		return "", err
	}
	for _, line := range lines(output) {
		if detached, name, _ := strings.Cut(line, " "); detached == "0" {
			return name, nil
		}
	}
	return "", nil
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
		device, err := w.device(ctx, id)
		if err != nil {
			return err
		}
		if device == "" {
			if device, err = w.onDisks(ctx, "losetup", "--find", "--show", diskFile(id)); err != nil {
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
	for _, id := range present {
		if attached[id] {
			continue
		}
		device, err := w.device(ctx, id)
		if err == nil && device != "" {
			err = w.unmount(ctx, account, id, device)
		}
		problems = append(problems, err)
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
	_, err := w.onDisks(ctx, "losetup", "--detach", device)
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
	present, err := w.disks(ctx)
	if err != nil {
		return err
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
	for _, id := range present {
		device, err := w.device(ctx, id)
		if err != nil {
			return err
		}
		if device == "" {
			continue
		}
		if _, err := w.onDisks(ctx, "losetup", "--detach", device); err != nil {
			return err
		}
	}
	return nil
}
