package scaling

import (
	"slices"
	"strings"

	"berth/rehearsal/aws"
	"berth/rehearsal/query"
)

func describeGroups(c *call) ([]query.Element, *query.Failure) {
	names := c.listed("AutoScalingGroupNames.member")
	set := query.El("AutoScalingGroups")
	for _, group := range c.account.OfType(aws.GroupType) {
		if len(names) > 0 && !slices.Contains(names, group.ID) {
			continue
		}
		set.Add(c.groupElement(group))
	}
	return []query.Element{set}, nil
}

func (c *call) groupElement(group *aws.Resource) query.Element {
	instances, zones := query.El("Instances"), map[string]bool{}
	for _, instance := range c.account.Instances(group) {
		template := aws.Object(instance.Outputs, "launchTemplate")
		instances.Add(query.El("member", query.El("InstanceId", instance.ID), query.El("InstanceType", aws.Text(instance.Outputs, "instanceType")),
			query.El("AvailabilityZone", aws.Text(instance.Outputs, "availabilityZone")), query.El("LifecycleState", aws.Text(instance.Outputs, "lifecycleState")),
			query.El("HealthStatus", aws.Text(instance.Outputs, "healthStatus")), query.El("LaunchTemplate", query.El("LaunchTemplateId", aws.Text(template, "id")), query.El("Version", aws.Text(template, "version"))),
			query.El("ProtectedFromScaleIn", false)))
	}
	for _, subnet := range aws.Texts(group.Outputs, "vpcZoneIdentifiers") {
		if found := c.account.Resources["aws:ec2/subnet:Subnet::"+subnet]; found != nil {
			zones[aws.Text(found.Outputs, "availabilityZone")] = true
		}
	}
	var sorted []string
	for zone := range zones {
		sorted = append(sorted, zone)
	}
	slices.Sort(sorted)
	tags := query.El("Tags")
	for _, tag := range aws.Objects(group.Outputs, "tags") {
		tags.Add(query.El("member", query.El("ResourceId", group.ID), query.El("PropagateAtLaunch", aws.Truth(tag, "propagateAtLaunch")),
			query.El("Value", aws.Text(tag, "value")), query.El("Key", aws.Text(tag, "key")), query.El("ResourceType", "auto-scaling-group")))
	}
	template := aws.Object(group.Outputs, "launchTemplate")
	return query.El("member", query.El("AutoScalingGroupName", group.ID), query.El("AutoScalingGroupARN", aws.Text(group.Outputs, "arn")),
		query.El("LaunchTemplate", query.El("LaunchTemplateId", aws.Text(template, "id")), query.El("Version", aws.Text(template, "version"))),
		query.El("MinSize", aws.Number(group.Outputs, "minSize")), query.El("MaxSize", aws.Number(group.Outputs, "maxSize")), query.El("DesiredCapacity", desired(group)),
		query.El("DefaultCooldown", numberOr(group.Outputs, "defaultCooldown", 300)), each("AvailabilityZones", "member", sorted), query.El("LoadBalancerNames"),
		each("TargetGroupARNs", "member", aws.Texts(group.Outputs, "targetGroupArns")), query.El("HealthCheckType", textOr(group.Outputs, "healthCheckType", "EC2")),
		query.El("HealthCheckGracePeriod", int(seconds(group.Outputs, "healthCheckGracePeriod", 300).Seconds())), instances, query.El("CreatedTime", stamp(group.Created)),
		query.El("SuspendedProcesses"), query.El("VPCZoneIdentifier", strings.Join(aws.Texts(group.Outputs, "vpcZoneIdentifiers"), ",")), query.El("EnabledMetrics"), tags,
		each("TerminationPolicies", "member", []string{"Default"}), query.El("NewInstancesProtectedFromScaleIn", false))
}

// group is the group with a name, or AWS's refusal.
func (c *call) group(name string) (*aws.Resource, *query.Failure) {
	if group := c.account.Resources[aws.GroupType+"::"+name]; group != nil {
		return group, nil
	}
	return nil, invalid("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup '%s' not found", name)
}

func namedGroup(c *call) ([]*aws.Resource, *query.Failure) {
	group, refused := c.group(c.form.Get("AutoScalingGroupName"))
	return []*aws.Resource{group}, refused
}

// member is the instance that a request names, of a group.
func (c *call) member() (*aws.Resource, *query.Failure) {
	id := c.form.Get("InstanceId")
	instance := c.account.Resources[instanceType+"::"+id]
	if instance == nil || aws.Text(instance.Outputs, "autoScalingGroup") == "" {
		return nil, invalid("ValidationError", "The instance ID '%s' is not part of an Auto Scaling group", id)
	}
	return instance, nil
}

func groupOfInstance(c *call) ([]*aws.Resource, *query.Failure) {
	instance, refused := c.member()
	if refused != nil {
		return nil, refused
	}
	group, refused := c.group(aws.Text(instance.Outputs, "autoScalingGroup"))
	return []*aws.Resource{group}, refused
}

// completeAction ends the wait of a launching instance.
func completeAction(c *call) ([]query.Element, *query.Failure) {
	group, refused := c.group(c.form.Get("AutoScalingGroupName"))
	if refused != nil {
		return nil, refused
	}
	hook, result := c.form.Get("LifecycleHookName"), c.form.Get("LifecycleActionResult")
	if !slices.ContainsFunc(aws.Objects(group.Outputs, "initialLifecycleHooks"), func(one map[string]any) bool { return aws.Text(one, "name") == hook }) {
		return nil, invalid("ValidationError", "No lifecycle hook found with name: %s", hook)
	}
	if result != "CONTINUE" && result != "ABANDON" {
		return nil, invalid("ValidationError", "Invalid lifecycle action result: %s. Valid values are CONTINUE and ABANDON", result)
	}
	instance, refused := c.member()
	if refused != nil || aws.Text(instance.Outputs, "autoScalingGroup") != group.ID || aws.Text(instance.Outputs, "lifecycleState") != waiting {
		return nil, invalid("ValidationError", "No active Lifecycle Action found with instance ID %s", c.form.Get("InstanceId"))
	}
	if result == "CONTINUE" {
		enter(instance, inService, c.Now())
		c.say(group.ID + ": " + instance.ID + " is in service")
	} else {
		enter(instance, terminating, c.Now())
		c.say(group.ID + ": " + instance.ID + " is terminated: its lifecycle action was abandoned")
	}
	return []query.Element{}, nil
}

// setHealth says that an instance is healthy or not. Within the grace period it counts only where the request says so.
func setHealth(c *call) ([]query.Element, *query.Failure) {
	instance, refused := c.member()
	if refused != nil {
		return nil, refused
	}
	status := c.form.Get("HealthStatus")
	if status != "Healthy" && status != "Unhealthy" {
		return nil, invalid("ValidationError", "Health status is not valid: %s. Valid values are Healthy and Unhealthy", status)
	}
	group, refused := c.group(aws.Text(instance.Outputs, "autoScalingGroup"))
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
