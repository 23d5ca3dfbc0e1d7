package aws

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// rule says what is wrong with a value, "" where nothing is.
type rule func(value any) string

// validated are the rules of the inputs that the table marks as validated: the real provider refuses these values itself,
// in a preview. What lies inside a list of blocks has no index.
var validated = map[string]map[string]rule{
	DashboardType: {
		"dashboardBody": jsonText,
		"dashboardName": all(length(1, 255), matches(`^[0-9A-Za-z_-]+$`, "contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_)")),
	},
	AlarmType: {
		"alarmActions": every(anyOf(arn, automation)), "okActions": every(anyOf(arn, automation)),
		"alarmDescription": length(0, 1024), "name": length(1, 255), "metricName": length(1, 255),
		"comparisonOperator": oneOf("GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold",
			"LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"),
		"evaluationPeriods": atLeast(1),
		"namespace":         all(length(1, 255), matches(`[^:].*`, "must not contain colon characters")),
		"period":            period,
		"statistic":         oneOf("SampleCount", "Average", "Sum", "Minimum", "Maximum"),
		"treatMissingData":  oneOf("missing", "ignore", "breaching", "notBreaching"),
	},
	lifecycleType: {
		"description":      all(length(1, 500), matches(`^[0-9A-Za-z _-]+$`, "must satisfy regular expression pattern: [0-9A-Za-z _-]+")),
		"executionRoleArn": arn, "state": oneOf("ENABLED", "DISABLED"),
		"policyDetails.policyType":                        oneOf("EBS_SNAPSHOT_MANAGEMENT", "IMAGE_MANAGEMENT", "EVENT_BASED_POLICY"),
		"policyDetails.resourceTypes":                     every(oneOf("VOLUME", "INSTANCE")),
		"policyDetails.schedules.createRule.interval":     wholeOf(1, 2, 3, 4, 6, 8, 12, 24),
		"policyDetails.schedules.createRule.intervalUnit": oneOf("HOURS"),
		"policyDetails.schedules.createRule.times":        matches(`^([01][0-9]|2[0-3]):[0-5][0-9]$`, "must have the form hh:mm"),
		"policyDetails.schedules.name":                    length(0, 120),
		"policyDetails.schedules.retainRule.count":        between(1, 1000),
	},
	addressType: {"domain": oneOf("vpc", "standard")},
	instanceType: {
		"creditSpecification.cpuCredits":          oneOf("standard", "unlimited"),
		"ipv6Addresses":                           every(address6),
		"metadataOptions.httpEndpoint":            oneOf("enabled", "disabled"),
		"metadataOptions.httpPutResponseHopLimit": between(1, 64),
		"metadataOptions.httpTokens":              oneOf("optional", "required"),
		"rootBlockDevice.volumeType":              oneOf("standard", "io1", "io2", "gp2", "sc1", "st1", "gp3"),
		"userData":                                length(0, userDataLimit),
	},
	routeType:         {"destinationCidrBlock": prefix4(0, 32), "destinationIpv6CidrBlock": prefix6},
	securityGroupType: {"description": length(0, 255), "name": all(length(0, 255), without(`^sg-`, "cannot begin with sg-"))},
	subnetType:        {"cidrBlock": prefix4(0, 32), "ipv6CidrBlock": prefix6},
	vpcType:           {"cidrBlock": prefix4(16, 28)},
	profileType:       {"name": identity(128)},
	roleType: {
		"assumeRolePolicy": jsonText, "description": all(length(0, 1000), without(`[“‘]`, "cannot contain specially formatted single or double quotes: [“‘]"), matches(`^[\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}]*$`, `must satisfy regular expression pattern: [\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}]*`)),
		"maxSessionDuration": between(3600, 43200), "name": identity(64), "path": length(0, 512), "permissionsBoundary": arn,
	},
	permissionType: {"name": identity(128), "policy": jsonText, "role": all(identity(128), notARN)},
	policyType:     {"description": length(0, 1000), "name": identity(128), "policy": jsonText},
	healthCheckType: {
		"failureThreshold": between(1, 10), "fqdn": length(0, 255), "port": between(1, 65535), "requestInterval": wholeOf(10, 30),
		"resourcePath": length(0, 255),
		"type":         oneOf("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP", "CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL"),
	},
	recordType: {
		"aliases.name": length(1, 1024), "aliases.zoneId": length(1, 32),
		"type":   oneOf("SOA", "A", "TXT", "NS", "CNAME", "MX", "NAPTR", "PTR", "SRV", "SPF", "AAAA", "CAA", "DS", "TLSA", "SSHFP", "SVCB", "HTTPS"),
		"zoneId": length(1, 32),
	},
	zoneType:             {"comment": length(0, 256), "name": length(1, 1024)},
	SubscriptionType:     {"protocol": oneOf("application", "email", "email-json", "firehose", "http", "https", "lambda", "sms", "sqs"), "topic": arn},
	ingressType:          {"cidrIpv4": prefix4(0, 32), "cidrIpv6": prefix6, "fromPort": between(-1, 65535), "toPort": between(-1, 65535)},
	egressType:           {"cidrIpv4": prefix4(0, 32), "cidrIpv6": prefix6, "fromPort": between(-1, 65535), "toPort": between(-1, 65535)},
	BucketType:           {"bucket": length(0, 63)},
	bucketVersioningType: {"bucket": length(1, 63), "versioningConfiguration.status": oneOf("Enabled", "Suspended", "Disabled")},
	bucketEncryptionType: {"bucket": length(1, 63), "rules.applyServerSideEncryptionByDefault.sseAlgorithm": oneOf("AES256", "aws:kms", "aws:kms:dsse")},
	bucketPolicyType:     {"policy": jsonText},
	bucketLifecycleType: {
		"bucket": length(1, 63), "rules.id": length(1, 255), "rules.status": oneOf("Enabled", "Disabled"),
		"rules.noncurrentVersionExpiration.noncurrentDays": atLeast(1),
	},
	LaunchTemplateType: {
		"blockDeviceMappings.ebs.deleteOnTermination": boolText, "blockDeviceMappings.ebs.encrypted": boolText,
		"blockDeviceMappings.ebs.throughput":         between(125, 1000),
		"blockDeviceMappings.ebs.volumeType":         oneOf("standard", "io1", "io2", "gp2", "sc1", "st1", "gp3"),
		"creditSpecification.cpuCredits":             oneOf("standard", "unlimited"),
		"defaultVersion":                             atLeast(1),
		"description":                                length(0, 255),
		"ebsOptimized":                               boolText,
		"iamInstanceProfile.arn":                     arn,
		"metadataOptions.httpEndpoint":               oneOf("enabled", "disabled"),
		"metadataOptions.httpProtocolIpv6":           oneOf("enabled", "disabled"),
		"metadataOptions.httpPutResponseHopLimit":    between(1, 64),
		"metadataOptions.httpTokens":                 oneOf("optional", "required"),
		"metadataOptions.instanceMetadataTags":       oneOf("enabled", "disabled"),
		"name":                                       templateName,
		"networkInterfaces.associatePublicIpAddress": boolText, "networkInterfaces.deleteOnTermination": boolText, "networkInterfaces.primaryIpv6": boolText,
		"tagSpecifications.resourceType": oneOf("instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"),
	},
	GroupType: {
		"initialLifecycleHooks.defaultResult":         oneOf("ABANDON", "CONTINUE"),
		"initialLifecycleHooks.heartbeatTimeout":      between(30, 7200),
		"initialLifecycleHooks.lifecycleTransition":   oneOf(launching, "autoscaling:EC2_INSTANCE_TERMINATING"),
		"initialLifecycleHooks.name":                  all(length(1, 255), matches(`^[A-Za-z0-9\-_/]+$`, `no spaces or special characters except "-", "_", and "/"`)),
		"initialLifecycleHooks.notificationTargetArn": arn, "initialLifecycleHooks.roleArn": arn,
		"launchTemplate.id":      matches(`^lt-[0-9a-z]+$`, "must begin with lt-"),
		"launchTemplate.name":    templateName,
		"launchTemplate.version": length(1, 255),
		"name":                   length(0, 255),
		"waitForCapacityTimeout": duration,
	},
	ScalingPolicyType: {
		"name":       length(1, 255),
		"policyType": oneOf("SimpleScaling", "StepScaling", "TargetTrackingScaling", "PredictiveScaling"),
	},
	LoadBalancerType: {
		"desyncMitigationMode":    oneOf("monitor", "defensive", "strictest"),
		"ipAddressType":           oneOf("ipv4", "dualstack", "dualstack-without-public-ipv4"),
		"loadBalancerType":        oneOf("application", "network", "gateway"),
		"name":                    all(balancerName, without(`^internal-`, "cannot begin with \"internal-\"")),
		"xffHeaderProcessingMode": oneOf("append", "preserve", "remove"),
	},
	TargetGroupType: {
		"deregistrationDelay":            between(0, 3600),
		"healthCheck.healthyThreshold":   between(2, 10),
		"healthCheck.interval":           between(5, 300),
		"healthCheck.path":               all(length(1, 1024), matches(`^/`, `must begin with "/"`)),
		"healthCheck.port":               matches(`^(traffic-port|[1-9][0-9]{0,4})$`, "must be a valid port number (1-65536) or `traffic-port`"),
		"healthCheck.protocol":           oneOf("HTTP", "HTTPS", "TCP"),
		"healthCheck.timeout":            between(2, 120),
		"healthCheck.unhealthyThreshold": between(2, 10),
		"ipAddressType":                  oneOf("ipv4", "ipv6"),
		"loadBalancingAlgorithmType":     oneOf("round_robin", "least_outstanding_requests", "weighted_random"),
		"name":                           balancerName,
		"port":                           between(1, 65535),
		"protocol":                       oneOf("HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"),
		"protocolVersion":                oneOf("GRPC", "HTTP1", "HTTP2"),
		"slowStart":                      slowStart,
		"stickiness.cookieDuration":      between(0, 604800),
		"stickiness.type":                oneOf("lb_cookie", "app_cookie", "source_ip", "source_ip_dest_ip", "source_ip_dest_ip_proto"),
		"targetType":                     oneOf("instance", "ip", "lambda", "alb"),
	},
	ListenerType: withActions("defaultActions.", map[string]rule{
		"certificateArn": arn, "loadBalancerArn": arn, "port": between(1, 65535),
		"protocol": oneOf("HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"),
	}),
	ListenerRuleType: withActions("actions.", map[string]rule{
		"conditions.hostHeader.values": every(length(1, 128)), "conditions.pathPattern.values": every(length(1, 128)),
		"listenerArn": arn, "priority": between(1, 50000),
	}),
	databaseSubnetsType: {
		"name": all(length(1, 255), matches(`^[ 0-9a-z._-]+$`, "only lowercase alphanumeric characters, hyphens, underscores, periods, and spaces allowed"), without(`^default$`, `cannot be "default"`)),
	},
	DatabaseType: {
		"identifier":              all(matches(`^[0-9a-z-]+$`, "only lowercase alphanumeric characters and hyphens allowed"), databaseName),
		"finalSnapshotIdentifier": all(matches(`^[0-9A-Za-z-]+$`, "must only contain alphanumeric characters and hyphens"), databaseName),
		"storageType":             oneOf("standard", "gp2", "gp3", "io1", "io2"),
	},
	CertificateType: {
		"domainName":              without(`\.$`, "cannot end with a period"),
		"keyAlgorithm":            oneOf("RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1"),
		"subjectAlternativeNames": every(all(length(1, 253), without(`\.$`, "cannot end with a period"))),
		"validationMethod":        oneOf("EMAIL", "DNS", "HTTP"),
		"options.certificateTransparencyLoggingPreference": oneOf("ENABLED", "DISABLED"),
	},
}

