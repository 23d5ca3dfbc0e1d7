package aws

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (f *fixture) balancer(more properties) properties {
	inputs := properties{
		"name": "site", "loadBalancerType": "application", "ipAddressType": "dualstack", "securityGroups": []any{f.ids["group"]},
		"subnets": []any{f.ids["subnet"], f.ids["subnet-2"]},
	}
	for key, value := range more {
		inputs[key] = value
	}
	return inputs
}

func (f *fixture) listener(more properties) properties {
	inputs := properties{
		"loadBalancerArn": f.ids["balancer"], "port": 80.0, "protocol": "HTTP",
		"defaultActions": []any{properties{"type": "redirect", "redirect": properties{"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}}},
	}
	for key, value := range more {
		inputs[key] = value
	}
	return inputs
}

func (f *fixture) forward(to string) []any {
	return []any{properties{"type": "forward", "targetGroupArn": f.ids[to]}}
}

func (f *fixture) rule(more properties) properties {
	inputs := properties{
		"listenerArn": f.ids["http"], "priority": 1.0, "actions": f.forward("challenge"),
		"conditions": []any{properties{"pathPattern": properties{"values": []any{"/.well-known/acme-challenge/*"}}}},
	}
	for key, value := range more {
		inputs[key] = value
	}
	return inputs
}

// balancing is a load balancer that serves, with its certificate.
func (f *fixture) balancing() *fixture {
	f.balanced()
	f.make(TargetGroupType, "challenge", f.target("challenge", properties{"protocol": "HTTP", "port": 80.0}))
	f.make(LoadBalancerType, "balancer", f.balancer(nil))
	f.certified()
	f.make(ListenerType, "http", f.listener(nil))
	f.make(ListenerType, "https", f.listener(properties{"port": 443.0, "protocol": "HTTPS", "certificateArn": f.ids["certificate"], "defaultActions": f.forward("site")}))
	f.make(ListenerRuleType, "challenges", f.rule(nil))
	f.make(TargetAttachmentType, "first", properties{"targetGroupArn": f.ids["site"], "targetId": f.ids["server"]})
	return f
}

func TestALoadBalancerHasNameAndAddresses(t *testing.T) {
	f := newFixture(t).balancing()
	made := f.get(LoadBalancerType, "balancer").Outputs
	assert.Regexp(t, `^arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/site/[0-9a-f]{16}$`, made["arn"])
	assert.Regexp(t, `^site-\d+\.eu-central-1\.elb\.amazonaws\.com$`, made["dnsName"])
	assert.Equal(t, "Z215JYRZR1TBD5", made["zoneId"])
	v4, v6 := Texts(made, "ipv4Addresses"), Texts(made, "ipv6Addresses")
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(v4))), 2, "one for each zone")
	assert.NotContains(t, v4, "")
	assert.NotContains(t, v4, f.get(instanceType, "server").Outputs["publicIp"])
	assert.Equal(t, []string{"2001:db8:be00:100::a1b3", "2001:db8:be00:101::a1b2"}, v6, "free ones of its subnets")
	f.make(instanceType, "other", f.instance(nil))
	assert.NotContains(t, v4, f.get(instanceType, "other").Outputs["publicIp"], "no other instance gets one of them")
	assert.NotContains(t, v6, Texts(f.get(instanceType, "other").Outputs, "ipv6Addresses")[0])

	require.NoError(t, f.update(LoadBalancerType, "balancer", f.balancer(properties{"idleTimeout": 120.0})))
	assert.Equal(t, made["ipv4Addresses"], f.get(LoadBalancerType, "balancer").Outputs["ipv4Addresses"], "it keeps them")
	assert.Equal(t, made["ipv6Addresses"], f.get(LoadBalancerType, "balancer").Outputs["ipv6Addresses"])
	require.NoError(t, f.update(LoadBalancerType, "balancer", f.balancer(properties{"ipAddressType": "ipv4"})))
	assert.Empty(t, f.get(LoadBalancerType, "balancer").Outputs["ipv6Addresses"])

	https := f.get(ListenerType, "https").Outputs
	assert.Regexp(t, `:listener/app/site/[0-9a-f]{16}/[0-9a-f]{16}$`, https["arn"])
	assert.Equal(t, usualPolicy, https["sslPolicy"])
	assert.Regexp(t, `:listener-rule/app/site/[0-9a-f]{16}/[0-9a-f]{16}/[0-9a-f]{16}$`, f.get(ListenerRuleType, "challenges").Outputs["arn"])
	check := Object(f.get(TargetGroupType, "site").Outputs, "healthCheck")
	assert.Equal(t, []any{"/.berth/ready", 5.0, "200", "traffic-port"}, []any{check["path"], check["interval"], check["matcher"], check["port"]})
}

