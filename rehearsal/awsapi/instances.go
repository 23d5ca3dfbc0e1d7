package awsapi

import (
	"maps"
	"slices"

	"berth/rehearsal/aws"
)

const instanceType = "aws:ec2/instance:Instance"

// states are EC2's codes.
var states = map[string]int{"running": 16, "stopped": 80}

func instanceOperations() map[string]operation {
	each := func(c *call) string {
		return "arn:aws:ec2:" + c.region + ":" + c.account.Number + ":instance/" + c.form.Get("InstanceId.1")
	}
	return map[string]operation{
		"ec2:DescribeInstances":      {answer: describeInstances},
		"ec2:DescribeInstanceStatus": {answer: describeStatus},
		"ec2:StartInstances":         {answer: startInstances, resource: each},
		"ec2:RebootInstances":        {answer: rebootInstances, resource: each},
	}
}

func sortedKeys[V any](all map[string]V) []string { return slices.Sorted(maps.Keys(all)) }

func (c *call) instances() ([]*aws.Resource, *failure) {
	return c.named(c.here(instanceType), "InstanceId", "InvalidInstanceID.NotFound", "instance ID")
}

// state is what an instance's host does.
func (c *call) state(instance *aws.Resource) string {
	if instance != nil && c.machines != nil && !c.machines.Running(c, instance.ID) {
		return "stopped"
	}
	return "running"
}

func (c *call) stateElement(name string, instance *aws.Resource) element {
	state := c.state(instance)
	return el(name, el("code", states[state]), el("name", state))
}

func describeInstances(c *call) (any, *failure) {
	all, refused := c.instances()
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{tags: tags(r), properties: map[string]string{
			"availability-zone": text(r, "availabilityZone"), "instance-state-name": c.state(r), "instance-type": text(r, "instanceType"), "ip-address": text(r, "publicIp"),
		}}
	})
	set := el("reservationSet")
	for _, one := range all {
		reason := ""
		if c.state(one) == "stopped" {
			reason = "Server.InternalError"
		}
		threads := 2
		cores := max(aws.VCPUs(text(one, "instanceType"))/threads, 1)
		set.children = append(set.children, el("item", el("reservationId", "r-"+one.ID[2:]), el("ownerId", c.account.Number), el("groupSet"), el("instancesSet", el("item",
			el("instanceId", one.ID), el("imageId", text(one, "ami")), c.stateElement("instanceState", one), el("reason", reason), el("instanceType", text(one, "instanceType")), el("launchTime", stamp(one)),
			el("placement", el("availabilityZone", text(one, "availabilityZone")), el("tenancy", "default")), el("subnetId", text(one, "subnetId")),
			el("privateIpAddress", text(one, "privateIp")), el("ipAddress", text(one, "publicIp")), el("architecture", "x86_64"),
			el("cpuOptions", el("coreCount", cores), el("threadsPerCore", threads)), tagSet(one)))))
	}
	return []element{set}, refused
}

// describeStatus has no filter by tags, as AWS has none there.
func describeStatus(c *call) (any, *failure) {
	all, refused := c.instances()
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{properties: map[string]string{"availability-zone": text(r, "availabilityZone"), "instance-state-name": c.state(r)}}
	})
	set := el("instanceStatusSet")
	for _, one := range all {
		status := "ok"
		if c.state(one) != "running" {
			if c.form.Get("IncludeAllInstances") != "true" {
				continue
			}
			status = "not-applicable"
		}
		set.children = append(set.children, el("item", el("instanceId", one.ID), el("availabilityZone", text(one, "availabilityZone")), c.stateElement("instanceState", one),
			el("systemStatus", el("status", status)), el("instanceStatus", el("status", status))))
	}
	return []element{set}, refused
}

func startInstances(c *call) (any, *failure) {
	all, refused := c.instances()
	set := el("instancesSet")
	for _, one := range all {
		before := c.stateElement("previousState", one)
		if c.machines != nil {
			if err := c.machines.StartHost(c, one.ID); err != nil {
				return nil, internal(err)
			}
		}
		set.children = append(set.children, el("item", el("instanceId", one.ID), before, c.stateElement("currentState", one)))
	}
	return []element{set}, refused
}

func rebootInstances(c *call) (any, *failure) {
	all, refused := c.instances()
	for _, one := range all {
		if c.machines == nil {
			continue
		}
		if err := c.machines.RebootHost(c, one.ID); err != nil {
			return nil, internal(err)
		}
	}
	return []element{el("return", true)}, refused
}
