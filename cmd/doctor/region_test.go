package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRegion(t *testing.T) {
	for _, test := range []struct {
		operation, answer string
		want              finding
	}{
		{"", "", finding{Reason: "eu-central-1, in its zone eu-central-1a, which has t3.micro"}},
		{"ec2:DescribeRegions", "!InvalidParameterValue", finding{ID: "region-missing", Verdict: fails, Reason: "AWS has no region eu-central-1", Fix: "pulumi config set berth:region eu-central-1"}},
		{"ec2:DescribeRegions", `<DescribeRegionsResponse` + spaceEC2 + `><regionInfo><item><regionName>eu-central-1</regionName><optInStatus>not-opted-in</optInStatus></item></regionInfo></DescribeRegionsResponse>`,
			finding{ID: "region-not-enabled", Verdict: fails, Reason: "the account has not enabled the region eu-central-1", Fix: "aws account enable-region --region-name eu-central-1"}},
		{"ec2:DescribeRegions", "!UnauthorizedOperation", finding{Reason: "eu-central-1, in its zone eu-central-1a, which has t3.micro"}},
		{"ec2:DescribeAvailabilityZones", "!InvalidParameterValue", finding{ID: "availability-zone-missing", Verdict: fails, Reason: "the account has no zone eu-central-1a in the region", Fix: "pulumi config set berth:availabilityZone eu-central-1a"}},
		{"ec2:DescribeAvailabilityZones", "!UnauthorizedOperation", finding{ID: "aws-not-allowed-to-ask", Verdict: warning, Fix: "docs/iam/doctor.json lets them",
			Reason: "whether the account has the zone eu-central-1a is unknown, as the credentials may not ask it (ec2:DescribeAvailabilityZones)"}},
		{"ec2:DescribeInstanceTypeOfferings", offerings("eu-central-1b", "eu-central-1c"), finding{ID: "instance-type-not-in-zone", Verdict: fails, Reason: "the zone eu-central-1a has no t3.micro", Fix: "pulumi config set berth:availabilityZone eu-central-1b"}},
		{"ec2:DescribeInstanceTypeOfferings", offerings(), finding{ID: "instance-type-not-in-zone", Verdict: fails, Reason: "the zone eu-central-1a has no t3.micro", Fix: "pulumi config set berth:availabilityZone ZONE"}},
		{"ec2:DescribeInstanceTypeOfferings", "!InternalError", finding{ID: "aws-not-checked", Verdict: warning, Reason: "whether eu-central-1a has t3.micro is unknown: InternalError: said so"}},
	} {
		b := newBench(t)
		if test.operation != "" {
			b.answers[test.operation] = test.answer
		}
		assert.Equal(t, test.want, b.look((*doctor).region), "%s %s", test.operation, test.answer)
	}
}
