package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/provider"
)

type properties = map[string]any

// ground is a world that notes how often it was asked to follow, and fails on demand.
type ground struct {
	followed int
	failing  error
}

func (g *ground) Converge(context.Context, *Account) error {
	g.followed++
	return g.failing
}

// fixture is an account with the network that most resources need.
type fixture struct {
	t     *testing.T
	p     *Provider
	dir   string
	world *ground
	// ids by logical name.
	ids map[string]string
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t, dir: t.TempDir(), world: &ground{}, ids: map[string]string{}}
	var err error
	f.p, err = Open(f.dir, f.world)
	require.NoError(t, err)
	f.configure(properties{"ManagedBy": "berth"})
	return f
}

// configure gives the provider its region and default tags, nested configuration as JSON text as the engine does.
func (f *fixture) configure(tags properties) {
	f.t.Helper()
	args, err := provider.Marshal("args", resource.NewPropertyMapFromMap(properties{"region": "eu-central-1", "defaultTags": inJSON(properties{"tags": tags})}))
	require.NoError(f.t, err)
	_, err = f.p.Configure(f.t.Context(), &pulumirpc.ConfigureRequest{Args: args})
	require.NoError(f.t, err)
}

func (f *fixture) network() *fixture {
	f.make(vpcType, "vpc", properties{"cidrBlock": "10.20.0.0/16", "assignGeneratedIpv6CidrBlock": true})
	f.make(gatewayType, "gateway", properties{"vpcId": f.ids["vpc"]})
	f.make(subnetType, "subnet", properties{"vpcId": f.ids["vpc"], "cidrBlock": "10.20.0.0/24", "availabilityZone": "eu-central-1a", "mapPublicIpOnLaunch": true})
	f.make(securityGroupType, "group", properties{"vpcId": f.ids["vpc"], "name": "group"})
	return f
}

func (f *fixture) server() *fixture {
	f.network()
	f.make(instanceType, "server", f.instance(nil))
	f.make(volumeType, "data", properties{"availabilityZone": "eu-central-1a", "size": 20.0, "type": "gp3", "encrypted": true, "finalSnapshot": true})
	f.make(addressType, "address", properties{"domain": "vpc"})
	f.make(zoneType, "zone", properties{"name": "example.test"})
	return f
}

func (f *fixture) instance(more properties) properties {
	inputs := properties{"ami": AMI, "instanceType": "t3.micro", "subnetId": f.ids["subnet"], "vpcSecurityGroupIds": []any{f.ids["group"]}}
	for key, value := range more {
		inputs[key] = value
	}
	return inputs
}

func at(typ, name string) string { return "urn:pulumi:test::berth::" + typ + "::" + name }

func (f *fixture) create(typ, name string, inputs properties) (string, error) {
	f.t.Helper()
	marshalled, err := provider.Marshal("inputs", resource.NewPropertyMapFromMap(inputs))
	require.NoError(f.t, err)
	response, err := f.p.Create(f.t.Context(), &pulumirpc.CreateRequest{Urn: at(typ, name), Properties: marshalled})
	if err != nil {
		return "", err
	}
	f.ids[name] = response.GetId()
	return response.GetId(), nil
}

func (f *fixture) make(typ, name string, inputs properties) string {
	f.t.Helper()
	id, err := f.create(typ, name, inputs)
	require.NoErrorf(f.t, err, "%s %s", typ, name)
	return id
}

func (f *fixture) update(typ, name string, inputs properties) error {
	f.t.Helper()
	marshalled, err := provider.Marshal("inputs", resource.NewPropertyMapFromMap(inputs))
	require.NoError(f.t, err)
	_, err = f.p.Update(f.t.Context(), &pulumirpc.UpdateRequest{Urn: at(typ, name), Id: f.ids[name], News: marshalled})
	return err
}

