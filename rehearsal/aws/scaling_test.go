package aws

import (
	"context"
	"encoding/base64"
	"slices"
	"testing"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// balanced is a network in two zones with a target group.
func (f *fixture) balanced() *fixture {
	f.make(vpcType, "vpc", properties{"cidrBlock": "10.20.0.0/16", "assignGeneratedIpv6CidrBlock": true})
	f.make(gatewayType, "gateway", properties{"vpcId": f.ids["vpc"]})
	for name, zone := range map[string]string{"subnet": "a", "subnet-2": "b"} {
		third := map[string]string{"a": "0", "b": "1"}[zone]
		f.make(subnetType, name, properties{
			"vpcId": f.ids["vpc"], "cidrBlock": "10.20." + third + ".0/24", "availabilityZone": "eu-central-1" + zone, "mapPublicIpOnLaunch": true,
			"ipv6CidrBlock": "2001:db8:be00:10" + third + "::/64", "assignIpv6AddressOnCreation": true,
		})
	}
	f.make(securityGroupType, "group", properties{"vpcId": f.ids["vpc"], "name": "group"})
	f.make(instanceType, "server", f.instance(nil))
	f.make(zoneType, "zone", properties{"name": "example.test"})
	f.make(TargetGroupType, "site", f.target("site", nil))
	return f
}

func (f *fixture) target(name string, more properties) properties {
	inputs := properties{
		"name": name, "targetType": "instance", "protocol": "HTTPS", "port": 8443.0, "vpcId": f.ids["vpc"], "deregistrationDelay": 30.0,
		"healthCheck": properties{"protocol": "HTTPS", "path": "/.berth/ready", "interval": 5.0, "timeout": 2.0, "healthyThreshold": 2.0, "unhealthyThreshold": 2.0},
	}
	for key, value := range more {
		inputs[key] = value
	}
	return inputs
}

func (f *fixture) template(more properties) properties {
	inputs := properties{
		"name": "web", "imageId": AMI, "instanceType": "t3.micro", "vpcSecurityGroupIds": []any{f.ids["group"]}, "updateDefaultVersion": true,
		"userData":            base64.StdEncoding.EncodeToString([]byte("#cloud-config")),
		"blockDeviceMappings": []any{properties{"deviceName": rootDevice, "ebs": properties{"volumeSize": 20.0, "encrypted": "true"}}},
		"tagSpecifications":   []any{properties{"resourceType": "instance", "tags": properties{"Name": "template", "Kind": "web"}}, properties{"resourceType": "volume", "tags": properties{"Of": "volume"}}},
	}
	for key, value := range more {
		inputs[key] = value
	}
	return inputs
}

func (f *fixture) group(more properties) properties {
	inputs := properties{
		"name": "web", "minSize": 1.0, "maxSize": 3.0, "vpcZoneIdentifiers": []any{f.ids["subnet"], f.ids["subnet-2"]}, "targetGroupArns": []any{f.ids["site"]},
		"launchTemplate": properties{"id": f.ids["template"], "version": "$Latest"}, "forceDelete": true, "healthCheckType": "ELB",
		"initialLifecycleHooks": []any{properties{"name": "berth-join", "lifecycleTransition": launching, "heartbeatTimeout": 900.0}},
		"tags": []any{
			properties{"key": "Name", "value": "app web", "propagateAtLaunch": true}, properties{"key": "Secret", "value": "of the group", "propagateAtLaunch": false},
		},
	}
	for key, value := range more {
		inputs[key] = value
	}
	return inputs
}

func (f *fixture) scaling() *fixture {
	f.balanced()
	f.make(LaunchTemplateType, "template", f.template(nil))
	f.make(GroupType, "web", f.group(nil))
	return f
}

// launch has Auto Scaling launch an instance of the group.
func (f *fixture) launch(subnet string) *Resource {
	f.t.Helper()
	var made *Resource
	require.NoError(f.t, Change(f.dir, func(account *Account) (err error) {
		made, err = account.LaunchInstance(account.get(GroupType, "web"), f.ids[subnet])
		return err
	}))
	return made
}

func TestAGroupsInstancesAreOrdinaryOnes(t *testing.T) {
	f := newFixture(t).scaling()
	group := f.get(GroupType, "web").Outputs
	assert.EqualValues(t, 1, group["desiredCapacity"], "as many as there are at least")
	assert.Equal(t, []any{"eu-central-1a", "eu-central-1b"}, group["availabilityZones"])
	assert.Regexp(t, `^arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:[0-9a-f-]{36}:autoScalingGroupName/web$`, group["arn"])

	first, second := f.launch("subnet"), f.launch("subnet-2")
	again := f.account().get(instanceType, second.ID)
	require.NotNil(t, again, "it is in the account")
	for key, value := range map[string]any{
		"ami": AMI, "instanceType": "t3.micro", "instanceState": "running", "availabilityZone": "eu-central-1b", "userData": "#cloud-config", "vpcSecurityGroupIds": []any{f.ids["group"]},
		"autoScalingGroup": "web", "lifecycleState": "Pending:Wait", "healthStatus": "Healthy", "privateIp": "10.20.1.4", "ipv6Addresses": []any{"2001:db8:be00:101::a1b2"},
		"launchTemplate": properties{"id": f.ids["template"], "version": "1"},
		"tagsAll":        properties{"Name": "app web", "Kind": "web", GroupTag: "web", "aws:ec2launchtemplate:id": f.ids["template"], "aws:ec2launchtemplate:version": "1"},
	} {
		assert.Equal(t, value, again.Outputs[key], key)
	}
	root := Object(again.Outputs, "rootBlockDevice")
	assert.EqualValues(t, 20, root["volumeSize"])
	assert.Equal(t, true, root["encrypted"])
	addresses := []string{Text(first.Outputs, "publicIp"), Text(second.Outputs, "publicIp"), Text(f.get(instanceType, "server").Outputs, "publicIp")}
	slices.Sort(addresses)
	assert.Len(t, slices.Compact(addresses), 3, "each has a public address of its own: %v", addresses)
	assert.NotContains(t, addresses, "")
	assert.NotEqual(t, Texts(first.Outputs, "ipv6Addresses"), Texts(f.get(instanceType, "server").Outputs, "ipv6Addresses"), "and of IPv6, in one subnet")
	assert.Len(t, f.account().Instances(f.get(GroupType, "web")), 2)

	// Without a hook, it is in service at once. What the network interface says counts for more than what the subnet does.
	f.make(LaunchTemplateType, "inside", f.template(properties{"name": "inside", "vpcSecurityGroupIds": nil, "networkInterfaces": []any{
		properties{"associatePublicIpAddress": "false", "ipv6AddressCount": 0.0, "securityGroups": []any{f.ids["group"]}},
	}}))
	f.make(GroupType, "bare", f.group(properties{"name": "bare", "initialLifecycleHooks": nil, "launchTemplate": properties{"name": "inside"}}))
	require.NoError(t, Change(f.dir, func(account *Account) error {
		made, err := account.LaunchInstance(account.get(GroupType, "bare"), f.ids["subnet"])
		require.NoError(t, err)
		assert.Equal(t, "InService", made.Outputs["lifecycleState"])
		assert.Empty(t, made.Outputs["publicIp"])
		assert.Empty(t, made.Outputs["ipv6Addresses"])
		assert.Equal(t, []any{f.ids["group"]}, made.Outputs["vpcSecurityGroupIds"])
		_, err = account.LaunchInstance(account.get(GroupType, "bare"), "subnet-1")
		assert.ErrorContains(t, err, "not one of group bare")
		return nil
	}))
}

func TestAnInstanceThatEndsIsNoTargetAnyMore(t *testing.T) {
	f := newFixture(t).scaling()
	instance := f.launch("subnet")
	f.make(TargetAttachmentType, "target", properties{"targetGroupArn": f.ids["site"], "targetId": instance.ID})
	require.NoError(t, Change(f.dir, func(account *Account) error {
		account.Terminate(account.get(instanceType, instance.ID))
		return nil
	}))
	assert.Nil(t, f.account().get(instanceType, instance.ID))
	assert.Empty(t, f.account().OfType(TargetAttachmentType))
	assert.NotNil(t, f.get(instanceType, "server"), "and no other")
}

func TestAnInstanceNeedsRoom(t *testing.T) {
	f := newFixture(t).scaling()
	require.NoError(t, f.update(LaunchTemplateType, "template", f.template(properties{"instanceType": "t3.2xlarge"})))
	f.launch("subnet")
	err := Change(f.dir, func(account *Account) error {
		_, err := account.LaunchInstance(account.get(GroupType, "web"), f.ids["subnet"])
		return err
	})
	require.ErrorContains(t, err, "VcpuLimitExceeded")
	assert.Len(t, f.account().Instances(f.get(GroupType, "web")), 1)
}

// A version holds what a template was when it was made; what is launched is what the group names.
func TestVersionsOfALaunchTemplate(t *testing.T) {
	f := newFixture(t).scaling()
	version := func() (latest, usual any) {
		made := f.get(LaunchTemplateType, "template").Outputs
		return made["latestVersion"], made["defaultVersion"]
	}
	require.NoError(t, f.update(LaunchTemplateType, "template", f.template(properties{"tags": properties{"Team": "web"}})))
	latest, usual := version()
	assert.Equal(t, []any{1.0, 1.0}, []any{latest, usual}, "tags are no matter of a version")
	require.NoError(t, f.update(LaunchTemplateType, "template", f.template(properties{"instanceType": "t3.small"})))
	latest, usual = version()
	assert.Equal(t, []any{2.0, 2.0}, []any{latest, usual})
	require.NoError(t, f.update(LaunchTemplateType, "template", f.template(properties{"instanceType": "t3.medium", "updateDefaultVersion": false})))
	latest, usual = version()
	assert.Equal(t, []any{3.0, 2.0}, []any{latest, usual})
	for asked, size := range map[string]string{"$Latest": "t3.medium", "$Default": "t3.small", "1": "t3.micro"} {
		require.NoError(t, f.update(GroupType, "web", f.group(properties{"launchTemplate": properties{"id": f.ids["template"], "version": asked}})))
		assert.Equal(t, size, f.launch("subnet").Outputs["instanceType"], asked)
	}
	require.ErrorContains(t, f.update(GroupType, "web", f.group(properties{"launchTemplate": properties{"id": f.ids["template"], "version": "4"}})), "Could not find launch template version 4")

	read, err := f.p.Read(t.Context(), &pulumirpc.ReadRequest{Urn: at(LaunchTemplateType, "template"), Id: f.ids["template"]})
	require.NoError(t, err)
	assert.NotContains(t, read.GetProperties().AsMap(), "versions", "what they hold may be a secret, and the engine would not know")
	require.NoError(t, f.remove(LaunchTemplateType, "template"))
	err = Change(f.dir, func(account *Account) error {
		_, err := account.LaunchInstance(account.get(GroupType, "web"), f.ids["subnet"])
		return err
	})
	require.ErrorContains(t, err, "does not exist")
}

func TestAGroupAdaptsAndTakesItsInstancesWithIt(t *testing.T) {
	f := newFixture(t).scaling()
	desired := func(least, most float64) any {
		require.NoError(t, f.update(GroupType, "web", f.group(properties{"minSize": least, "maxSize": most})))
		return f.get(GroupType, "web").Outputs["desiredCapacity"]
	}
	assert.EqualValues(t, 2, desired(2, 4))
	require.NoError(t, Change(f.dir, func(account *Account) error {
		account.get(GroupType, "web").Outputs["desiredCapacity"] = 4.0
		return nil
	}))
	assert.EqualValues(t, 4, desired(1, 4), "what the policy chose stays")
	assert.EqualValues(t, 3, desired(1, 3), "as far as there is room")
	hooks := Objects(f.get(GroupType, "web").Outputs, "initialLifecycleHooks")
	require.Len(t, hooks, 1)
	assert.Equal(t, "ABANDON", hooks[0]["defaultResult"])

	f.make(ScalingPolicyType, "cpu", properties{
		"name": "cpu", "autoscalingGroupName": "web", "policyType": "TargetTrackingScaling",
		"targetTrackingConfiguration": properties{"predefinedMetricSpecification": properties{"predefinedMetricType": "ASGAverageCPUUtilization"}, "targetValue": 60.0},
	})
	f.launch("subnet")
	f.launch("subnet-2")
	kept := f.group(properties{"forceDelete": false})
	require.NoError(t, f.update(GroupType, "web", kept))
	// Nobody ends its instances here.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := f.p.Delete(ctx, &pulumirpc.DeleteRequest{Urn: at(GroupType, "web"), Id: f.ids["web"]})
	require.ErrorContains(t, err, "drain the instances of group web")
	require.NoError(t, f.update(GroupType, "web", f.group(nil)))
	f.world.followed = 0
	require.NoError(t, f.remove(GroupType, "web"))
	assert.Equal(t, 1, f.world.followed, "the hosts go, too")
	assert.Len(t, f.account().OfType(instanceType), 1, "the first server stays")
	assert.Empty(t, f.account().OfType(ScalingPolicyType))
}

func TestWhatAutoScalingRefuses(t *testing.T) {
	for _, test := range []struct {
		says, typ string
		inputs    func(f *fixture) properties
	}{
		{"AlreadyExistsException", LaunchTemplateType, func(f *fixture) properties { return f.template(nil) }},
		{"Invalid BASE64", LaunchTemplateType, func(f *fixture) properties {
			return f.template(properties{"name": "other", "userData": "#cloud-config"})
		}},
		{"limited to 16384", LaunchTemplateType, func(f *fixture) properties {
			return f.template(properties{"name": "other", "userData": base64.StdEncoding.EncodeToString(make([]byte, 16385))})
		}},
		{"InvalidParameterCombination", LaunchTemplateType, func(f *fixture) properties {
			return f.template(properties{"name": "other", "networkInterfaces": []any{properties{"associatePublicIpAddress": "true"}}})
		}},
		{"reserved for internal use", LaunchTemplateType, func(f *fixture) properties {
			return f.template(properties{"name": "other", "tagSpecifications": []any{properties{"resourceType": "instance", "tags": properties{"aws:x": "y"}}}})
		}},
		{"AlreadyExists", GroupType, func(f *fixture) properties { return f.group(nil) }},
		{"greater than or equal to min bound", GroupType, func(f *fixture) properties { return f.group(properties{"name": "other", "minSize": 4.0}) }},
		{"must be between the specified min", GroupType, func(f *fixture) properties { return f.group(properties{"name": "other", "desiredCapacity": 4.0}) }},
		{"At least one Availability Zone", GroupType, func(f *fixture) properties {
			return f.group(properties{"name": "other", "vpcZoneIdentifiers": []any{}})
		}},
		{"The subnet ID 'subnet-1' does not exist", GroupType, func(f *fixture) properties {
			return f.group(properties{"name": "other", "vpcZoneIdentifiers": []any{"subnet-1"}})
		}},
		{"Provided Target Groups may not be valid", GroupType, func(f *fixture) properties {
			return f.group(properties{"name": "other", "targetGroupArns": []any{"arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/x/1"}})
		}},
		{"valid fully-formed launch template", GroupType, func(f *fixture) properties {
			return f.group(properties{"name": "other", "launchTemplate": properties{"id": "lt-1"}})
		}},
		{"The metric 'GroupInService' is not one", GroupType, func(f *fixture) properties {
			return f.group(properties{"name": "other", "enabledMetrics": []any{"GroupInService"}})
		}},
		{"healthCheckType", GroupType, func(f *fixture) properties { return f.group(properties{"name": "other", "healthCheckType": "HTTP"}) }},
		{"lifecycle hook twice already exists", GroupType, func(f *fixture) properties {
			hook := properties{"name": "twice", "lifecycleTransition": launching}
			return f.group(properties{"name": "other", "initialLifecycleHooks": []any{hook, hook}})
		}},
		{"Duplicate tag keys", GroupType, func(f *fixture) properties {
			tag := properties{"key": "Name", "value": "x", "propagateAtLaunch": true}
			return f.group(properties{"name": "other", "tags": []any{tag, tag}})
		}},
		{"reserved for internal use", GroupType, func(f *fixture) properties {
			return f.group(properties{"name": "other", "tags": []any{properties{"key": "aws:x", "value": "x", "propagateAtLaunch": true}}})
		}},
		{"Group none not found", ScalingPolicyType, func(*fixture) properties { return properties{"name": "cpu", "autoscalingGroupName": "none"} }},
		{"TargetTrackingConfiguration must be specified", ScalingPolicyType, func(*fixture) properties {
			return properties{"name": "cpu", "autoscalingGroupName": "web", "policyType": "TargetTrackingScaling"}
		}},
	} {
		t.Run(test.says, func(t *testing.T) {
			f := newFixture(t).scaling()
			before := len(f.account().Resources)
			_, err := f.create(test.typ, "refused", test.inputs(f))
			require.ErrorContains(t, err, test.says)
			assert.Len(t, f.account().Resources, before)
		})
	}
	for says, template := range map[string]map[string]any{
		"The image id '[ami-1]' does not exist":  {"imageId": "ami-1"},
		"Invalid value 't9.micro'":               {"instanceType": "t9.micro"},
		"The security group 'sg-1' does not":     {"vpcSecurityGroupIds": []any{"sg-1"}},
		"Invalid IAM Instance Profile name":      {"iamInstanceProfile": properties{"name": "none"}},
		"iamInstanceProfile.name is invalid. In": {"iamInstanceProfile": properties{"arn": "arn:aws:iam::123456789012:instance-profile/none"}},
	} {
		f := newFixture(t).balanced()
		f.make(LaunchTemplateType, "template", f.template(template))
		_, err := f.create(GroupType, "web", f.group(nil))
		require.ErrorContains(t, err, says)
	}
}

// A hook is made with its group, and a change of it makes another group.
func TestChangesOfAGroup(t *testing.T) {
	f := newFixture(t).scaling()
	before, failures := f.check(GroupType, f.group(nil), nil)
	require.Empty(t, failures)
	hook := properties{"name": "berth-join", "lifecycleTransition": launching, "heartbeatTimeout": 600.0}
	for _, test := range []struct {
		change   properties
		replaces []string
	}{
		{properties{"maxSize": 4.0}, nil}, {properties{"initialLifecycleHooks": []any{hook}}, []string{"initialLifecycleHooks"}},
		{properties{"vpcZoneIdentifiers": []any{f.ids["subnet"]}}, nil}, {properties{"tags": []any{}}, nil}, {properties{"name": "other"}, []string{"name"}},
	} {
		after, failures := f.check(GroupType, f.group(test.change), before)
		require.Empty(t, failures)
		diff := f.diff(GroupType, before, after, f.get(GroupType, "web").Outputs)
		assert.NotEmpty(t, diff.GetDiffs(), "%v", test.change)
		assert.Equal(t, test.replaces, diff.GetReplaces(), "%v", test.change)
	}
	turned := f.group(properties{"vpcZoneIdentifiers": []any{f.ids["subnet-2"], f.ids["subnet"]}})
	after, _ := f.check(GroupType, turned, before)
	assert.Empty(t, f.diff(GroupType, before, after, f.get(GroupType, "web").Outputs).GetDiffs(), "subnets have no order")
}

func TestARouteToAnInstance(t *testing.T) {
	f := newFixture(t).balanced()
	f.make(tableType, "table", properties{"vpcId": f.ids["vpc"]})
	route := func(target string) properties {
		return properties{"routeTableId": f.ids["table"], "destinationCidrBlock": "100.64.20.0/24", "networkInterfaceId": target}
	}
	_, err := f.create(routeType, "reach", route("eni-1"))
	require.ErrorContains(t, err, "InvalidNetworkInterfaceID.NotFound")
	interfaceID := Text(f.get(instanceType, "server").Outputs, "primaryNetworkInterfaceId")
	f.world.followed = 0
	f.make(routeType, "reach", route(interfaceID))
	assert.Equal(t, 1, f.world.followed, "the network follows")
	made := f.get(routeType, "reach").Outputs
	assert.Equal(t, []any{"active", f.ids["server"]}, []any{made["state"], made["instanceId"]}, "though the interface checks destinations")

	f.make(instanceType, "other", f.instance(nil))
	require.NoError(t, f.update(routeType, "reach", route(Text(f.get(instanceType, "other").Outputs, "primaryNetworkInterfaceId"))))
	assert.Equal(t, f.ids["other"], f.get(routeType, "reach").Outputs["instanceId"])
	require.ErrorContains(t, f.update(routeType, "reach", route("eni-1")), "InvalidNetworkInterfaceID.NotFound")

	f.make(vpcType, "elsewhere", properties{"cidrBlock": "10.40.0.0/16"})
	f.make(tableType, "table", properties{"vpcId": f.ids["elsewhere"]})
	_, err = f.create(routeType, "x", route(interfaceID))
	require.ErrorContains(t, err, "different networks")
}

func TestRulesBetweenSecurityGroups(t *testing.T) {
	f := newFixture(t).balanced()
	f.make(securityGroupType, "web", properties{"vpcId": f.ids["vpc"], "name": "web"})
	rule := func(more properties) properties {
		inputs := properties{"securityGroupId": f.ids["web"], "ipProtocol": "tcp", "fromPort": 22.0, "toPort": 22.0}
		for key, value := range more {
			inputs[key] = value
		}
		return inputs
	}
	for _, sources := range []map[string]any{{}, {"referencedSecurityGroupId": f.ids["group"], "cidrIpv4": "10.0.0.0/8"}, {"cidrIpv4": "10.0.0.0/8", "cidrIpv6": "::/0"}} {
		_, err := f.create(ingressType, "x", rule(sources))
		require.ErrorContains(t, err, "InvalidParameterValue", "exactly one source: %v", sources)
	}
	_, err := f.create(ingressType, "x", rule(properties{"referencedSecurityGroupId": "sg-1"}))
	require.ErrorContains(t, err, "InvalidGroup.NotFound")
	f.make(ingressType, "ssh", rule(properties{"referencedSecurityGroupId": f.ids["group"]}))
	_, err = f.create(ingressType, "again", rule(properties{"referencedSecurityGroupId": f.ids["group"]}))
	require.ErrorContains(t, err, "InvalidPermission.Duplicate")
	f.make(ingressType, "itself", rule(properties{"referencedSecurityGroupId": f.ids["web"]}))
	f.make(vpcType, "other", properties{"cidrBlock": "10.40.0.0/16"})
	f.make(securityGroupType, "other", properties{"vpcId": f.ids["other"], "name": "other"})
	_, err = f.create(ingressType, "x", rule(properties{"referencedSecurityGroupId": f.ids["other"]}))
	require.ErrorContains(t, err, "different networks")

	require.NoError(t, f.remove(instanceType, "server"))
	require.ErrorContains(t, f.remove(securityGroupType, "group"), "DependencyViolation", "the other's rule is about it")
	require.NoError(t, f.remove(ingressType, "ssh"))
	require.NoError(t, f.remove(securityGroupType, "group"))
	require.NoError(t, f.remove(securityGroupType, "web"), "its own rule about itself is none")
}

func TestZonesOfARegion(t *testing.T) {
	f := newFixture(t)
	answer, err := lookups["aws:index/getAvailabilityZones:getAvailabilityZones"](f.account(), "eu-west-1", properties{})
	require.NoError(t, err)
	assert.Equal(t, []any{"eu-west-1a", "eu-west-1b", "eu-west-1c"}, answer["names"])
	_, err = lookups["aws:index/getAvailabilityZones:getAvailabilityZones"](f.account(), "eu-west-1", properties{"filters": []any{properties{"name": "zone-type", "values": []any{"local-zone"}}}})
	require.Error(t, err)
	f.make(vpcType, "vpc", properties{"cidrBlock": "10.20.0.0/16"})
	_, err = f.create(subnetType, "x", properties{"vpcId": f.ids["vpc"], "cidrBlock": "10.20.0.0/24", "availabilityZone": "eu-central-1d"})
	require.ErrorContains(t, err, "InvalidParameterValue")
}
