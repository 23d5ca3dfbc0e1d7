package aws

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/provider"
)

// check asks the provider for a resource's inputs.
func (f *fixture) check(typ string, inputs, olds properties) (properties, []string) {
	f.t.Helper()
	news, err := provider.Marshal("news", resource.NewPropertyMapFromMap(inputs))
	require.NoError(f.t, err)
	before, err := provider.Marshal("olds", resource.NewPropertyMapFromMap(olds))
	require.NoError(f.t, err)
	response, err := f.p.Check(f.t.Context(), &pulumirpc.CheckRequest{Urn: at(typ, "logical"), News: news, Olds: before})
	require.NoError(f.t, err)
	var reasons []string
	for _, failure := range response.GetFailures() {
		reasons = append(reasons, failure.GetReason())
	}
	return response.GetInputs().AsMap(), reasons
}

func TestWhatCheckRefuses(t *testing.T) {
	f := newFixture(t)
	instance := func(more properties) properties {
		inputs := properties{"ami": AMI, "instanceType": "t3.micro"}
		for key, value := range more {
			inputs[key] = value
		}
		return inputs
	}
	table := properties{"routeTableId": "rtb-1", "gatewayId": "igw-1"}
	for _, test := range []struct {
		says, typ string
		inputs    properties
	}{
		{`cidrBlok: unknown property; did you mean cidrBlock?`, vpcType, properties{"cidrBlok": "10.0.0.0/16"}},
		{`metadataOptions.httpToken: unknown property; did you mean httpTokens?`, instanceType, instance(properties{"metadataOptions": properties{"httpToken": "required"}})},
		{`policyDetails.schedules[0].nam: unknown property; did you mean name?`, lifecycleType, lifecycleInputs("arn:aws:iam::123456789012:role/a", properties{"policyDetails": properties{
			"schedules": []any{properties{"nam": "x", "name": "daily", "createRule": properties{}, "retainRule": properties{}}}}})},
		// The SDK has it, the table has not: it has to be added from the real schema first.
		{`ebsOptimized: unknown property`, instanceType, instance(properties{"ebsOptimized": true})},
		{`expected a boolean, got string. Examine values at 'logical.monitoring'`, instanceType, instance(properties{"monitoring": "yes"})},
		{`expected a whole number, got number. Examine values at 'logical.size'`, volumeType, properties{"availabilityZone": "eu-central-1a", "size": 1.5}},
		{`expected a string, got number. Examine values at 'logical.vpcSecurityGroupIds[1]'`, instanceType, instance(properties{"vpcSecurityGroupIds": []any{"sg-1", 2.0}})},
		{`expected a string, got bool. Examine values at 'logical.tags.a'`, vpcType, properties{"tags": properties{"a": true}}},
		{`expected an object, got string. Examine values at 'logical.rootBlockDevice'`, instanceType, instance(properties{"rootBlockDevice": "8"})},
		{`expected a list, got string. Examine values at 'logical.vpcSecurityGroupIds'`, instanceType, instance(properties{"vpcSecurityGroupIds": "sg-1"})},
		{`expected a map, got string. Examine values at 'logical.tags'`, vpcType, properties{"tags": "a"}},
		{`The argument "vpc_id" is required, but no definition was found. Examine values at 'logical.vpcId'`, tableType, properties{}},
		{`The argument "status" is required, but no definition was found. Examine values at 'logical.versioningConfiguration.status'`, bucketVersioningType, properties{"bucket": "b", "versioningConfiguration": properties{}}},
		{`"ipv6_address_count": conflicts with ipv6_addresses`, instanceType, instance(properties{"ipv6AddressCount": 1.0, "ipv6Addresses": []any{"2001:db8::1"}})},
		{"\"destination_cidr_block\": one of `destination_cidr_block,destination_ipv6_cidr_block,destination_prefix_list_id` must be specified", routeType, table},
		{"can be specified, but `destination_cidr_block,destination_ipv6_cidr_block` were specified", routeType, properties{"routeTableId": "rtb-1", "gatewayId": "igw-1", "destinationCidrBlock": "0.0.0.0/0", "destinationIpv6CidrBlock": "::/0"}},
		{"\"size\": one of `size,snapshot_id` must be specified", volumeType, properties{"availabilityZone": "eu-central-1a"}},
		{"Attribute ok_actions supports 5 item maximum, but config has 6 declared", AlarmType, alarmInputs(properties{"okActions": []any{
			"arn:aws:sns:a:123456789012:1", "arn:aws:sns:a:123456789012:2", "arn:aws:sns:a:123456789012:3", "arn:aws:sns:a:123456789012:4", "arn:aws:sns:a:123456789012:5", "arn:aws:sns:a:123456789012:6"}})},
		{`expected to be one of ["optional" "required"], got v2. Examine values at 'logical.metadataOptions.httpTokens'`, instanceType, instance(properties{"metadataOptions": properties{"httpTokens": "v2"}})},
	} {
		t.Run(test.says, func(t *testing.T) {
			_, reasons := f.check(test.typ, test.inputs, nil)
			if require.NotEmpty(t, reasons); !strings.Contains(test.says, "conflicts") { // These are said of each side.
				require.Len(t, reasons, 1)
			}
			assert.Contains(t, reasons[0], test.says)
		})
	}
	_, err := f.p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: at("aws:s3/bucket:Bucket", "x")})
	assert.ErrorContains(t, err, "does not have resources of type aws:s3/bucket:Bucket")
}