func (f *fixture) remove(typ, name string) error {
	_, err := f.p.Delete(f.t.Context(), &pulumirpc.DeleteRequest{Urn: at(typ, name), Id: f.ids[name]})
	return err
}

func (f *fixture) account() *Account {
	f.t.Helper()
	account, err := Read(f.dir)
	require.NoError(f.t, err)
	return account
}

func (f *fixture) get(typ, name string) *Resource {
	f.t.Helper()
	found := f.account().get(typ, f.ids[name])
	require.NotNilf(f.t, found, "%s %s", typ, name)
	return found
}

func TestWhatAWSRefusesToMake(t *testing.T) {
	rule := func(f *fixture) properties {
		return properties{"securityGroupId": f.ids["group"], "ipProtocol": "tcp", "fromPort": 80.0, "toPort": 80.0, "cidrIpv4": "0.0.0.0/0"}
	}
	for _, test := range []struct {
		code, typ string
		inputs    func(f *fixture) properties
	}{
		{"InvalidVpc.Range", vpcType, func(*fixture) properties { return properties{"cidrBlock": "10.0.0.0/8"} }},
		{"InvalidVpcID.NotFound", subnetType, func(*fixture) properties { return properties{"vpcId": "vpc-1", "cidrBlock": "10.20.1.0/24"} }},
		{"InvalidSubnet.Range", subnetType, func(f *fixture) properties { return properties{"vpcId": f.ids["vpc"], "cidrBlock": "10.21.0.0/24"} }},
		{"InvalidSubnet.Conflict", subnetType, func(f *fixture) properties { return properties{"vpcId": f.ids["vpc"], "cidrBlock": "10.20.0.128/25"} }},
		{"InvalidParameterValue", subnetType, func(f *fixture) properties {
			return properties{"vpcId": f.ids["vpc"], "cidrBlock": "10.20.1.0/24", "availabilityZone": "us-east-1a"}
		}},
		{"Resource.AlreadyAssociated", gatewayType, func(f *fixture) properties { return properties{"vpcId": f.ids["vpc"]} }},
		{"InvalidGroup.Duplicate", securityGroupType, func(f *fixture) properties { return properties{"vpcId": f.ids["vpc"], "name": "group"} }},
		{"inline rules", securityGroupType, func(f *fixture) properties { return properties{"vpcId": f.ids["vpc"], "name": "x", "ingress": []any{}} }},
		{"InvalidGroup.NotFound", ingressType, func(f *fixture) properties { r := rule(f); r["securityGroupId"] = "sg-1"; return r }},
		{"InvalidParameterValue", ingressType, func(f *fixture) properties { r := rule(f); r["cidrIpv4"] = "10.0.0.1/8"; return r }},
		{"InvalidParameterValue", ingressType, func(f *fixture) properties { r := rule(f); r["toPort"] = 70000.0; return r }},
		{"InvalidParameterValue", ingressType, func(f *fixture) properties { r := rule(f); r["ipProtocol"] = "ftp"; return r }},
		{"InvalidAMIID.NotFound", instanceType, func(f *fixture) properties { return f.instance(properties{"ami": "ami-00000000"}) }},
		{"InvalidSubnetID.NotFound", instanceType, func(f *fixture) properties { return f.instance(properties{"subnetId": "subnet-1"}) }},
		{"InvalidParameterValue", instanceType, func(f *fixture) properties { return f.instance(properties{"instanceType": "t9.micro"}) }},
		{"InvalidParameterValue", instanceType, func(f *fixture) properties { return f.instance(properties{"userData": strings.Repeat("x", 16385)}) }},
		{"InvalidGroup.NotFound", instanceType, func(f *fixture) properties { return f.instance(properties{"vpcSecurityGroupIds": []any{"sg-1"}}) }},
		{"Invalid IAM Instance Profile", instanceType, func(f *fixture) properties { return f.instance(properties{"iamInstanceProfile": "none"}) }},
		{"no IPv6 CIDR block", instanceType, func(f *fixture) properties { return f.instance(properties{"ipv6AddressCount": 1.0}) }},
		{"reserved for internal use", addressType, func(*fixture) properties { return properties{"tags": properties{"aws:x": "y"}} }},
		{"InvalidParameterValue", volumeType, func(*fixture) properties { return properties{"availabilityZone": "eu-central-1a", "size": 20000.0} }},
		{"InvalidSnapshot.NotFound", volumeType, func(*fixture) properties {
			return properties{"availabilityZone": "eu-central-1a", "size": 20.0, "snapshotId": "snap-1"}
		}},
		{"invalid JSON", roleType, func(*fixture) properties { return properties{"name": "r", "assumeRolePolicy": "{"} }},
		{"NoSuchEntity", profileType, func(*fixture) properties { return properties{"name": "p", "role": "none"} }},
		{"NoSuchHostedZone", recordType, func(*fixture) properties { return properties{"zoneId": "Z1"} }},
		{"not permitted in zone", recordType, func(f *fixture) properties {
			return properties{"zoneId": f.ids["zone"], "name": "a.other.test", "type": "A", "ttl": 60.0, "records": []any{"198.51.100.1"}}
		}},
		{"FATAL problem", recordType, func(f *fixture) properties {
			return properties{"zoneId": f.ids["zone"], "name": "a.example.test", "type": "A", "ttl": 60.0, "records": []any{"2001:db8::1"}}
		}},
	} {
		t.Run(test.code+" "+test.typ, func(t *testing.T) {
			f := newFixture(t).server()
			before := len(f.account().Resources)
			_, err := f.create(test.typ, "refused", test.inputs(f))
			require.ErrorContains(t, err, test.code)
			assert.Len(t, f.account().Resources, before, "nothing half-made is left")
		})
	}
}

