package infra

import (
	"encoding/json"
	"testing"

	"berth/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDailySnapshots(t *testing.T) {
	c := declare(t, func(cfg *config.Config) { cfg.SnapshotsKept = 30 }, nil)
	lifecycle := c.only(t, "dlm/lifecyclePolicy:LifecyclePolicy")
	assert.Equal(t, "ENABLED", text(lifecycle, "state"))
	assert.Regexp(t, "^[0-9A-Za-z _-]+$", text(lifecycle, "description"), "AWS takes nothing else")
	assert.Equal(t, map[string]any{
		"resourceTypes": []any{"VOLUME"},
		"targetTags":    map[string]any{"berth:data-of": "organization/berth/production"},
		"schedules": []any{map[string]any{
			"name":       "daily",
			"createRule": map[string]any{"interval": 24.0, "intervalUnit": "HOURS", "times": "03:00"},
			"retainRule": map[string]any{"count": 30.0},
			"copyTags":   true,
		}},
	}, input(lifecycle, "policyDetails").Mappable())
	assert.True(t, dependsOn(lifecycle, "iam/rolePolicy:RolePolicy", "berth-snapshots"))
}

// A tag finds the volume, so it must be on this volume and on no other resource.
func TestSnapshotsAreOfTheDataVolumeAlone(t *testing.T) {
	c := declare(t, watched, nil)
	for _, args := range c.declared {
		_, marked := args.Inputs["tags"]
		if marked && args.TypeToken != "aws:ebs/volume:Volume" {
			assert.NotContains(t, input(args, "tags").ObjectValue(), markKey, args.TypeToken)
		}
		if args.TypeToken == "pulumi:providers:aws" {
			assert.NotContains(t, input(args, "defaultTags", "tags").ObjectValue(), markKey)
		}
	}
}

func TestSnapshotsRoleMayDoNoMore(t *testing.T) {
	c := declare(t, nil, nil)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],
		"Principal":{"Service":"dlm.amazonaws.com"}}]}`, text(c.named(t, "iam/role:Role", "berth-snapshots"), "assumeRolePolicy"))
	permission := c.only(t, "iam/rolePolicy:RolePolicy")
	assert.Equal(t, "berth-snapshots-1234567", text(permission, "role"))
	const marked = `{"StringEquals":{"aws:ResourceTag/berth:data-of":"organization/berth/production"}}`
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["ec2:DescribeVolumes","ec2:DescribeSnapshots"],"Resource":["*"]},
		{"Effect":"Allow","Action":["ec2:CreateSnapshot"],"Resource":["arn:aws:ec2:*:*:volume/*"],"Condition":`+marked+`},
		{"Effect":"Allow","Action":["ec2:CreateSnapshot","ec2:CreateTags"],"Resource":["arn:aws:ec2:*::snapshot/*"]},
		{"Effect":"Allow","Action":["ec2:DeleteSnapshot"],"Resource":["arn:aws:ec2:*::snapshot/*"],"Condition":`+marked+`}
	]}`, text(permission, "policy"))
}

func TestNoSnapshotsNoPolicy(t *testing.T) {
	with, without := declare(t, nil, nil), declare(t, func(cfg *config.Config) { cfg.SnapshotsKept = 0 }, nil)
	assert.ElementsMatch(t, names(with), append(names(without), "aws:iam/role:Role berth-snapshots",
		"aws:iam/rolePolicy:RolePolicy berth-snapshots", "aws:dlm/lifecyclePolicy:LifecyclePolicy snapshots"))
}

func TestDumpBucketIsPrivate(t *testing.T) {
	var name string
	c := declare(t, func(cfg *config.Config) { cfg.DumpBucket = true }, func(env *Environment) { read(t, env.Backups.Bucket, &name) })
	assert.Equal(t, "berth-dumps-1234567", name)
	bucket := c.only(t, "s3/bucketV2:BucketV2")
	assert.False(t, input(bucket, "forceDestroy").BoolValue())
	assert.NotContains(t, bucket.Inputs, "acl")

	closed := c.only(t, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
	for _, flag := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
		assert.True(t, input(closed, flag).BoolValue(), flag)
	}
	assert.Equal(t, "Enabled", text(c.only(t, "s3/bucketVersioningV2:BucketVersioningV2"), "versioningConfiguration", "status"))
	encryption := input(c.only(t, "s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"), "rules")
	assert.Equal(t, []any{map[string]any{"applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "AES256"}}}, encryption.Mappable())
	lifecycle := c.only(t, "s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2")
	assert.Equal(t, []any{map[string]any{
		"id": "old-dumps", "status": "Enabled", "filter": map[string]any{"prefix": "dumps/"},
		"expiration": map[string]any{"days": 90.0}, "noncurrentVersionExpiration": map[string]any{"noncurrentDays": 90.0},
		"abortIncompleteMultipartUpload": map[string]any{"daysAfterInitiation": 7.0},
	}}, input(lifecycle, "rules").Mappable())
	assert.True(t, dependsOn(lifecycle, "s3/bucketVersioningV2:BucketVersioningV2", "berth-dumps"))

	refusal := c.only(t, "s3/bucketPolicy:BucketPolicy")
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":["s3:*"],
		"Resource":["arn:aws:s3:::berth-dumps-1234567","arn:aws:s3:::berth-dumps-1234567/*"],
		"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`, text(refusal, "policy"))
	assert.True(t, dependsOn(refusal, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "berth-dumps"))
}

func TestServerMayAddDumpsAndNoMore(t *testing.T) {
	c := declare(t, func(cfg *config.Config) { cfg.DumpBucket = true }, nil)
	permission := c.named(t, "iam/rolePolicy:RolePolicy", "berth-dumps")
	assert.Equal(t, "berth-host-1234567", text(permission, "role"))
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject"],
		"Resource":["arn:aws:s3:::berth-dumps-1234567/dumps/*"]}]}`, text(permission, "policy"))
}

func TestNoDumpBucketUnlessAskedFor(t *testing.T) {
	name := "unread"
	c := declare(t, nil, func(env *Environment) { read(t, env.Backups.Bucket, &name) })
	assert.Empty(t, c.of("s3/bucketV2:BucketV2"))
	assert.Empty(t, name)
}

func TestPolicyIsJSON(t *testing.T) {
	assert.True(t, json.Valid([]byte(trust(`a"b`).String())))
	require.JSONEq(t, `{"Version":"2012-10-17","Statement":null}`, policy(nil).String())
}
