package aws

import (
	"context"
	"slices"
	"strings"
	"time"
)

const (
	volumeType     = "aws:ebs/volume:Volume"
	snapshotType   = "aws:ebs/snapshot:Snapshot"
	attachmentType = "aws:ec2/volumeAttachment:VolumeAttachment"

	// modificationLimit is how often a volume may be changed within modificationWindow. Each change has to be complete before
	// the next; here it is at once. Source: EBS User Guide, "Requirements and limitations" of Elastic Volumes.
	modificationLimit  = 4
	modificationWindow = 24 * time.Hour
	modifications      = "modifications"
)

func storageKinds() map[string]*kind {
	return map[string]*kind{
		volumeType:     {operation: "CreateVolume", invalid: "InvalidParameterValue", world: true, create: createVolume, update: updateVolume, remove: removeVolume},
		attachmentType: {world: true, create: createAttachment, remove: removeAttachment},
		// Snapshots come from finalSnapshot and TakeSnapshot.
		snapshotType: {},
	}
}

func createVolume(c *call) error {
	if id := Text(c.inputs, "snapshotId"); id != "" {
		if c.account.get(snapshotType, id) == nil {
			return apiError("CreateVolume", "InvalidSnapshot.NotFound", "The snapshot '%s' does not exist.", id)
		}
		snapshot := c.account.get(snapshotType, id).Outputs
		defaulted(c.outputs, "size", snapshot["volumeSize"])
		if least := Number(snapshot, "volumeSize"); Number(c.outputs, "size") < least {
			return apiError("CreateVolume", "InvalidParameterValue", "Volume of %dGiB is smaller than snapshot '%s', expect size >= %dGiB", Number(c.outputs, "size"), id, least)
		}
		// What is made from an encrypted snapshot is encrypted, whatever is asked for.
		if Truth(snapshot, "encrypted") {
			c.outputs["encrypted"] = true
		}
	}
	if err := c.checkVolume("CreateVolume"); err != nil {
		return err
	}
	c.id = newID("vol")
	c.outputs["arn"] = c.arn("ec2", c.region, "volume/"+c.id)
	defaulted(c.outputs, "type", "gp2")
	defaulted(c.outputs, "iops", 3000.0)
	defaulted(c.outputs, "throughput", 125.0)
	return nil
}

// checkVolume keeps gp3's limits. Source: EBS User Guide, "General Purpose SSD volumes".
func (c *call) checkVolume(operation string) error {
	if size := Number(c.outputs, "size"); size < 1 || size > 16384 {
		return apiError(operation, "InvalidParameterValue", "Volume of %dGiB is invalid; the size of a gp3 volume must be between 1 and 16384 GiB", size)
	}
	if iops := Number(c.inputs, "iops"); iops != 0 && (iops < 3000 || iops > 16000) {
		return apiError(operation, "InvalidParameterValue", "Volume iops of %d is invalid; it must be between 3000 and 16000", iops)
	}
	if throughput := Number(c.inputs, "throughput"); throughput != 0 && (throughput < 125 || throughput > 1000) {
		return apiError(operation, "InvalidParameterValue", "Volume throughput of %d is invalid; it must be between 125 and 1000", throughput)
	}
	return nil
}

func updateVolume(c *call) error {
	if err := c.checkVolume("ModifyVolume"); err != nil {
		return err
	}
	before, after := Number(c.old.Outputs, "size"), Number(c.inputs, "size")
	if after < before {
		return apiError("ModifyVolume", "InvalidParameterValue", "New size cannot be smaller than existing size")
	}
	if after != before {
		recent := slices.DeleteFunc(strings.Fields(Text(c.old.Outputs, modifications)), func(at string) bool {
			made, err := time.Parse(time.RFC3339, at)
			return err != nil || time.Since(made) >= modificationWindow
		})
		if len(recent) >= modificationLimit {
			return apiError("ModifyVolume", "VolumeModificationRateExceeded", "You've reached the maximum modification rate per volume limit. You can modify a volume up to 4 times within a rolling 24-hour period.")
		}
		c.outputs[modifications] = strings.Join(append(recent, time.Now().UTC().Format(time.RFC3339)), " ")
	}
	return nil
}

// removeVolume leaves a snapshot where one is wanted.
func removeVolume(c *call) error {
	if len(c.account.users(attachmentType, "volumeId", c.id)) > 0 {
		return apiError("DeleteVolume", "VolumeInUse", "Volume %s is currently attached", c.id)
	}
	if !Truth(c.old.Outputs, "finalSnapshot") {
		return nil
	}
	c.account.snapshot(c.old)
	return nil
}

// snapshot makes a snapshot of a volume, in its region and with its tags.
func (a *Account) snapshot(volume *Resource) string {
	id := newID("snap")
	// A snapshot's ARN has its region, and no account.
	arn := "arn:aws:ec2:" + strings.Split(Text(volume.Outputs, "arn")+":::", ":")[3] + "::snapshot/" + id
	a.put(&Resource{Type: snapshotType, ID: id, Created: time.Now().UTC(), Inputs: map[string]any{}, Outputs: map[string]any{
		"volumeId": volume.ID, "volumeSize": volume.Outputs["size"], "encrypted": volume.Outputs["encrypted"],
		"tagsAll": volume.Outputs["tagsAll"], "arn": arn,
	}})
	return id
}

// TakeSnapshot makes a snapshot of a volume of the account that is kept in dir, as a lifecycle policy does every night.
// The world copies the disk before it returns.
func TakeSnapshot(ctx context.Context, dir string, world World, volume string) (id string, err error) {
	err = Change(dir, func(account *Account) error {
		found := account.get(volumeType, volume)
		if found == nil {
			return apiError("CreateSnapshot", "InvalidVolume.NotFound", "The volume '%s' does not exist.", volume)
		}
		id = account.snapshot(found)
		if world == nil {
			return nil
		}
		return world.Converge(ctx, account)
	})
	return id, err
}

func createAttachment(c *call) error {
	volume, err := c.find("AttachVolume", volumeType, Text(c.inputs, "volumeId"), "InvalidVolume.NotFound")
	if err != nil {
		return err
	}
	instance, err := c.find("AttachVolume", instanceType, Text(c.inputs, "instanceId"), "InvalidInstanceID.NotFound")
	if err != nil {
		return err
	}
	if len(c.account.users(attachmentType, "volumeId", volume.ID)) > 0 {
		return apiError("AttachVolume", "VolumeInUse", "%s is already attached to an instance", volume.ID)
	}
	if Text(volume.Outputs, "availabilityZone") != Text(instance.Outputs, "availabilityZone") {
		return apiError("AttachVolume", "InvalidVolume.ZoneMismatch", "The volume '%s' is not in the same availability zone as instance '%s'", volume.ID, instance.ID)
	}
	for _, other := range c.account.users(attachmentType, "instanceId", instance.ID) {
		if Text(other.Outputs, "deviceName") == Text(c.inputs, "deviceName") {
			return apiError("AttachVolume", "InvalidParameterValue", "Invalid value '%s' for unixDevice. Attachment point %[1]s is already in use", Text(c.inputs, "deviceName"))
		}
	}
	c.id = "vai-" + newHex(10)
	return nil
}

// removeAttachment stops the instance if the provider is set to, which nothing starts again.
func removeAttachment(c *call) error {
	instance := c.account.get(instanceType, Text(c.old.Inputs, "instanceId"))
	if instance != nil && !c.byHand && Truth(c.old.Inputs, "stopInstanceBeforeDetaching") {
		instance.Outputs["instanceState"] = "stopped"
	}
	return nil
}
