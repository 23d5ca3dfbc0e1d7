package infra

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"berth/internal/config"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// three are three servers.
func three(cfg *config.Config) {
	cfg.Servers = config.Servers{Min: 3, Max: 3, CPU: 60, First: true}
	cfg.DrainWithin, cfg.Timeout = 30, 60
}

// grow declares the environment of several servers, with the names that point to them, which provisioning declares.
func grow(t *testing.T, change func(cfg *config.Config), look func(env *Environment)) *cloud {
	t.Helper()
	cfg, c := production(), newCloud()
	three(cfg)
	if change != nil {
		change(cfg)
	}
	require.NoError(t, c.grow(cfg, look))
	return c
}

func (c *cloud) grow(cfg *config.Config, look func(env *Environment)) error {
	return pulumi.RunErr(func(ctx *pulumi.Context) error {
		env, err := New(ctx, cfg)
		if err != nil {
			return err
		}
		if look != nil {
			look(env)
		}
		if env.Servers != nil {
			if err := env.Servers.Start(ctx, []pulumi.Resource{env.Server.Attachment}); err != nil {
				return err
			}
		}
		return env.PointNames(ctx, cfg, []pulumi.Resource{env.Server.Attachment})
	}, pulumi.WithMocks("berth", "production", c), func(info *pulumi.RunInfo) { info.DryRun = c.preview })
}

// added are the resources that several servers have beside those of one.
var added = []string{
	"aws:acm/certificate:Certificate site", "aws:acm/certificateValidation:CertificateValidation site",
	"aws:autoscaling/group:Group web", "aws:ec2/launchTemplate:LaunchTemplate web",
	"aws:ec2/route:Route reach", "aws:ec2/routeTableAssociation:RouteTableAssociation route-table-association-2", "aws:ec2/subnet:Subnet subnet-2",
	"aws:ec2/securityGroup:SecurityGroup balancer-security-group", "aws:ec2/securityGroup:SecurityGroup web-security-group",
	"aws:iam/rolePolicy:RolePolicy berth-servers",
	"aws:lb/listener:Listener http", "aws:lb/listener:Listener https", "aws:lb/listenerRule:ListenerRule challenge", "aws:lb/loadBalancer:LoadBalancer site",
	"aws:lb/targetGroup:TargetGroup challenge", "aws:lb/targetGroup:TargetGroup site",
	"aws:lb/targetGroupAttachment:TargetGroupAttachment challenge", "aws:lb/targetGroupAttachment:TargetGroupAttachment site",
	"aws:route53/record:Record validation-app.example.com", "aws:route53/record:Record validation-www.app.example.com",
	"berth:infra:Balancer balancer", "berth:infra:Servers servers",
	"tls:index/privateKey:PrivateKey fleet-key", "tls:index/privateKey:PrivateKey web-host-key",
}

func TestSeveralServersHaveMoreAndNothingElse(t *testing.T) {
	rule := func(name string) bool { return strings.HasPrefix(name, "aws:vpc/securityGroup") }
	for name, c := range map[string]*cloud{"made": grow(t, nil, nil), "previewed": func() *cloud {
		cfg, c := production(), newCloud()
		three(cfg)
		c.preview = true
		require.NoError(t, c.grow(cfg, nil))
		return c
	}()} {
		assert.ElementsMatch(t, slices.Concat(added, slices.DeleteFunc(names(declare(t, nil, nil)), rule)), slices.DeleteFunc(names(c), rule), name)
	}
}

// TestOneServerIsAsBefore: whatever is said about several, one has nothing of it.
func TestOneServerIsAsBefore(t *testing.T) {
	before := declare(t, nil, func(env *Environment) { assert.Nil(t, env.Servers) })
	after := grow(t, func(cfg *config.Config) {
		cfg.Servers = config.Servers{Min: 1, Max: 1, CPU: 20, Sticky: true}
	}, func(env *Environment) { assert.Nil(t, env.Servers) })
	require.ElementsMatch(t, names(before), names(after))
	for _, args := range before.declared {
		i := slices.IndexFunc(after.declared, func(other pulumi.MockResourceArgs) bool {
			return other.TypeToken == args.TypeToken && other.Name == args.Name
		})
		if args.TypeToken == serverType {
			// Each run makes other keys.
			delete(args.Inputs, "userData")
			delete(after.declared[i].Inputs, "userData")
		}
		assert.True(t, args.Inputs.DeepEquals(after.declared[i].Inputs), args.Name)
	}
}

