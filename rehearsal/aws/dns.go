package aws

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

const (
	zoneType   = "aws:route53/zone:Zone"
	recordType = "aws:route53/record:Record"
)

var caaValue = regexp.MustCompile(`^\d{1,3} (issue|issuewild|iodef) "[^"]*"$`)

func dnsKinds() map[string]*kind {
	return map[string]*kind{
		zoneType:   {operation: "Route 53:CreateHostedZone", invalid: "InvalidInput", create: createZone, remove: removeZone},
		recordType: {operation: "Route 53:ChangeResourceRecordSets", invalid: "InvalidInput", create: createRecord, update: checkRecord},
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
	if len(c.account.users(recordType, "zoneId", c.id)) > 0 && !Truth(c.old.Outputs, "forceDestroy") {
		return apiError("Route 53:DeleteHostedZone", "HostedZoneNotEmpty", "The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
	}
	return nil
}

func createRecord(c *call) error {
	if err := checkRecord(c); err != nil {
		return err
	}
	c.id = Text(c.inputs, "zoneId") + "_" + Text(c.outputs, "name") + "_" + Text(c.inputs, "type")
	if c.account.get(recordType, c.id) != nil {
		c.id += "_" + newHex(4) // It was another type's once, and kept its id when that changed.
	}
	return nil
}

func checkRecord(c *call) error {
	const operation = "Route 53:ChangeResourceRecordSets"
	zone, err := c.find(operation, zoneType, Text(c.inputs, "zoneId"), "NoSuchHostedZone")
	if err != nil {
		return err
	}
	name, apex := bare(Text(c.inputs, "name")), Text(zone.Outputs, "name")
	// The provider keeps a name in lower case and without a final dot.
	c.outputs["name"], c.outputs["fqdn"] = name, name
	if name != apex && !strings.HasSuffix(name, "."+apex) {
		return apiError(operation, "InvalidChangeBatch", "[RRSet with DNS name %s. is not permitted in zone %s.]", name, apex)
	}
	values, aliases := Texts(c.inputs, "records"), Objects(c.inputs, "aliases")
	if len(aliases) > 0 {
		if err := c.checkAlias(operation, aliases); err != nil {
			return err
		}
	} else if _, ok := c.inputs["ttl"]; !ok || len(values) == 0 {
		return apiError(operation, "InvalidInput", "Invalid request: expected ttl and at least one value for %s", name)
	}
	for _, other := range c.account.users(recordType, "zoneId", zone.ID) {
		if other.ID != c.id && Text(other.Outputs, "name") == name && Text(other.Outputs, "type") == Text(c.inputs, "type") {
			return apiError(operation, "InvalidChangeBatch", "[Tried to create resource record set [name='%s.', type='%s'] but it already exists]", name, Text(c.inputs, "type"))
		}
	}
	for _, value := range values {
		if !recordValue(Text(c.inputs, "type"), value) {
			return apiError(operation, "InvalidChangeBatch", "[Invalid Resource Record: 'FATAL problem: %s encountered with '%s'']", "Value is not valid for "+Text(c.inputs, "type"), value)
		}
	}
	return nil
}

// checkAlias looks for the load balancer that an alias names.
func (c *call) checkAlias(operation string, aliases []map[string]any) error {
	typ, alias := Text(c.inputs, "type"), aliases[0]
	name, _ := strings.CutPrefix(bare(Text(alias, "name")), "dualstack.")
	switch balancers := c.account.OfType(LoadBalancerType); {
	case len(aliases) > 1 || len(Texts(c.inputs, "records")) > 0 || c.inputs["ttl"] != nil:
		return apiError(operation, "InvalidInput", "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found more than one")
	case typ != "A" && typ != "AAAA":
		return apiError(operation, "InvalidChangeBatch", "[Tried to create an alias that targets %s., type %s in zone %s, but the alias target name does not have that type]", name, typ, Text(alias, "zoneId"))
	case !slices.ContainsFunc(balancers, func(balancer *Resource) bool {
		return bare(Text(balancer.Outputs, "dnsName")) == name && Text(balancer.Outputs, "zoneId") == Text(alias, "zoneId")
	}):
		return apiError(operation, "InvalidChangeBatch", "[Tried to create an alias that targets %s., type %s in zone %s, but the alias target name does not lie within the target zone]", name, typ, Text(alias, "zoneId"))
	}
	return nil
}

// AliasAddresses are the addresses of the load balancer that a record is an alias of, and whether it is one.
func (a *Account) AliasAddresses(record *Resource) (addresses []string, alias bool) {
	family := map[string]string{"A": "ipv4Addresses", "AAAA": "ipv6Addresses"}[Text(record.Outputs, "type")]
	for _, target := range Objects(record.Outputs, "aliases") {
		alias = true
		name, _ := strings.CutPrefix(bare(Text(target, "name")), "dualstack.")
		for _, balancer := range a.OfType(LoadBalancerType) {
			if bare(Text(balancer.Outputs, "dnsName")) == name {
				addresses = append(addresses, Texts(balancer.Outputs, family)...)
			}
		}
	}
	return addresses, alias
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
