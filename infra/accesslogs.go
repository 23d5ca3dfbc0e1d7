package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// accessLogs is the name of the bucket for the load balancer's access logs, and of all that belongs to it.
	accessLogs = "berth-access-logs"

	// logDelivery is who writes them. Source: User Guide for Application Load Balancers, "Enable access logs".
	logDelivery = "logdelivery.elasticloadbalancing.amazonaws.com"
)

// logs declares the private bucket for access logs, and returns its name with what has to be there before AWS tries to write to it. The
// bucket outlives its declaration, so that no setting deletes a log before its time: each ends by its own age.
func (b *Balancer) logs(ctx *pulumi.Context, args *BalancerArgs) (name pulumi.StringInput, ready []pulumi.Resource, err error) {
	stays := pulumi.RetainOnDelete(true)
	bucket, err := s3.NewBucketV2(ctx, accessLogs, &s3.BucketV2Args{ForceDestroy: pulumi.Bool(false), Tags: nameTag(args.Names[0])}, pulumi.Parent(b), stays)
	if err != nil {
		return nil, nil, fmt.Errorf("declare the bucket for access logs: %w", err)
	}
	closed, err := s3.NewBucketPublicAccessBlock(ctx, accessLogs, &s3.BucketPublicAccessBlockArgs{
		Bucket:          bucket.ID(),
		BlockPublicAcls: pulumi.Bool(true), BlockPublicPolicy: pulumi.Bool(true), IgnorePublicAcls: pulumi.Bool(true), RestrictPublicBuckets: pulumi.Bool(true),
	}, pulumi.Parent(b), stays)
	if err != nil {
		return nil, nil, fmt.Errorf("declare that the bucket for access logs is private: %w", err)
	}
	aged, err := s3.NewBucketLifecycleConfigurationV2(ctx, accessLogs, &s3.BucketLifecycleConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("old-logs"), Status: pulumi.String("Enabled"),
			Filter:     s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("AWSLogs/")},
			Expiration: s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(args.LogDays)},
		}},
	}, pulumi.Parent(b), stays)
	if err != nil {
		return nil, nil, fmt.Errorf("declare how long access logs are kept: %w", err)
	}
	allowed, err := s3.NewBucketPolicy(ctx, accessLogs, &s3.BucketPolicyArgs{
		Bucket: bucket.ID(),
		Policy: bucket.Arn.ApplyT(func(arn string) string { return logPolicy(arn, args.Region, args.Account).String() }).(pulumi.StringOutput),
	}, pulumi.Parent(b), stays, pulumi.DependsOn([]pulumi.Resource{closed})) // As with the bucket for dumps, one change at a time.
	if err != nil {
		return nil, nil, fmt.Errorf("declare the policy of the bucket for access logs: %w", err)
	}
	return bucket.Bucket, []pulumi.Resource{allowed, aged}, nil
}

// logPolicy has the account's load balancers add logs, and refuses whoever comes without TLS.
func logPolicy(arn, region, account string) policy {
	return append(bucketPolicy(arn), statement{
		Effect: "Allow", Principal: map[string]string{"Service": logDelivery}, Action: []string{"s3:PutObject"}, Resource: []string{arn + "/AWSLogs/" + account + "/*"},
		Condition: map[string]map[string]string{"ArnLike": {"aws:SourceArn": "arn:aws:elasticloadbalancing:" + region + ":" + account + ":loadbalancer/*"}},
	})
}
