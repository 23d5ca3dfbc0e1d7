package awsapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"berth/rehearsal/aws"
	"berth/rehearsal/query"
)

const (
	zoneType   = "aws:route53/zone:Zone"
	recordType = "aws:route53/record:Record"
	// zonePath is where a hosted zone is, before its id.
	zonePath = "/2013-04-01/hostedzone"
)

func nameOperations() map[string]operation {
	zone := func(c *call) string { return "arn:aws:route53:::hostedzone/" + c.id }
	return map[string]operation{
		"route53:ListHostedZones":        {answer: listZones},
		"route53:GetHostedZone":          {answer: getZone, resource: zone},
		"route53:ListResourceRecordSets": {answer: listRecords, resource: zone},
		"route53:ListTagsForResource":    {answer: listTags, resource: zone},
		"route53:TestDNSAnswer":          {answer: testAnswer},
	}
}

// route tells which operation a URL of Route 53's means, and on which zone.
func route(request *http.Request) (name, id string) {
	if zone, tags := strings.CutPrefix(request.URL.Path, "/2013-04-01/tags/hostedzone/"); tags && request.Method == http.MethodGet {
		return "ListTagsForResource", zone
	}
	rest, hosted := strings.CutPrefix(request.URL.Path, zonePath)
	id, below, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	switch {
	case request.Method != http.MethodGet:
		return request.Method + " " + request.URL.Path, ""
	case request.URL.Path == "/2013-04-01/testdnsanswer":
		return "TestDNSAnswer", ""
	case hosted && id == "" && below == "":
		return "ListHostedZones", ""
	case hosted && below == "":
		return "GetHostedZone", id
	case hosted && below == "rrset":
		return "ListResourceRecordSets", id
	}
	return request.URL.Path, ""
}

func listZones(c *call) (any, *query.Failure) {
	set := query.El("HostedZones")
	for _, zone := range c.account.OfType(zoneType) {
		set.Add(c.zoneElement(zone))
	}
	return []query.Element{set, query.El("IsTruncated", false), query.El("MaxItems", 100)}, nil
}

func (c *call) zoneElement(zone *aws.Resource) query.Element {
	return query.El("HostedZone", query.El("Id", "/hostedzone/"+zone.ID), query.El("Name", text(zone, "name")+"."), query.El("CallerReference", zone.ID),
		query.El("Config", query.El("Comment", text(zone, "comment")), query.El("PrivateZone", false)), query.El("ResourceRecordSetCount", len(c.records(zone))))
}

func (c *call) zone(id string) (*aws.Resource, *query.Failure) {
	if zone := c.account.Resources[zoneType+"::"+id]; zone != nil {
		return zone, nil
	}
	return nil, query.Refuse(http.StatusNotFound, "NoSuchHostedZone", "No hosted zone found with ID: "+id)
}

func getZone(c *call) (any, *query.Failure) {
	zone, refused := c.zone(c.id)
	if refused != nil {
		return nil, refused
	}
	servers := query.El("NameServers")
	for _, name := range texts(zone, "nameServers") {
		servers.Add(query.El("NameServer", name))
	}
	return []query.Element{c.zoneElement(zone), query.El("DelegationSet", servers)}, nil
}

func listTags(c *call) (any, *query.Failure) {
	zone, refused := c.zone(c.id)
	set := query.El("Tags")
	all := tags(zone)
	for _, key := range sortedKeys(all) {
		set.Add(query.El("Tag", query.El("Key", key), query.El("Value", all[key])))
	}
	return []query.Element{query.El("ResourceTagSet", query.El("ResourceType", "hostedzone"), query.El("ResourceId", c.id), set)}, refused
}

// record is a set of a zone's.
type record struct {
	name, kind string
	ttl        int
	values     []string
}

// records are a zone's in Route 53's order: by labels from the right, those that every zone has among them.
func (c *call) records(zone *aws.Resource) []record {
	apex := text(zone, "name") + "."
	servers := texts(zone, "nameServers")
	all := []record{
		{apex, "NS", 172800, servers},
		{apex, "SOA", 900, []string{text(zone, "primaryNameServer") + ". awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"}},
	}
	for _, one := range c.account.OfType(recordType) {
		if text(one, "zoneId") == zone.ID {
			all = append(all, record{text(one, "name") + ".", text(one, "type"), integer(one, "ttl"), texts(one, "records")})
		}
	}
	slices.SortFunc(all, func(a, b record) int { return cmp.Or(byLabels(a.name, b.name), cmp.Compare(a.kind, b.kind)) })
	return all
}

func byLabels(a, b string) int {
	left, right := strings.Split(a, "."), strings.Split(b, ".")
	slices.Reverse(left)
	slices.Reverse(right)
	return slices.Compare(left, right)
}

func listRecords(c *call) (any, *query.Failure) {
	zone, refused := c.zone(c.id)
	if refused != nil {
		return nil, refused
	}
	set := query.El("ResourceRecordSets")
	for _, one := range c.records(zone) {
		if from := c.form.Get("name"); from != "" && byLabels(one.name, strings.TrimSuffix(from, ".")+".") < 0 {
			continue
		}
		values := query.El("ResourceRecords")
		for _, value := range one.values {
			values.Add(query.El("ResourceRecord", query.El("Value", value)))
		}
		set.Add(query.El("ResourceRecordSet", query.El("Name", one.name), query.El("Type", one.kind), query.El("TTL", one.ttl), values))
	}
	return []query.Element{set, query.El("IsTruncated", false), query.El("MaxItems", 300)}, nil
}

func testAnswer(c *call) (any, *query.Failure) {
	zone, refused := c.zone(c.form.Get("hostedzoneid"))
	if refused != nil {
		return nil, refused
	}
	name, kind := strings.TrimSuffix(c.form.Get("recordname"), ".")+".", c.form.Get("recordtype")
	code, entries := "NXDOMAIN", query.El("RecordData")
	for _, one := range c.records(zone) {
		if one.name != name {
			continue
		}
		code = "NOERROR"
		for _, value := range one.values {
			if one.kind == kind {
				entries.Add(query.El("RecordDataEntry", value))
			}
		}
	}
	return []query.Element{query.El("Nameserver", text(zone, "primaryNameServer")), query.El("RecordName", name), query.El("RecordType", kind), entries, query.El("ResponseCode", code), query.El("Protocol", "UDP")}, nil
}