func TestDuplicatesAndLimits(t *testing.T) {
	f := newFixture(t).server()
	rule := properties{"securityGroupId": f.ids["group"], "ipProtocol": "tcp", "fromPort": 80.0, "toPort": 80.0, "cidrIpv4": "0.0.0.0/0"}
	f.make(ingressType, "http", rule)
	_, err := f.create(ingressType, "again", rule)
	require.ErrorContains(t, err, "InvalidPermission.Duplicate")
	for i := range ruleLimit - 1 {
		f.make(ingressType, "r", properties{"securityGroupId": f.ids["group"], "ipProtocol": "tcp", "fromPort": 1000.0 + float64(i), "toPort": 1000.0 + float64(i), "cidrIpv4": "0.0.0.0/0"})
	}
	_, err = f.create(ingressType, "one too many", properties{"securityGroupId": f.ids["group"], "ipProtocol": "tcp", "fromPort": 1.0, "toPort": 1.0, "cidrIpv4": "0.0.0.0/0"})
	require.ErrorContains(t, err, "RulesPerSecurityGroupLimitExceeded")

	record := properties{"zoneId": f.ids["zone"], "name": "a.example.test", "type": "A", "ttl": 60.0, "records": []any{"198.51.100.1"}}
	f.make(recordType, "a", record)
	_, err = f.create(recordType, "b", record)
	require.ErrorContains(t, err, "already exists")

	for i := len(f.account().OfType(addressType)); i < addressLimit; i++ {
		f.make(addressType, fmt.Sprint("address", i), properties{})
	}
	_, err = f.create(addressType, "sixth", properties{})
	require.ErrorContains(t, err, "AddressLimitExceeded")
	for i := len(f.account().OfType(vpcType)); i < vpcLimit; i++ {
		f.make(vpcType, fmt.Sprint("vpc", i), properties{"cidrBlock": "10.30.0.0/16"})
	}
	_, err = f.create(vpcType, "sixth", properties{"cidrBlock": "10.30.0.0/16"})
	require.ErrorContains(t, err, "VpcLimitExceeded")
	f.make(instanceType, "big", f.instance(properties{"instanceType": "t3.2xlarge"}))
	_, err = f.create(instanceType, "bigger", f.instance(properties{"instanceType": "t3.2xlarge"}))
	require.ErrorContains(t, err, "VcpuLimitExceeded")
}

