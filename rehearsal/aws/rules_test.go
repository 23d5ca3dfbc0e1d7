package aws

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// marked are the paths of the inputs of a type that the table marks in some way.
func marked(s schema, path string, is func(*attribute) bool) []string {
	var found []string
	for _, name := range s.names() {
		if is(s[name]) {
			found = append(found, path+name)
		}
		found = append(found, marked(s[name].Block, path+name+".", is)...)
	}
	return found
}

func TestTheTableAndTheRulesAgree(t *testing.T) {
	for typ, s := range schemas {
		assert.ElementsMatch(t, marked(s, "", func(a *attribute) bool { return a.Validated }), slices.Collect(maps.Keys(validated[typ])), "%s: validated", typ)
		assert.ElementsMatch(t, marked(s, "", func(a *attribute) bool { return a.StateFunc || a.DiffSuppressed }), slices.Collect(maps.Keys(equivalent[typ])), "%s: equivalent", typ)
		require.NotNil(t, kinds[typ], "%s: the account has it", typ)
		if len(refused[typ]) > 0 {
			assert.NotEmpty(t, kinds[typ].operation, "%s: AWS's rules are asked", typ)
		}
	}
	for _, rules := range []map[string]map[string]rule{validated, refused} {
		for typ, paths := range rules {
			for path := range paths {
				assert.Contains(t, marked(schemas[typ], "", func(*attribute) bool { return true }), path, typ)
			}
		}
	}
}

