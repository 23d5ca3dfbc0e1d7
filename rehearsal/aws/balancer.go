package aws

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
)

// Types of Elastic Load Balancing, which rehearsal/scaling acts on.
const (
	LoadBalancerType     = "aws:lb/loadBalancer:LoadBalancer"
	TargetGroupType      = "aws:lb/targetGroup:TargetGroup"
	ListenerType         = "aws:lb/listener:Listener"
	ListenerRuleType     = "aws:lb/listenerRule:ListenerRule"
	TargetAttachmentType = "aws:lb/targetGroupAttachment:TargetGroupAttachment"

	// subnetBits is how large a load balancer's subnets have to be. Source: User Guide for Application Load Balancers,
	// "Availability Zone subnets".
	subnetBits = 27
	// valueLimit is the number of values in the conditions of a rule. Source: the same, "Quotas".
	valueLimit = 5
	// usualPolicy is the security policy of a listener that names none. Source: ELB API Reference, "CreateListener".
	usualPolicy = "ELBSecurityPolicy-2016-08"
)

// balancerZones are the hosted zones of Elastic Load Balancing's names. Source: AWS General Reference, "Elastic Load
// Balancing endpoints and quotas".
var balancerZones = map[string]string{
	"us-east-1": "Z35SXDOTRQ7X7K", "us-east-2": "Z3AADJGX6KTTL2", "us-west-1": "Z368ELLRRE2KJ0", "us-west-2": "Z1H1FL5HABSF5",
	"ca-central-1": "ZQSVJUPU6J1EY", "sa-east-1": "Z2P70J7HTTTPLU", "eu-west-1": "Z32O12XQLNTSW2", "eu-west-2": "ZHURV8PSTC4K8",
	"eu-west-3": "Z3Q77PNBQS71R4", "eu-central-1": "Z215JYRZR1TBD5", "eu-north-1": "Z23TAZ6LKFMNIO", "eu-south-1": "Z3ULH7SSC9OV64",
	"ap-south-1": "ZP97RAFLXTNZK", "ap-southeast-1": "Z1LMS91P8CMLE5", "ap-southeast-2": "Z1GM3OXH4ZPM65", "ap-northeast-1": "Z14GRHDCWA56QT",
}

func balancerKinds() map[string]*kind {
	const invalid, service = "ValidationError", "Elastic Load Balancing v2:"
	return map[string]*kind{
		LoadBalancerType:     {operation: service + "CreateLoadBalancer", invalid: invalid, world: true, create: createBalancer, update: updateBalancer, remove: removeBalancer},
		TargetGroupType:      {operation: service + "CreateTargetGroup", invalid: invalid, world: true, create: createTargetGroup, update: checkTargetGroup, remove: removeTargetGroup},
		ListenerType:         {operation: service + "CreateListener", invalid: invalid, world: true, create: createListener, update: checkListener, remove: removeListener},
		ListenerRuleType:     {operation: service + "CreateRule", invalid: invalid, world: true, create: createListenerRule, update: checkListenerRule},
		TargetAttachmentType: {operation: service + "RegisterTargets", invalid: invalid, world: true, create: createTargetAttachment},
	}
}

// fails is an error in the words of the call's operation.
func (c *call) fails(code, format string, args ...any) error {
	return apiError(c.kind.operation, code, format, args...)
}

func createBalancer(c *call) error {
	name := Text(c.inputs, "name")
	if len(c.account.users(LoadBalancerType, "name", name)) > 0 {
		return c.fails("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", name)
	}
	if Text(c.inputs, "loadBalancerType") != "application" || Truth(c.inputs, "internal") {
		return fmt.Errorf("load balancer %s: the rehearsal knows application load balancers that face the internet", name)
	}
	subnets, err := c.checkBalancer()
	if err != nil {
		return err
	}
	suffix := "app/" + name + "/" + newHex(16)
	c.id = c.arn("elasticloadbalancing", c.region, "loadbalancer/"+suffix)
	c.outputs["arn"], c.outputs["arnSuffix"], c.outputs["vpcId"] = c.id, suffix, Text(subnets[0].Outputs, "vpcId")
	c.outputs["dnsName"] = fmt.Sprintf("%s-%d.%s.elb.amazonaws.com", name, 100_000_000+rand.IntN(1_900_000_000), c.region) //nolint:gosec // A name that is to differ.
	c.outputs["zoneId"] = balancerZones[c.region]
	c.outputs["internal"] = false
	c.outputs["ipv4Addresses"] = []any{}
	c.addresses(subnets)
	return nil
}

