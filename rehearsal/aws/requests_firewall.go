package aws

func firewallRequests() map[string]requests {
	return map[string]requests{
		securityGroupType: {
			read: func(a *asking) { a.everywhere("ec2:DescribeSecurityGroups") },
			create: func(a *asking) {
				a.makes("CreateSecurityGroup", "security-group", Object(a.outputs, "tagsAll"), nil)
				a.on(a.ec2("vpc", Text(a.inputs, "vpcId")), "ec2:CreateSecurityGroup")
				// AWS gives a new group a rule that lets everything out; the provider takes it away.
				a.on(a.itself("security-group"), "ec2:RevokeSecurityGroupEgress")
			},
			update: func(a *asking) { a.retagsItself(a.itself("security-group"), "ec2:CreateTags", "ec2:DeleteTags") },
			remove: func(a *asking) {
				a.everywhere("ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups")
				a.on(a.itself("security-group"), "ec2:DeleteSecurityGroup")
			},
		},
		ingressType: ruleRequests("ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"),
		egressType:  ruleRequests("ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupEgress"),
	}
}

// ruleRequests are those of a rule, which gets its tags by a second call: it has none until then.
func ruleRequests(authorize, revoke string) requests {
	return requests{
		read: func(a *asking) { a.everywhere("ec2:DescribeSecurityGroupRules") },
		create: func(a *asking) {
			a.on(a.ec2("security-group", Text(a.inputs, "securityGroupId")), authorize)
			a.ask(a.ec2("security-group-rule", "*"), nil, authorize)
			a.ask(a.itself("security-group-rule"), tagged(Object(a.outputs, "tagsAll")), "ec2:CreateTags")
		},
		update: func(a *asking) {
			if a.changed("cidrIpv4", "cidrIpv6", "description", "fromPort", "ipProtocol", "prefixListId", "referencedSecurityGroupId", "toPort") {
				a.on(a.ec2("security-group", Text(a.inputs, "securityGroupId")), "ec2:ModifySecurityGroupRules")
				a.on(a.itself("security-group-rule"), "ec2:ModifySecurityGroupRules")
			}
			a.retagsItself(a.itself("security-group-rule"), "ec2:CreateTags", "ec2:DeleteTags")
		},
		remove: func(a *asking) { a.on(a.ec2("security-group", Text(a.old.Inputs, "securityGroupId")), revoke) },
	}
}
