package scaling

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"berth/rehearsal/aws"
	"berth/rehearsal/query"
)

// filters are those of a request: every one has to hold, with any of its values.
func (c *call) filters() map[string][]string {
	all := map[string][]string{}
	for i := 1; c.form.Has(fmt.Sprintf("Filter.%d.Name", i)); i++ {
		all[c.form.Get(fmt.Sprintf("Filter.%d.Name", i))] = c.listed(fmt.Sprintf("Filter.%d.Value", i))
	}
	return all
}

func describeInstances(c *call) ([]query.Element, *query.Failure) {
	ids := c.listed("InstanceId")
	for _, id := range ids {
		if c.account.Resources[instanceType+"::"+id] == nil {
			return nil, invalid("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
		}
	}
	set := query.El("reservationSet")
	for _, instance := range c.account.OfType(instanceType) {
		if len(ids) > 0 && !slices.Contains(ids, instance.ID) {
			continue
		}
		fits, refused := c.fits(instance)
		if refused != nil {
			return nil, refused
		}
		if fits {
			set.Add(c.instanceElement(instance))
		}
	}
	return []query.Element{set}, nil
}

// fits says whether an instance gets through the filters. One that AWS or the rehearsal does not know is refused.
func (c *call) fits(instance *aws.Resource) (bool, *query.Failure) {
	known := map[string]string{
		"instance-id": instance.ID, "instance-state-name": c.state(instance), "subnet-id": aws.Text(instance.Outputs, "subnetId"),
		"private-ip-address": aws.Text(instance.Outputs, "privateIp"), "availability-zone": aws.Text(instance.Outputs, "availabilityZone"),
	}
	tags := aws.Object(instance.Outputs, "tagsAll")
	for name, values := range c.filters() {
		value, is := known[name]
		if tag, of := strings.CutPrefix(name, "tag:"); of {
			value, is = aws.Text(tags, tag), true
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

func (c *call) instanceElement(instance *aws.Resource) query.Element {
	state := c.state(instance)
	v6, tags, groups := query.El("ipv6AddressesSet"), query.El("tagSet"), query.El("groupSet")
	for _, address := range aws.Texts(instance.Outputs, "ipv6Addresses") {
		v6.Add(query.El("item", query.El("ipv6Address", address), query.El("isPrimaryIpv6", false)))
	}
	all := aws.Object(instance.Outputs, "tagsAll")
	for _, key := range slices.Sorted(maps.Keys(all)) {
		tags.Add(query.El("item", query.El("key", key), query.El("value", all[key])))
	}
	for _, id := range aws.Texts(instance.Outputs, "vpcSecurityGroupIds") {
		groups.Add(query.El("item", query.El("groupId", id)))
	}
	described := query.El("item", query.El("instanceId", instance.ID), query.El("imageId", aws.Text(instance.Outputs, "ami")), query.El("instanceState", query.El("code", states[state]), query.El("name", state)),
		query.El("instanceType", aws.Text(instance.Outputs, "instanceType")), query.El("launchTime", stamp(instance.Created)),
		query.El("placement", query.El("availabilityZone", aws.Text(instance.Outputs, "availabilityZone")), query.El("tenancy", "default")),
		query.El("subnetId", aws.Text(instance.Outputs, "subnetId")), query.El("privateIpAddress", aws.Text(instance.Outputs, "privateIp")))
	if public := aws.Text(instance.Outputs, "publicIp"); public != "" {
		described.Add(query.El("ipAddress", public))
	}
	described.Add(groups, query.El("architecture", "x86_64"), tags,
		query.El("networkInterfaceSet", query.El("item", query.El("networkInterfaceId", aws.Text(instance.Outputs, "primaryNetworkInterfaceId")),
			query.El("subnetId", aws.Text(instance.Outputs, "subnetId")), query.El("privateIpAddress", aws.Text(instance.Outputs, "privateIp")), v6)))
	return query.El("item", query.El("reservationId", "r-"+strings.TrimPrefix(instance.ID, "i-")), query.El("ownerId", c.account.Number), query.El("groupSet"), query.El("instancesSet", described))
}
