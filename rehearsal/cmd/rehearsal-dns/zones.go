package main

import (
	"strings"

	"berth/rehearsal/aws"
	"berth/rehearsal/dns"
)

// balancerTTL in seconds is that of a load balancer's name and of its aliases. Source: Route 53 Developer Guide, "Choosing between
// alias and non-alias records".
const balancerTTL = 60

// databaseTTL in seconds is that of a database's name, which a standby takes over. Source: RDS User Guide, "Failing over a Multi-AZ DB
// instance".
const databaseTTL = 5

// zones reads the hosted zones and their records out of the account in the folder.
func zones(state string) ([]dns.Zone, error) {
	account, err := aws.Read(state)
	if err != nil {
		return nil, err
	}
	var all []dns.Zone
	for _, hosted := range account.OfType("aws:route53/zone:Zone") {
		if undelegated, _ := hosted.Outputs["undelegated"].(bool); undelegated {
			// Its parent knows none of it.
			all = append(all, dns.Zone{Name: text(hosted.Outputs["name"])})
			continue
		}
		zone := dns.Zone{Name: text(hosted.Outputs["name"]), NameServers: texts(hosted.Outputs["nameServers"])}
		for _, record := range account.OfType("aws:route53/record:Record") {
			if text(record.Outputs["zoneId"]) != hosted.ID {
				continue
			}
			// JSON keeps numbers as floating point; a TTL fits.
			ttl, _ := record.Outputs["ttl"].(float64)
			values := texts(record.Outputs["records"])
			if addresses, alias := account.AliasAddresses(record); alias {
				ttl, values = balancerTTL, addresses
			}
			zone.Records = append(zone.Records, dns.Record{Name: text(record.Outputs["name"]), Type: text(record.Outputs["type"]), TTL: uint32(ttl), Values: values})
		}
		all = append(all, zone)
	}
	// All of a region's subnets have the same.
	if subnets := account.OfType("aws:ec2/subnet:Subnet"); len(subnets) > 0 && len(account.OfType(aws.GroupType)) > 0 {
		for _, name := range aws.ScalingNames(subnets[0]) {
			all = append(all, dns.Zone{Name: name, Records: []dns.Record{{Name: name, Type: "A", TTL: 60, Values: []string{account.Internet.Address(aws.ScalingHost)}}}})
		}
	}
	// AWS's own names resolve to the rehearsal's services.
	for _, instance := range account.OfType("aws:ec2/instance:Instance") {
		for name, address := range map[string]string{aws.MonitoringName(instance): account.Internet.Address(aws.MonitoringHost), "*." + aws.S3Name(instance): account.Internet.Address(aws.S3Host)} {
			all = append(all, dns.Zone{Name: strings.TrimPrefix(name, "*."), Records: []dns.Record{{Name: name, Type: "A", TTL: 60, Values: []string{address}}}})
		}
	}
	for _, database := range account.OfType(aws.DatabaseType) {
		name := text(database.Outputs["address"])
		all = append(all, dns.Zone{Name: name, Records: []dns.Record{{Name: name, Type: "A", TTL: databaseTTL, Values: []string{text(database.Outputs["privateIpAddress"])}}}})
	}
	for _, balancer := range account.OfType(aws.LoadBalancerType) {
		name := text(balancer.Outputs["dnsName"])
		all = append(all, dns.Zone{Name: name, Records: []dns.Record{
			{Name: name, Type: "A", TTL: balancerTTL, Values: texts(balancer.Outputs["ipv4Addresses"])},
			{Name: name, Type: "AAAA", TTL: balancerTTL, Values: texts(balancer.Outputs["ipv6Addresses"])},
		}})
	}
	return all, nil
}

// text is a property that is a string; "" where it is missing.
func text(value any) string {
	text, _ := value.(string)
	return text
}

func texts(value any) []string {
	list, _ := value.([]any)
	var all []string
	for _, item := range list {
		all = append(all, text(item))
	}
	return all
}