// TestAllOfSeveralServersIsTheStacks in the stack's region, below a component.
func TestAllOfSeveralServersIsTheStacks(t *testing.T) {
	for _, args := range grow(t, nil, nil).declared {
		if !strings.HasPrefix(args.TypeToken, "aws:") {
			continue
		}
		where := args.TypeToken + " " + args.Name
		assert.Contains(t, args.Provider, "::pulumi:providers:aws::aws::", where)
		assert.Contains(t, args.RegisterRPC.GetParent(), "::berth:infra:", where)
	}
}

func TestTheSecondSubnetIsInAnotherZone(t *testing.T) {
	c := grow(t, nil, nil)
	first, second := c.named(t, "ec2/subnet:Subnet", "subnet"), c.named(t, "ec2/subnet:Subnet", "subnet-2")
	assert.Equal(t, "eu-central-1a", text(first, "availabilityZone"))
	assert.Equal(t, "10.20.0.0/24", text(first, "cidrBlock"))
	assert.Equal(t, "eu-central-1b", text(second, "availabilityZone"))
	assert.Equal(t, "10.20.1.0/24", text(second, "cidrBlock"))
	assert.Equal(t, "2001:db8:12:3401::/64", text(second, "ipv6CidrBlock"))
	assert.True(t, input(second, "mapPublicIpOnLaunch").BoolValue())
	assert.True(t, input(second, "assignIpv6AddressOnCreation").BoolValue())
	association := c.named(t, "ec2/routeTableAssociation:RouteTableAssociation", "route-table-association-2")
	assert.Equal(t, "subnet-2-id", text(association, "subnetId"))
	assert.Equal(t, "route-table-id", text(association, "routeTableId"))
}

func TestTheSecondZone(t *testing.T) {
	for _, test := range []struct {
		zones []string
		want  string
	}{
		{[]string{"eu-central-1a", "eu-central-1c"}, "eu-central-1c"},
		{[]string{"eu-central-1a", "eu-central-1b", "eu-central-1c"}, "eu-central-1c"},
		{[]string{"eu-central-1b"}, ""},
		{[]string{"eu-central-1b", "eu-central-1a"}, "eu-central-1a"},
	} {
		cfg, c := production(), newCloud()
		three(cfg)
		cfg.AvailabilityZone, c.zones = "eu-central-1b", test.zones
		err := c.grow(cfg, nil)
		if test.want == "" {
			require.ErrorContains(t, err, "the account has none beside eu-central-1b")
			assert.ErrorContains(t, err, "pulumi config set berth:servers 1")
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, test.want, text(c.named(t, "ec2/subnet:Subnet", "subnet-2"), "availabilityZone"))
	}
	cfg, c := production(), newCloud()
	three(cfg)
	c.failing = "aws:index/getAvailabilityZones:getAvailabilityZones"
	assert.ErrorContains(t, c.grow(cfg, nil), "allow ec2:DescribeAvailabilityZones")
}

func TestSecondRanges(t *testing.T) {
	for vpc, want := range map[string]string{"10.20.0.0/16": "10.20.1.0/24", "10.0.255.0/24": "10.0.255.128/25", "192.168.254.0/23": "192.168.255.0/24"} {
		second := secondIPv4(netip.MustParsePrefix(vpc))
		assert.Equal(t, want, second.String())
		assert.True(t, netip.MustParsePrefix(vpc).Contains(second.Addr()))
	}
	_, err := secondIPv6("2001:db8::/64")
	require.ErrorContains(t, err, "holds one /64")
	_, err = secondIPv6("")
	assert.Error(t, err)
}