// withActions adds the rules for the actions of a listener or of a rule.
func withActions(path string, rules map[string]rule) map[string]rule {
	for name, rule := range map[string]rule{
		"fixedResponse.contentType": oneOf("text/plain", "text/css", "text/html", "application/javascript", "application/json"),
		"fixedResponse.statusCode":  matches(`^[245]\d\d$`, "must be a status code of 2xx, 4xx or 5xx"),
		"order":                     between(1, 50000),
		"redirect.protocol":         oneOf("#{protocol}", "HTTP", "HTTPS"),
		"redirect.statusCode":       oneOf("HTTP_301", "HTTP_302"),
		"targetGroupArn":            arn,
		"type":                      oneOf("forward", "authenticate-oidc", "authenticate-cognito", "redirect", "fixed-response"),
	} {
		rules[path+name] = rule
	}
	return rules
}

var (
	// boolText is a boolean that may be left to AWS.
	boolText     = oneOf("", "true", "false", "1", "0")
	templateName = all(length(3, 125), matches(`^[0-9A-Za-z()./_\-]+$`, "can only alphanumeric characters and ()./_- symbols"))
	balancerName = all(length(0, 32), matches(`^[0-9A-Za-z-]*$`, "only alphanumeric characters and hyphens allowed"), without(`^-|-$`, "cannot begin or end with a hyphen"))
)

