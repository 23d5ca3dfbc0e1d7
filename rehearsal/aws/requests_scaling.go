package aws

import "slices"

func scalingRequests() map[string]requests {
	return map[string]requests{
		LaunchTemplateType: {
			read: func(a *asking) {
				a.everywhere("ec2:DescribeLaunchTemplates", "ec2:DescribeLaunchTemplateVersions")
			},
			create: func(a *asking) {
				a.makes("CreateLaunchTemplate", "launch-template", Object(a.outputs, "tagsAll"), nil)
			},
			update: func(a *asking) {
				if a.changesTemplate() {
					a.on(a.itself("launch-template"), "ec2:CreateLaunchTemplateVersion")
				}
				if a.changesTemplate() && Truth(a.inputs, "updateDefaultVersion") || a.changed("defaultVersion", "updateDefaultVersion") {
					a.on(a.itself("launch-template"), "ec2:ModifyLaunchTemplate")
				}
				a.retagsItself(a.itself("launch-template"), "ec2:CreateTags", "ec2:DeleteTags")
			},
			remove: func(a *asking) { a.on(a.itself("launch-template"), "ec2:DeleteLaunchTemplate") },
		},
		GroupType: {
			read:   func(a *asking) { a.everywhere("autoscaling:DescribeAutoScalingGroups") },
			create: (*asking).makesGroup,
			update: (*asking).changesGroup,
			remove: func(a *asking) {
				a.everywhere("autoscaling:DescribeAutoScalingGroups")
				if !Truth(a.old.Outputs, "forceDelete") {
					a.on(Text(a.old.Outputs, "arn"), "autoscaling:UpdateAutoScalingGroup")
				}
				a.on(Text(a.old.Outputs, "arn"), "autoscaling:DeleteAutoScalingGroup")
			},
		},
		ScalingPolicyType: {
			read:   func(a *asking) { a.everywhere("autoscaling:DescribePolicies") },
			create: func(a *asking) { a.onGroup(a.inputs, "autoscaling:PutScalingPolicy") },
			update: func(a *asking) { a.onGroup(a.inputs, "autoscaling:PutScalingPolicy") },
			remove: func(a *asking) {
				a.everywhere("autoscaling:DescribePolicies")
				a.onGroup(a.old.Inputs, "autoscaling:DeletePolicy")
			},
		},
	}
}

// groupTags are the tags of a group, which are a list.
func groupTags(of map[string]any) map[string]any {
	tags := map[string]any{}
	for _, tag := range Objects(of, "tags") {
		tags[Text(tag, "key")] = tag["value"]
	}
	return tags
}

// anyGroup is the ARN of a group that is yet to be made: its id is not known.
func (a *asking) anyGroup() string {
	return a.arn("autoscaling", a.region, "autoScalingGroup:*:autoScalingGroupName/"+a.id)
}

// makesGroup asks for a new group. With lifecycle hooks, the provider makes it empty, adds them, and gives it its size.
func (a *asking) makesGroup() {
	tags := groupTags(a.inputs)
	a.usesServiceRole("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling")
	a.ask(a.anyGroup(), tagged(tags), "autoscaling:CreateAutoScalingGroup")
	if len(tags) > 0 {
		a.ask(a.anyGroup(), tagged(tags), "autoscaling:CreateOrUpdateTags")
	}
	a.triesLaunch()
	if len(Objects(a.inputs, "initialLifecycleHooks")) > 0 {
		a.on(Text(a.outputs, "arn"), "autoscaling:PutLifecycleHook", "autoscaling:UpdateAutoScalingGroup")
	}
	if len(Texts(a.inputs, "enabledMetrics")) > 0 {
		a.on(Text(a.outputs, "arn"), "autoscaling:EnableMetricsCollection")
	}
}

