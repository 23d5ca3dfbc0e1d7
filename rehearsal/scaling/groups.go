package scaling

import (
	"slices"
	"strings"

	"berth/rehearsal/aws"
)

func describeGroups(c *call) ([]element, *failure) {
	names := c.listed("AutoScalingGroupNames.member")
	set := el("AutoScalingGroups")
	for _, group := range c.account.OfType(aws.GroupType) {
		if len(names) > 0 && !slices.Contains(names, group.ID) {
			continue
		}
		set.children = append(set.children, c.groupElement(group))
	}
	return []element{set}, nil
}

func (c *call) groupElement(group *aws.Resource) element {
	instances, zones := el("Instances"), map[string]bool{}
	for _, instance := range c.account.Instances(group) {
		template := object(instance.Outputs, "launchTemplate")
		instances.children = append(instances.children, el("member", el("InstanceId", instance.ID), el("InstanceType", text(instance.Outputs, "instanceType")),
			el("AvailabilityZone", text(instance.Outputs, "availabilityZone")), el("LifecycleState", text(instance.Outputs, "lifecycleState")),
			el("HealthStatus", text(instance.Outputs, "healthStatus")), el("LaunchTemplate", el("LaunchTemplateId", text(template, "id")), el("Version", text(template, "version"))),
			el("ProtectedFromScaleIn", false)))
	}
	for _, subnet := range texts(group.Outputs, "vpcZoneIdentifiers") {
		if found := c.account.Resources["aws:ec2/subnet:Subnet::"+subnet]; found != nil {
			zones[text(found.Outputs, "availabilityZone")] = true
		}
	}
	var sorted []string
	for zone := range zones {
		sorted = append(sorted, zone)
	}
	slices.Sort(sorted)
	tags := el("Tags")
	for _, tag := range objects(group.Outputs, "tags") {
		tags.children = append(tags.children, el("member", el("ResourceId", group.ID), el("PropagateAtLaunch", truth(tag, "propagateAtLaunch")),
			el("Value", text(tag, "value")), el("Key", text(tag, "key")), el("ResourceType", "auto-scaling-group")))
	}
	template := object(group.Outputs, "launchTemplate")
	return el("member", el("AutoScalingGroupName", group.ID), el("AutoScalingGroupARN", text(group.Outputs, "arn")),
		el("LaunchTemplate", el("LaunchTemplateId", text(template, "id")), el("Version", text(template, "version"))),
		el("MinSize", number(group.Outputs, "minSize")), el("MaxSize", number(group.Outputs, "maxSize")), el("DesiredCapacity", desired(group)),
		el("DefaultCooldown", numberOr(group.Outputs, "defaultCooldown", 300)), each("AvailabilityZones", "member", sorted), el("LoadBalancerNames"),
		each("TargetGroupARNs", "member", texts(group.Outputs, "targetGroupArns")), el("HealthCheckType", textOr(group.Outputs, "healthCheckType", "EC2")),
		el("HealthCheckGracePeriod", int(seconds(group.Outputs, "healthCheckGracePeriod", 300).Seconds())), instances, el("CreatedTime", stamp(group.Created)),
		el("SuspendedProcesses"), el("VPCZoneIdentifier", strings.Join(texts(group.Outputs, "vpcZoneIdentifiers"), ",")), el("EnabledMetrics"), tags,
		each("TerminationPolicies", "member", []string{"Default"}), el("NewInstancesProtectedFromScaleIn", false))
}

// group is the group with a name, or AWS's refusal.
func (c *call) group(name string) (*aws.Resource, *failure) {
	if group := c.account.Resources[aws.GroupType+"::"+name]; group != nil {
		return group, nil
	}
	return nil, invalid("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup '%s' not found", name)
}

func namedGroup(c *call) ([]*aws.Resource, *failure) {
	group, refused := c.group(c.form.Get("AutoScalingGroupName"))
	return []*aws.Resource{group}, refused
}

// member is the instance that a request names, of a group.
func (c *call) member() (*aws.Resource, *failure) {
	id := c.form.Get("InstanceId")
	instance := c.account.Resources[instanceType+"::"+id]
	if instance == nil || text(instance.Outputs, "autoScalingGroup") == "" {
		return nil, invalid("ValidationError", "The instance ID '%s' is not part of an Auto Scaling group", id)
	}
	return instance, nil
}

func groupOfInstance(c *call) ([]*aws.Resource, *failure) {
	instance, refused := c.member()
	if refused != nil {
		return nil, refused
	}
	group, refused := c.group(text(instance.Outputs, "autoScalingGroup"))
	return []*aws.Resource{group}, refused
}

// completeAction ends the wait of a launching instance.
func completeAction(c *call) ([]element, *failure) {
	group, refused := c.group(c.form.Get("AutoScalingGroupName"))
	if refused != nil {
		return nil, refused
	}
	hook, result := c.form.Get("LifecycleHookName"), c.form.Get("LifecycleActionResult")
	if !slices.ContainsFunc(objects(group.Outputs, "initialLifecycleHooks"), func(one map[string]any) bool { return text(one, "name") == hook }) {
		return nil, invalid("ValidationError", "No lifecycle hook found with name: %s", hook)
	}
	if result != "CONTINUE" && result != "ABANDON" {
		return nil, invalid("ValidationError", "Invalid lifecycle action result: %s. Valid values are CONTINUE and ABANDON", result)
	}
	instance, refused := c.member()
	if refused != nil || text(instance.Outputs, "autoScalingGroup") != group.ID || text(instance.Outputs, "lifecycleState") != waiting {
		return nil, invalid("ValidationError", "No active Lifecycle Action found with instance ID %s", c.form.Get("InstanceId"))
	}
	if result == "CONTINUE" {
		enter(instance, inService, c.Now())
		c.say(group.ID + ": " + instance.ID + " is in service")
	} else {
		enter(instance, terminating, c.Now())
		c.say(group.ID + ": " + instance.ID + " is terminated: its lifecycle action was abandoned")
	}
	return nil, nil
}

// setHealth says that an instance is healthy or not. Within the grace period it counts only where the request says so.
func setHealth(c *call) ([]element, *failure) {
	instance, refused := c.member()
	if refused != nil {
		return nil, refused
	}
	status := c.form.Get("HealthStatus")
	if status != "Healthy" && status != "Unhealthy" {
		return nil, invalid("ValidationError", "Health status is not valid: %s. Valid values are Healthy and Unhealthy", status)
	}
	group, refused := c.group(text(instance.Outputs, "autoScalingGroup"))
	if refused != nil {
		return nil, refused
	}
	young := c.Now().Sub(since(instance)) < seconds(group.Outputs, "healthCheckGracePeriod", 300)
	if young && c.form.Get("ShouldRespectGracePeriod") != "false" {
		return nil, nil
	}
	instance.Outputs["healthStatus"] = status
	return nil, nil
}