// masterPassword is a rule that does not repeat the value.
var masterPassword = ofText(func(text string) string {
	if wrong := matches(`^[!#-.0-?A-~]{8,128}$`, "")(text); wrong != "" {
		return "The parameter MasterUserPassword is not a valid password. It has 8 to 128 printable ASCII characters besides '/', '@', '\"', ' '."
	}
	return ""
})

// databaseName is how names of RDS's begin and end.
var databaseName = all(matches(`^[A-Za-z]`, "must begin with alphabetic character"), without(`--`, "cannot contain two consecutive hyphens"), without(`-$`, "cannot end in a hyphen"))

var duration = ofText(func(text string) string {
	if wait, err := time.ParseDuration(text); err != nil || wait < 0 {
		return fmt.Sprintf("%q must be a duration, and not less than zero", text)
	}
	return ""
})

var slowStart = ofWhole(func(seconds int) string {
	if seconds != 0 && (seconds < 30 || seconds > 900) {
		return fmt.Sprintf("expected to be 0 or in the range (30 - 900), got %d", seconds)
	}
	return ""
})

// groupText is what EC2 takes in names and descriptions of security groups and their rules. Source: EC2 API Reference,
// "CreateSecurityGroup" and "IpRange".
const groupText = `^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*$`

// refused are AWS's own rules for what the provider lets pass: these values fail in the middle of an update.
var refused = map[string]map[string]rule{
	securityGroupType: {
		"description": all(length(1, 255), matches(groupText, "Invalid security group description. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")),
		"name":        all(length(1, 255), matches(groupText, "Invalid security group name. Valid names are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")),
	},
	ingressType: {"description": ruleText, "ipProtocol": protocol},
	egressType:  {"description": ruleText, "ipProtocol": protocol},
	// Source: IAM API Reference, "CreateRole" and "CreateInstanceProfile".
	roleType:    {"path": identityPath},
	profileType: {"path": identityPath},
	// Source: SNS API Reference, "CreateTopic".
	TopicType:    {"name": matches(`^[A-Za-z0-9_-]{1,256}$`, "Topic Name: it has 1 to 256 letters, digits, hyphens and underscores")},
	volumeType:   {"type": oneOf("standard", "io1", "io2", "gp2", "sc1", "st1", "gp3")},
	BucketType:   {"bucket": bucket},
	recordType:   {"ttl": between(0, 1<<31-1)},
	instanceType: {"userData": bytes(userDataLimit)},
	// Source: EC2 Auto Scaling API Reference, "CreateAutoScalingGroup".
	GroupType: {"healthCheckType": oneOf("EC2", "ELB", "EBS", "VPC_LATTICE", "EC2,ELB")},
	// Source: ELB API Reference, "LoadBalancerAttribute".
	LoadBalancerType: {"idleTimeout": between(1, 4000), "clientKeepAlive": between(60, 604800)},
	// Source: RDS API Reference, "CreateDBInstance".
	DatabaseType: {
		"identifier": length(1, 63), "finalSnapshotIdentifier": length(1, 255), "backupRetentionPeriod": between(0, 35),
		"instanceClass": matches(`^db\.(t4g\.(micro|small|medium|large|xlarge|2xlarge)|[mr]7g\.(large|([248]|12|16)?xlarge))$`, "Invalid DB Instance class"),
		"username":      all(matches(`^[A-Za-z][A-Za-z0-9_]{0,15}$`, "must begin with a letter and contain only alphanumeric characters"), without(`(?i)^(admin|rdsadmin|user|pg_.*)$`, "is a reserved word used by the engine")),
		"dbName":        all(matches(`^[A-Za-z][A-Za-z0-9_]{0,62}$`, "must begin with a letter and contain only alphanumeric characters"), without(`(?i)^(rdsadmin|user|template[01])$`, "is a reserved word for this engine")),
		"password":      masterPassword,
	},
	// Source: ACM API Reference, "RequestCertificate".
	CertificateType: {"domainName": domainText, "subjectAlternativeNames": every(domainText)},
}

