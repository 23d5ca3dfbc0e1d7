package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNetwork(t *testing.T) {
	b := newBench(t)
	assert.Equal(t, finding{Reason: "1 of 5 VPCs in use, and 1 needed"}, b.look((*doctor).network))
	b.answers["servicequotas:GetServiceQuota"] = `{"Quota":{"Value":1}}`
	assert.Equal(t, fails, b.look((*doctor).network).Verdict)

	subnet := func(zone string) string {
		return `<DescribeSubnetsResponse` + spaceEC2 + `><subnetSet><item><subnetId>subnet-0123456789abcdef0</subnetId><availabilityZone>` + zone + `</availabilityZone></item></subnetSet></DescribeSubnetsResponse>`
	}
	b.set("subnetId", "subnet-0123456789abcdef0")
	b.answers["ec2:DescribeSubnets"] = subnet("eu-central-1a")
	assert.Equal(t, finding{Reason: "subnet subnet-0123456789abcdef0"}, b.look((*doctor).network))
	b.answers["ec2:DescribeSubnets"] = subnet("eu-central-1b")
	assert.Equal(t, "pulumi config set berth:availabilityZone eu-central-1b", b.look((*doctor).network).Fix)
	b.answers["ec2:DescribeSubnets"] = "!InvalidSubnetID.NotFound"
	assert.Equal(t, finding{ID: "subnet-missing", Verdict: fails, Reason: "there is no subnet subnet-0123456789abcdef0 in eu-central-1", Fix: "pulumi config rm berth:subnetId"}, b.look((*doctor).network))
}
