package awsapi

import (
	"net/http"
	"strconv"

	"berth/rehearsal/aws"
	"berth/rehearsal/query"
)

const (
	addressType     = "aws:ec2/eip:Eip"
	associationType = "aws:ec2/eipAssociation:EipAssociation"
	snapshotType    = "aws:ebs/snapshot:Snapshot"
	subnetType      = "aws:ec2/subnet:Subnet"
	vpcType         = "aws:ec2/vpc:Vpc"
)

func inventoryOperations() map[string]operation {
	return map[string]operation{
		"ec2:DescribeAddresses": {answer: describeAddresses},
		"ec2:DescribeSnapshots": {answer: describeSnapshots},
		"ec2:DescribeSubnets":   {answer: describeSubnets},
		"ec2:DescribeVpcs":      {answer: describeVPCs},
	}
}

func describeAddresses(c *call) (any, *query.Failure) {
	all, refused := c.named(c.here(addressType), "AllocationId", "InvalidAllocationID.NotFound", "allocation ID")
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{tags: tags(r), properties: map[string]string{"public-ip": text(r, "publicIp")}}
	})
	set := query.El("addressesSet")
	for _, one := range all {
		item := query.El("item", query.El("allocationId", one.ID), query.El("publicIp", text(one, "publicIp")), query.El("domain", "vpc"), tagSet(one))
		for _, tie := range c.account.OfType(associationType) {
			if text(tie, "allocationId") == one.ID {
				item.Add(query.El("associationId", tie.ID), query.El("instanceId", text(tie, "instanceId")), query.El("privateIpAddress", text(tie, "privateIpAddress")))
			}
		}
		set.Add(item)
	}
	return []query.Element{set}, refused
}

func describeSnapshots(c *call) (any, *query.Failure) {
	for _, owner := range c.listed("Owner") {
		if owner != "self" && owner != c.account.Number {
			return nil, query.Refuse(http.StatusBadRequest, "InvalidUserID.Malformed", "The rehearsal's AWS has the account's own snapshots alone, not those of "+owner)
		}
	}
	all, refused := c.named(c.here(snapshotType), "SnapshotId", "InvalidSnapshot.NotFound", "snapshot")
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{tags: tags(r), properties: map[string]string{"volume-id": text(r, "volumeId"), "status": "completed"}}
	})
	set := query.El("snapshotSet")
	for _, one := range all {
		encrypted, _ := one.Outputs["encrypted"].(bool)
		set.Add(query.El("item", query.El("snapshotId", one.ID), query.El("volumeId", text(one, "volumeId")), query.El("status", "completed"), query.El("startTime", stamp(one)),
			query.El("progress", "100%"), query.El("ownerId", c.account.Number), query.El("volumeSize", integer(one, "volumeSize")), query.El("description", ""), query.El("encrypted", strconv.FormatBool(encrypted)), tagSet(one)))
	}
	return []query.Element{set}, refused
}

func describeSubnets(c *call) (any, *query.Failure) {
	all, refused := c.named(c.here(subnetType), "SubnetId", "InvalidSubnetID.NotFound", "subnet ID")
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{tags: tags(r), properties: map[string]string{"vpc-id": text(r, "vpcId"), "availability-zone": text(r, "availabilityZone")}}
	})
	set := query.El("subnetSet")
	for _, one := range all {
		set.Add(query.El("item", query.El("subnetId", one.ID), query.El("state", "available"), query.El("vpcId", text(one, "vpcId")), query.El("cidrBlock", text(one, "cidrBlock")),
			query.El("availabilityZone", text(one, "availabilityZone")), tagSet(one)))
	}
	return []query.Element{set}, refused
}

func describeVPCs(c *call) (any, *query.Failure) {
	all, refused := c.named(c.here(vpcType), "VpcId", "InvalidVpcID.NotFound", "vpc ID")
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{tags: tags(r), properties: map[string]string{"cidr": text(r, "cidrBlock"), "is-default": "false"}}
	})
	set := query.El("vpcSet")
	for _, one := range all {
		set.Add(query.El("item", query.El("vpcId", one.ID), query.El("state", "available"), query.El("cidrBlock", text(one, "cidrBlock")), query.El("isDefault", false), tagSet(one)))
	}
	return []query.Element{set}, refused
}
