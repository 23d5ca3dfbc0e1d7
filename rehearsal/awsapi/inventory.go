package awsapi

import (
	"net/http"
	"strconv"

	"berth/rehearsal/aws"
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

func describeAddresses(c *call) (any, *failure) {
	all, refused := c.named(c.here(addressType), "AllocationId", "InvalidAllocationID.NotFound", "allocation ID")
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{tags: tags(r), properties: map[string]string{"public-ip": text(r, "publicIp")}}
	})
	set := el("addressesSet")
	for _, one := range all {
		item := el("item", el("allocationId", one.ID), el("publicIp", text(one, "publicIp")), el("domain", "vpc"), tagSet(one))
		for _, tie := range c.account.OfType(associationType) {
			if text(tie, "allocationId") == one.ID {
				item.children = append(item.children, el("associationId", tie.ID), el("instanceId", text(tie, "instanceId")), el("privateIpAddress", text(tie, "privateIpAddress")))
			}
		}
		set.children = append(set.children, item)
	}
	return []element{set}, refused
}

func describeSnapshots(c *call) (any, *failure) {
	for _, owner := range c.listed("Owner") {
		if owner != "self" && owner != c.account.Number {
			return nil, &failure{http.StatusBadRequest, "InvalidUserID.Malformed", "The rehearsal's AWS has the account's own snapshots alone, not those of " + owner}
		}
	}
	all, refused := c.named(c.here(snapshotType), "SnapshotId", "InvalidSnapshot.NotFound", "snapshot")
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{tags: tags(r), properties: map[string]string{"volume-id": text(r, "volumeId"), "status": "completed"}}
	})
	set := el("snapshotSet")
	for _, one := range all {
		encrypted, _ := one.Outputs["encrypted"].(bool)
		set.children = append(set.children, el("item", el("snapshotId", one.ID), el("volumeId", text(one, "volumeId")), el("status", "completed"), el("startTime", stamp(one)),
			el("progress", "100%"), el("ownerId", c.account.Number), el("volumeSize", integer(one, "volumeSize")), el("description", ""), el("encrypted", strconv.FormatBool(encrypted)), tagSet(one)))
	}
	return []element{set}, refused
}

func describeSubnets(c *call) (any, *failure) {
	all, refused := c.named(c.here(subnetType), "SubnetId", "InvalidSubnetID.NotFound", "subnet ID")
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{tags: tags(r), properties: map[string]string{"vpc-id": text(r, "vpcId"), "availability-zone": text(r, "availabilityZone")}}
	})
	set := el("subnetSet")
	for _, one := range all {
		set.children = append(set.children, el("item", el("subnetId", one.ID), el("state", "available"), el("vpcId", text(one, "vpcId")), el("cidrBlock", text(one, "cidrBlock")),
			el("availabilityZone", text(one, "availabilityZone")), tagSet(one)))
	}
	return []element{set}, refused
}

func describeVPCs(c *call) (any, *failure) {
	all, refused := c.named(c.here(vpcType), "VpcId", "InvalidVpcID.NotFound", "vpc ID")
	if refused != nil {
		return nil, refused
	}
	all, refused = chosen(c, all, func(r *aws.Resource) thing {
		return thing{tags: tags(r), properties: map[string]string{"cidr": text(r, "cidrBlock"), "is-default": "false"}}
	})
	set := el("vpcSet")
	for _, one := range all {
		set.children = append(set.children, el("item", el("vpcId", one.ID), el("state", "available"), el("cidrBlock", text(one, "cidrBlock")), el("isDefault", false), tagSet(one)))
	}
	return []element{set}, refused
}