// The whole of what may come in where there are several servers, and go out of the load balancer.
func TestFirewallOfSeveralServers(t *testing.T) {
	c := grow(t, nil, nil)
	ways := func(kind string) map[string]string {
		found := map[string]string{}
		for _, rule := range c.of("vpc/" + kind) {
			found[rule.Name] = text(rule, "securityGroupId") + ": " + describe(rule) + text(rule, "referencedSecurityGroupId")
			assert.Regexp(t, `^[A-Za-z0-9 ._:/()#,@+=&;{}!$*-]+$`, text(rule, "description"), "what AWS takes")
		}
		return found
	}
	assert.Equal(t, map[string]string{
		"ssh-from-203.0.113.7-32":  "security-group-id: tcp 22-22 203.0.113.7/32",
		"ssh-from-2001-db8-7---48": "security-group-id: tcp 22-22 2001:db8:7::/48",
		"http-ipv4":                "security-group-id: tcp 80-80 0.0.0.0/0",
		"http-ipv6":                "security-group-id: tcp 80-80 ::/0",
		"https-ipv4":               "security-group-id: tcp 443-443 0.0.0.0/0",
		"https-ipv6":               "security-group-id: tcp 443-443 ::/0",
		"balanced":                 "security-group-id: tcp 8443-8443 balancer-security-group-id",
		"challenges":               "security-group-id: tcp 80-80 balancer-security-group-id",
		"web":                      "security-group-id: -1 web-security-group-id",
		"web-ssh":                  "web-security-group-id: tcp 22-22 security-group-id",
		"web-balanced":             "web-security-group-id: tcp 8443-8443 balancer-security-group-id",
		"balancer-http-ipv4":       "balancer-security-group-id: tcp 80-80 0.0.0.0/0",
		"balancer-http-ipv6":       "balancer-security-group-id: tcp 80-80 ::/0",
		"balancer-https-ipv4":      "balancer-security-group-id: tcp 443-443 0.0.0.0/0",
		"balancer-https-ipv6":      "balancer-security-group-id: tcp 443-443 ::/0",
	}, ways("securityGroupIngressRule:SecurityGroupIngressRule"))
	assert.Equal(t, map[string]string{
		"egress-ipv4":         "security-group-id: -1 0.0.0.0/0",
		"egress-ipv6":         "security-group-id: -1 ::/0",
		"web-egress-ipv4":     "web-security-group-id: -1 0.0.0.0/0",
		"web-egress-ipv6":     "web-security-group-id: -1 ::/0",
		"balancer-to-web":     "balancer-security-group-id: tcp 8443-8443 web-security-group-id",
		"balancer-to-first":   "balancer-security-group-id: tcp 8443-8443 security-group-id",
		"balancer-challenges": "balancer-security-group-id: tcp 80-80 security-group-id",
	}, ways("securityGroupEgressRule:SecurityGroupEgressRule"))
	for _, asked := range c.asked {
		if asked.Token == "aws:vpc/getSecurityGroupRules:getSecurityGroupRules" {
			assert.Contains(t, fmt.Sprint(asked.Args.Mappable()), "[security-group-id web-security-group-id balancer-security-group-id]", "all are checked for rules of others")
		}
	}
}

// A runner finds the first server's group by its description, and the console shows which is which.
func TestTheGroupsCanBeDistinguished(t *testing.T) {
	said := map[string]string{}
	for _, group := range grow(t, nil, nil).of("ec2/securityGroup:SecurityGroup") {
		said[text(group, "description")] = text(group, "tags", "Name")
	}
	assert.Equal(t, map[string]string{
		"SSH from the operator, HTTP and HTTPS from everywhere":   "app.example.com",
		"SSH from the first server, HTTPS from the load balancer": "app.example.com web",
		"HTTP and HTTPS from everywhere":                          "app.example.com balancer",
	}, said)
}

func TestTheFirstServerForwardsWhatWebServersSendToItsContainers(t *testing.T) {
	c := grow(t, nil, nil)
	assert.False(t, input(c.only(t, "ec2/instance:Instance"), "sourceDestCheck").BoolValue())
	reach := c.named(t, "ec2/route:Route", "reach")
	assert.Equal(t, "100.64.20.0/24", text(reach, "destinationCidrBlock"))
	assert.Equal(t, "eni-of-server", text(reach, "networkInterfaceId"))
	assert.Equal(t, "route-table-id", text(reach, "routeTableId"))
	assert.NotContains(t, declare(t, nil, nil).only(t, "ec2/instance:Instance").Inputs, "sourceDestCheck")
}