// values are a right and a wrong one for every rule, by type and path. What is for several types stands under "".
var values = map[string]map[string][2]any{
	"": {
		"assumeRolePolicy": {`{"Statement":[]}`, `{"Statement":`}, "policy": {`{"Statement":[]}`, "-"}, "dashboardBody": {"{}", "{"},
		"cidrIpv4": {"10.0.0.0/8", "10.0.0.1/8"}, "cidrIpv6": {"2001:db8::/32", "10.0.0.0/8"}, "ipv6CidrBlock": {"2001:db8::/64", "2001:db8::1/64"},
		"cidrBlock": {"10.20.0.0/24", "10.20.0.0/33"}, "destinationCidrBlock": {"0.0.0.0/0", "0.0.0.0"}, "destinationIpv6CidrBlock": {"::/0", "::"},
		"fromPort": {80.0, 65536.0}, "toPort": {-1.0, -2.0}, "ipProtocol": {"tcp", "http"},
		"bucket": {"dumps-1234567", strings.Repeat("b", 64)}, "path": {"/berth/", strings.Repeat("x", 513)},
	},
	DashboardType: {"dashboardName": {"app-example_test", "app.example.test"}},
	AlarmType: {
		"alarmActions":       {[]any{"arn:aws:automate:eu-central-1:ec2:recover"}, []any{"arn:aws:automate:eu-central-1:ec2:explode"}},
		"okActions":          {[]any{"arn:aws:sns:eu-central-1:123456789012:alarms"}, []any{"alarms"}},
		"alarmDescription":   {"Look with top.", strings.Repeat("x", 1025)},
		"comparisonOperator": {"LessThanThreshold", "Below"}, "evaluationPeriods": {1.0, 0.0}, "metricName": {"MemoryUsed", ""},
		"name": {"app.example.test memory", strings.Repeat("x", 256)}, "namespace": {"AWS/EC2", ""}, "period": {300.0, 90.0},
		"statistic": {"Maximum", "Max"}, "treatMissingData": {"notBreaching", "ok"},
	},
	lifecycleType: {
		"description": {"Daily snapshot", "app.example.test"}, "state": {"ENABLED", "ON"},
		"executionRoleArn":                            {"arn:aws:iam::123456789012:role/berth", "berth"},
		"policyDetails.policyType":                    {"EBS_SNAPSHOT_MANAGEMENT", "SNAPSHOTS"},
		"policyDetails.resourceTypes":                 {[]any{"VOLUME"}, []any{"volume"}},
		"policyDetails.schedules.createRule.interval": {24.0, 5.0}, "policyDetails.schedules.createRule.intervalUnit": {"HOURS", "DAYS"},
		"policyDetails.schedules.createRule.times": {"03:00", "3:00"}, "policyDetails.schedules.name": {"daily", strings.Repeat("x", 121)},
		"policyDetails.schedules.retainRule.count": {7.0, 1001.0},
	},
	addressType: {"domain": {"vpc", "VPC"}},
	instanceType: {
		"creditSpecification.cpuCredits": {"unlimited", "none"}, "ipv6Addresses": {[]any{"2001:db8::10"}, []any{"198.51.100.1"}},
		"metadataOptions.httpEndpoint": {"enabled", "on"}, "metadataOptions.httpPutResponseHopLimit": {1.0, 65.0}, "metadataOptions.httpTokens": {"required", "v2"},
		"rootBlockDevice.volumeType": {"gp3", "gp4"}, "userData": {"#cloud-config", strings.Repeat("x", 16385)},
	},
	securityGroupType: {
		"description": {"SSH from the operator, HTTP and HTTPS from everywhere", "The operator's"},
		"name":        {"security-group-1234567", "sg-1234567"},
	},
	ingressType: {"description": {"SSH from the operator", "SSH – from the operator"}},
	egressType:  {"description": {"Everything out", strings.Repeat("x", 256)}},
	vpcType:     {"cidrBlock": {"10.20.0.0/16", "10.0.0.0/8"}},
	profileType: {"name": {"berth-host", strings.Repeat("x", 129)}},
	roleType: {
		"description": {"Identity of a Berth server", "The “host”"}, "maxSessionDuration": {3600.0, 60.0}, "name": {"berth-host", "berth host"},
		"permissionsBoundary": {"arn:aws:iam::123456789012:policy/berth-boundary", "berth-boundary"},
	},
	policyType:     {"description": {"What a role may do", strings.Repeat("x", 1001)}, "name": {"berth-boundary", "a/b"}},
	permissionType: {"name": {"metrics-1234567", "metrics/1"}, "role": {"berth-host", "arn:aws:iam::123456789012:role/berth-host"}},
	healthCheckType: {
		"failureThreshold": {3.0, 11.0}, "fqdn": {"app.example.test", strings.Repeat("a", 256)}, "port": {443.0, 0.0}, "requestInterval": {30.0, 60.0},
		"resourcePath": {"/health", strings.Repeat("/", 256)}, "type": {"HTTPS", "HTTP2"},
	},
	recordType: {
		"type": {"AAAA", "ALIAS"}, "zoneId": {"Z0123456789ABCDEFGHIJ", ""}, "ttl": {300.0, -1.0},
		"aliases.name": {"site-1.eu-central-1.elb.amazonaws.com", ""}, "aliases.zoneId": {"Z215JYRZR1TBD5", ""},
	},
	LaunchTemplateType: {
		"blockDeviceMappings.ebs.deleteOnTermination": {"true", "yes"}, "blockDeviceMappings.ebs.encrypted": {"", "no"}, "ebsOptimized": {"false", "-"},
		"blockDeviceMappings.ebs.throughput": {125.0, 124.0}, "blockDeviceMappings.ebs.volumeType": {"gp3", "ssd"}, "creditSpecification.cpuCredits": {"standard", "none"},
		"defaultVersion": {1.0, 0.0}, "description": {"Web servers", strings.Repeat("x", 256)}, "iamInstanceProfile.arn": {"arn:aws:iam::123456789012:instance-profile/web", "web"},
		"metadataOptions.httpEndpoint": {"enabled", "on"}, "metadataOptions.httpProtocolIpv6": {"disabled", "off"}, "metadataOptions.httpPutResponseHopLimit": {1.0, 0.0},
		"metadataOptions.httpTokens": {"required", "v2"}, "metadataOptions.instanceMetadataTags": {"disabled", "no"}, "name": {"web-1234567", "we"},
		"networkInterfaces.associatePublicIpAddress": {"true", "yes"}, "networkInterfaces.deleteOnTermination": {"true", "yes"}, "networkInterfaces.primaryIpv6": {"true", "yes"},
		"tagSpecifications.resourceType": {"instance", "server"},
	},
	GroupType: {
		"initialLifecycleHooks.defaultResult": {"ABANDON", "abandon"}, "initialLifecycleHooks.heartbeatTimeout": {900.0, 7201.0},
		"initialLifecycleHooks.lifecycleTransition": {"autoscaling:EC2_INSTANCE_LAUNCHING", "launching"}, "initialLifecycleHooks.name": {"berth-join", "berth join"},
		"initialLifecycleHooks.notificationTargetArn": {"arn:aws:sns:eu-central-1:123456789012:alarms", "alarms"}, "initialLifecycleHooks.roleArn": {"arn:aws:iam::123456789012:role/a", "a"},
		"launchTemplate.id": {"lt-0123", "web"}, "launchTemplate.name": {"web", "w b"}, "launchTemplate.version": {"$Latest", ""}, "name": {"web-1234567", strings.Repeat("x", 256)},
		"waitForCapacityTimeout": {"0", "ten minutes"}, "healthCheckType": {"ELB", "HTTP"},
	},
	ScalingPolicyType:   {"name": {"cpu-1234567", ""}, "policyType": {"TargetTrackingScaling", "TargetTracking"}},
	databaseSubnetsType: {"name": {"berth-1234567", "Berth"}},
	DatabaseType: {
		"identifier": {"berth-1234567", "berth--1"}, "finalSnapshotIdentifier": {"berth-1234567-final", "berth-"}, "storageType": {"gp3", "ssd"}, "backupRetentionPeriod": {7.0, 36.0},
		"instanceClass": {"db.t4g.micro", "t4g.micro"}, "username": {"app", "admin"}, "dbName": {"app", "1"}, "password": {"not-a-secret", "with a space"},
	},
	LoadBalancerType: {
		"desyncMitigationMode": {"strictest", "strict"}, "ipAddressType": {"dualstack", "ipv6"}, "loadBalancerType": {"application", "classic"}, "name": {"site-1234567", "site_1"},
		"xffHeaderProcessingMode": {"append", "set"}, "idleTimeout": {60.0, 4001.0}, "clientKeepAlive": {3600.0, 59.0},
	},
	TargetGroupType: {
		"deregistrationDelay": {3600.0, 3601.0}, "healthCheck.healthyThreshold": {2.0, 1.0}, "healthCheck.interval": {5.0, 4.0}, "healthCheck.path": {"/.berth/ready", "ready"},
		"healthCheck.port": {"traffic-port", "https"}, "healthCheck.protocol": {"HTTPS", "ICMP"}, "healthCheck.timeout": {2.0, 1.0}, "healthCheck.unhealthyThreshold": {2.0, 11.0},
		"ipAddressType": {"ipv4", "dualstack"}, "loadBalancingAlgorithmType": {"round_robin", "random"}, "name": {"site-1234567", "-site"}, "port": {8443.0, 0.0},
		"protocol": {"HTTPS", "HTTP2"}, "protocolVersion": {"HTTP1", "HTTP/1.1"}, "slowStart": {30.0, 29.0}, "stickiness.cookieDuration": {86400.0, 604801.0},
		"stickiness.type": {"lb_cookie", "cookie"}, "targetType": {"instance", "host"},
	},
	ListenerType: withPrefix("defaultActions.", map[string][2]any{
		"certificateArn":  {"arn:aws:acm:eu-central-1:123456789012:certificate/1", "1"},
		"loadBalancerArn": {"arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/site/1", "site"}, "port": {443.0, 0.0}, "protocol": {"HTTPS", "https2"},
	}),
	ListenerRuleType: withPrefix("actions.", map[string][2]any{
		"conditions.hostHeader.values": {[]any{"example.test"}, []any{""}}, "conditions.pathPattern.values": {[]any{"/*"}, []any{strings.Repeat("x", 129)}},
		"listenerArn": {"arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/site/1/2", "https"}, "priority": {1.0, 0.0},
	}),
	CertificateType: {
		"domainName": {"*.example.test", "example_test"}, "keyAlgorithm": {"EC_prime256v1", "ECDSA"}, "validationMethod": {"DNS", "TLS"},
		"subjectAlternativeNames":                          {[]any{"www.example.test"}, []any{"www.example.test."}},
		"options.certificateTransparencyLoggingPreference": {"ENABLED", "on"},
	},
	zoneType:             {"comment": {"Managed by Pulumi", strings.Repeat("x", 257)}, "name": {"example.test", ""}},
	TopicType:            {"name": {"alarms-1234567", "a.b"}},
	SubscriptionType:     {"protocol": {"email", "mail"}, "topic": {"arn:aws:sns:us-east-1:123456789012:alarms", "alarms"}},
	volumeType:           {"type": {"gp3", "ssd"}},
	bucketVersioningType: {"versioningConfiguration.status": {"Enabled", "On"}},
	bucketEncryptionType: {"rules.applyServerSideEncryptionByDefault.sseAlgorithm": {"AES256", "AES"}},
	bucketLifecycleType: {
		"rules.id": {"old-dumps", ""}, "rules.status": {"Enabled", "On"}, "rules.noncurrentVersionExpiration.noncurrentDays": {30.0, 0.0},
	},
}

