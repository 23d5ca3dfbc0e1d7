package aws

import "strings"

func balancerRequests() map[string]requests {
	return map[string]requests{
		LoadBalancerType: {
			read: func(a *asking) {
				a.everywhere("elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeTags",
					"elasticloadbalancing:DescribeCapacityReservation")
			},
			create: func(a *asking) {
				a.usesServiceRole("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing")
				a.makesForBalancing("CreateLoadBalancer", a.balancing("loadbalancer/app/"+Text(a.inputs, "name")+"/*"))
				a.on(a.id, "elasticloadbalancing:ModifyLoadBalancerAttributes")
			},
			update: func(a *asking) {
				for action, inputs := range map[string][]string{
					"SetSecurityGroups": {"securityGroups"}, "SetSubnets": {"subnets"}, "SetIpAddressType": {"ipAddressType"},
					"ModifyLoadBalancerAttributes": {"accessLogs", "clientKeepAlive", "desyncMitigationMode", "dropInvalidHeaderFields", "enableDeletionProtection", "enableHttp2", "enableXffClientPort", "idleTimeout", "preserveHostHeader", "xffHeaderProcessingMode"},
				} {
					if a.changed(inputs...) {
						a.on(a.id, "elasticloadbalancing:"+action)
					}
				}
				a.retagsBalancing()
			},
			remove: func(a *asking) {
				a.everywhere("elasticloadbalancing:DescribeLoadBalancers", "ec2:DescribeNetworkInterfaces")
				a.on(a.id, "elasticloadbalancing:DeleteLoadBalancer")
			},
		},
		TargetGroupType: {
			read: func(a *asking) {
				a.everywhere("elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTags")
			},
			create: func(a *asking) {
				a.makesForBalancing("CreateTargetGroup", a.balancing("targetgroup/"+Text(a.inputs, "name")+"/*"))
				a.on(a.id, "elasticloadbalancing:ModifyTargetGroupAttributes")
			},
			update: func(a *asking) {
				if a.changed("healthCheck") {
					a.on(a.id, "elasticloadbalancing:ModifyTargetGroup")
				}
				if a.changed("deregistrationDelay", "loadBalancingAlgorithmType", "slowStart", "stickiness") {
					a.on(a.id, "elasticloadbalancing:ModifyTargetGroupAttributes")
				}
				a.retagsBalancing()
			},
			remove: func(a *asking) { a.on(a.id, "elasticloadbalancing:DeleteTargetGroup") },
		},
		ListenerType: {
			read: func(a *asking) {
				a.everywhere("elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeListenerAttributes", "elasticloadbalancing:DescribeTags")
			},
			create: func(a *asking) {
				balancer := Text(a.inputs, "loadBalancerArn")
				a.ask(balancer, with(prefixed("aws:ResourceTag/", a.tagsOn(balancer)), tagged(Object(a.outputs, "tagsAll"))), "elasticloadbalancing:CreateListener")
				a.tagsForBalancing("CreateListener", a.id[:strings.LastIndex(a.id, "/")]+"/*")
				a.on(a.id, "elasticloadbalancing:ModifyListenerAttributes")
			},
			update: func(a *asking) {
				if a.changed("certificateArn", "defaultActions", "port", "protocol", "sslPolicy") {
					a.on(a.id, "elasticloadbalancing:ModifyListener")
				}
				a.retagsBalancing()
			},
			remove: func(a *asking) { a.on(a.id, "elasticloadbalancing:DeleteListener") },
		},
		ListenerRuleType: {
			read: func(a *asking) {
				a.everywhere("elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTags")
			},
			create: func(a *asking) {
				listener := Text(a.inputs, "listenerArn")
				a.ask(listener, with(prefixed("aws:ResourceTag/", a.tagsOn(listener)), tagged(Object(a.outputs, "tagsAll"))), "elasticloadbalancing:CreateRule")
				a.tagsForBalancing("CreateRule", a.id[:strings.LastIndex(a.id, "/")]+"/*")
			},
			update: func(a *asking) {
				if a.changed("priority") {
					a.on(a.id, "elasticloadbalancing:SetRulePriorities")
				}
				if a.changed("actions", "conditions") {
					a.on(a.id, "elasticloadbalancing:ModifyRule")
				}
				a.retagsBalancing()
			},
			remove: func(a *asking) { a.on(a.id, "elasticloadbalancing:DeleteRule") },
		},
		TargetAttachmentType: {
			read:   func(a *asking) { a.everywhere("elasticloadbalancing:DescribeTargetHealth") },
			create: func(a *asking) { a.on(Text(a.inputs, "targetGroupArn"), "elasticloadbalancing:RegisterTargets") },
			remove: func(a *asking) {
				a.on(Text(a.old.Inputs, "targetGroupArn"), "elasticloadbalancing:DeregisterTargets")
			},
		},
	}
}

func (a *asking) balancing(resource string) string {
	return a.arn("elasticloadbalancing", a.region, resource)
}

// makesForBalancing asks for a new resource of Elastic Load Balancing and, with the same call, for its tags.
func (a *asking) makesForBalancing(operation, resource string) {
	a.ask(resource, tagged(Object(a.outputs, "tagsAll")), "elasticloadbalancing:"+operation)
	a.tagsForBalancing(operation, resource)
}

func (a *asking) tagsForBalancing(operation, resource string) {
	if tags := Object(a.outputs, "tagsAll"); len(tags) > 0 {
		a.ask(resource, with(tagged(tags), map[string][]string{"elasticloadbalancing:CreateAction": {operation}}), "elasticloadbalancing:AddTags")
	}
}

func (a *asking) retagsBalancing() {
	a.retagsItself(a.id, "elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags")
}
