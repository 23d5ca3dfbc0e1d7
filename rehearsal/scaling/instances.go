package scaling

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"berth/rehearsal/aws"
)

// filters are those of a request: every one has to hold, with any of its values.
func (c *call) filters() map[string][]string {
	all := map[string][]string{}
	for i := 1; c.form.Has(fmt.Sprintf("Filter.%d.Name", i)); i++ {
		all[c.form.Get(fmt.Sprintf("Filter.%d.Name", i))] = c.listed(fmt.Sprintf("Filter.%d.Value", i))
	}
	return all
}

func describeInstances(c *call) ([]element, *failure) {
	ids := c.listed("InstanceId")
	for _, id := range ids {
		if c.account.Resources[instanceType+"::"+id] == nil {
			return nil, invalid("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
		}
	}
	set := el("reservationSet")
	for _, instance := range c.account.OfType(instanceType) {
		if len(ids) > 0 && !slices.Contains(ids, instance.ID) {
			continue
		}
		fits, refused := c.fits(instance)
		if refused != nil {
			return nil, refused
		}
		if fits {
			set.children = append(set.children, c.instanceElement(instance))
		}
	}
	return []element{set}, nil
}

// fits says whether an instance gets through the filters. One that AWS or the rehearsal does not know is refused.
func (c *call) fits(instance *aws.Resource) (bool, *failure) {
	known := map[string]string{
		"instance-id": instance.ID, "instance-state-name": c.state(instance), "subnet-id": text(instance.Outputs, "subnetId"),
		"private-ip-address": text(instance.Outputs, "privateIp"), "availability-zone": text(instance.Outputs, "availabilityZone"),
	}
	tags := object(instance.Outputs, "tagsAll")
	for name, values := range c.filters() {
		value, is := known[name]
		if tag, of := strings.CutPrefix(name, "tag:"); of {
			value, is = text(tags, tag), true
		}
		if !is {
			return false, invalid("InvalidParameterValue", "The filter '%s' is invalid", name)
		}
		if !slices.Contains(values, value) {
			return false, nil
		}
	}
	return true, nil
}

// states are EC2's codes.
var states = map[string]int{"running": 16, "shutting-down": 32, "stopped": 80}

func (c *call) state(instance *aws.Resource) string {
	if since, away := c.away[instance.ID]; away && c.Now().Sub(since) >= awayFor {
		return "stopped"
	}
	return textOr(instance.Outputs, "instanceState", "running")
}

func (c *call) instanceElement(instance *aws.Resource) element {
	state := c.state(instance)
	v6, tags, groups := el("ipv6AddressesSet"), el("tagSet"), el("groupSet")
	for _, address := range texts(instance.Outputs, "ipv6Addresses") {
		v6.children = append(v6.children, el("item", el("ipv6Address", address), el("isPrimaryIpv6", false)))
	}
	all := object(instance.Outputs, "tagsAll")
	for _, key := range slices.Sorted(maps.Keys(all)) {
		tags.children = append(tags.children, el("item", el("key", key), el("value", all[key])))
	}
	for _, id := range texts(instance.Outputs, "vpcSecurityGroupIds") {
		groups.children = append(groups.children, el("item", el("groupId", id)))
	}
	described := el("item", el("instanceId", instance.ID), el("imageId", text(instance.Outputs, "ami")), el("instanceState", el("code", states[state]), el("name", state)),
		el("instanceType", text(instance.Outputs, "instanceType")), el("launchTime", stamp(instance.Created)),
		el("placement", el("availabilityZone", text(instance.Outputs, "availabilityZone")), el("tenancy", "default")),
		el("subnetId", text(instance.Outputs, "subnetId")), el("privateIpAddress", text(instance.Outputs, "privateIp")))
	if public := text(instance.Outputs, "publicIp"); public != "" {
		described.children = append(described.children, el("ipAddress", public))
	}
	described.children = append(described.children, groups, el("architecture", "x86_64"), tags,
		el("networkInterfaceSet", el("item", el("networkInterfaceId", text(instance.Outputs, "primaryNetworkInterfaceId")),
			el("subnetId", text(instance.Outputs, "subnetId")), el("privateIpAddress", text(instance.Outputs, "privateIp")), v6)))
	return el("item", el("reservationId", "r-"+strings.TrimPrefix(instance.ID, "i-")), el("ownerId", c.account.Number), el("groupSet"), el("instancesSet", described))
}
