package infra

import (
	"slices"
	"strings"
	"testing"

	"berth/internal/config"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInstancePolicy(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			instance := declare(t, shape.change, nil).only(t, "ec2/instance:Instance")
			for _, want := range []struct {
				path  []string
				value any
			}{
				{[]string{"instanceType"}, "t3.micro"},
				{[]string{"metadataOptions", "httpEndpoint"}, "enabled"},
				{[]string{"metadataOptions", "httpTokens"}, "required"},
				{[]string{"metadataOptions", "httpPutResponseHopLimit"}, 1.0},
				{[]string{"creditSpecification", "cpuCredits"}, "unlimited"},
				{[]string{"rootBlockDevice", "volumeType"}, "gp3"},
				{[]string{"rootBlockDevice", "volumeSize"}, 8.0},
				{[]string{"rootBlockDevice", "encrypted"}, true},
				{[]string{"rootBlockDevice", "deleteOnTermination"}, true},
				{[]string{"monitoring"}, false},
				{[]string{"userDataReplaceOnChange"}, true},
				{[]string{"iamInstanceProfile"}, "berth-host-1234567"},
				{[]string{"vpcSecurityGroupIds"}, []any{"security-group-id"}},
				{[]string{"disableApiTermination"}, nil},
			} {
				assert.Equal(t, want.value, input(instance, want.path...).Mappable(), want.path)
			}
			assert.True(t, instance.RegisterRPC.GetDeleteBeforeReplace())
			assert.Contains(t, instance.RegisterRPC.GetAdditionalSecretOutputs(), "userData")
		})
	}
}

func TestInstanceWaitsForItsWayOut(t *testing.T) {
	instance := declare(t, nil, nil).only(t, "ec2/instance:Instance")
	assert.True(t, dependsOn(instance, "ec2/route:Route", "internet-ipv4"))
	assert.True(t, dependsOn(instance, "ec2/route:Route", "internet-ipv6"))
	assert.True(t, dependsOn(instance, "ec2/routeTableAssociation:RouteTableAssociation", "route-table-association"))
}

func TestNewerImageReplacesNoServerByItself(t *testing.T) {
	instance := declare(t, nil, nil).only(t, "ec2/instance:Instance")
	assert.Equal(t, mockAMI, text(instance, "ami"))
	assert.Equal(t, []string{"ami"}, instance.RegisterRPC.GetIgnoreChanges())
}

func TestImageThatIsSetReplacesTheServer(t *testing.T) {
	cfg, c := production(), newCloud()
	cfg.AMI = "ami-0fedcba9876543210"
	c.failing = "aws:ssm/getParameter:getParameter" // it is not even asked
	require.NoError(t, c.run(cfg, nil))
	instance := c.only(t, "ec2/instance:Instance")
	assert.Equal(t, "ami-0fedcba9876543210", text(instance, "ami"))
	assert.Empty(t, instance.RegisterRPC.GetIgnoreChanges())
}

func TestImageLookup(t *testing.T) {
	for _, test := range []struct {
		name      string
		parameter map[string]string
		failing   string
		want, err string
	}{
		{name: "plain value alone", parameter: map[string]string{"insecureValue": "ami-1"}, want: "ami-1"},
		{name: "secret value alone", parameter: map[string]string{"value": "ami-2"}, want: "ami-2"},
		{name: "nothing", parameter: nil, err: "the parameter is empty"},
		{name: "refused", failing: "aws:ssm/getParameter:getParameter", err: "refused by AWS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCloud()
			c.parameter, c.failing = test.parameter, test.failing
			err := c.run(production(), nil)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				assert.ErrorContains(t, err, "in eu-central-1")
				assert.ErrorContains(t, err, "pulumi config set berth:ami")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, text(c.only(t, "ec2/instance:Instance"), "ami"))
		})
	}
}

func TestServerIPv6Address(t *testing.T) {
	for _, test := range []struct {
		name       string
		subnetID   string
		subnetIPv6 string
		addresses  any // the addresses of the instance's input
		count      any // how many its input requests
		want       string
	}{
		{name: "own network", addresses: []any{"2001:db8:12:3400::10"}, want: "2001:db8:12:3400::10"},
		{name: "existing subnet", subnetID: "subnet-shared", subnetIPv6: "2001:db8:ffff::/64", count: 1.0, want: mockSharedIP6},
		{name: "existing subnet without IPv6", subnetID: "subnet-shared"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, c := production(), newCloud()
			cfg.SubnetID, c.subnetIPv6 = test.subnetID, test.subnetIPv6
			ipv6 := "unread"
			require.NoError(t, c.run(cfg, func(env *Environment) {
				assert.Equal(t, test.want != "", env.Server.DualStack)
				read(t, env.Server.IPv6, &ipv6)
			}))
			instance := c.only(t, "ec2/instance:Instance")
			assert.Equal(t, test.addresses, input(instance, "ipv6Addresses").Mappable())
			assert.Equal(t, test.count, input(instance, "ipv6AddressCount").Mappable())
			assert.Equal(t, test.want, ipv6)
		})
	}
}