// TestBackToOneServer: as long as web servers are there, the first one forwards what they send; they go last. What a state has
// more of with several servers, such as subnets, misleads no check of what is protected.
func TestBackToOneServer(t *testing.T) {
	cfg, c := production(), newCloud()
	c.state = map[string]any{}
	for name, outputs := range map[string]map[string]any{
		"berth:infra:Storage$aws:ebs/volume:Volume::data":                              {"availabilityZone": "eu-central-1a"},
		"berth:infra:Network$aws:ec2/subnet:Subnet::subnet":                            {"availabilityZone": "eu-central-1a"},
		"berth:infra:Network$aws:ec2/subnet:Subnet::subnet-2":                          {"availabilityZone": "eu-central-1b"},
		"berth:infra:Firewall$aws:ec2/securityGroup:SecurityGroup::web-security-group": {"vpcId": "vpc-id"},
		"berth:infra:Server$aws:ec2/instance:Instance::server":                         {"instanceType": "t3.micro"},
		"pulumi:providers:aws::aws":                                                    {"region": "eu-central-1"},
		"berth:infra:Servers$aws:autoscaling/group:Group::web":                         {"name": "web-1234567"},
	} {
		kind, _, _ := strings.Cut(name[strings.Index(name, "$")+1:], "::")
		c.state["urn:pulumi:production::berth::"+name] = map[string]any{"type": kind, "outputs": outputs}
	}
	require.NoError(t, c.grow(cfg, func(env *Environment) { assert.Nil(t, env.Servers) }))
	assert.False(t, input(c.only(t, "ec2/instance:Instance"), "sourceDestCheck").IsNull())
	assert.Empty(t, c.of("autoscaling/group:Group"))

	delete(c.state, "urn:pulumi:production::berth::berth:infra:Servers$aws:autoscaling/group:Group::web")
	c.declared = nil
	require.NoError(t, c.grow(cfg, nil))
	assert.NotContains(t, c.only(t, "ec2/instance:Instance").Inputs, "sourceDestCheck", "the run after that ends it")
}