var domainText = all(length(1, 253), matches(`^(\*\.)?(([A-Za-z0-9-]{0,62}[A-Za-z0-9])\.)+([A-Za-z0-9-]{1,62}[A-Za-z0-9])$`, "it is not a domain name"))

var ruleText = all(length(0, 255), matches(groupText, "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"))

var identityPath = matches(`^(/|/[\x21-\x7e]+/)$`, "begins and ends with a slash")

// unacceptable is what AWS says to an input that breaks one of the rules. The provider's are AWS's too: a hand meets them
// there.
func (c *call) unacceptable() error {
	if c.kind.operation == "" {
		return nil
	}
	for _, rules := range []map[string]rule{validated[c.typ], refused[c.typ]} {
		for _, path := range slices.Sorted(maps.Keys(rules)) {
			for _, value := range valuesAt(c.inputs, strings.Split(path, ".")) {
				if wrong := rules[path](value); wrong != "" {
					return apiError(c.kind.operation, c.kind.invalid, "Value at '%s' failed to satisfy constraint: %s", path, wrong)
				}
			}
		}
	}
	return nil
}

// valuesAt are the values at a path, one for each item of the lists on the way.
func valuesAt(value any, path []string) []any {
	switch value := value.(type) {
	case nil:
		return nil
	case []any:
		if len(path) > 0 {
			var found []any
			for _, item := range value {
				found = append(found, valuesAt(item, path)...)
			}
			return found
		}
	case map[string]any:
		if len(path) > 0 {
			return valuesAt(value[path[0]], path[1:])
		}
	}
	return []any{value}
}