func TestFirstAddress(t *testing.T) {
	got, err := firstAddress([]string{"2001:db8::1", "2001:db8::2"})
	require.NoError(t, err)
	assert.Equal(t, "2001:db8::1", got)
	_, err = firstAddress(nil)
	assert.ErrorContains(t, err, "pulumi refresh")
}

func TestIdentityMayDoNothing(t *testing.T) {
	c := declare(t, nil, nil)
	role := c.named(t, "iam/role:Role", "berth-host")
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",
		"Principal":{"Service":"ec2.amazonaws.com"}}]}`, text(role, "assumeRolePolicy"))
	assert.NotContains(t, role.Inputs, "inlinePolicies")
	assert.NotContains(t, role.Inputs, "managedPolicyArns")
	assert.Empty(t, c.of("iam/rolePolicyAttachment:RolePolicyAttachment"))
	for _, permission := range c.of("iam/rolePolicy:RolePolicy") {
		assert.NotEqual(t, "berth-host-1234567", text(permission, "role"), permission.Name)
	}
	assert.Equal(t, "berth-host-1234567", text(c.only(t, "iam/instanceProfile:InstanceProfile"), "role"))
}

func TestVolumeAndAddressMoveToOneServerAtATime(t *testing.T) {
	c := declare(t, func(cfg *config.Config) { cfg.Protect = true }, nil)
	attachment := c.only(t, "ec2/volumeAttachment:VolumeAttachment")
	assert.Equal(t, "server-id", text(attachment, "instanceId"))
	assert.Equal(t, "data-id", text(attachment, "volumeId"))
	assert.True(t, input(attachment, "stopInstanceBeforeDetaching").BoolValue())
	assert.NotContains(t, attachment.Inputs, "skipDestroy")
	assert.NotContains(t, attachment.Inputs, "forceDetach")
	assert.True(t, attachment.RegisterRPC.GetDeleteBeforeReplace())

	association := c.only(t, "ec2/eipAssociation:EipAssociation")
	assert.Equal(t, "server-id", text(association, "instanceId"))
	assert.Equal(t, "eipalloc-0123456789abcdef0", text(association, "allocationId"))
	assert.True(t, association.RegisterRPC.GetDeleteBeforeReplace())
}

// Berth's roles can be distinguished from all others by their names, which IAM bounds to 64 characters.
func TestIdentitiesBearBerthsName(t *testing.T) {
	for _, shape := range shapes {
		c := declare(t, shape.change, nil)
		for _, kind := range []string{"iam/role:Role", "iam/instanceProfile:InstanceProfile", "iam/rolePolicy:RolePolicy"} {
			for _, args := range c.of(kind) {
				assert.Regexp(t, `^berth-[a-z-]{1,50}$`, args.Name, "Pulumi appends a hyphen and seven digits")
			}
		}
	}
}

// What bears the stack's tags may be changed by docs/iam; the provider's default tags do not come to the root volume.
func TestRootVolumeBearsAllOfTheStacksTags(t *testing.T) {
	c := declare(t, nil, nil)
	assert.Equal(t, map[string]any{
		"ManagedBy": "berth", "Project": "berth", "Stack": "production", "Team": "web", "Name": "app.example.com",
	}, input(c.only(t, "ec2/instance:Instance"), "rootBlockDevice", "tags").Mappable())
}

// TestABurstableServerAloneHasCredits: of another AWS refuses a credit specification, and it has no metric of them.
func TestABurstableServerAloneHasCredits(t *testing.T) {
	for name, burstable := range map[string]bool{"t3.micro": true, "t3a.large": true, "m7i.large": false, "c7i-flex.large": false, "r6id.xlarge": false} {
		c := declare(t, func(cfg *config.Config) {
			watched(cfg)
			cfg.InstanceType = name
		}, nil)
		assert.Equal(t, burstable, text(c.only(t, "ec2/instance:Instance"), "creditSpecification", "cpuCredits") == "unlimited", name)
		alarm := slices.ContainsFunc(c.of("cloudwatch/metricAlarm:MetricAlarm"), func(a pulumi.MockResourceArgs) bool { return text(a, "metricName") == creditBalance })
		assert.Equal(t, burstable, alarm, name)
		assert.Equal(t, burstable, strings.Contains(text(c.only(t, "cloudwatch/dashboard:Dashboard"), "dashboardBody"), creditBalance), name)
	}
}

func TestAResizedServerIsAnnounced(t *testing.T) {
	there := func(name string) *recorded {
		return &recorded{Outputs: map[string]any{"instanceType": name, "ami": "ami-1"}}
	}
	cfg := production()
	assert.Empty(t, resized(cfg, nil), "a first server")
	assert.Empty(t, resized(cfg, there("t3.micro")))
	assert.Equal(t, "the server: t3.small -> t3.micro, 17.52 -> 8.76 USD a month (-8.76); it is stopped and started, about two minutes without the site; volume, address and certificate stay", resized(cfg, there("t3.small")))
	cfg.AMI = "ami-2"
	assert.Contains(t, resized(cfg, there("t3.small")), "it is replaced, because berth:ami is another, too")
	cfg.InstanceType = "m7i.large"
	assert.Contains(t, resized(cfg, there("t3.small")), "t3.small -> m7i.large, 15.18 -> 73.58 USD a month (+58.40), at the prices of us-east-1")
}
