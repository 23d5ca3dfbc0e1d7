package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// names checks that the site's names are free: Route 53 makes no record where there is one.
func (d *doctor) names(ctx context.Context) finding {
	cfg, read, who, skipped := d.inAccount(ctx, "domain", "aliases", "routes", "redirects", "externalHosts", "zone", "createZone")
	if skipped != nil {
		return *skipped
	}
	known, err := d.findZone(ctx)
	if err != nil {
		return unknown("whether the site's names are free", "route53:ListHostedZones", err)
	}
	if known == nil {
		if cfg.CreateZone {
			return fine("they are free, as the zone is new")
		}
		return wait("the zone is missing (see zone)")
	}
	own, err := d.ownAddress(ctx, read, who)
	if err != nil {
		return unknown("which address is the stack's", "ec2:DescribeAddresses", err)
	}
	client := route53.NewFromConfig(who.settings)
	for _, name := range cfg.Records() {
		taken, err := recordsAt(ctx, client, known.id, name)
		if err != nil {
			return unknown("whether "+name+" is free", "route53:ListResourceRecordSets", err)
		}
		if len(taken) == 0 || own != "" && slices.Contains(taken, "A "+own) {
			continue
		}
		fix := fmt.Sprintf("take it away in Route 53's zone %s, or take another name: pulumi config set berth:domain %s", known.id, shellescape.Quote("new."+cfg.Zone))
		if own != "" {
			return warn("records-elsewhere", "pulumi refresh && pulumi up", "%s has records that do not point to the stack's address %s: %s", name, own, strings.Join(taken, ", "))
		}
		return fail("records-taken", fix, "%s is taken (%s), and Route 53 makes no record where there is one", name, strings.Join(taken, ", "))
	}
	if own != "" {
		return fine("%s point to the stack's address or do not exist", strings.Join(cfg.Records(), ", "))
	}
	return fine("%s: free", strings.Join(cfg.Records(), ", "))
}

// made are the types of records that Berth makes at a name, and the one that tolerates none beside it.
var made = []types.RRType{types.RRTypeA, types.RRTypeAaaa, types.RRTypeCaa, types.RRTypeCname}

// recordsAt are the records of a name that Berth's would meet, as "A 192.0.2.1".
func recordsAt(ctx context.Context, client *route53.Client, zone, name string) ([]string, error) {
	// Records come in the order of their names: those of this one are the first.
	answer, err := client.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{HostedZoneId: aws.String(zone), StartRecordName: aws.String(name)})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, set := range answer.ResourceRecordSets {
		if bare(aws.ToString(set.Name)) != name || !slices.Contains(made, set.Type) {
			continue
		}
		value := "an alias"
		if len(set.ResourceRecords) > 0 {
			value = aws.ToString(set.ResourceRecords[0].Value)
		}
		found = append(found, string(set.Type)+" "+value)
	}
	return found, nil
}

// ownAddress is the stack's Elastic IP address, once; "" where it has none yet.
func (d *doctor) ownAddress(ctx context.Context, read *stack, who *account) (string, error) {
	return d.ours.of(ctx, remote, func(ctx context.Context) (string, error) {
		answer, err := ec2.NewFromConfig(who.settings).DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
		if err != nil {
			return "", err
		}
		for _, one := range answer.Addresses {
			if read.owned(one.Tags) {
				return aws.ToString(one.PublicIp), nil
			}
		}
		return "", nil
	})
}