func all(rules ...rule) rule {
	return func(value any) string {
		for _, rule := range rules {
			if wrong := rule(value); wrong != "" {
				return wrong
			}
		}
		return ""
	}
}

func anyOf(rules ...rule) rule {
	return func(value any) string {
		wrong := ""
		for _, rule := range rules {
			if wrong = rule(value); wrong == "" {
				break
			}
		}
		return wrong
	}
}

func every(item rule) rule {
	return func(value any) string {
		items, _ := value.([]any)
		for _, value := range items {
			if wrong := item(value); wrong != "" {
				return wrong
			}
		}
		return ""
	}
}

// ofText is a rule about a text.
func ofText(check func(text string) string) rule {
	return func(value any) string {
		text, _ := value.(string)
		return check(text)
	}
}

// ofWhole is a rule about a whole number.
func ofWhole(check func(number int) string) rule {
	return func(value any) string {
		number, _ := value.(float64)
		return check(int(number))
	}
}

func length(least, most int) rule {
	return ofText(func(text string) string {
		if count := utf8.RuneCountInString(text); count < least || count > most {
			return fmt.Sprintf("expected length to be in the range (%d - %d), got %d", least, most, count)
		}
		return ""
	})
}

func bytes(most int) rule {
	return ofText(func(text string) string {
		if len(text) > most {
			return fmt.Sprintf("is limited to %d bytes", most)
		}
		return ""
	})
}

func oneOf(values ...string) rule {
	return ofText(func(text string) string {
		if !slices.Contains(values, text) {
			return fmt.Sprintf("expected to be one of %q, got %s", values, text)
		}
		return ""
	})
}

func matches(pattern, says string) rule {
	compiled := regexp.MustCompile(pattern)
	return ofText(func(text string) string {
		if !compiled.MatchString(text) {
			return fmt.Sprintf("invalid value %q (%s)", text, says)
		}
		return ""
	})
}