// withPrefix adds the values for the actions of a listener or of a rule.
func withPrefix(path string, pairs map[string][2]any) map[string][2]any {
	for name, pair := range map[string][2]any{
		"fixedResponse.contentType": {"text/plain", "text"}, "fixedResponse.statusCode": {"404", "301"}, "order": {1.0, 0.0}, "redirect.protocol": {"HTTPS", "https"},
		"redirect.statusCode": {"HTTP_301", "HTTP_308"}, "type": {"forward", "proxy"},
		"targetGroupArn": {"arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/site/1", "site"},
	} {
		pairs[path+name] = pair
	}
	return pairs
}

func TestEveryRule(t *testing.T) {
	for layer, rules := range map[string]map[string]map[string]rule{"provider": validated, "AWS": refused} {
		for typ, paths := range rules {
			for path, rule := range paths {
				pair, ok := values[typ][path]
				if !ok {
					pair, ok = values[""][path]
				}
				if require.Truef(t, ok, "no values for %s.%s", typ, path); layer == "provider" {
					assert.Emptyf(t, rule(pair[0]), "%s.%s", typ, path)
				}
				other := validated[typ][path]
				refusedByOne := rule(pair[1]) != "" || refused[typ][path] != nil && refused[typ][path](pair[1]) != "" || other != nil && other(pair[1]) != ""
				assert.Truef(t, refusedByOne, "%s.%s takes %v", typ, path, pair[1])
			}
		}
	}
}