// updateBalancer keeps a load balancer's addresses as long as it stays in its subnets.
func updateBalancer(c *call) error {
	subnets, err := c.checkBalancer()
	if err != nil {
		return err
	}
	if Text(subnets[0].Outputs, "vpcId") != Text(c.old.Outputs, "vpcId") {
		return c.fails("InvalidSubnet", "The subnets are not in the VPC of the load balancer")
	}
	c.addresses(subnets)
	return nil
}

// mayLog says whether the load balancers of the account may write access logs to a bucket, which AWS tries as soon as it is asked to.
// Source: User Guide for Application Load Balancers, "Enable access logs".
func (c *call) mayLog(bucket string) bool {
	rights := c.account.get(bucketPolicyType, bucket)
	if rights == nil {
		return false
	}
	statements, err := parsePolicy(Text(rights.Outputs, "policy"))
	return err == nil && slices.ContainsFunc(statements, func(one policyStatement) bool {
		return one.Effect == "Allow" && string(one.Principal) == `{"Service":"logdelivery.elasticloadbalancing.amazonaws.com"}` &&
			slices.Contains(one.Action, "s3:PutObject") && slices.Contains(one.Resource, "arn:aws:s3:::"+bucket+"/AWSLogs/"+number+"/*")
	})
}

// addresses gives a load balancer one IPv4 address for each zone, and one IPv6 address if it has both.
func (c *call) addresses(subnets []*Resource) {
	c.outputs["ipAddressType"] = cmp.Or(Text(c.inputs, "ipAddressType"), "ipv4")
	public := Texts(c.outputs, "ipv4Addresses")
	for len(public) < len(subnets) {
		public = append(public, c.account.freeAddress(128, 254, public...))
	}
	c.outputs["ipv4Addresses"] = anys(public[:len(subnets)]...)
	var v6 []string
	if Text(c.outputs, "ipAddressType") == "dualstack" {
		had := Texts(c.outputs, "ipv6Addresses")
		for _, subnet := range subnets {
			inside := netip.MustParsePrefix(Text(subnet.Outputs, "ipv6CidrBlock"))
			if at := slices.IndexFunc(had, func(one string) bool { return inside.Contains(netip.MustParseAddr(one)) }); at >= 0 {
				v6 = append(v6, had[at])
			} else {
				v6 = append(v6, c.account.nextIPv6(subnet))
			}
		}
	}
	c.outputs["ipv6Addresses"] = anys(v6...)
}

