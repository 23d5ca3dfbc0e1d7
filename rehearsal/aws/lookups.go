package aws

import (
	"fmt"
	"slices"
	"strings"
)

// debianParameter is where Debian publishes its newest image.
const debianParameter = "/aws/service/debian/release/13/latest/amd64"

// zoneLetters are those of a region's availability zones.
var zoneLetters = []string{"a", "b", "c"}

// lookups answer the functions (invokes) of the provider.
var lookups = map[string]func(account *Account, region string, args map[string]any) (map[string]any, error){
	"aws:ssm/getParameter:getParameter": func(_ *Account, _ string, args map[string]any) (map[string]any, error) {
		if name := Text(args, "name"); name != debianParameter {
			return nil, fmt.Errorf("reading SSM Parameter (%s): couldn't find resource: %w", name, apiError("SSM:GetParameter", "ParameterNotFound", "%s", name))
		}
		return map[string]any{
			"id": debianParameter, "name": debianParameter, "type": "String", "value": AMI, "insecureValue": AMI, "version": 1.0,
			"arn": "arn:aws:ssm:::parameter" + debianParameter,
		}, nil
	},
	"aws:index/getCallerIdentity:getCallerIdentity": func(account *Account, _ string, _ map[string]any) (map[string]any, error) {
		return map[string]any{"id": account.Number, "accountId": account.Number, "arn": "arn:aws:iam::" + account.Number + ":user/operator", "userId": "AIDAREHEARSAL23456777"}, nil
	},
	"aws:index/getAvailabilityZones:getAvailabilityZones": func(_ *Account, region string, args map[string]any) (map[string]any, error) {
		for _, filter := range Objects(args, "filters") {
			if Text(filter, "name") != "zone-type" || !slices.Equal(Texts(filter, "values"), []string{"availability-zone"}) {
				return nil, fmt.Errorf("look up availability zones by %v: the rehearsal has the zones of the region alone", filter)
			}
		}
		var names, ids, groups []string
		for i, letter := range zoneLetters {
			names, ids, groups = append(names, region+letter), append(ids, fmt.Sprintf("%s-az%d", region, i+1)), append(groups, region)
		}
		return map[string]any{"id": region, "names": anys(names...), "zoneIds": anys(ids...), "groupNames": anys(groups...), "state": Text(args, "state"), "filters": args["filters"]}, nil
	},
	"aws:iam/getPolicy:getPolicy": func(account *Account, _ string, args map[string]any) (map[string]any, error) {
		policy := account.get(policyType, Text(args, "arn"))
		if policy == nil {
			return map[string]any{"arn": Text(args, "arn")}, fmt.Errorf("reading IAM Policy (%s): couldn't find resource", Text(args, "arn"))
		}
		return map[string]any{
			"id": policy.ID, "arn": policy.ID, "name": policy.Outputs["name"], "path": "/", "policy": policy.Outputs["policy"],
			"policyId": policy.Outputs["policyId"], "description": Text(policy.Outputs, "description"), "attachmentCount": 0.0, "tags": map[string]any{},
		}, nil
	},
	"aws:route53/getZone:getZone": func(account *Account, _ string, args map[string]any) (map[string]any, error) {
		for _, zone := range account.OfType(zoneType) {
			if Text(zone.Outputs, "name") == strings.TrimSuffix(Text(args, "name"), ".") || zone.ID == Text(args, "zoneId") {
				return map[string]any{
					"id": zone.ID, "zoneId": zone.ID, "name": zone.Outputs["name"], "nameServers": zone.Outputs["nameServers"],
					"arn": zone.Outputs["arn"], "primaryNameServer": zone.Outputs["primaryNameServer"], "tags": map[string]any{},
					"callerReference": "", "comment": "", "linkedServiceDescription": "", "linkedServicePrincipal": "",
					"privateZone": false, "resourceRecordSetCount": 2.0, "vpcId": "",
				}, nil
			}
		}
		return nil, fmt.Errorf("no matching Route 53 Hosted Zone found")
	},
	"aws:vpc/getSecurityGroupRules:getSecurityGroupRules": func(account *Account, _ string, args map[string]any) (map[string]any, error) {
		var ids []string
		for _, filter := range Objects(args, "filters") {
			if Text(filter, "name") != "group-id" {
				return nil, apiError("DescribeSecurityGroupRules", "InvalidParameterValue", "The filter '%s' is invalid", Text(filter, "name"))
			}
			for _, group := range Texts(filter, "values") {
				for _, typ := range []string{ingressType, egressType} {
					for _, rule := range account.users(typ, "securityGroupId", group) {
						ids = append(ids, rule.ID)
					}
				}
			}
		}
		return map[string]any{"id": "eu-central-1", "ids": anys(ids...), "filters": args["filters"], "tags": map[string]any{}}, nil
	},
	"aws:vpc/getSecurityGroupRule:getSecurityGroupRule": func(account *Account, _ string, args map[string]any) (map[string]any, error) {
		id := Text(args, "securityGroupRuleId")
		for _, typ := range []string{ingressType, egressType} {
			rule := account.get(typ, id)
			if rule == nil {
				continue
			}
			result := map[string]any{"id": id, "securityGroupRuleId": id, "isEgress": typ == egressType, "tags": Object(rule.Outputs, "tagsAll")}
			for _, name := range []string{"arn", "cidrIpv4", "cidrIpv6", "description", "ipProtocol", "prefixListId", "referencedSecurityGroupId", "securityGroupId"} {
				result[name] = Text(rule.Outputs, name)
			}
			result["fromPort"], result["toPort"] = Number(rule.Outputs, "fromPort"), Number(rule.Outputs, "toPort")
			return result, nil
		}
		return nil, apiError("DescribeSecurityGroupRules", "InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
	},
	"aws:ec2/getSubnet:getSubnet": func(account *Account, _ string, args map[string]any) (map[string]any, error) {
		subnet := account.get(subnetType, Text(args, "id"))
		if subnet == nil {
			return nil, apiError("DescribeSubnets", "InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", Text(args, "id"))
		}
		result := map[string]any{"id": subnet.ID, "state": "available", "tags": map[string]any{}}
		for _, name := range []string{"arn", "availabilityZone", "cidrBlock", "ipv6CidrBlock", "mapPublicIpOnLaunch", "assignIpv6AddressOnCreation", "ownerId", "vpcId"} {
			if value, ok := subnet.Outputs[name]; ok {
				result[name] = value
			}
		}
		defaulted(result, "ipv6CidrBlock", "")
		return result, nil
	},
}