// What AWS takes at the edges of its rules, and what is just beyond.
func TestEdgesOfRules(t *testing.T) {
	for _, test := range []struct {
		rule          rule
		takes, leaves []any
	}{
		{identity(64), []any{"a", "A_z+=,.@-9", strings.Repeat("x", 64)}, []any{"", "a b", "a/b", "ä", strings.Repeat("x", 65)}},
		{validated[securityGroupType]["name"], []any{"", "my-sg-1", "Sg-1"}, []any{"sg-", "sg-0123"}},
		{ruleText, []any{"", "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"}, []any{"it's", `"quoted"`, "a|b", "a\nb", "ü", "<80>", strings.Repeat("x", 256)}},
		{bucket, []any{"abc", "a.b", strings.Repeat("x", 63)}, []any{"ab", "Abc", "a_b", "-abc", "abc-", "a..b", "192.0.2.1", "xn--abc", "sthree-abc", "abc-s3alias", "abc--ol-s3", strings.Repeat("x", 64)}},
		{period, []any{10.0, 20.0, 30.0, 60.0, 86400.0}, []any{0.0, 1.0, 15.0, 40.0, 61.0}},
		{prefix4(16, 28), []any{"10.20.0.0/16", "10.20.0.0/28"}, []any{"10.20.0.0/15", "10.20.0.0/29", "10.20.0.0", "2001:db8::/20", "", "10.20.0.1/16"}},
		{arn, []any{"arn:aws:iam::123456789012:role/a", "arn:aws-cn:s3:::bucket", "arn:aws:iam::aws:policy/A"}, []any{"", "arn:aws:iam", "arn:aws:iam::12:role/a", "role/a"}},
		{validated[lifecycleType]["description"], []any{"a", "Daily snapshot_1-2"}, []any{"", "a.b", "a'b", strings.Repeat("x", 501)}},
		{refused[TopicType]["name"], []any{"a", strings.Repeat("x", 256)}, []any{"", "a b", "a.fifo", strings.Repeat("x", 257)}},
		{refused[roleType]["path"], []any{"/", "/berth/"}, []any{"", "berth/", "/berth", "/b h/"}},
		{refused[instanceType]["userData"], []any{strings.Repeat("x", 16384)}, []any{strings.Repeat("ü", 8193)}},
	} {
		for _, value := range test.takes {
			assert.Emptyf(t, test.rule(value), "%v", value)
		}
		for _, value := range test.leaves {
			assert.NotEmptyf(t, test.rule(value), "%v", value)
		}
	}
}

