package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
)

// quota is one of Service Quotas'.
type quota struct{ service, code, of string }

// The quotas that a new stack runs into. Source: Service Quotas, "Amazon EC2", "Amazon VPC" and "AWS Certificate
// Manager (ACM)".
var (
	ofAddresses = quota{"ec2", "L-0263D0A3", "Elastic IP addresses"}
	ofVCPUs     = quota{"ec2", "L-1216C47A", "vCPUs of running servers"}
	ofVPCs      = quota{"vpc", "L-F678F1CE", "VPCs"}
	ofNames     = quota{"acm", "L-FB94F0B0", "names in a certificate of ACM's"}
)

// standard are the families that the quota of vCPUs is about.
const standard = "acdhimrtz"

// raise is the command that asks AWS for more.
func (q quota) raise(to int, region string) string {
	return fmt.Sprintf("aws service-quotas request-service-quota-increase --service-code %s --quota-code %s --desired-value %d --region %s", q.service, q.code, to, region)
}

// weigh holds what is used, of it the stack's own, and what the stack needs against the quota.
func (q quota) check(ctx context.Context, who *account, used, own, needs int) finding {
	if own > 0 {
		needs = max(needs-own, 0)
	}
	client := servicequotas.NewFromConfig(who.settings)
	limit, err := q.limit(ctx, client)
	if err != nil {
		found := unknown("the quota of "+q.of, "servicequotas:GetServiceQuota", err)
		found.Reason += fmt.Sprintf("; %d in use, %d more needed", used, needs)
		return found
	}
	switch {
	case used+needs > limit:
		return fail("quota-exceeded", q.raise(used+needs, who.settings.Region), "the account may have %d %s in %s: %d are in use, and %d more needed", limit, q.of, who.settings.Region, used, needs)
	case own == 0:
		return fine("%d of %d %s in use, and %d needed", used, limit, q.of, needs)
	case needs > 0:
		return fine("%d of %d %s in use, this stack's among them, and %d more needed", used, limit, q.of, needs)
	}
	return fine("%d of %d %s in use, this stack's among them", used, limit, q.of)
}

func (q quota) limit(ctx context.Context, client *servicequotas.Client) (int, error) {
	applied, err := client.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String(q.service), QuotaCode: aws.String(q.code)})
	if err == nil {
		return int(aws.ToFloat64(applied.Quota.Value)), nil
	}
	if code(err) != "NoSuchResourceException" {
		return 0, err
	}
	// For a quota that was never raised, AWS may know only the default.
	usual, err := client.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: aws.String(q.service), QuotaCode: aws.String(q.code)})
	if err != nil {
		return 0, err
	}
	return int(aws.ToFloat64(usual.Quota.Value)), nil
}

// owned says whether tags are those of the stack's own resources.
func (s *stack) owned(tags []types.Tag) bool {
	found := map[string]string{}
	for _, tag := range tags {
		found[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return found["ManagedBy"] == "berth" && found["Project"] == s.project && found["Stack"] == s.name
}

func (d *doctor) addresses(ctx context.Context) finding {
	_, read, who, skipped := d.inAccount(ctx)
	if skipped != nil {
		return *skipped
	}
	answer, err := ec2.NewFromConfig(who.settings).DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
	if err != nil {
		return unknown("how many Elastic IP addresses are in use", "ec2:DescribeAddresses", err)
	}
	own := 0
	for _, one := range answer.Addresses {
		if read.owned(one.Tags) {
			own++
		}
	}
	return ofAddresses.check(ctx, who, len(answer.Addresses), own, 1)
}

func (d *doctor) vcpus(ctx context.Context) finding {
	cfg, read, who, skipped := d.inAccount(ctx, "instanceType", "servers")
	if skipped != nil {
		return *skipped
	}
	client := ec2.NewFromConfig(who.settings)
	sizes, err := client.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{types.InstanceType(cfg.InstanceType)}})
	if err != nil || len(sizes.InstanceTypes) != 1 || sizes.InstanceTypes[0].VCpuInfo == nil {
		return unknown("how many vCPUs a "+cfg.InstanceType+" has", "ec2:DescribeInstanceTypes", orElse(err, "AWS does not say"))
	}
	used, own := 0, 0
	pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return unknown("how many vCPUs are in use", "ec2:DescribeInstances", err)
		}
		for _, reservation := range page.Reservations {
			for _, one := range reservation.Instances {
				count := counts(one)
				used += count
				if read.owned(one.Tags) {
					own += count
				}
			}
		}
	}
	// As many servers as there may be are of this type.
	return ofVCPUs.check(ctx, who, used, own, cfg.Servers.Max*int(aws.ToInt32(sizes.InstanceTypes[0].VCpuInfo.DefaultVCpus)))
}

// certificate checks whether ACM's certificate, which several servers have, may have all names.
func (d *doctor) certificate(ctx context.Context) finding {
	cfg, _, who, skipped := d.inAccount(ctx, "servers", "domain", "aliases", "routes", "redirects")
	if skipped != nil {
		return *skipped
	}
	if !cfg.Servers.Several() {
		return fine("of Let's Encrypt, or the authority that berth:acmeDirectory names")
	}
	return ofNames.check(ctx, who, 0, 0, len(cfg.Names()))
}

// counts is how many vCPUs an instance takes of the quota.
func counts(one types.Instance) int {
	family := []byte(one.InstanceType)
	if len(family) == 0 || one.InstanceLifecycle == types.InstanceLifecycleTypeSpot || one.CpuOptions == nil {
		return 0
	}
	for i := range len(standard) {
		if family[0] == standard[i] {
			return int(aws.ToInt32(one.CpuOptions.CoreCount) * aws.ToInt32(one.CpuOptions.ThreadsPerCore))
		}
	}
	return 0
}

// orElse is an error, or one with this sentence where there is none.
func orElse(err error, sentence string) error {
	if err == nil {
		return fmt.Errorf("%s", sentence)
	}
	return err
}
