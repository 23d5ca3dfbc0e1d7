package provider

import (
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
)

func TestCheckArgs(t *testing.T) {
	type object = map[string]any
	for _, test := range []struct {
		name   string
		inputs object
		want   []string
	}{
		{"nothing wrong", object{"instanceType": "t3.micro", "monitoring": false, "tags": object{"Name": "x"}}, nil},
		{"unknown, with advice", object{"instancetype": "t3.micro"}, []string{"instancetype: unknown property; did you mean instanceType?"}},
		{"unknown, without", object{"zzz": 1.0}, []string{"zzz: unknown property"}},
		{"another type", object{"monitoring": "yes"}, []string{"monitoring: expected a boolean, got string"}},
		{"a fraction", object{"cpuCoreCount": 1.5}, []string{"cpuCoreCount: expected a whole number, got number"}},
		{"inside an object", object{"metadataOptions": object{"httpToken": "required"}}, []string{"metadataOptions.httpToken: unknown property; did you mean httpTokens?"}},
		{"inside a list", object{"vpcSecurityGroupIds": []any{"sg-1", 2.0}}, []string{"vpcSecurityGroupIds[1]: expected a string, got number"}},
		{"inside a map", object{"tags": object{"a": true}}, []string{"tags.a: expected a string, got bool"}},
		{"the engine's own keys", object{"__defaults": []any{}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var reasons []string
			for _, failure := range CheckArgs(ec2.InstanceArgs{}, resource.NewPropertyMapFromMap(test.inputs)) {
				reasons = append(reasons, failure.Reason)
			}
			assert.Equal(t, test.want, reasons)
		})
	}
}

func TestCheckArgsKnowsWhatIsRequired(t *testing.T) {
	failures := CheckArgs(ec2.EipAssociationArgs{}, nil)
	assert.Empty(t, failures)
	failures = CheckArgs(ec2.VolumeAttachmentArgs{}, resource.PropertyMap{
		"deviceName": resource.NewStringProperty("/dev/sdf"),
		"instanceId": resource.MakeComputed(resource.NewStringProperty("")),
		"volumeId":   resource.MakeSecret(resource.NewStringProperty("vol-1")),
	})
	assert.Empty(t, failures, "unknown and secret values count as present")
	failures = CheckArgs(ec2.VolumeAttachmentArgs{}, nil)
	assert.Len(t, failures, 3)
}
