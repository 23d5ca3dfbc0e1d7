package aws

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/provider"
)

const dlmTrust = `{"Statement":[{"Effect":"Allow","Principal":{"Service":"dlm.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func lifecycleInputs(role string, changes properties) properties {
	inputs := properties{"description": "Daily snapshot", "executionRoleArn": role, "policyDetails": properties{
		"resourceTypes": []any{"VOLUME"}, "targetTags": properties{"berth:data-of": "x"},
		"schedules": []any{properties{
			"name": "daily", "copyTags": true, "retainRule": properties{"count": 7.0},
			"createRule": properties{"interval": 24.0, "intervalUnit": "HOURS", "times": "03:00"},
		}},
	}}
	for key, value := range changes {
		inputs[key] = value
	}
	return inputs
}

func TestLifecyclePolicy(t *testing.T) {
	f := newFixture(t)
	f.make(roleType, "role", properties{"name": "snapshots", "assumeRolePolicy": dlmTrust})
	arn := Text(f.get(roleType, "role").Outputs, "arn")
	id := f.make(lifecycleType, "snapshots", lifecycleInputs(arn, nil))
	assert.Regexp(t, "^policy-[0-9a-f]{17}$", id)
	assert.Equal(t, "ENABLED", f.get(lifecycleType, "snapshots").Outputs["state"])

	f.make(roleType, "other", properties{"name": "host", "assumeRolePolicy": "{}"})
	for want, inputs := range map[string]properties{
		"does not trust":  lifecycleInputs(Text(f.get(roleType, "other").Outputs, "arn"), nil),
		"does not exist":  lifecycleInputs("arn:aws:iam::123456789012:role/none", nil),
		"regular express": lifecycleInputs(arn, properties{"description": "app.example.test"}),
		"target tags":     lifecycleInputs(arn, properties{"policyDetails": properties{"resourceTypes": []any{"VOLUME"}}}),
	} {
		_, err := f.create(lifecycleType, "refused", inputs)
		require.ErrorContains(t, err, want)
	}
	for want, schedule := range map[string]properties{
		"createRule.interval": {"createRule": properties{"interval": 5.0, "intervalUnit": "HOURS"}, "retainRule": properties{"count": 7.0}},
		"createRule.times":    {"createRule": properties{"interval": 24.0, "intervalUnit": "HOURS", "times": "3:00"}, "retainRule": properties{"count": 7.0}},
		"retainRule.count":    {"createRule": properties{"interval": 24.0, "intervalUnit": "HOURS"}, "retainRule": properties{"count": 1001.0}},
	} {
		inputs := lifecycleInputs(arn, nil)
		inputs["policyDetails"].(properties)["schedules"] = []any{schedule}
		_, err := f.create(lifecycleType, "refused", inputs)
		require.ErrorContains(t, err, want)
	}
}

func TestPermissionsInsideRoles(t *testing.T) {
	f := newFixture(t)
	const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudwatch:PutMetricData","Resource":["*"],
		"Condition":{"StringEquals":{"cloudwatch:namespace":"Berth"}}}]}`
	_, err := f.create(permissionType, "metrics", properties{"name": "metrics", "role": "host", "policy": document})
	require.ErrorContains(t, err, "NoSuchEntity")
	f.make(roleType, "role", properties{"name": "host", "assumeRolePolicy": "{}"})
	assert.Equal(t, "host:metrics", f.make(permissionType, "metrics", properties{"name": "metrics", "role": "host", "policy": document}))
	require.ErrorContains(t, f.remove(roleType, "role"), "must delete policies first")
	for want, bad := range map[string]string{
		"MalformedPolicyDocument":      `{"Statement":`,
		"must contain actions":         `{"Statement":[{"Effect":"Allow","Resource":"*"}]}`,
		"must contain resources":       `{"Statement":[{"Effect":"Allow","Action":"a:B"}]}`,
		"should not specify a princip": `{"Statement":[{"Effect":"Allow","Action":"a:B","Resource":"*","Principal":"*"}]}`,
		"Invalid effect":               `{"Statement":[{"Effect":"allow","Action":"a:B","Resource":"*"}]}`,
	} {
		_, err := f.create(permissionType, "refused", properties{"name": "refused", "role": "host", "policy": bad})
		require.ErrorContains(t, err, want)
	}
	may := func(action, namespace string) bool {
		return f.account().SomeRoleMay(Request{action, "*", map[string][]string{"cloudwatch:namespace": {namespace}}})
	}
	assert.True(t, may("cloudwatch:PutMetricData", "Berth"))
	assert.False(t, may("cloudwatch:PutMetricData", "AWS/EC2"))
	assert.False(t, may("cloudwatch:DeleteAlarms", "Berth"))
}

