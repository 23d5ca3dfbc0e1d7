package main

import (
	"strings"

	"berth/rehearsal/aws"
	"berth/rehearsal/dns"
)

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
			zone.Records = append(zone.Records, dns.Record{
				Name: text(record.Outputs["name"]), Type: text(record.Outputs["type"]),
				TTL: uint32(ttl), Values: texts(record.Outputs["records"]),
			})
		}
		all = append(all, zone)
	}
	// AWS's own names resolve to the rehearsal's services.
	for _, instance := range account.OfType("aws:ec2/instance:Instance") {
		for name, address := range map[string]string{aws.MonitoringName(instance): account.Internet.Address(aws.MonitoringHost), "*." + aws.S3Name(instance): account.Internet.Address(aws.S3Host)} {
			all = append(all, dns.Zone{Name: strings.TrimPrefix(name, "*."), Records: []dns.Record{{Name: name, Type: "A", TTL: 60, Values: []string{address}}}})
		}
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