func TestWebServersAreMadeOf(t *testing.T) {
	var keys map[string]string
	c := grow(t, nil, func(env *Environment) {
		var fleet, host string
		read(t, env.Keys.FleetPublic, &fleet)
		read(t, env.Keys.WebHostPublic, &host)
		keys = map[string]string{"fleet": fleet, "host": host}
	})
	template := c.only(t, "ec2/launchTemplate:LaunchTemplate")
	tags := map[string]any{"ManagedBy": "berth", "Project": "berth", "Stack": "production", "Team": "web", "Name": "app.example.com web"}
	for name, want := range map[string]any{
		"imageId": mockAMI, "instanceType": "t3.micro", "vpcSecurityGroupIds": []any{"web-security-group-id"}, "iamInstanceProfile": nil, "updateDefaultVersion": true,
		"metadataOptions":     map[string]any{"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1.0},
		"creditSpecification": map[string]any{"cpuCredits": "unlimited"},
		"blockDeviceMappings": []any{map[string]any{"deviceName": "/dev/xvda", "ebs": map[string]any{"volumeType": "gp3", "volumeSize": 20.0, "encrypted": "true", "deleteOnTermination": "true"}}},
		"tagSpecifications": []any{
			map[string]any{"resourceType": "instance", "tags": tags}, map[string]any{"resourceType": "network-interface", "tags": tags}, map[string]any{"resourceType": "volume", "tags": tags},
		},
	} {
		assert.Equal(t, want, input(template, name).Mappable(), name)
	}
	assert.Equal(t, []string{"imageId"}, template.RegisterRPC.GetIgnoreChanges(), "a newer image is not a change")
	assert.True(t, template.Inputs["userData"].IsSecret())
	assert.Contains(t, template.RegisterRPC.GetAdditionalSecretOutputs(), "userData")
	decoded, err := base64.StdEncoding.DecodeString(text(template, "userData"))
	require.NoError(t, err)
	boot := parse(t, string(decoded))
	assert.Equal(t, "berth-web", boot.Hostname)
	assert.Equal(t, map[string]string{"ed25519_private": c.private["web-host-key"], "ed25519_public": keys["host"]}, boot.HostKeys)
	require.Len(t, boot.Users, 1)
	assert.Equal(t, []string{keys["fleet"]}, boot.Users[0].Keys, "the first server alone may log in")
	for _, name := range []string{"client-key", "host-key", "fleet-key"} {
		assert.NotContains(t, string(decoded), strings.Split(c.private[name], "\n")[2], "no other key is on a web server")
	}

	chosen := grow(t, func(cfg *config.Config) { cfg.AMI, cfg.InstanceType = "ami-0fedcba9876543210", "m7i.large" }, nil).only(t, "ec2/launchTemplate:LaunchTemplate")
	assert.Equal(t, "ami-0fedcba9876543210", text(chosen, "imageId"))
	assert.Empty(t, chosen.RegisterRPC.GetIgnoreChanges())
	assert.NotContains(t, chosen.Inputs, "creditSpecification")
}

func TestTheKeysOfWebServersAreSecret(t *testing.T) {
	var private string
	c := grow(t, nil, func(env *Environment) {
		assert.True(t, pulumi.IsSecret(env.Servers.FleetPrivate))
		assert.True(t, pulumi.IsSecret(env.Keys.WebHostPrivate))
		read(t, env.Servers.FleetPrivate, &private)
	})
	assert.Equal(t, c.private["fleet-key"], private)
	for name, key := range c.private {
		for _, part := range []string{strings.Split(key, "\n")[2], base64.StdEncoding.EncodeToString([]byte(key))[:40]} {
			for _, args := range c.declared {
				assert.False(t, containsClear(resource.NewProperty(args.Inputs), part), "%s in %s", name, args.Name)
			}
		}
	}
}

func TestTheGroup(t *testing.T) {
	c := grow(t, nil, nil)
	group := c.only(t, "autoscaling/group:Group")
	tag := func(key, value string) any {
		return map[string]any{"key": key, "value": value, "propagateAtLaunch": true}
	}
	assert.Equal(t, map[string]any{
		"name": "web-berth-production", "minSize": 2.0, "maxSize": 2.0, "waitForCapacityTimeout": "0", "healthCheckType": "ELB", "healthCheckGracePeriod": 60.0, "forceDelete": false, "enabledMetrics": []any{"GroupInServiceInstances"},
		"launchTemplate":     map[string]any{"id": "web-id", "version": "$Latest"},
		"vpcZoneIdentifiers": []any{"subnet-id", "subnet-2-id"}, "targetGroupArns": []any{"arn:of:site"},
		"initialLifecycleHooks": []any{map[string]any{"name": "berth-join", "lifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "heartbeatTimeout": 900.0, "defaultResult": "ABANDON"}},
		"tags":                  []any{tag("ManagedBy", "berth"), tag("Name", "app.example.com web"), tag("Project", "berth"), tag("Stack", "production"), tag("Team", "web")},
	}, group.Inputs.Mappable())
	assert.True(t, dependsOn(group, "ec2/routeTableAssociation:RouteTableAssociation", "route-table-association-2"), "first boot needs its way out")
	assert.Empty(t, c.of("autoscaling/policy:Policy"), "their number is fixed")
}

func TestTheNumberOfServersFollowsTheirLoad(t *testing.T) {
	c := grow(t, func(cfg *config.Config) { cfg.Servers = config.Servers{Min: 2, Max: 4, CPU: 45, First: true} }, nil)
	group := c.only(t, "autoscaling/group:Group")
	assert.Equal(t, []float64{1, 3}, []float64{input(group, "minSize").NumberValue(), input(group, "maxSize").NumberValue()})
	assert.NotContains(t, group.Inputs, "desiredCapacity", "it is Auto Scaling's")
	assert.Equal(t, map[string]any{
		"autoscalingGroupName": "web-1234567", "policyType": "TargetTrackingScaling",
		"targetTrackingConfiguration": map[string]any{"predefinedMetricSpecification": map[string]any{"predefinedMetricType": "ASGAverageCPUUtilization"}, "targetValue": 45.0},
	}, c.named(t, "autoscaling/policy:Policy", "cpu").Inputs.Mappable())
}

func TestWhatTheFirstServerMayDoAboutWebServers(t *testing.T) {
	permission := grow(t, nil, nil).named(t, "iam/rolePolicy:RolePolicy", "berth-servers")
	assert.Equal(t, "berth-host-1234567", text(permission, "role"))
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["autoscaling:DescribeAutoScalingGroups","ec2:DescribeInstances"],"Resource":["*"]},
		{"Effect":"Allow","Action":["autoscaling:CompleteLifecycleAction","autoscaling:SetInstanceHealth"],"Resource":["arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/web-berth-production"]},
		{"Effect":"Allow","Action":["elasticloadbalancing:DeregisterTargets"],"Resource":["arn:of:site"]}]}`, text(permission, "policy"))
}

func TestWhatProvisioningGetsOfServers(t *testing.T) {
	grow(t, nil, func(env *Environment) {
		for want, output := range map[string]pulumi.StringOutput{"web-berth-production": env.Servers.GroupName, "arn:of:site": env.Servers.TargetGroupARN, mockBalancer: env.Servers.BalancerName} {
			var got string
			read(t, output, &got)
			assert.Equal(t, want, got)
		}
		var host, web string
		read(t, env.Keys.HostPublic, &host)
		read(t, env.Servers.WebHostPublic, &web)
		assert.Regexp(t, `^ssh-ed25519 \S+$`, web)
		assert.NotEqual(t, host, web)
		assert.Len(t, env.Servers.Listeners, 5+9+5, "two ports, a rule, the first server twice; who reaches whom")
		assert.Len(t, env.DNS.Records, 2, "the steps wait for who may issue certificates, and not for names that come later")
	})
}