func TestBucketsAndTheirParts(t *testing.T) {
	f := newFixture(t)
	parts := map[string]properties{
		bucketAccessType:     {"blockPublicPolicy": true},
		bucketVersioningType: {"versioningConfiguration": properties{"status": "Enabled"}},
		bucketEncryptionType: {"rules": []any{properties{"applyServerSideEncryptionByDefault": properties{"sseAlgorithm": "AES256"}}}},
		bucketLifecycleType:  {"rules": []any{properties{"id": "old", "status": "Enabled", "expiration": properties{"days": 90.0}}}},
		bucketPolicyType:     {"policy": `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::dumps-1234567","arn:aws:s3:::dumps-1234567/*"]}]}`},
	}
	with := func(more properties) properties {
		inputs := properties{"bucket": "dumps-1234567"}
		for key, value := range more {
			inputs[key] = value
		}
		return inputs
	}
	for typ, inputs := range parts {
		_, err := f.create(typ, "early", with(inputs))
		require.ErrorContains(t, err, "NoSuchBucket", typ)
	}
	_, err := f.create(BucketType, "refused", properties{"bucket": "Dumps_1"})
	require.ErrorContains(t, err, "InvalidBucketName")
	f.make(BucketType, "dumps", with(nil))
	_, err = f.create(BucketType, "again", with(nil))
	require.ErrorContains(t, err, "BucketAlreadyOwnedByYou")
	bucket := f.get(BucketType, "dumps").Outputs
	assert.Equal(t, "arn:aws:s3:::dumps-1234567", bucket["arn"])
	assert.Equal(t, "dumps-1234567.s3.eu-central-1.amazonaws.com", bucket["bucketRegionalDomainName"])
	for typ, inputs := range parts {
		f.make(typ, typ, with(inputs))
	}
	for _, bad := range []struct {
		want, typ string
		inputs    properties
	}{
		{"MalformedXML", bucketVersioningType, properties{"versioningConfiguration": properties{"status": "On"}}},
		{"MalformedXML", bucketEncryptionType, properties{"rules": []any{properties{}}}},
		{"At least one action", bucketLifecycleType, properties{"rules": []any{properties{"id": "x", "status": "Enabled"}}}},
		{"positive integer", bucketLifecycleType, properties{"rules": []any{properties{"id": "x", "status": "Enabled", "expiration": properties{"days": 0.0}}}}},
		{"MalformedPolicy", bucketPolicyType, properties{"policy": "-"}},
		{"invalid resource", bucketPolicyType, properties{"policy": `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}`}},
		{"AccessDenied", bucketPolicyType, properties{"policy": `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::dumps-1234567/*"}]}`}},
	} {
		require.ErrorContains(t, f.update(bad.typ, bad.typ, with(bad.inputs)), bad.want)
	}
	require.NoError(t, f.remove(BucketType, "dumps"))
	assert.Empty(t, f.account().Inventory(), "what belongs to a bucket goes with it")
}

func TestVolumeFromASnapshot(t *testing.T) {
	f := newFixture(t).server()
	_, err := TakeSnapshot(t.Context(), f.dir, nil, "vol-none")
	require.ErrorContains(t, err, "InvalidVolume.NotFound")
	before := f.world.followed
	snapshot, err := TakeSnapshot(t.Context(), f.dir, f.world, f.ids["data"])
	require.NoError(t, err)
	assert.Equal(t, before+1, f.world.followed, "the disk is copied at once")
	made := f.account().get(snapshotType, snapshot)
	assert.Equal(t, f.ids["data"], made.Outputs["volumeId"])
	assert.Equal(t, "arn:aws:ec2:eu-central-1::snapshot/"+snapshot, made.Outputs["arn"])

	volume := func(size float64) properties {
		return properties{"availabilityZone": "eu-central-1a", "size": size, "type": "gp3", "snapshotId": snapshot}
	}
	_, err = f.create(volumeType, "small", volume(10))
	require.ErrorContains(t, err, "expect size >= 20GiB")
	f.make(volumeType, "restored", volume(40))
	assert.Equal(t, true, f.get(volumeType, "restored").Outputs["encrypted"], "as its snapshot is")
	inputs := volume(0)
	delete(inputs, "size")
	f.make(volumeType, "equal", inputs)
	assert.EqualValues(t, 20, f.get(volumeType, "equal").Outputs["size"])

	// Leaving the snapshot out afterwards is no change, and it is still reported.
	olds, err := provider.Marshal("olds", resource.NewPropertyMapFromMap(volume(40)))
	require.NoError(t, err)
	without := volume(40)
	delete(without, "snapshotId")
	news, err := provider.Marshal("news", resource.NewPropertyMapFromMap(without))
	require.NoError(t, err)
	diff, err := f.p.Diff(t.Context(), &pulumirpc.DiffRequest{Urn: at(volumeType, "restored"), OldInputs: olds, News: news})
	require.NoError(t, err)
	assert.Equal(t, pulumirpc.DiffResponse_DIFF_NONE, diff.GetChanges())
	require.NoError(t, f.update(volumeType, "restored", without))
	assert.Equal(t, snapshot, f.get(volumeType, "restored").Outputs["snapshotId"])
}