func (a *asking) changesGroup() {
	arn := Text(a.old.Outputs, "arn")
	if a.changed("capacityRebalance", "defaultCooldown", "defaultInstanceWarmup", "desiredCapacity", "healthCheckGracePeriod", "healthCheckType", "launchTemplate",
		"maxInstanceLifetime", "maxSize", "minSize", "protectFromScaleIn", "terminationPolicies", "vpcZoneIdentifiers") {
		a.on(arn, "autoscaling:UpdateAutoScalingGroup")
	}
	if a.changed("launchTemplate") {
		a.triesLaunch()
	}
	if a.changed("targetGroupArns") {
		a.everywhere("autoscaling:DescribeLoadBalancerTargetGroups")
		a.on(arn, "autoscaling:AttachLoadBalancerTargetGroups", "autoscaling:DetachLoadBalancerTargetGroups")
	}
	if a.changed("suspendedProcesses") {
		a.on(arn, "autoscaling:SuspendProcesses", "autoscaling:ResumeProcesses")
	}
	a.collects(arn)
	a.retags(arn, "autoscaling:CreateOrUpdateTags", "autoscaling:DeleteTags", groupTags(a.old.Inputs), groupTags(a.inputs))
}

// collects asks for what takes the group's metrics that are new, and drops those that are no more.
func (a *asking) collects(arn string) {
	before, after := Texts(a.old.Inputs, "enabledMetrics"), Texts(a.inputs, "enabledMetrics")
	other := func(these, those []string) bool {
		return slices.ContainsFunc(these, func(metric string) bool { return !slices.Contains(those, metric) })
	}
	if other(before, after) {
		a.on(arn, "autoscaling:DisableMetricsCollection")
	}
	if other(after, before) {
		a.on(arn, "autoscaling:EnableMetricsCollection")
	}
}

// onGroup asks for actions on the group of a policy.
func (a *asking) onGroup(of map[string]any, actions ...string) {
	if group := a.account.get(GroupType, Text(of, "autoscalingGroupName")); group != nil {
		a.on(Text(group.Outputs, "arn"), actions...)
	}
}

// triesLaunch asks for what launching an instance of the group's template takes: who names a launch template in a group
// needs the permissions, and Auto Scaling launches by its own role. Source: EC2 Auto Scaling User Guide, "Control Amazon EC2
// launch template usage in Auto Scaling groups".
func (a *asking) triesLaunch() {
	template, version, err := a.account.template(a.kind.operation, Object(a.inputs, "launchTemplate"))
	if err != nil {
		return
	}
	arn := a.ec2("launch-template", template.ID)
	by := map[string][]string{"ec2:LaunchTemplate": {arn}, "ec2:IsLaunchTemplateResource": {"true"}}
	launch := instanceOf(template.Versions[version-1], "")
	existing := func(resource string) {
		a.ask(resource, with(prefixed("aws:ResourceTag/", a.tagsOn(resource)), by), "ec2:RunInstances")
	}
	existing(arn)
	existing(a.ec2("image", Text(launch, "ami")))
	for _, subnet := range Texts(a.inputs, "vpcZoneIdentifiers") {
		existing(a.ec2("subnet", subnet))
	}
	for _, group := range Texts(launch, "vpcSecurityGroupIds") {
		existing(a.ec2("security-group", group))
	}
	for _, kind := range []string{"instance", "network-interface", "volume"} {
		tags, more := map[string]any{}, map[string][]string{}
		for _, specification := range Objects(template.Versions[version-1], "tagSpecifications") {
			if Text(specification, "resourceType") == kind {
				tags = Object(specification, "tags")
			}
		}
		if kind == "instance" {
			more["ec2:InstanceType"] = []string{Text(launch, "instanceType")}
		}
		a.makes("RunInstances", kind, tags, with(by, more))
	}
	if profile := a.account.get(profileType, Text(launch, "iamInstanceProfile")); profile != nil {
		a.passesRole(Text(profile.Outputs, "role"), "ec2.amazonaws.com")
	}
}

// usesServiceRole asks for the role by which a service acts, which an account's first resource of the service makes.
func (a *asking) usesServiceRole(service, name string) {
	a.ask("arn:aws:iam::"+number+":role/aws-service-role/"+service+"/"+name, map[string][]string{"iam:AWSServiceName": {service}}, "iam:CreateServiceLinkedRole")
}
