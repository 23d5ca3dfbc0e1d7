package aws

import (
	"fmt"
	"slices"
	"strings"
)

const (
	securityGroupType = "aws:ec2/securityGroup:SecurityGroup"
	ingressType       = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	egressType        = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	// ruleLimit is for each direction of a group. Source: VPC User Guide, "Amazon VPC quotas".
	ruleLimit = 60
)

func firewallKinds() map[string]*kind {
	return map[string]*kind{
		securityGroupType: {operation: "CreateSecurityGroup", invalid: "InvalidParameterValue", world: true, create: createGroup, remove: removeGroup},
		ingressType:       {operation: "AuthorizeSecurityGroupIngress", invalid: "InvalidParameterValue", world: true, create: createRule, update: checkRule},
		egressType:        {operation: "AuthorizeSecurityGroupEgress", invalid: "InvalidParameterValue", world: true, create: createRule, update: checkRule},
	}
}

func createGroup(c *call) error {
	vpc := Text(c.inputs, "vpcId")
	if _, err := c.find("CreateSecurityGroup", vpcType, vpc, "InvalidVpcID.NotFound"); err != nil {
		return err
	}
	if len(Texts(c.inputs, "ingress")) > 0 || c.inputs["ingress"] != nil || c.inputs["egress"] != nil {
		return fmt.Errorf("security group %s has inline rules; the account keeps standalone rules only, which must not be mixed with them", Text(c.inputs, "name"))
	}
	for _, other := range c.account.users(securityGroupType, "vpcId", vpc) {
		if Text(other.Outputs, "name") == Text(c.inputs, "name") {
			return apiError("CreateSecurityGroup", "InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", Text(c.inputs, "name"), vpc)
		}
	}
	c.id = newID("sg")
	c.outputs["arn"], c.outputs["ownerId"] = c.arn("ec2", c.region, "security-group/"+c.id), number
	defaulted(c.outputs, "description", "Managed by Pulumi")
	return nil
}

func removeGroup(c *call) error {
	for _, instance := range c.account.OfType(instanceType) {
		if slices.Contains(Texts(instance.Outputs, "vpcSecurityGroupIds"), c.id) {
			return apiError("DeleteSecurityGroup", "DependencyViolation", "resource %s has a dependent object", c.id)
		}
	}
	for _, balancer := range c.account.OfType(LoadBalancerType) {
		if slices.Contains(Texts(balancer.Outputs, "securityGroups"), c.id) {
			return apiError("DeleteSecurityGroup", "DependencyViolation", "resource %s has a dependent object", c.id)
		}
	}
	for _, database := range c.account.OfType(DatabaseType) {
		if slices.Contains(Texts(database.Outputs, "vpcSecurityGroupIds"), c.id) {
			return apiError("DeleteSecurityGroup", "DependencyViolation", "resource %s has a dependent object", c.id)
		}
	}
	// A rule of its own goes with it, another group's has to go before.
	for _, typ := range []string{ingressType, egressType} {
		for _, rule := range c.account.users(typ, "referencedSecurityGroupId", c.id) {
			if Text(rule.Outputs, "securityGroupId") != c.id {
				return apiError("DeleteSecurityGroup", "DependencyViolation", "resource %s has a dependent object", c.id)
			}
		}
	}
	return nil
}

func createRule(c *call) error {
	if err := checkRule(c); err != nil {
		return err
	}
	if rules := c.account.users(c.typ, "securityGroupId", Text(c.inputs, "securityGroupId")); len(rules) >= ruleLimit {
		return apiError(c.kind.operation, "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	}
	c.id = newID("sgr")
	c.outputs["securityGroupRuleId"], c.outputs["arn"] = c.id, c.arn("ec2", c.region, "security-group-rule/"+c.id)
	return nil
}

func checkRule(c *call) error {
	operation := c.kind.operation
	group := Text(c.inputs, "securityGroupId")
	found, err := c.find(operation, securityGroupType, group, "InvalidGroup.NotFound")
	if err != nil {
		return err
	}
	peers := slices.DeleteFunc([]string{Text(c.inputs, "cidrIpv4"), Text(c.inputs, "cidrIpv6"), Text(c.inputs, "referencedSecurityGroupId")}, func(peer string) bool { return peer == "" })
	if len(peers) != 1 {
		return apiError(operation, "InvalidParameterValue", "CIDR block %s is malformed", strings.Join(peers, " "))
	}
	if id := Text(c.inputs, "referencedSecurityGroupId"); id != "" {
		other, err := c.find(operation, securityGroupType, id, "InvalidGroup.NotFound")
		if err != nil {
			return err
		}
		if Text(other.Outputs, "vpcId") != Text(found.Outputs, "vpcId") {
			return apiError(operation, "InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
		}
	}
	from, to, protocol := Number(c.inputs, "fromPort"), Number(c.inputs, "toPort"), Text(c.inputs, "ipProtocol")
	if _, bounded := c.inputs["fromPort"]; (protocol == "tcp" || protocol == "udp") && (!bounded || from < 0 || from > to) {
		return apiError(operation, "InvalidParameterValue", "Invalid TCP/UDP port range (%d:%d)", from, to)
	}
	for _, other := range c.account.users(c.typ, "securityGroupId", group) {
		if other.ID != c.id && ruleOf(other.Inputs) == ruleOf(c.inputs) {
			return apiError(operation, "InvalidPermission.Duplicate", "the specified rule \"peer: %s, %s, from port: %d, to port: %d, ALLOW\" already exists", peers[0], protocol, from, to)
		}
	}
	return nil
}

func ruleOf(inputs map[string]any) string {
	return fmt.Sprint(Text(inputs, "ipProtocol"), Number(inputs, "fromPort"), Number(inputs, "toPort"), Text(inputs, "cidrIpv4"), Text(inputs, "cidrIpv6"), Text(inputs, "referencedSecurityGroupId"))
}