func TestWhatDependsIsNotRemoved(t *testing.T) {
	f := newFixture(t).server()
	f.make(attachmentType, "attachment", properties{"deviceName": "/dev/sdf", "instanceId": f.ids["server"], "volumeId": f.ids["data"]})
	f.make(associationType, "association", properties{"allocationId": f.ids["address"], "instanceId": f.ids["server"]})
	f.make(recordType, "a", properties{"zoneId": f.ids["zone"], "name": "a.example.test", "type": "A", "ttl": 60.0, "records": []any{"198.51.100.1"}})
	f.make(roleType, "role", properties{"name": "role", "assumeRolePolicy": "{}"})
	f.make(profileType, "profile", properties{"name": "profile", "role": "role"})
	for name, want := range map[[2]string]string{
		{vpcType, "vpc"}: "DependencyViolation", {subnetType, "subnet"}: "DependencyViolation", {securityGroupType, "group"}: "DependencyViolation",
		{gatewayType, "gateway"}: "mapped public address", {volumeType, "data"}: "VolumeInUse", {addressType, "address"}: "InvalidIPAddress.InUse",
		{zoneType, "zone"}: "HostedZoneNotEmpty", {roleType, "role"}: "DeleteConflict",
	} {
		require.ErrorContains(t, f.remove(name[0], name[1]), want, name[1])
	}
	// In the right order all of it goes; a terminated instance takes its ties with it.
	for _, name := range [][2]string{
		{instanceType, "server"}, {attachmentType, "attachment"}, {associationType, "association"}, {volumeType, "data"}, {addressType, "address"},
		{recordType, "a"}, {zoneType, "zone"}, {profileType, "profile"}, {roleType, "role"}, {securityGroupType, "group"}, {subnetType, "subnet"},
		{gatewayType, "gateway"}, {vpcType, "vpc"},
	} {
		require.NoError(t, f.remove(name[0], name[1]), name[1])
	}
	left := f.account().Inventory()
	require.Len(t, left, 1, "the final snapshot is left")
	assert.Contains(t, left[0], snapshotType)
}

func TestTheNetworkNeedsItsGateway(t *testing.T) {
	f := newFixture(t).server()
	f.make(vpcType, "other", properties{"cidrBlock": "10.40.0.0/16"})
	f.make(subnetType, "subnet", properties{"vpcId": f.ids["other"], "cidrBlock": "10.40.0.0/24", "availabilityZone": "eu-central-1b"})
	f.make(securityGroupType, "group", properties{"vpcId": f.ids["other"], "name": "group"})
	f.make(instanceType, "isolated", f.instance(nil))
	_, err := f.create(associationType, "x", properties{"allocationId": f.ids["address"], "instanceId": f.ids["isolated"]})
	require.ErrorContains(t, err, "Gateway.NotAttached")
	_, err = f.create(attachmentType, "x", properties{"deviceName": "/dev/sdf", "instanceId": f.ids["isolated"], "volumeId": f.ids["data"]})
	require.ErrorContains(t, err, "ZoneMismatch")
}

