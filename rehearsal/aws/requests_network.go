package aws

func networkRequests() map[string]requests {
	return map[string]requests{
		vpcType: {
			read: func(a *asking) {
				a.everywhere("ec2:DescribeVpcs", "ec2:DescribeRouteTables", "ec2:DescribeNetworkAcls", "ec2:DescribeSecurityGroups")
				a.on(a.itself("vpc"), "ec2:DescribeVpcAttribute")
			},
			create: func(a *asking) {
				a.makes("CreateVpc", "vpc", Object(a.outputs, "tagsAll"), nil)
				if Truth(a.inputs, "enableDnsHostnames") {
					a.on(a.itself("vpc"), "ec2:ModifyVpcAttribute")
				}
			},
			update: func(a *asking) {
				if a.changed("enableDnsSupport", "enableDnsHostnames", "enableNetworkAddressUsageMetrics") {
					a.on(a.itself("vpc"), "ec2:ModifyVpcAttribute")
				}
				if a.changed("assignGeneratedIpv6CidrBlock") {
					a.on(a.itself("vpc"), "ec2:AssociateVpcCidrBlock")
				}
				a.retagsItself(a.itself("vpc"), "ec2:CreateTags", "ec2:DeleteTags")
			},
			remove: func(a *asking) { a.on(a.itself("vpc"), "ec2:DeleteVpc"); a.everywhere("ec2:DescribeVpcs") },
		},
		subnetType: {
			read: func(a *asking) { a.everywhere("ec2:DescribeSubnets") },
			create: func(a *asking) {
				a.makes("CreateSubnet", "subnet", Object(a.outputs, "tagsAll"), nil)
				a.on(a.ec2("vpc", Text(a.inputs, "vpcId")), "ec2:CreateSubnet")
				if Truth(a.inputs, "mapPublicIpOnLaunch") || Truth(a.inputs, "assignIpv6AddressOnCreation") {
					a.on(a.itself("subnet"), "ec2:ModifySubnetAttribute")
				}
			},
			update: func(a *asking) {
				if a.changed("mapPublicIpOnLaunch", "assignIpv6AddressOnCreation") {
					a.on(a.itself("subnet"), "ec2:ModifySubnetAttribute")
				}
				if a.changed("ipv6CidrBlock") {
					a.on(a.itself("subnet"), "ec2:DisassociateSubnetCidrBlock", "ec2:AssociateSubnetCidrBlock")
				}
				a.retagsItself(a.itself("subnet"), "ec2:CreateTags", "ec2:DeleteTags")
			},
			remove: func(a *asking) {
				a.everywhere("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")
				a.on(a.itself("subnet"), "ec2:DeleteSubnet")
			},
		},
		gatewayType: {
			read: func(a *asking) { a.everywhere("ec2:DescribeInternetGateways") },
			create: func(a *asking) {
				a.makes("CreateInternetGateway", "internet-gateway", Object(a.outputs, "tagsAll"), nil)
				a.gateway("ec2:AttachInternetGateway", a.inputs)
			},
			update: func(a *asking) {
				if a.changed("vpcId") {
					a.gateway("ec2:DetachInternetGateway", a.old.Inputs)
					a.gateway("ec2:AttachInternetGateway", a.inputs)
				}
				a.retagsItself(a.itself("internet-gateway"), "ec2:CreateTags", "ec2:DeleteTags")
			},
			remove: func(a *asking) {
				a.everywhere("ec2:DescribeInternetGateways")
				a.gateway("ec2:DetachInternetGateway", a.old.Inputs)
				a.on(a.itself("internet-gateway"), "ec2:DeleteInternetGateway")
			},
		},
		tableType: {
			read: func(a *asking) { a.everywhere("ec2:DescribeRouteTables") },
			create: func(a *asking) {
				a.makes("CreateRouteTable", "route-table", Object(a.outputs, "tagsAll"), nil)
				a.on(a.ec2("vpc", Text(a.inputs, "vpcId")), "ec2:CreateRouteTable")
			},
			update: func(a *asking) { a.retagsItself(a.itself("route-table"), "ec2:CreateTags", "ec2:DeleteTags") },
			remove: func(a *asking) {
				a.everywhere("ec2:DescribeRouteTables")
				a.on(a.itself("route-table"), "ec2:DeleteRouteTable")
			},
		},
		routeType: {
			read:   func(a *asking) { a.everywhere("ec2:DescribeRouteTables") },
			create: func(a *asking) { a.on(a.ec2("route-table", Text(a.inputs, "routeTableId")), "ec2:CreateRoute") },
			update: func(a *asking) { a.on(a.ec2("route-table", Text(a.inputs, "routeTableId")), "ec2:ReplaceRoute") },
			remove: func(a *asking) {
				a.everywhere("ec2:DescribeRouteTables")
				a.on(a.ec2("route-table", Text(a.old.Inputs, "routeTableId")), "ec2:DeleteRoute")
			},
		},
		tableUseType: {
			read:   func(a *asking) { a.everywhere("ec2:DescribeRouteTables") },
			create: func(a *asking) { a.tableUse("ec2:AssociateRouteTable", a.inputs) },
			update: func(a *asking) { a.tableUse("ec2:ReplaceRouteTableAssociation", a.inputs) },
			remove: func(a *asking) {
				a.everywhere("ec2:DescribeRouteTables")
				a.tableUse("ec2:DisassociateRouteTable", a.old.Inputs)
			},
		},
	}
}

// gateway asks for an action on an internet gateway and its VPC.
func (a *asking) gateway(action string, inputs map[string]any) {
	if vpc := Text(inputs, "vpcId"); vpc != "" {
		a.on(a.itself("internet-gateway"), action)
		a.on(a.ec2("vpc", vpc), action)
	}
}

// tableUse asks for an action on a route table and the subnet that uses it.
func (a *asking) tableUse(action string, inputs map[string]any) {
	a.on(a.ec2("route-table", Text(inputs, "routeTableId")), action)
	a.on(a.ec2("subnet", Text(inputs, "subnetId")), action)
}
