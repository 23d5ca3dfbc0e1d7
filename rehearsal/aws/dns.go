package aws

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
)

const (
	zoneType   = "aws:route53/zone:Zone"
	recordType = "aws:route53/record:Record"
)

var caaValue = regexp.MustCompile(`^\d{1,3} (issue|issuewild|iodef) "[^"]*"$`)

func dnsKinds() map[string]*kind {
	return map[string]*kind{
		zoneType:   {args: route53.ZoneArgs{}, replaces: []string{"name", "delegationSetId"}, create: createZone, remove: removeZone},
		recordType: {args: route53.RecordArgs{}, replaces: []string{"name", "type", "zoneId", "setIdentifier"}, create: createRecord, update: checkRecord},
	}
}

func createZone(c *call) error {
	c.id = "Z" + strings.ToUpper(newHex(20))
	c.outputs["zoneId"], c.outputs["arn"] = c.id, "arn:aws:route53:::hostedzone/"+c.id
	var servers []string
	for i, suffix := range []string{"com", "net", "org", "co.uk"} {
		servers = append(servers, fmt.Sprintf("ns-%d.awsdns-%02d.%s", 100+i*512, i, suffix))
	}
	c.outputs["nameServers"], c.outputs["primaryNameServer"] = anys(servers...), servers[0]
	defaulted(c.outputs, "comment", "Managed by Pulumi")
	return nil
}

func removeZone(c *call) error {
	if len(c.account.users(recordType, "zoneId", c.id)) > 0 && !boolean(c.old.Outputs, "forceDestroy") {
		return apiError("Route 53:DeleteHostedZone", "HostedZoneNotEmpty", "The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
	}
	return nil
}

func createRecord(c *call) error {
	if err := checkRecord(c); err != nil {
		return err
	}
	zone, name, typ := text(c.inputs, "zoneId"), text(c.inputs, "name"), text(c.inputs, "type")
	c.id = zone + "_" + name + "_" + typ
	if c.account.get(recordType, c.id) != nil && !boolean(c.inputs, "allowOverwrite") {
		return apiError("Route 53:ChangeResourceRecordSets", "InvalidChangeBatch", "[Tried to create resource record set [name='%s.', type='%s'] but it already exists]", name, typ)
	}
	c.outputs["fqdn"] = name
	return nil
}

func checkRecord(c *call) error {
	const operation = "Route 53:ChangeResourceRecordSets"
	zone, err := c.find(operation, zoneType, text(c.inputs, "zoneId"), "NoSuchHostedZone")
	if err != nil {
		return err
	}
	name, apex := text(c.inputs, "name"), text(zone.Outputs, "name")
	if name != apex && !strings.HasSuffix(name, "."+apex) {
		return apiError(operation, "InvalidChangeBatch", "[RRSet with DNS name %s. is not permitted in zone %s.]", name, apex)
	}
	values := list(c.inputs, "records")
	if _, ok := c.inputs["ttl"]; !ok || len(values) == 0 {
		return apiError(operation, "InvalidInput", "Invalid request: expected ttl and at least one value for %s", name)
	}
	for _, value := range values {
		if !recordValue(text(c.inputs, "type"), value) {
			return apiError(operation, "InvalidChangeBatch", "[Invalid Resource Record: 'FATAL problem: %s encountered with '%s'']", "Value is not valid for "+text(c.inputs, "type"), value)
		}
	}
	return nil
}

// recordValue says whether a value has its type's format.
func recordValue(typ, value string) bool {
	address, err := netip.ParseAddr(value)
	switch typ {
	case "A":
		return err == nil && address.Is4()
	case "AAAA":
		return err == nil && address.Is6()
	case "CAA":
		return caaValue.MatchString(value)
	default:
		return value != ""
	}
}
