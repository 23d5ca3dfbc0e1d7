package main

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// home is a region that every account has, and where AWS's lists are kept.
const home = "us-east-1"

// unknown is that AWS may not be asked something, which is no reason not to begin.
func unknown(what, action string, err error) finding {
	if refused(err) {
		return warn("aws-not-allowed-to-ask", "docs/iam/doctor.json lets them", "%s is unknown, as the credentials may not ask it (%s)", what, action)
	}
	return warn("aws-not-checked", "", "%s is unknown: %s", what, brief(err))
}

// region checks that the account has the region, and that its zone has the server's size.
func (d *doctor) region(ctx context.Context) finding {
	cfg, _, who, skipped := d.inAccount(ctx, "availabilityZone", "instanceType")
	if skipped != nil {
		return *skipped
	}
	listed, err := ec2.NewFromConfig(in(who.settings, home)).DescribeRegions(ctx, &ec2.DescribeRegionsInput{AllRegions: aws.Bool(true), RegionNames: []string{cfg.Region}})
	switch {
	case code(err) == "InvalidParameterValue":
		return fail("region-missing", "pulumi config set berth:region eu-central-1", "AWS has no region %s", cfg.Region)
	case err != nil && !refused(err):
		return unknown("whether the account has the region "+cfg.Region, "ec2:DescribeRegions", err)
	case err == nil && slices.ContainsFunc(listed.Regions, func(r types.Region) bool { return aws.ToString(r.OptInStatus) == "not-opted-in" }):
		return fail("region-not-enabled", "aws account enable-region --region-name "+cfg.Region, "the account has not enabled the region %s", cfg.Region)
	}
	client := ec2.NewFromConfig(who.settings)
	_, err = client.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{ZoneNames: []string{cfg.AvailabilityZone}})
	if code(err) == "InvalidParameterValue" {
		return fail("availability-zone-missing", "pulumi config set berth:availabilityZone "+d.otherZone(ctx, client, cfg.InstanceType), "the account has no zone %s in the region", cfg.AvailabilityZone)
	}
	if err != nil {
		return unknown("whether the account has the zone "+cfg.AvailabilityZone, "ec2:DescribeAvailabilityZones", err)
	}
	with, err := offered(ctx, client, cfg.InstanceType)
	if err != nil {
		return unknown("whether "+cfg.AvailabilityZone+" has "+cfg.InstanceType, "ec2:DescribeInstanceTypeOfferings", err)
	}
	if !slices.Contains(with, cfg.AvailabilityZone) {
		return fail("instance-type-not-in-zone", "pulumi config set berth:availabilityZone "+anyOf(with), "the zone %s has no %s", cfg.AvailabilityZone, cfg.InstanceType)
	}
	return fine("%s, in its zone %s, which has %s", cfg.Region, cfg.AvailabilityZone, cfg.InstanceType)
}

// offered are the zones that have a size.
func offered(ctx context.Context, client *ec2.Client, size string) ([]string, error) {
	answer, err := client.DescribeInstanceTypeOfferings(ctx, &ec2.DescribeInstanceTypeOfferingsInput{
		LocationType: types.LocationTypeAvailabilityZone,
		Filters:      []types.Filter{{Name: aws.String("instance-type"), Values: []string{size}}},
	})
	if err != nil {
		return nil, err
	}
	var zones []string
	for _, one := range answer.InstanceTypeOfferings {
		zones = append(zones, aws.ToString(one.Location))
	}
	slices.Sort(zones)
	return zones, nil
}

// otherZone is a zone with the size, for a command that fixes.
func (d *doctor) otherZone(ctx context.Context, client *ec2.Client, size string) string {
	// Without an answer the command has a blank to fill in.
	zones, _ := offered(ctx, client, size)
	return anyOf(zones)
}

func anyOf(zones []string) string {
	if len(zones) == 0 {
		return "ZONE"
	}
	return zones[0]
}
