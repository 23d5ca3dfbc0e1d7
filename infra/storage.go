package infra

import (
	"fmt"

	"berth/config"

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
}

func newStorage(
	ctx *pulumi.Context, cfg *config.Config, network *Network, opts ...pulumi.ResourceOption,
) (*Storage, error) {
	s := &Storage{}
	if err := ctx.RegisterComponentResource("berth:infra:Storage", "storage", s, opts...); err != nil {
		return nil, fmt.Errorf("declare the storage: %w", err)
	}
	volume, err := ebs.NewVolume(ctx, "data", &ebs.VolumeArgs{
		AvailabilityZone: network.Zone,
		Type:             pulumi.String("gp3"),
		Size:             pulumi.Int(cfg.VolumeSize),
		Encrypted:        pulumi.Bool(true),
		// Whoever lifts the protection and destroys the stack can still come back.
		FinalSnapshot: pulumi.Bool(true),
		Tags:          nameTag(cfg),
	}, pulumi.Parent(s), pulumi.Protect(cfg.Protect))
	if err != nil {
		return nil, fmt.Errorf("declare the data volume: %w", err)
	}
	s.VolumeID = volume.ID()
	s.Size = volume.Size
	if err := ctx.RegisterResourceOutputs(s, pulumi.Map{"volumeId": s.VolumeID, "size": s.Size}); err != nil {
		return nil, fmt.Errorf("register the storage: %w", err)
	}
	return s, nil
}