func TestWhatElasticLoadBalancingRefuses(t *testing.T) {
	other := func(more properties) func(f *fixture) properties {
		return func(f *fixture) properties {
			inputs := f.balancer(properties{"name": "other"})
			for key, value := range more {
				inputs[key] = value
			}
			return inputs
		}
	}
	for _, test := range []struct {
		says, typ string
		inputs    func(f *fixture) properties
	}{
		{"DuplicateLoadBalancerName", LoadBalancerType, func(f *fixture) properties { return f.balancer(nil) }},
		{"At least two subnets in two different Availability Zones", LoadBalancerType, func(f *fixture) properties {
			return f.balancer(properties{"name": "other", "subnets": []any{f.ids["subnet"]}})
		}},
		{"multiple subnets in the same Availability Zone", LoadBalancerType, func(f *fixture) properties {
			f.make(subnetType, "same", properties{"vpcId": f.ids["vpc"], "cidrBlock": "10.20.2.0/24", "availabilityZone": "eu-central-1a"})
			return f.balancer(properties{"name": "other", "ipAddressType": "ipv4", "subnets": []any{f.ids["subnet"], f.ids["same"]}})
		}},
		{"at least 8 free IP addresses", LoadBalancerType, func(f *fixture) properties {
			f.make(subnetType, "small", properties{"vpcId": f.ids["vpc"], "cidrBlock": "10.20.2.0/28", "availabilityZone": "eu-central-1c"})
			return f.balancer(properties{"name": "other", "ipAddressType": "ipv4", "subnets": []any{f.ids["subnet"], f.ids["small"]}})
		}},
		{"associated IPv6 CIDR block", LoadBalancerType, func(f *fixture) properties {
			f.make(subnetType, "old", properties{"vpcId": f.ids["vpc"], "cidrBlock": "10.20.2.0/24", "availabilityZone": "eu-central-1c"})
			return f.balancer(properties{"name": "other", "subnets": []any{f.ids["subnet"], f.ids["old"]}})
		}},
		{"SubnetNotFound", LoadBalancerType, other(properties{"subnets": []any{"subnet-1", "subnet-2"}})},
		{"security groups are invalid", LoadBalancerType, other(properties{"securityGroups": []any{"sg-1"}})},
		{"has no internet gateway", LoadBalancerType, func(f *fixture) properties {
			f.make(vpcType, "inside", properties{"cidrBlock": "10.40.0.0/16"})
			a := f.make(subnetType, "a", properties{"vpcId": f.ids["inside"], "cidrBlock": "10.40.0.0/24", "availabilityZone": "eu-central-1a"})
			b := f.make(subnetType, "b", properties{"vpcId": f.ids["inside"], "cidrBlock": "10.40.1.0/24", "availabilityZone": "eu-central-1b"})
			return f.balancer(properties{"name": "other", "ipAddressType": "ipv4", "subnets": []any{a, b}})
		}},
		{"Access Denied for bucket: logs", LoadBalancerType, other(properties{"accessLogs": properties{"bucket": "logs", "enabled": true}})},
		{"idleTimeout", LoadBalancerType, other(properties{"idleTimeout": 4001.0})},
		{"DuplicateTargetGroupName", TargetGroupType, func(f *fixture) properties { return f.target("site", nil) }},
		{"The VPC ID 'vpc-1' is not found", TargetGroupType, func(f *fixture) properties { return f.target("other", properties{"vpcId": "vpc-1"}) }},
		{"must be smaller than the interval", TargetGroupType, func(f *fixture) properties {
			return f.target("other", properties{"healthCheck": properties{"interval": 5.0, "timeout": 5.0}})
		}},
		{"cookie_name", TargetGroupType, func(f *fixture) properties {
			return f.target("other", properties{"stickiness": properties{"type": "app_cookie", "cookieDuration": 60.0}})
		}},
		{"LoadBalancerNotFound", ListenerType, func(f *fixture) properties {
			return f.listener(properties{"loadBalancerArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/x/1"})
		}},
		{"DuplicateListener", ListenerType, func(f *fixture) properties { return f.listener(nil) }},
		{"certificate must be specified", ListenerType, func(f *fixture) properties { return f.listener(properties{"port": 444.0, "protocol": "HTTPS"}) }},
		{"cannot be specified for HTTP listeners", ListenerType, func(f *fixture) properties {
			return f.listener(properties{"port": 444.0, "certificateArn": f.ids["certificate"]})
		}},
		{"CertificateNotFound", ListenerType, func(f *fixture) properties {
			return f.listener(properties{"port": 444.0, "protocol": "HTTPS", "certificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/1"})
		}},
		{"UnsupportedCertificate", ListenerType, func(f *fixture) properties {
			f.make(CertificateType, "pending", properties{"domainName": "b.example.test", "validationMethod": "DNS"})
			return f.listener(properties{"port": 444.0, "protocol": "HTTPS", "certificateArn": f.ids["pending"]})
		}},
		{"SSLPolicyNotFound", ListenerType, func(f *fixture) properties {
			return f.listener(properties{"port": 444.0, "protocol": "HTTPS", "certificateArn": f.ids["certificate"], "sslPolicy": "TLS13"})
		}},
		{"TargetGroupNotFound", ListenerType, func(f *fixture) properties {
			action := properties{"type": "forward", "targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/x/1"}
			return f.listener(properties{"port": 444.0, "defaultActions": []any{action}})
		}},
		{"redirect loop", ListenerType, func(f *fixture) properties {
			action := properties{"type": "redirect", "redirect": properties{"protocol": "HTTP", "port": "444", "statusCode": "HTTP_301"}}
			return f.listener(properties{"port": 444.0, "defaultActions": []any{action}})
		}},
		{"redirect.statusCode", ListenerType, func(f *fixture) properties {
			action := properties{"type": "redirect", "redirect": properties{"protocol": "HTTPS", "statusCode": "HTTP_308"}}
			return f.listener(properties{"port": 444.0, "defaultActions": []any{action}})
		}},
		{"TargetGroupAssociationLimit", ListenerType, func(f *fixture) properties {
			f.make(LoadBalancerType, "second", f.balancer(properties{"name": "second"}))
			return f.listener(properties{"loadBalancerArn": f.ids["second"], "defaultActions": f.forward("site")})
		}},
		{"ListenerNotFound", ListenerRuleType, func(f *fixture) properties {
			return f.rule(properties{"listenerArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/x/1/2"})
		}},
		{"PriorityInUse", ListenerRuleType, func(f *fixture) properties { return f.rule(nil) }},
		{"1 to 5 condition values", ListenerRuleType, func(f *fixture) properties {
			paths := properties{"pathPattern": properties{"values": anys("/1", "/2", "/3", "/4", "/5", "/6")}}
			return f.rule(properties{"priority": 2.0, "conditions": []any{paths}})
		}},
		{"exactly one field", ListenerRuleType, func(f *fixture) properties {
			return f.rule(properties{"priority": 2.0, "conditions": []any{properties{}}})
		}},
		{"TargetGroupNotFound", TargetAttachmentType, func(f *fixture) properties {
			return properties{"targetGroupArn": "none", "targetId": f.ids["server"]}
		}},
		{"not valid instances", TargetAttachmentType, func(f *fixture) properties {
			return properties{"targetGroupArn": f.ids["site"], "targetId": "i-1"}
		}},
		{"not in a running state", TargetAttachmentType, func(f *fixture) properties {
			require.NoError(f.t, Change(f.dir, func(account *Account) error {
				account.get(instanceType, f.ids["server"]).Outputs["instanceState"] = "stopped"
				return nil
			}))
			return properties{"targetGroupArn": f.ids["site"], "targetId": f.ids["server"]}
		}},
	} {
		t.Run(test.says, func(t *testing.T) {
			f := newFixture(t).balancing()
			inputs := test.inputs(f)
			before := len(f.account().Resources)
			_, err := f.create(test.typ, "refused", inputs)
			require.ErrorContains(t, err, test.says)
			assert.Len(t, f.account().Resources, before)
		})
	}
}

