package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/dlm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// snapshotTime is when the daily snapshot is begun, in UTC: in most places few people are at the site then. AWS takes
// up to an hour to begin it. Source: EBS User Guide, "Automate backups with Amazon Data Lifecycle Manager".
const snapshotTime = "03:00"

// Backups are what outlives the data volume: its daily snapshots, and a bucket that dumps are copied to.
type Backups struct {
	pulumi.ResourceState

	// Bucket is the name of the bucket for dumps, "" where there is none. The server may write below DumpPrefix.
	Bucket pulumi.StringOutput
}

// BackupsArgs are what Backups need.
type BackupsArgs struct {
	// Domain is the site's, for the name in AWS's console.
	Domain string
	// SnapshotsKept is how many daily snapshots are kept, 0 for none; Mark is the tag of the volume that they are of.
	SnapshotsKept int
	Mark          map[string]string
	// Boundary is the ARN of the permissions boundary.
	Boundary pulumi.StringInput
	// DumpBucket makes the bucket, ServerRole is whose holder may write there, and Protect keeps it from being deleted.
	DumpBucket bool
	ServerRole pulumi.StringInput
	Protect    bool
}

// NewBackups declares the daily snapshot and the bucket for dumps, as far as they are wanted.
func NewBackups(ctx *pulumi.Context, name string, args *BackupsArgs, opts ...pulumi.ResourceOption) (*Backups, error) {
	b := &Backups{Bucket: pulumi.String("").ToStringOutput()}
	if err := ctx.RegisterComponentResource("berth:infra:Backups", name, b, opts...); err != nil {
		return nil, fmt.Errorf("declare the backups: %w", err)
	}
	if args.SnapshotsKept > 0 {
		if err := b.snapshots(ctx, args); err != nil {
			return nil, err
		}
	}
	if args.DumpBucket {
		if err := b.bucket(ctx, args); err != nil {
			return nil, err
		}
	}
	if err := ctx.RegisterResourceOutputs(b, pulumi.Map{"bucket": b.Bucket, "protected": pulumi.Bool(args.Protect)}); err != nil {
		return nil, fmt.Errorf("register the backups: %w", err)
	}
	return b, nil
}

// snapshots declares the daily snapshot. What it made outlives the policy: snapshots go only by its own hand, one for
// each new one beyond the number kept.
func (b *Backups) snapshots(ctx *pulumi.Context, args *BackupsArgs) error {
	role, err := newRole(ctx, "berth-snapshots", &roleArgs{
		domain: args.Domain, description: "Makes and removes the snapshots of a Berth data volume",
		trust: trust("dlm.amazonaws.com").String(), boundary: args.Boundary,
	}, b)
	if err != nil {
		return fmt.Errorf("declare the snapshots' role: %w", err)
	}
	permission, err := iam.NewRolePolicy(ctx, "berth-snapshots", &iam.RolePolicyArgs{
		Role:   role.Name,
		Policy: pulumi.String(snapshotPolicy(args.Mark[markKey]).String()),
	}, pulumi.Parent(b))
	if err != nil {
		return fmt.Errorf("declare the permissions of the snapshots' role: %w", err)
	}
	_, err = dlm.NewLifecyclePolicy(ctx, "snapshots", &dlm.LifecyclePolicyArgs{
		// AWS takes letters, digits, spaces, hyphens and underscores here, and no dot of a domain.
		Description:      pulumi.String("Daily snapshot of a Berth data volume"),
		ExecutionRoleArn: role.Arn,
		State:            pulumi.String("ENABLED"),
		PolicyDetails: dlm.LifecyclePolicyPolicyDetailsArgs{
			ResourceTypes: pulumi.StringArray{pulumi.String("VOLUME")},
			TargetTags:    pulumi.ToStringMap(args.Mark),
			Schedules: dlm.LifecyclePolicyPolicyDetailsScheduleArray{dlm.LifecyclePolicyPolicyDetailsScheduleArgs{
				Name: pulumi.String("daily"),
				CreateRule: dlm.LifecyclePolicyPolicyDetailsScheduleCreateRuleArgs{
					Interval:     pulumi.Int(24),
					IntervalUnit: pulumi.String("HOURS"),
					Times:        pulumi.String(snapshotTime),
				},
				RetainRule: dlm.LifecyclePolicyPolicyDetailsScheduleRetainRuleArgs{Count: pulumi.Int(args.SnapshotsKept)},
				CopyTags:   pulumi.Bool(true),
			}},
		},
		Tags: nameTag(args.Domain),
	},
		pulumi.Parent(b),
		// A policy whose role may do nothing ends in the state ERROR, and stays there.
		pulumi.DependsOn([]pulumi.Resource{permission}),
	)
	if err != nil {
		return fmt.Errorf("declare the daily snapshot: %w", err)
	}
	return nil
}

// snapshotPolicy is what Data Lifecycle Manager needs for volumes that bear the mark, and no more: its managed policy
// would let it copy and delete every snapshot in the account. Only what lists takes no resource.
func snapshotPolicy(mark string) policy {
	const snapshots = "arn:aws:ec2:*::snapshot/*"
	marked := map[string]map[string]string{"StringEquals": {"aws:ResourceTag/" + markKey: mark}}
	return policy{
		{Effect: "Allow", Action: []string{"ec2:DescribeVolumes", "ec2:DescribeSnapshots"}, Resource: []string{"*"}},
		{Effect: "Allow", Action: []string{"ec2:CreateSnapshot"}, Resource: []string{"arn:aws:ec2:*:*:volume/*"}, Condition: marked},
		{Effect: "Allow", Action: []string{"ec2:CreateSnapshot", "ec2:CreateTags"}, Resource: []string{snapshots}},
		// Snapshots bear the volume's tags, so the mark is on them too.
		{Effect: "Allow", Action: []string{"ec2:DeleteSnapshot"}, Resource: []string{snapshots}, Condition: marked},
	}
}