func TestEveryRequiredInputIsAskedFor(t *testing.T) {
	f := newFixture(t)
	for typ, s := range schemas {
		_, reasons := f.check(typ, properties{}, nil)
		said := strings.Join(reasons, "\n")
		for name, attribute := range s {
			assert.Equal(t, attribute.Required && !attribute.Autonamed, strings.Contains(said, `The argument "`+snake(name)+`" is required`), "%s.%s", typ, name)
		}
	}
}

func TestCheckFillsIn(t *testing.T) {
	f := newFixture(t)
	for typ, s := range schemas {
		inputs, _ := f.check(typ, properties{}, nil)
		for name, attribute := range s {
			switch {
			case attribute.Autonamed:
				assert.Regexp(t, `^logical-[0-9a-f]{7}$`, inputs[name], "%s.%s", typ, name)
			case name == "tagsAll":
				assert.Equal(t, properties{"ManagedBy": "berth"}, inputs[name], typ)
			default:
				assert.Equal(t, attribute.Default, inputs[name], "%s.%s", typ, name)
			}
		}
	}
	kept, _ := f.check(roleType, properties{"assumeRolePolicy": "{}"}, properties{"name": "logical-0123456"})
	assert.Equal(t, "logical-0123456", kept["name"], "a made-up name stays")
	given, reasons := f.check(instanceType, properties{"ami": AMI, "instanceType": "t3.micro", "sourceDestCheck": false, "rootBlockDevice": properties{"encrypted": true}}, nil)
	assert.Empty(t, reasons)
	assert.Equal(t, false, given["sourceDestCheck"], "what is given wins over a default")
	assert.Equal(t, properties{"encrypted": true, "deleteOnTermination": true}, given["rootBlockDevice"], "the root volume has no default tags")
}

func TestUnknownAndSecretValuesAreRight(t *testing.T) {
	f := newFixture(t)
	news, err := provider.Marshal("news", resource.PropertyMap{
		"vpcId": resource.MakeComputed(resource.NewProperty("")), "cidrBlock": resource.MakeSecret(resource.NewProperty("10.0.0.0/33")),
		"ipv6CidrBlock": resource.MakeComputed(resource.NewProperty("")), "tags": resource.MakeSecret(resource.NewProperty(resource.PropertyMap{"a": resource.NewProperty("b")})),
	})
	require.NoError(t, err)
	response, err := f.p.Check(t.Context(), &pulumirpc.CheckRequest{Urn: at(subnetType, "logical"), News: news})
	require.NoError(t, err)
	require.Len(t, response.GetFailures(), 1, "a secret is checked, an unknown value is not")
	assert.Equal(t, "cidrBlock", response.GetFailures()[0].GetProperty())
	inputs, err := provider.Unmarshal("inputs", response.GetInputs())
	require.NoError(t, err)
	assert.True(t, inputs["tagsAll"].IsSecret())
}