func TestWhatIsBehindALoadBalancerIsNotRemoved(t *testing.T) {
	f := newFixture(t).balancing()
	f.make(securityGroupType, "mine", properties{"vpcId": f.ids["vpc"], "name": "mine"})
	require.NoError(t, f.update(LoadBalancerType, "balancer", f.balancer(properties{"enableDeletionProtection": true, "securityGroups": []any{f.ids["mine"]}})))
	for name, says := range map[[2]string]string{
		{LoadBalancerType, "balancer"}: "OperationNotPermitted", {TargetGroupType, "site"}: "in use by a listener or a rule",
		{TargetGroupType, "challenge"}: "in use by a listener or a rule", {CertificateType, "certificate"}: "ResourceInUseException",
		{securityGroupType, "mine"}: "DependencyViolation", {subnetType, "subnet-2"}: "DependencyViolation",
	} {
		require.ErrorContains(t, f.remove(name[0], name[1]), says, name[1])
	}
	require.NoError(t, f.remove(instanceType, "server"))
	require.ErrorContains(t, f.remove(gatewayType, "gateway"), "mapped public address", "the load balancer's")
	require.NoError(t, f.update(LoadBalancerType, "balancer", f.balancer(nil)))
	require.NoError(t, f.remove(LoadBalancerType, "balancer"))
	for _, typ := range []string{ListenerType, ListenerRuleType, TargetAttachmentType} {
		assert.Empty(t, f.account().OfType(typ), typ)
	}
	for _, name := range [][2]string{
		{TargetGroupType, "site"}, {TargetGroupType, "challenge"}, {CertificateType, "certificate"}, {securityGroupType, "mine"}, {securityGroupType, "group"},
		{subnetType, "subnet"}, {subnetType, "subnet-2"}, {gatewayType, "gateway"}, {vpcType, "vpc"},
	} {
		require.NoError(t, f.remove(name[0], name[1]), name[1])
	}
}