func without(pattern, says string) rule {
	compiled := regexp.MustCompile(pattern)
	return ofText(func(text string) string {
		if compiled.MatchString(text) {
			return fmt.Sprintf("invalid value %q (%s)", text, says)
		}
		return ""
	})
}

func between(least, most int) rule {
	return ofWhole(func(number int) string {
		if number < least || number > most {
			return fmt.Sprintf("expected to be in the range (%d - %d), got %d", least, most, number)
		}
		return ""
	})
}

func atLeast(least int) rule {
	return ofWhole(func(number int) string {
		if number < least {
			return fmt.Sprintf("expected to be at least (%d), got %d", least, number)
		}
		return ""
	})
}

func wholeOf(numbers ...int) rule {
	return ofWhole(func(number int) string {
		if !slices.Contains(numbers, number) {
			return fmt.Sprintf("expected to be one of %v, got %d", numbers, number)
		}
		return ""
	})
}

var period = ofWhole(func(seconds int) string {
	if !slices.Contains([]int{10, 20, 30}, seconds) && (seconds < 60 || seconds%60 != 0) {
		return fmt.Sprintf("expected to be one of [10 20 30] or a multiple of 60, got %d", seconds)
	}
	return ""
})

// identity is the name of something of IAM's.
func identity(most int) rule {
	return all(length(1, most), matches(`^[\w+=,.@-]*$`, `must match [\w+=,.@-]`))
}

var (
	arn = matches(`^arn:[\w-]+:[a-zA-Z0-9-]+:[a-z0-9-]*:(\d{12}|aws)?:.+$`, "it is an invalid ARN")
	// automation is an action of an alarm on an instance, which has no account.
	automation = matches(`^arn:[\w-]+:automate:[a-z0-9-]+:ec2:(reboot|recover|stop|terminate)$`, "it is an invalid ARN")
)

var notARN = ofText(func(text string) string {
	if arn(text) == "" {
		return "must be the role's name not its ARN"
	}
	return ""
})

var jsonText = ofText(func(text string) string {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return "contains an invalid JSON: " + err.Error()
	}
	return ""
})

// prefix4 is an IPv4 network of some length. Bits beyond it are zero.
func prefix4(least, most int) rule {
	return ofText(func(text string) string {
		prefix, err := netip.ParsePrefix(text)
		if err != nil || !prefix.Addr().Is4() || prefix != prefix.Masked() {
			return fmt.Sprintf("%q is not a valid IPv4 CIDR block", text)
		}
		if prefix.Bits() < least || prefix.Bits() > most {
			return fmt.Sprintf("expected to contain a network with between %d and %d significant bits, got %d", least, most, prefix.Bits())
		}
		return ""
	})
}

var prefix6 = ofText(func(text string) string {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || !prefix.Addr().Is6() || prefix != prefix.Masked() {
		return fmt.Sprintf("%q is not a valid IPv6 CIDR block", text)
	}
	return ""
})

var address6 = ofText(func(text string) string {
	if address, err := netip.ParseAddr(text); err != nil || !address.Is6() {
		return fmt.Sprintf("expected a valid IPv6 address, got %s", text)
	}
	return ""
})

var protocol = ofText(func(text string) string {
	if !slices.Contains([]string{"tcp", "udp", "icmp", "icmpv6", "-1"}, text) {
		return fmt.Sprintf("Invalid value '%s' for IP protocol. Unknown protocol", text)
	}
	return ""
})

var (
	bucketText     = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	bucketPrefixes = []string{"xn--", "sthree-", "amzn-s3-demo-"}
	bucketSuffixes = []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}
)

// bucket keeps S3's rules. Source: S3 User Guide, "General purpose bucket naming rules".
var bucket = ofText(func(text string) string {
	_, err := netip.ParseAddr(text)
	reserved := func(has func(string, string) bool) func(string) bool {
		return func(part string) bool { return has(text, part) }
	}
	if !bucketText.MatchString(text) || strings.Contains(text, "..") || err == nil ||
		slices.ContainsFunc(bucketPrefixes, reserved(strings.HasPrefix)) || slices.ContainsFunc(bucketSuffixes, reserved(strings.HasSuffix)) {
		return "The specified bucket is not valid"
	}
	return ""
})
