package dns

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// Zone is one hosted zone with its records.
type Zone struct {
	// Name is the zone's, with or without the final dot.
	Name string
	// NameServers are the zone's as Route 53 assigned them.
	NameServers []string
	Records     []Record
}

// Record is a record set as Route 53 keeps it: values in the presentation format of the type. TTL is in seconds.
type Record struct {
	Name, Type string
	TTL        uint32
	Values     []string
}

// Source: the SOA and NS records that Route 53 makes for a zone. The negative TTL is Route 53's divided to a second,
// so that whoever asked too early sees a record as soon as it is made.
const (
	soaTTL      = 900
	nsTTL       = 172800
	negativeTTL = 1
)

// lookup gives the records of a name whatever their type, and whether the name exists: it has records, it is above
// one that has (an empty non-terminal), or a wildcard covers it.
func (z *Zone) lookup(name string) (records []dns.RR, exists bool, err error) {
	if records, exists, err = z.exact(name, name); exists || err != nil {
		return records, exists, err
	}
	// RFC 4592: the wildcard of the closest ancestor that exists is the only one that counts.
	for ancestor := parent(name); ancestor != "."; ancestor = parent(ancestor) {
		if records, exists, err = z.exact("*."+ancestor, name); exists || err != nil {
			return records, exists, err
		}
		if ancestor == fqdn(z.Name) || z.has(ancestor) {
			break
		}
	}
	return nil, false, nil
}

// exact gives the records kept under a name, written with the given owner.
func (z *Zone) exact(name, owner string) ([]dns.RR, bool, error) {
	var records []dns.RR
	for _, record := range z.Records {
		if fqdn(record.Name) != name {
			continue
		}
		parsed, err := record.parse(owner)
		if err != nil {
			return nil, false, err
		}
		records = append(records, parsed...)
	}
	if name == fqdn(z.Name) {
		records = append(records, z.soa())
		for _, server := range z.NameServers {
			records = append(records, &dns.NS{Hdr: header(name, dns.TypeNS, nsTTL), Ns: fqdn(server)})
		}
	}
	return records, len(records) > 0 || z.has(name), nil
}

// has says whether there is a record at the name or below it.
func (z *Zone) has(name string) bool {
	for _, record := range z.Records {
		if dns.IsSubDomain(name, fqdn(record.Name)) {
			return true
		}
	}
	return false
}

func (r Record) parse(owner string) ([]dns.RR, error) {
	var records []dns.RR
	for _, value := range r.Values {
		// Pulumi programs give the text of a TXT or SPF record without the quotes of the zone file format.
		if (r.Type == "TXT" || r.Type == "SPF") && !strings.HasPrefix(value, `"`) {
			value = `"` + strings.ReplaceAll(value, `"`, `\"`) + `"`
		}
		record, err := dns.NewRR(fmt.Sprintf("%s %d IN %s %s", owner, r.TTL, r.Type, value))
		if err != nil {
			return nil, fmt.Errorf("read record %s %s %q: %w", r.Name, r.Type, value, err)
		}
		records = append(records, record)
	}
	return records, nil
}

func (z *Zone) soa() dns.RR {
	server := "ns." + fqdn(z.Name)
	if len(z.NameServers) > 0 {
		server = fqdn(z.NameServers[0])
	}
	return &dns.SOA{
		Hdr: header(fqdn(z.Name), dns.TypeSOA, soaTTL), Ns: server, Mbox: "awsdns-hostmaster.amazon.com.",
		Serial: 1, Refresh: 7200, Retry: 900, Expire: 1209600, Minttl: negativeTTL,
	}
}

func header(name string, kind uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
}

// parent is the name without its first label; that of the last label is the root, ".".
func parent(name string) string {
	start, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[start:]
}

// fqdn is a name in lower case with its final dot. Route 53 writes the "*" of a wildcard as an octal escape in places.
func fqdn(name string) string {
	return strings.ToLower(dns.Fqdn(strings.ReplaceAll(name, `\052`, "*")))
}

// closest is the zone with the longest name that the name lies in, or nil.
func closest(zones []Zone, name string) *Zone {
	var found *Zone
	for i := range zones {
		apex := fqdn(zones[i].Name)
		if dns.IsSubDomain(apex, name) && (found == nil || dns.CountLabel(apex) > dns.CountLabel(fqdn(found.Name))) {
			found = &zones[i]
		}
	}
	return found
}
