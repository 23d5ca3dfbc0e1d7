package awsapi

import (
	"maps"
	"slices"

	"berth/rehearsal/aws"
	"berth/rehearsal/query"
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

func (c *call) instances() ([]*aws.Resource, *query.Failure) {
	return c.named(c.here(instanceType), "InstanceId", "InvalidInstanceID.NotFound", "instance ID")
}

// state is what an instance's host does.
func (c *call) state(instance *aws.Resource) string {
	if instance != nil && c.machines != nil && !c.machines.Running(c, instance.ID) {
		return "stopped"
	}
	return "running"
}

func (c *call) stateElement(name string, instance *aws.Resource) query.Element {
	state := c.state(instance)
	return query.El(name, query.El("code", states[state]), query.El("name", state))
}

func describeInstances(c *call) (any, *query.Failure) {
	all, refused := c.instances()
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{tags: tags(r), properties: map[string]string{
			"availability-zone": text(r, "availabilityZone"), "instance-state-name": c.state(r), "instance-type": text(r, "instanceType"), "ip-address": text(r, "publicIp"),
		}}
	})
	set := query.El("reservationSet")
	for _, one := range all {
		reason := ""
		if c.state(one) == "stopped" {
			reason = "Server.InternalError"
		}
		threads := 2
		cores := max(aws.VCPUs(text(one, "instanceType"))/threads, 1)
		set.Add(query.El("item", query.El("reservationId", "r-"+one.ID[2:]), query.El("ownerId", c.account.Number), query.El("groupSet"), query.El("instancesSet", query.El("item",
			query.El("instanceId", one.ID), query.El("imageId", text(one, "ami")), c.stateElement("instanceState", one), query.El("reason", reason), query.El("instanceType", text(one, "instanceType")), query.El("launchTime", stamp(one)),
			query.El("placement", query.El("availabilityZone", text(one, "availabilityZone")), query.El("tenancy", "default")), query.El("subnetId", text(one, "subnetId")),
			query.El("privateIpAddress", text(one, "privateIp")), query.El("ipAddress", text(one, "publicIp")), query.El("architecture", "x86_64"),
			query.El("cpuOptions", query.El("coreCount", cores), query.El("threadsPerCore", threads)), tagSet(one)))))
	}
	return []query.Element{set}, refused
}

// describeStatus has no filter by tags, as AWS has none there.
func describeStatus(c *call) (any, *query.Failure) {
	all, refused := c.instances()
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{properties: map[string]string{"availability-zone": text(r, "availabilityZone"), "instance-state-name": c.state(r)}}
	})
	set := query.El("instanceStatusSet")
	for _, one := range all {
		status := "ok"
		if c.state(one) != "running" {
			if c.form.Get("IncludeAllInstances") != "true" {
				continue
			}
			status = "not-applicable"
		}
		set.Add(query.El("item", query.El("instanceId", one.ID), query.El("availabilityZone", text(one, "availabilityZone")), c.stateElement("instanceState", one),
			query.El("systemStatus", query.El("status", status)), query.El("instanceStatus", query.El("status", status))))
	}
	return []query.Element{set}, refused
}

func startInstances(c *call) (any, *query.Failure) {
	all, refused := c.instances()
	set := query.El("instancesSet")
	for _, one := range all {
		before := c.stateElement("previousState", one)
		if c.machines != nil {
			if err := c.machines.StartHost(c, one.ID); err != nil {
				return nil, query.Internal(err)
			}
		}
		set.Add(query.El("item", query.El("instanceId", one.ID), before, c.stateElement("currentState", one)))
	}
	return []query.Element{set}, refused
}

func rebootInstances(c *call) (any, *query.Failure) {
	all, refused := c.instances()
	for _, one := range all {
		if c.machines == nil {
			continue
		}
		if err := c.machines.RebootHost(c, one.ID); err != nil {
			return nil, query.Internal(err)
		}
	}
	return []query.Element{query.El("return", true)}, refused
}
