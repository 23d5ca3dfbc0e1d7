// Package rds declares a database in Amazon RDS. As berth/infra/ec2 does, it stands in for the package of the same name in pulumi-aws,
// which is large to compile: here are the inputs and outputs that Berth uses, by the SDK's names.
package rds

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra/ec2"
)

// SubnetGroup is where databases may be: subnets in two zones.
type SubnetGroup struct {
	pulumi.CustomResourceState

	Name pulumi.StringOutput `pulumi:"name"`
}

// SubnetGroupArgs are a SubnetGroup's inputs.
type SubnetGroupArgs struct {
	Description pulumi.StringInput      `pulumi:"description"`
	SubnetIds   pulumi.StringArrayInput `pulumi:"subnetIds"`
	Tags        pulumi.StringMapInput   `pulumi:"tags"`
}

// NewSubnetGroup declares a SubnetGroup.
func NewSubnetGroup(ctx *pulumi.Context, name string, args *SubnetGroupArgs, opts ...pulumi.ResourceOption) (*SubnetGroup, error) {
	return ec2.Register(ctx, "aws:rds/subnetGroup:SubnetGroup", name, args, &SubnetGroup{}, opts)
}

// Instance is a database server.
type Instance struct {
	pulumi.CustomResourceState

	// Address is the host name, without the port.
	Address    pulumi.StringOutput `pulumi:"address"`
	Identifier pulumi.StringOutput `pulumi:"identifier"`
	Port       pulumi.IntOutput    `pulumi:"port"`
}

// InstanceArgs are an Instance's inputs.
type InstanceArgs struct {
	Identifier               pulumi.StringInput      `pulumi:"identifier"`
	Engine                   pulumi.StringInput      `pulumi:"engine"`
	EngineVersion            pulumi.StringInput      `pulumi:"engineVersion"`
	AllowMajorVersionUpgrade pulumi.BoolInput        `pulumi:"allowMajorVersionUpgrade"`
	AutoMinorVersionUpgrade  pulumi.BoolInput        `pulumi:"autoMinorVersionUpgrade"`
	ApplyImmediately         pulumi.BoolInput        `pulumi:"applyImmediately"`
	InstanceClass            pulumi.StringInput      `pulumi:"instanceClass"`
	StorageType              pulumi.StringInput      `pulumi:"storageType"`
	AllocatedStorage         pulumi.IntInput         `pulumi:"allocatedStorage"`
	StorageEncrypted         pulumi.BoolInput        `pulumi:"storageEncrypted"`
	DbName                   pulumi.StringInput      `pulumi:"dbName"`
	Username                 pulumi.StringInput      `pulumi:"username"`
	Password                 pulumi.StringInput      `pulumi:"password"`
	DbSubnetGroupName        pulumi.StringInput      `pulumi:"dbSubnetGroupName"`
	VpcSecurityGroupIds      pulumi.StringArrayInput `pulumi:"vpcSecurityGroupIds"`
	PubliclyAccessible       pulumi.BoolInput        `pulumi:"publiclyAccessible"`
	MultiAz                  pulumi.BoolInput        `pulumi:"multiAz"`
	AvailabilityZone         pulumi.StringInput      `pulumi:"availabilityZone"`
	BackupRetentionPeriod    pulumi.IntInput         `pulumi:"backupRetentionPeriod"`
	CopyTagsToSnapshot       pulumi.BoolInput        `pulumi:"copyTagsToSnapshot"`
	DeletionProtection       pulumi.BoolInput        `pulumi:"deletionProtection"`
	SkipFinalSnapshot        pulumi.BoolInput        `pulumi:"skipFinalSnapshot"`
	FinalSnapshotIdentifier  pulumi.StringInput      `pulumi:"finalSnapshotIdentifier"`
	Tags                     pulumi.StringMapInput   `pulumi:"tags"`
}

// NewInstance declares an Instance.
func NewInstance(ctx *pulumi.Context, name string, args *InstanceArgs, opts ...pulumi.ResourceOption) (*Instance, error) {
	return ec2.Register(ctx, "aws:rds/instance:Instance", name, args, &Instance{}, opts)
}