func TestWhatAWSRefusesOfNamesDescriptionsAndTags(t *testing.T) {
	f := newFixture(t).network()
	tagged := func(tags properties) properties {
		return properties{"name": "x", "assumeRolePolicy": "{}", "tags": tags}
	}
	rule := func(description string) properties {
		return properties{"securityGroupId": f.ids["group"], "ipProtocol": "tcp", "fromPort": 22.0, "toPort": 22.0, "cidrIpv4": "10.0.0.0/8", "description": description}
	}
	for _, test := range []struct {
		says, typ string
		inputs    properties
	}{
		{"Invalid security group description", securityGroupType, properties{"vpcId": f.ids["vpc"], "name": "x", "description": "It's"}},
		{"cannot begin with sg-", securityGroupType, properties{"vpcId": f.ids["vpc"], "name": "sg-x", "description": "x"}},
		{"Invalid rule description", ingressType, rule("it's mine")},
		{"must match", roleType, properties{"name": "a b", "assumeRolePolicy": "{}"}},
		{"begins and ends with a slash", roleType, properties{"name": "a", "assumeRolePolicy": "{}", "path": "berth"}},
		{"other than letters", roleType, tagged(properties{"Team": "a&b"})},
		{"other than letters", roleType, tagged(properties{"Team!": "a"})},
		{"case insensitive: Name and name", roleType, tagged(properties{"Name": "a", "name": "b"})},
		{"exceeds the maximum length", roleType, tagged(properties{"a": strings.Repeat("ä", 257)})},
		{"exceeds the maximum length", gatewayType, properties{"tags": properties{strings.Repeat("k", 129): "a"}}},
		{"reserved for internal use", gatewayType, properties{"tags": properties{"AWS:x": "a"}}},
	} {
		_, err := f.create(test.typ, "refused", test.inputs)
		require.ErrorContains(t, err, test.says)
	}
	f.make(roleType, "role", tagged(properties{"Team": strings.Repeat("ä", 256), "berth:data-of": "a/b c+d=e@f"}))
	f.make(gatewayType, "gateway2", properties{"tags": properties{"Team&": "a!"}})
	require.ErrorContains(t, f.update(roleType, "role", tagged(properties{"Team": "a&b"})), "other than letters", "a change is checked, too")
}
