package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAddresses(t *testing.T) {
	const raise = "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-0263D0A3 --desired-value 6 --region eu-central-1"
	for _, test := range []struct {
		tags []string
		want finding
	}{
		{nil, finding{Reason: "0 of 5 Elastic IP addresses in use, and 1 needed"}},
		{[]string{"", "", "", ""}, finding{Reason: "4 of 5 Elastic IP addresses in use, and 1 needed"}},
		{[]string{"", "", "", "", ""}, finding{ID: "quota-exceeded", Verdict: fails, Reason: "the account may have 5 Elastic IP addresses in eu-central-1: 5 are in use, and 1 more needed", Fix: raise}},
		{[]string{"", "", "", "", ownTags}, finding{Reason: "5 of 5 Elastic IP addresses in use, this stack's among them"}},
	} {
		b := newBench(t)
		b.answers["ec2:DescribeAddresses"] = addresses(test.tags...)
		assert.Equal(t, test.want, b.look((*doctor).addresses))
	}
	b := newBench(t)
	b.answers["ec2:DescribeAddresses"] = "!UnauthorizedOperation"
	assert.Contains(t, b.look((*doctor).addresses).Reason, "as the credentials may not ask it (ec2:DescribeAddresses)")
}

// TestAQuotaThatNobodyRaised is known by AWS's default alone.
func TestAQuotaThatNobodyRaised(t *testing.T) {
	b := newBench(t)
	b.answers["servicequotas:GetServiceQuota"] = "!NoSuchResourceException"
	b.answers["servicequotas:GetAWSDefaultServiceQuota"] = `{"Quota":{"Value":7}}`
	assert.Equal(t, "0 of 7 Elastic IP addresses in use, and 1 needed", b.look((*doctor).addresses).Reason)
	b.answers["servicequotas:GetServiceQuota"] = "!AccessDeniedException"
	assert.Equal(t, finding{ID: "aws-not-allowed-to-ask", Verdict: warning, Fix: "docs/iam/doctor.json lets them",
		Reason: "the quota of Elastic IP addresses is unknown, as the credentials may not ask it (servicequotas:GetServiceQuota); 0 in use, 1 more needed"}, b.look((*doctor).addresses))
}

func TestNamesOfACertificate(t *testing.T) {
	b := newBench(t)
	assert.Equal(t, "of Let's Encrypt, or the authority that berth:acmeDirectory names", b.look((*doctor).certificate).Reason)
	b.set("servers", "3")
	assert.Equal(t, ok, b.look((*doctor).certificate).Verdict)
	b.answers["servicequotas:GetServiceQuota"] = `{"Quota":{"Value":0}}`
	found := b.look((*doctor).certificate)
	assert.Equal(t, fails, found.Verdict)
	assert.Contains(t, found.Fix, "--service-code acm --quota-code L-FB94F0B0 --desired-value ")
}

// instance is a running one of a size, with tags.
func instance(size, more string) string {
	return `<item><instancesSet><item><instanceType>` + size + `</instanceType><cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>` + more + `</item></instancesSet></item>`
}

func TestVCPUs(t *testing.T) {
	for _, test := range []struct {
		instances string
		want      string
		verdict   verdict
	}{
		{"", "0 of 5 vCPUs of running servers in use, and 2 needed", ok},
		{instance("m5.large", ""), "2 of 5 vCPUs of running servers in use, and 2 needed", ok},
		{instance("m5.large", "") + instance("t3.micro", ""), "the account may have 5 vCPUs of running servers in eu-central-1: 4 are in use, and 2 more needed", fails},
		{instance("m5.large", "") + instance("t3.micro", ownTags), "4 of 5 vCPUs of running servers in use, this stack's among them", ok},
		{instance("m5.large", "") + instance("m5.large", "<instanceLifecycle>spot</instanceLifecycle>") + instance("p4.large", ""), "2 of 5 vCPUs of running servers in use, and 2 needed", ok},
	} {
		b := newBench(t)
		b.answers["ec2:DescribeInstances"] = `<DescribeInstancesResponse` + spaceEC2 + `><reservationSet>` + test.instances + `</reservationSet></DescribeInstancesResponse>`
		found := b.look((*doctor).vcpus)
		assert.Equal(t, test.want, found.Reason)
		assert.Equal(t, test.verdict, found.Verdict)
	}
	b := newBench(t)
	b.answers["ec2:DescribeInstances"] = `<DescribeInstancesResponse` + spaceEC2 + `><reservationSet>` + instance("t3.micro", ownTags) + `</reservationSet></DescribeInstancesResponse>`
	b.answers["ec2:DescribeInstanceTypes"] = `<DescribeInstanceTypesResponse` + spaceEC2 + `><instanceTypeSet><item><vCpuInfo><defaultVCpus>4</defaultVCpus></vCpuInfo></item></instanceTypeSet></DescribeInstanceTypesResponse>`
	assert.Equal(t, "2 of 5 vCPUs of running servers in use, this stack's among them, and 2 more needed", b.look((*doctor).vcpus).Reason, "a larger size")
	b.set("servers", "3")
	assert.Equal(t, "the account may have 5 vCPUs of running servers in eu-central-1: 2 are in use, and 10 more needed", b.look((*doctor).vcpus).Reason, "three of them")
	b.answers["ec2:DescribeInstanceTypes"] = "!InvalidInstanceType"
	assert.Equal(t, "how many vCPUs a t3.micro has is unknown: InvalidInstanceType: said so", b.look((*doctor).vcpus).Reason)
}
