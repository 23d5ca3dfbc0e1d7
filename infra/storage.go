package infra

import (
	"fmt"
	"maps"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Storage is the data volume: everything worth keeping, apart from the server so that it outlives one.
type Storage struct {
	pulumi.ResourceState

	// VolumeID is the EBS volume, "vol-…". The server finds the disk by it, not by the device name.
	VolumeID pulumi.IDOutput
	// Size is the volume's size in GiB.
	Size pulumi.IntOutput

	// volume is the resource itself.
	volume *ebs.Volume
	// mark is the tag by which the volume and its snapshots are distinguished from all others in the account.
	mark map[string]string
}

// markKey is the tag's key. An operator's own tags cannot begin like it.
const markKey = "berth:data-of"

// deleteWithin is how long a deletion may take. The provider's own limit of ten minutes is for the final snapshot, too, which
// for a full volume of hundreds of GB takes hours: S3 gets every block that no earlier snapshot holds. An update that gives up
// before that leaves the volume, and the next one makes another snapshot.
const deleteWithin = "12h"

// StorageArgs are what a Storage needs.
type StorageArgs struct {
	// Domain is the site's, for the name in AWS's console.
	Domain string
	// Zone is the availability zone of the server's subnet.
	Zone pulumi.StringInput
	// Size is in GiB.
	Size int
	// Snapshot is what the volume is made from, "" for a blank one.
	Snapshot string
	// Protect keeps it from being deleted.
	Protect bool
}

// NewStorage declares the data volume.
func NewStorage(ctx *pulumi.Context, name string, args *StorageArgs, opts ...pulumi.ResourceOption) (*Storage, error) {
	s := &Storage{mark: map[string]string{
		markKey: ctx.Organization() + "/" + ctx.Project() + "/" + ctx.Stack(),
	}}
	if err := ctx.RegisterComponentResource("berth:infra:Storage", name, s, opts...); err != nil {
		return nil, fmt.Errorf("declare the storage: %w", err)
	}
	tags := nameTag(args.Domain)
	maps.Copy(tags, pulumi.ToStringMap(s.mark))
	data := &ebs.VolumeArgs{
		AvailabilityZone: args.Zone,
		Type:             pulumi.String("gp3"),
		Size:             pulumi.Int(args.Size),
		Encrypted:        pulumi.Bool(true),
		// Whoever lifts the protection and destroys the stack can still come back.
		FinalSnapshot: pulumi.Bool(true),
		Tags:          tags,
	}
	if args.Snapshot != "" {
		// A volume is made from a snapshot once: another snapshot is another volume, which the protection refuses.
		data.SnapshotId = pulumi.String(args.Snapshot)
	}
	volume, err := ebs.NewVolume(ctx, "data", data, pulumi.Parent(s), pulumi.Protect(args.Protect),
		pulumi.Timeouts(&pulumi.CustomTimeouts{Delete: deleteWithin}))
	if err != nil {
		return nil, fmt.Errorf("declare the data volume: %w", err)
	}
	s.volume, s.VolumeID = volume, volume.ID()
	s.Size = volume.Size
	if err := ctx.RegisterResourceOutputs(s, pulumi.Map{"volumeId": s.VolumeID, "size": s.Size}); err != nil {
		return nil, fmt.Errorf("register the storage: %w", err)
	}
	return s, nil
}
