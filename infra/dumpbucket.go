package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// dumps is the name of the bucket, and of all that belongs to it.
	dumps = "berth-dumps"
	// DumpPrefix is the one folder of the bucket that the server may write to.
	DumpPrefix = "dumps/"

	// dumpDays is how long a dump stays. It is as well how long a version stays that another took the place of: whoever takes the
	// server over can write over every dump, and loses none of them before its time. So one that expires is paid for twice as long.
	dumpDays = 90
	// abortedDays is how long the parts of an upload that never ended are paid for.
	abortedDays = 7
)

// bucket declares a private bucket that the server can add to, and neither read nor empty: whoever takes the server
// over does not have the dumps of months as well, and can neither take them away nor replace them.
func (b *Backups) bucket(ctx *pulumi.Context, args *BackupsArgs) error {
	bucket, err := s3.NewBucketV2(ctx, dumps, &s3.BucketV2Args{
		ForceDestroy: pulumi.Bool(false),
		Tags:         nameTag(args.Domain),
	}, pulumi.Parent(b), pulumi.Protect(args.Protect))
	if err != nil {
		return fmt.Errorf("declare the bucket for dumps: %w", err)
	}
	b.Bucket = bucket.Bucket
	closed, err := s3.NewBucketPublicAccessBlock(ctx, dumps, &s3.BucketPublicAccessBlockArgs{
		Bucket:                bucket.ID(),
		BlockPublicAcls:       pulumi.Bool(true),
		BlockPublicPolicy:     pulumi.Bool(true),
		IgnorePublicAcls:      pulumi.Bool(true),
		RestrictPublicBuckets: pulumi.Bool(true),
	}, pulumi.Parent(b))
	if err != nil {
		return fmt.Errorf("declare that the bucket for dumps is private: %w", err)
	}
	versioning, err := s3.NewBucketVersioningV2(ctx, dumps, &s3.BucketVersioningV2Args{
		Bucket:                  bucket.ID(),
		VersioningConfiguration: s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, pulumi.Parent(b))
	if err != nil {
		return fmt.Errorf("declare that the bucket for dumps keeps versions: %w", err)
	}
	_, err = s3.NewBucketServerSideEncryptionConfigurationV2(ctx, dumps, &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
				SseAlgorithm: pulumi.String("AES256"),
			},
		}},
	}, pulumi.Parent(b))
	if err != nil {
		return fmt.Errorf("declare that the bucket for dumps is encrypted: %w", err)
	}
	_, err = s3.NewBucketLifecycleConfigurationV2(ctx, dumps, &s3.BucketLifecycleConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{s3.BucketLifecycleConfigurationV2RuleArgs{
			Id:         pulumi.String("old-dumps"),
			Status:     pulumi.String("Enabled"),
			Filter:     s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String(DumpPrefix)},
			Expiration: s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(dumpDays)},
			NoncurrentVersionExpiration: s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{
				NoncurrentDays: pulumi.Int(dumpDays),
			},
			AbortIncompleteMultipartUpload: s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(abortedDays),
			},
		}},
	},
		pulumi.Parent(b),
		// Rules about versions take a bucket that has them.
		pulumi.DependsOn([]pulumi.Resource{versioning}),
	)
	if err != nil {
		return fmt.Errorf("declare how long dumps are kept: %w", err)
	}
	_, err = s3.NewBucketPolicy(ctx, dumps, &s3.BucketPolicyArgs{
		Bucket: bucket.ID(),
		Policy: bucket.Arn.ApplyT(func(arn string) string { return bucketPolicy(arn).String() }).(pulumi.StringOutput),
	},
		pulumi.Parent(b),
		// S3 takes one change of who may reach a bucket at a time, and answers OperationAborted to another.
		pulumi.DependsOn([]pulumi.Resource{closed}),
	)
	if err != nil {
		return fmt.Errorf("declare the policy of the bucket for dumps: %w", err)
	}
	_, err = iam.NewRolePolicy(ctx, dumps, &iam.RolePolicyArgs{
		Role:   args.ServerRole,
		Policy: bucket.Arn.ApplyT(func(arn string) string { return dumpPolicy(arn).String() }).(pulumi.StringOutput),
	}, pulumi.Parent(b))
	if err != nil {
		return fmt.Errorf("declare that the server may store dumps: %w", err)
	}
	return nil
}

// bucketPolicy refuses whoever comes without TLS.
func bucketPolicy(arn string) policy {
	return policy{{
		Effect: "Deny", Principal: "*", Action: []string{"s3:*"}, Resource: []string{arn, arn + "/*"},
		Condition: map[string]map[string]string{"Bool": {"aws:SecureTransport": "false"}},
	}}
}

// dumpPolicy lets the server add objects. Deleting one, or a version of one, is another action, as is whatever the bucket's versions
// and their time depend on.
func dumpPolicy(arn string) policy {
	return policy{{Effect: "Allow", Action: []string{"s3:PutObject"}, Resource: []string{arn + "/" + DumpPrefix + "*"}}}
}