// checkBalancer keeps the rules that hold for a new and for a changed load balancer, and finds its subnets.
func (c *call) checkBalancer() ([]*Resource, error) {
	var subnets []*Resource
	zones := map[string]bool{}
	for _, id := range Texts(c.inputs, "subnets") {
		subnet := c.account.get(subnetType, id)
		if subnet == nil {
			return nil, c.fails("SubnetNotFound", "The subnet ID '%s' does not exist", id)
		}
		zone := Text(subnet.Outputs, "availabilityZone")
		if zones[zone] {
			return nil, c.fails("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		}
		if prefix := netip.MustParsePrefix(Text(subnet.Outputs, "cidrBlock")); prefix.Bits() > subnetBits {
			return nil, c.fails("InvalidSubnet", "Not enough IP space available in %s. ELB requires at least 8 free IP addresses in each subnet.", id)
		}
		if Text(c.inputs, "ipAddressType") == "dualstack" && Text(subnet.Outputs, "ipv6CidrBlock") == "" {
			return nil, c.fails("InvalidSubnet", "You must specify subnets with an associated IPv6 CIDR block: %s", id)
		}
		zones[zone], subnets = true, append(subnets, subnet)
	}
	if logs := Object(c.inputs, "accessLogs"); Truth(logs, "enabled") && !c.mayLog(Text(logs, "bucket")) {
		return nil, c.fails("InvalidConfigurationRequest", "Access Denied for bucket: %s. Please check S3bucket permission", Text(logs, "bucket"))
	}
	if len(zones) < 2 {
		return nil, c.fails("ValidationError", "At least two subnets in two different Availability Zones must be specified")
	}
	vpc := Text(subnets[0].Outputs, "vpcId")
	for _, subnet := range subnets {
		if Text(subnet.Outputs, "vpcId") != vpc {
			return nil, c.fails("InvalidConfigurationRequest", "All subnets must belong to the same VPC: '%s'", vpc)
		}
	}
	if len(c.account.users(gatewayType, "vpcId", vpc)) == 0 {
		return nil, c.fails("InvalidSubnet", "VPC %s has no internet gateway", vpc)
	}
	for _, id := range Texts(c.inputs, "securityGroups") {
		if group := c.account.get(securityGroupType, id); group == nil || Text(group.Outputs, "vpcId") != vpc {
			return nil, c.fails("InvalidConfigurationRequest", "One or more security groups are invalid: %s", id)
		}
	}
	return subnets, nil
}

// removeBalancer takes the listeners and their rules with it.
func removeBalancer(c *call) error {
	if Truth(c.old.Outputs, "enableDeletionProtection") {
		return apiError("Elastic Load Balancing v2:DeleteLoadBalancer", "OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", c.id)
	}
	for _, listener := range c.account.users(ListenerType, "loadBalancerArn", c.id) {
		c.account.removeListener(listener)
	}
	return nil
}

func (a *Account) removeListener(listener *Resource) {
	for _, rule := range a.users(ListenerRuleType, "listenerArn", listener.ID) {
		a.remove(rule)
	}
	a.remove(listener)
}

func createTargetGroup(c *call) error {
	name := Text(c.inputs, "name")
	if len(c.account.users(TargetGroupType, "name", name)) > 0 {
		return c.fails("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", name)
	}
	if Text(c.inputs, "targetType") != "instance" || !slices.Contains([]string{"HTTP", "HTTPS"}, Text(c.inputs, "protocol")) {
		return fmt.Errorf("target group %s: the rehearsal knows targets that are instances and speak HTTP or HTTPS", name)
	}
	if c.account.get(vpcType, Text(c.inputs, "vpcId")) == nil {
		return c.fails("ValidationError", "The VPC ID '%s' is not found", Text(c.inputs, "vpcId"))
	}
	if Number(c.inputs, "port") == 0 {
		return c.fails("ValidationError", "A port must be specified")
	}
	suffix := "targetgroup/" + name + "/" + newHex(16)
	c.id = c.arn("elasticloadbalancing", c.region, suffix)
	c.outputs["arn"], c.outputs["arnSuffix"] = c.id, suffix
	return checkTargetGroup(c)
}

func checkTargetGroup(c *call) error {
	defaulted(c.outputs, "protocolVersion", "HTTP1")
	defaulted(c.outputs, "ipAddressType", "ipv4")
	defaulted(c.outputs, "loadBalancingAlgorithmType", "round_robin")
	// What the provider does not give, AWS chooses. Source: ELB API Reference, "CreateTargetGroup".
	check := map[string]any{"enabled": true, "healthyThreshold": 5.0, "unhealthyThreshold": 2.0, "interval": 30.0, "timeout": 5.0, "path": "/", "matcher": "200", "port": "traffic-port", "protocol": "HTTP"}
	for key, value := range Object(c.outputs, "healthCheck") {
		check[key] = value
	}
	c.outputs["healthCheck"] = check
	if Number(check, "timeout") >= Number(check, "interval") {
		return c.fails("ValidationError", "Health check timeout '%d' must be smaller than the interval '%d'", Number(check, "timeout"), Number(check, "interval"))
	}
	stickiness := Object(c.outputs, "stickiness")
	if Text(stickiness, "type") == "app_cookie" && Text(stickiness, "cookieName") == "" {
		return c.fails("InvalidConfigurationRequest", "The attribute 'stickiness.app_cookie.cookie_name' must be specified")
	}
	if Truth(stickiness, "enabled") && Number(stickiness, "cookieDuration") < 1 {
		return c.fails("ValidationError", "Stickiness duration must be between 1 and 604800 seconds")
	}
	return nil
}

func removeTargetGroup(c *call) error {
	for _, user := range append(c.account.OfType(ListenerType), c.account.OfType(ListenerRuleType)...) {
		if slices.Contains(forwardsTo(user.Outputs), c.id) {
			return apiError("Elastic Load Balancing v2:DeleteTargetGroup", "ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", c.id)
		}
	}
	for _, attachment := range c.account.users(TargetAttachmentType, "targetGroupArn", c.id) {
		c.account.remove(attachment)
	}
	return nil
}

// listenerActions are the actions of a listener, or of a rule.
func listenerActions(of map[string]any) []map[string]any {
	return append(Objects(of, "defaultActions"), Objects(of, "actions")...)
}

// forwardsTo are the target groups that a listener or a rule forwards requests to.
func forwardsTo(of map[string]any) []string {
	var groups []string
	for _, action := range listenerActions(of) {
		if Text(action, "type") == "forward" {
			groups = append(groups, Text(action, "targetGroupArn"))
		}
	}
	return groups
}

func createListener(c *call) error {
	if err := checkListener(c); err != nil {
		return err
	}
	_, balancer, _ := strings.Cut(Text(c.inputs, "loadBalancerArn"), ":loadbalancer/")
	c.id = c.arn("elasticloadbalancing", c.region, "listener/"+balancer+"/"+newHex(16))
	c.outputs["arn"] = c.id
	return nil
}

func checkListener(c *call) error {
	balancer := c.account.get(LoadBalancerType, Text(c.inputs, "loadBalancerArn"))
	if balancer == nil {
		return c.fails("LoadBalancerNotFound", "One or more load balancers not found")
	}
	port := Number(c.inputs, "port")
	if port == 0 {
		return c.fails("ValidationError", "A listener port must be specified")
	}
	for _, other := range c.account.users(ListenerType, "loadBalancerArn", balancer.ID) {
		if other.ID != c.id && Number(other.Outputs, "port") == port {
			return c.fails("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", balancer.ID)
		}
	}
	defaulted(c.outputs, "protocol", "HTTP")
	certificate, policy := Text(c.inputs, "certificateArn"), Text(c.inputs, "sslPolicy")
	switch Text(c.outputs, "protocol") {
	case "HTTP":
		if certificate != "" || policy != "" {
			return c.fails("ValidationError", "A certificate or a security policy cannot be specified for HTTP listeners")
		}
	case "HTTPS":
		if certificate == "" {
			return c.fails("ValidationError", "A certificate must be specified for HTTPS listeners")
		}
		found := c.account.get(CertificateType, certificate)
		if found == nil {
			return c.fails("CertificateNotFound", "Certificate '%s' not found", certificate)
		}
		if Text(found.Outputs, "status") != "ISSUED" {
			return c.fails("UnsupportedCertificate", "The certificate '%s' must have a fully-qualified domain name, a supported signature, and a supported key size.", certificate)
		}
		if policy != "" && !strings.HasPrefix(policy, "ELBSecurityPolicy-") {
			return c.fails("SSLPolicyNotFound", "SSL policy '%s' not found", policy)
		}
		defaulted(c.outputs, "sslPolicy", usualPolicy)
	default:
		return c.fails("ValidationError", "Protocol '%s' is not supported for application load balancers", Text(c.outputs, "protocol"))
	}
	return c.checkListenerActions(balancer, Text(c.outputs, "protocol"), port)
}

// checkListenerActions keeps the rules of what a listener does with a request.
func (c *call) checkListenerActions(balancer *Resource, protocol string, port int) error {
	all := listenerActions(c.inputs)
	if len(all) != 1 {
		return fmt.Errorf("a listener with %d actions: the rehearsal knows one", len(all))
	}
	switch action := all[0]; Text(action, "type") {
	case "forward":
		return c.checkForward(balancer, Text(action, "targetGroupArn"))
	case "redirect":
		to := Object(action, "redirect")
		if to == nil {
			return c.fails("InvalidLoadBalancerAction", "A redirect action must have a redirect configuration")
		}
		same := func(key, kept string, own ...string) bool {
			value := cmp.Or(Text(to, key), kept)
			return value == kept || slices.Contains(own, value)
		}
		if same("protocol", "#{protocol}", protocol) && same("port", "#{port}", fmt.Sprint(port)) && same("host", "#{host}") && same("path", "/#{path}") {
			return c.fails("InvalidLoadBalancerAction", "A redirect action must modify at least one of the following components to avoid a redirect loop: protocol, port, hostname or path")
		}
	case "fixed-response":
		if Object(action, "fixedResponse") == nil {
			return c.fails("InvalidLoadBalancerAction", "A fixed-response action must have a fixed response configuration")
		}
	}
	return nil
}

// checkForward looks for a target group of the load balancer's VPC that no other load balancer uses.
func (c *call) checkForward(balancer *Resource, id string) error {
	group := c.account.get(TargetGroupType, id)
	if group == nil {
		return c.fails("TargetGroupNotFound", "One or more target groups not found")
	}
	if Text(group.Outputs, "vpcId") != Text(balancer.Outputs, "vpcId") {
		return c.fails("InvalidConfigurationRequest", "The target group '%s' and the load balancer are in different VPCs", id)
	}
	for _, user := range append(c.account.OfType(ListenerType), c.account.OfType(ListenerRuleType)...) {
		if other := c.account.balancerOf(user); slices.Contains(forwardsTo(user.Outputs), id) && other != nil && other.ID != balancer.ID {
			return c.fails("TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: %s", id)
		}
	}
	return nil
}

// balancerOf is the load balancer of a listener or a rule.
func (a *Account) balancerOf(of *Resource) *Resource {
	if of.Type == ListenerRuleType {
		if of = a.get(ListenerType, Text(of.Outputs, "listenerArn")); of == nil {
			return nil
		}
	}
	return a.get(LoadBalancerType, Text(of.Outputs, "loadBalancerArn"))
}

func removeListener(c *call) error {
	c.account.removeListener(c.old)
	return nil
}

func createListenerRule(c *call) error {
	if _, said := c.inputs["priority"]; !said {
		highest := 0
		for _, other := range c.account.users(ListenerRuleType, "listenerArn", Text(c.inputs, "listenerArn")) {
			highest = max(highest, Number(other.Outputs, "priority"))
		}
		c.outputs["priority"] = float64(highest + 1)
	}
	if err := checkListenerRule(c); err != nil {
		return err
	}
	_, listener, _ := strings.Cut(Text(c.inputs, "listenerArn"), ":listener/")
	c.id = c.arn("elasticloadbalancing", c.region, "listener-rule/"+listener+"/"+newHex(16))
	c.outputs["arn"] = c.id
	return nil
}

func checkListenerRule(c *call) error {
	listener := c.account.get(ListenerType, Text(c.inputs, "listenerArn"))
	if listener == nil {
		return c.fails("ListenerNotFound", "One or more listeners not found")
	}
	for _, other := range c.account.users(ListenerRuleType, "listenerArn", listener.ID) {
		if other.ID != c.id && Number(other.Outputs, "priority") == Number(c.outputs, "priority") {
			return c.fails("PriorityInUse", "Priority '%d' is currently in use", Number(c.outputs, "priority"))
		}
	}
	count := 0
	for _, condition := range Objects(c.inputs, "conditions") {
		path, host := Texts(Object(condition, "pathPattern"), "values"), Texts(Object(condition, "hostHeader"), "values")
		if (len(path) == 0) == (len(host) == 0) {
			return c.fails("ValidationError", "A condition must have exactly one field with values")
		}
		count += len(path) + len(host)
	}
	if count == 0 || count > valueLimit {
		return c.fails("ValidationError", "A rule must have 1 to %d condition values", valueLimit)
	}
	return c.checkListenerActions(c.account.balancerOf(listener), Text(listener.Outputs, "protocol"), Number(listener.Outputs, "port"))
}

func createTargetAttachment(c *call) error {
	group := c.account.get(TargetGroupType, Text(c.inputs, "targetGroupArn"))
	if group == nil {
		return c.fails("TargetGroupNotFound", "One or more target groups not found")
	}
	target := Text(c.inputs, "targetId")
	instance := c.account.get(instanceType, target)
	switch {
	case instance == nil:
		return c.fails("InvalidTarget", "The following targets are not valid instances: '%s'", target)
	case Text(instance.Outputs, "instanceState") != "running":
		return c.fails("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'", target)
	case c.account.vpcOf(instance) != Text(group.Outputs, "vpcId"):
		return c.fails("InvalidTarget", "The following targets are not in the target group VPC '%s': '%s'", Text(group.Outputs, "vpcId"), target)
	}
	// The provider's id is the target group's and the time. To register a target twice is no error.
	c.id = group.ID + "-" + newHex(26)
	return nil
}
