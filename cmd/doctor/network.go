package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// network checks the quota of VPCs, or the existing subnet.
func (d *doctor) network(ctx context.Context) finding {
	cfg, read, who, skipped := d.inAccount(ctx, "subnetId", "availabilityZone")
	if skipped != nil {
		return *skipped
	}
	client := ec2.NewFromConfig(who.settings)
	if cfg.SubnetID != "" {
		answer, err := client.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{cfg.SubnetID}})
		switch {
		case code(err) == "InvalidSubnetID.NotFound":
			return fail("subnet-missing", "pulumi config rm berth:subnetId", "there is no subnet %s in %s", cfg.SubnetID, cfg.Region)
		case err != nil || len(answer.Subnets) != 1:
			return unknown("whether there is the subnet "+cfg.SubnetID, "ec2:DescribeSubnets", orElse(err, "AWS does not say"))
		case aws.ToString(answer.Subnets[0].AvailabilityZone) != cfg.AvailabilityZone:
			zone := aws.ToString(answer.Subnets[0].AvailabilityZone)
			return fail("subnet-in-another-zone", "pulumi config set berth:availabilityZone "+zone, "the subnet %s is in the zone %s, and berth:availabilityZone is %s", cfg.SubnetID, zone, cfg.AvailabilityZone)
		}
		return fine("subnet %s", cfg.SubnetID)
	}
	answer, err := client.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
	if err != nil {
		return unknown("how many VPCs there are", "ec2:DescribeVpcs", err)
	}
	own := 0
	for _, one := range answer.Vpcs {
		if read.owned(one.Tags) {
			own++
		}
	}
	return ofVPCs.check(ctx, who, len(answer.Vpcs), own, 1)
}