func TestVolumesGrowSlowlyAndNeverShrink(t *testing.T) {
	f := newFixture(t).server()
	size := func(size float64) properties {
		return properties{"availabilityZone": "eu-central-1a", "size": size, "type": "gp3", "encrypted": true, "finalSnapshot": true}
	}
	require.ErrorContains(t, f.update(volumeType, "data", size(10)), "smaller than existing size")
	for grown := 21.0; grown <= 24; grown++ {
		require.NoError(t, f.update(volumeType, "data", size(grown)))
		require.NoError(t, f.update(volumeType, "data", size(grown)), "the same size is no change")
	}
	require.ErrorContains(t, f.update(volumeType, "data", size(40)), "VolumeModificationRateExceeded")
	assert.EqualValues(t, 24, f.get(volumeType, "data").Outputs["size"])
	// A day after the first change there is room for one more, and for no second.
	require.NoError(t, Change(f.dir, func(account *Account) error {
		volume := account.get(volumeType, f.ids["data"]).Outputs
		changes := strings.Fields(Text(volume, modifications))
		changes[0] = time.Now().UTC().Add(-25 * time.Hour).Format(time.RFC3339)
		volume[modifications] = strings.Join(changes, " ")
		return nil
	}))
	require.NoError(t, f.update(volumeType, "data", size(40)))
	require.ErrorContains(t, f.update(volumeType, "data", size(50)), "VolumeModificationRateExceeded")
}

func TestStateOutlivesTheProcess(t *testing.T) {
	f := newFixture(t).server()
	again, err := Open(f.dir, nil)
	require.NoError(t, err)
	read, err := again.Read(t.Context(), &pulumirpc.ReadRequest{Urn: at(volumeType, "data"), Id: f.ids["data"]})
	require.NoError(t, err)
	assert.Equal(t, f.ids["data"], read.GetId())
	assert.Equal(t, "berth", read.GetProperties().AsMap()["tagsAll"].(map[string]any)["ManagedBy"])
	gone, err := again.Read(t.Context(), &pulumirpc.ReadRequest{Urn: at(volumeType, "data"), Id: "vol-none"})
	require.NoError(t, err)
	assert.Empty(t, gone.GetId())
	id, err := EnsureZone(f.dir, "example.test")
	require.NoError(t, err)
	assert.Equal(t, f.ids["zone"], id, "a zone that is there is left")
}

func TestAWorldThatCannotFollowTakesTheChangeBack(t *testing.T) {
	f := newFixture(t).network()
	f.world.failing = errors.New("no ground")
	_, err := f.create(instanceType, "server", f.instance(nil))
	require.ErrorContains(t, err, "no ground")
	assert.Empty(t, f.account().OfType(instanceType))
	f.world.failing, f.world.followed = nil, 0
	f.make(zoneType, "zone", properties{"name": "example.test"})
	assert.Zero(t, f.world.followed, "a zone is no matter of the ground")
	f.make(instanceType, "server", f.instance(nil))
	assert.Equal(t, 1, f.world.followed)
}

func TestLookups(t *testing.T) {
	f := newFixture(t).server()
	ask := func(token string, args properties) (map[string]any, error) {
		marshalled, err := provider.Marshal("args", resource.NewPropertyMapFromMap(args))
		require.NoError(t, err)
		response, err := f.p.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: token, Args: marshalled})
		return response.GetReturn().AsMap(), err
	}
	image, err := ask("aws:ssm/getParameter:getParameter", properties{"name": debianParameter})
	require.NoError(t, err)
	assert.Equal(t, AMI, image["insecureValue"])
	_, err = ask("aws:ssm/getParameter:getParameter", properties{"name": "/x"})
	require.ErrorContains(t, err, "ParameterNotFound")
	zone, err := ask("aws:route53/getZone:getZone", properties{"name": "example.test."})
	require.NoError(t, err)
	assert.Equal(t, f.ids["zone"], zone["zoneId"])
	_, err = ask("aws:route53/getZone:getZone", properties{"name": "other.test"})
	require.ErrorContains(t, err, "no matching Route 53 Hosted Zone")
	subnet, err := ask("aws:ec2/getSubnet:getSubnet", properties{"id": f.ids["subnet"]})
	require.NoError(t, err)
	assert.Equal(t, "eu-central-1a", subnet["availabilityZone"])
	_, err = ask("aws:s3/getBucket:getBucket", nil)
	assert.Error(t, err)
}