func TestARecordOfALoadBalancer(t *testing.T) {
	f := newFixture(t).balancing()
	balancer := f.get(LoadBalancerType, "balancer").Outputs
	alias := func(own, of properties) properties {
		target := properties{"name": balancer["dnsName"], "zoneId": balancer["zoneId"], "evaluateTargetHealth": false}
		maps.Copy(target, of)
		inputs := properties{"zoneId": f.ids["zone"], "name": "app.example.test", "type": "A", "aliases": []any{target}}
		maps.Copy(inputs, own)
		return inputs
	}
	for says, inputs := range map[string]map[string]any{
		"does not lie within the target zone":                                          alias(nil, properties{"zoneId": "Z35SXDOTRQ7X7K"}),
		"Tried to create an alias that targets other-1.eu-central-1.elb.amazonaws.com": alias(nil, properties{"name": "other-1.eu-central-1.elb.amazonaws.com"}),
		"does not have that type":                                                      alias(properties{"type": "CNAME"}, nil),
		"Expected exactly one of":                                                      alias(properties{"ttl": 60.0}, nil),
	} {
		_, err := f.create(recordType, "x", inputs)
		require.ErrorContains(t, err, says)
	}
	// A record of one server becomes an alias in place, and back.
	own := properties{"zoneId": f.ids["zone"], "name": "app.example.test", "type": "A", "ttl": 300.0, "records": []any{"198.51.100.16"}}
	f.make(recordType, "a", own)
	before, failures := f.check(recordType, own, nil)
	require.Empty(t, failures)
	after, failures := f.check(recordType, alias(nil, nil), before)
	require.Empty(t, failures)
	diff := f.diff(recordType, before, after, f.get(recordType, "a").Outputs)
	assert.Equal(t, []string{"aliases", "records", "ttl"}, diff.GetDiffs())
	assert.Empty(t, diff.GetReplaces())
	require.NoError(t, f.update(recordType, "a", alias(nil, nil)))
	f.make(recordType, "aaaa", alias(properties{"type": "AAAA"}, properties{"name": "dualstack." + Text(balancer, "dnsName") + "."}))
	for name, family := range map[string]string{"a": "ipv4Addresses", "aaaa": "ipv6Addresses"} {
		addresses, is := f.account().AliasAddresses(f.get(recordType, name))
		assert.True(t, is)
		assert.Equal(t, Texts(balancer, family), addresses, name)
	}
	require.NoError(t, f.update(recordType, "a", own))
	addresses, is := f.account().AliasAddresses(f.get(recordType, "a"))
	assert.False(t, is, "%v", addresses)
	assert.NotContains(t, f.get(recordType, "a").Outputs, "aliases")

	_, failures = f.check(recordType, alias(properties{"records": []any{"198.51.100.16"}, "ttl": 60.0}, nil), nil)
	assert.Len(t, failures, 3, "both kinds at once are refused in a preview, and a TTL with an alias: %v", failures)
	require.NoError(t, f.remove(LoadBalancerType, "balancer"))
	addresses, is = f.account().AliasAddresses(f.get(recordType, "aaaa"))
	assert.True(t, is)
	assert.Empty(t, addresses, "an alias outlives its load balancer, and names nothing")
}
