package awsapi

import (
	"fmt"
	"net/http"
	"slices"

	"berth/internal/instance"
	"berth/rehearsal/query"
)

// regions are some of AWS's, with whether an account has to ask for them. Source: AWS Regions User Guide.
var regions = map[string]string{
	"eu-central-1": "opt-in-not-required", "eu-west-1": "opt-in-not-required", "us-east-1": "opt-in-not-required", "us-west-2": "opt-in-not-required",
	"eu-south-2": "not-opted-in", "me-central-1": "not-opted-in",
}

func regionOperations() map[string]operation {
	return map[string]operation{
		"ec2:DescribeRegions":               {answer: describeRegions},
		"ec2:DescribeAvailabilityZones":     {answer: describeZones},
		"ec2:DescribeInstanceTypes":         {answer: describeTypes},
		"ec2:DescribeInstanceTypeOfferings": {answer: describeOfferings},
	}
}

func describeRegions(c *call) (any, *query.Failure) {
	asked := c.listed("RegionName")
	for _, name := range asked {
		if regions[name] == "" {
			return nil, query.Refuse(http.StatusBadRequest, "InvalidParameterValue", "Invalid region name: "+name)
		}
	}
	set := query.El("regionInfo")
	for _, name := range sortedKeys(regions) {
		all := c.form.Get("AllRegions") == "true" || regions[name] != "not-opted-in"
		if all && (len(asked) == 0 || slices.Contains(asked, name)) {
			set.Add(query.El("item", query.El("regionName", name), query.El("regionEndpoint", "ec2."+name+".amazonaws.com"), query.El("optInStatus", regions[name])))
		}
	}
	return []query.Element{set}, nil
}

// zones are a region's.
func zones(region string) []string { return []string{region + "a", region + "b", region + "c"} }

func describeZones(c *call) (any, *query.Failure) {
	asked := c.listed("ZoneName")
	for _, name := range asked {
		if !slices.Contains(zones(c.region), name) {
			return nil, query.Refuse(http.StatusBadRequest, "InvalidParameterValue", "Invalid availability zone: ["+name+"]")
		}
	}
	set := query.El("availabilityZoneInfo")
	for i, name := range zones(c.region) {
		if len(asked) == 0 || slices.Contains(asked, name) {
			set.Add(query.El("item", query.El("zoneName", name), query.El("zoneState", "available"), query.El("regionName", c.region), query.El("zoneId", fmt.Sprintf("euc1-az%d", i+1)),
				query.El("zoneType", "availability-zone"), query.El("optInStatus", "opt-in-not-required")))
		}
	}
	return []query.Element{set}, nil
}

func describeTypes(c *call) (any, *query.Failure) {
	set := query.El("instanceTypeSet")
	for _, name := range c.listed("InstanceType") {
		known, ok := instance.Lookup(name)
		if !ok {
			return nil, query.Refuse(http.StatusBadRequest, "InvalidInstanceType", "The following supplied instance types do not exist: ["+name+"]")
		}
		set.Add(query.El("item", query.El("instanceType", name), query.El("currentGeneration", true), query.El("vCpuInfo", query.El("defaultVCpus", known.VCPUs)), query.El("memoryInfo", query.El("sizeInMiB", known.Memory))))
	}
	return []query.Element{set}, nil
}

// offering is a type that a zone has.
type offering struct{ name, location string }

func describeOfferings(c *call) (any, *query.Failure) {
	locations := []string{c.region}
	kind := c.form.Get("LocationType")
	if kind == "availability-zone" {
		locations = zones(c.region)
	}
	var all []offering
	for _, known := range instance.All {
		for _, location := range locations {
			all = append(all, offering{known.Name(), location})
		}
	}
	all, refused := chosen(c, all, func(o offering) thing {
		return thing{properties: map[string]string{"instance-type": o.name, "location": o.location}}
	})
	set := query.El("instanceTypeOfferingSet")
	for _, one := range all {
		set.Add(query.El("item", query.El("instanceType", one.name), query.El("locationType", kind), query.El("location", one.location)))
	}
	return []query.Element{set}, refused
}
