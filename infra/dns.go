package infra

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// recordTTL in seconds: how long resolvers may hold an old answer after an address changed.
	recordTTL = 300

	// letsEncryptAPI is the domain of all of Let's Encrypt's ACME directories, staging included, and letsEncryptCAA
	// the identity that both look for in CAA records. Source: letsencrypt.org/docs/caa.
	letsEncryptAPI = "api.letsencrypt.org"
	letsEncryptCAA = "letsencrypt.org"
)

// DNS is what Route 53 says about the site's names.
type DNS struct {
	pulumi.ResourceState

	// ZoneID is the hosted zone, "Z…".
	ZoneID pulumi.StringOutput
	// NameServers are those of a zone the stack made, which its parent has to delegate to; none for an existing zone.
	NameServers pulumi.StringArrayOutput
	// Records are the declared ones: whoever needs the names to resolve depends on each. Depending on the component
	// would miss those that the SDK has not entered as its children yet.
	Records []pulumi.Resource
}

// DNSArgs are what a DNS needs.
type DNSArgs struct {
	// Names are the site's names that get records, the domain first.
	Names []string
	// Zone is the hosted zone that holds them. Create makes it, and Protect keeps it from being deleted.
	Zone            string
	Create, Protect bool
	// ACMEDirectory is that of the authority that may issue certificates.
	ACMEDirectory string
	// IPv4 and IPv6 are the addresses of the names, IPv6 nil for nowhere.
	IPv4, IPv6 pulumi.StringInput
}

// NewDNS declares the records of the site's names.
func NewDNS(ctx *pulumi.Context, name string, args *DNSArgs, opts ...pulumi.ResourceOption) (*DNS, error) {
	d := &DNS{}
	if err := ctx.RegisterComponentResource("berth:infra:DNS", name, d, opts...); err != nil {
		return nil, fmt.Errorf("declare the DNS: %w", err)
	}
	declare := d.findZone
	if args.Create {
		declare = d.createZone
	}
	if err := declare(ctx, args); err != nil {
		return nil, err
	}

	for _, name := range args.Names {
		if err := d.record(ctx, name, "A", args.IPv4); err != nil {
			return nil, err
		}
		if args.IPv6 != nil {
			if err := d.record(ctx, name, "AAAA", args.IPv6); err != nil {
				return nil, err
			}
		}
		if args.restrictsAuthority(name) {
			if err := d.record(ctx, name, "CAA", pulumi.Sprintf(`0 issue "%s"`, letsEncryptCAA)); err != nil {
				return nil, err
			}
		}
	}
	if err := ctx.RegisterResourceOutputs(d, pulumi.Map{"zoneId": d.ZoneID, "nameServers": d.NameServers, "protected": pulumi.Bool(args.Protect)}); err != nil {
		return nil, fmt.Errorf("register the DNS: %w", err)
	}
	return d, nil
}

// findZone takes the public hosted zone that exists already.
func (d *DNS) findZone(ctx *pulumi.Context, args *DNSArgs) error {
	public := false // a private zone may bear the same name
	zone, err := route53.LookupZone(ctx, &route53.LookupZoneArgs{
		Name:        &args.Zone,
		PrivateZone: &public,
	}, pulumi.Parent(d))
	if err != nil {
		return fmt.Errorf("look up the hosted zone %s: %w. Fix: pulumi config set berth:zone <zone>, "+
			"or pulumi config set berth:createZone true to have it made", args.Zone, err)
	}
	d.ZoneID = pulumi.String(zone.ZoneId).ToStringOutput()
	d.NameServers = pulumi.StringArray{}.ToStringArrayOutput()
	return nil
}

// createZone declares a hosted zone of the stack's own.
func (d *DNS) createZone(ctx *pulumi.Context, args *DNSArgs) error {
	zone, err := route53.NewZone(ctx, "zone", &route53.ZoneArgs{
		Name: pulumi.String(args.Zone),
		Tags: nameTag(args.Names[0]),
	},
		pulumi.Parent(d),
		// A zone recreated has other name servers: the site would be gone until its parent delegates to them.
		pulumi.Protect(args.Protect),
	)
	if err != nil {
		return fmt.Errorf("declare the hosted zone %s: %w", args.Zone, err)
	}
	d.ZoneID = zone.ZoneId
	d.NameServers = zone.NameServers
	return nil
}

// record declares a record with one value. A record that exists already and is not the stack's own is an error, which
// comes from AWS: overwriting it could take a name from another service.
func (d *DNS) record(ctx *pulumi.Context, name, kind string, value pulumi.StringInput) error {
	record, err := route53.NewRecord(ctx, strings.ToLower(kind)+"-"+name, &route53.RecordArgs{
		ZoneId:  d.ZoneID,
		Name:    pulumi.String(name),
		Type:    pulumi.String(kind),
		Ttl:     pulumi.Int(recordTTL),
		Records: pulumi.StringArray{value},
	}, pulumi.Parent(d))
	if err != nil {
		return fmt.Errorf("declare the %s record of %s: %w", kind, name, err)
	}
	d.Records = append(d.Records, record)
	return nil
}

// restrictsAuthority tells whether name gets a CAA record that lets Let's Encrypt alone issue certificates for it.
// There is none where another ACME directory is set, whose identity Berth does not know; and none at the apex of a
// zone that existed before, since a CAA record there also binds every other name in the zone.
func (args *DNSArgs) restrictsAuthority(name string) bool {
	directory, err := url.Parse(args.ACMEDirectory)
	if err != nil {
		return false
	}
	host := directory.Hostname()
	if host != letsEncryptAPI && !strings.HasSuffix(host, "."+letsEncryptAPI) {
		return false
	}
	return name != args.Zone || args.Create
}
