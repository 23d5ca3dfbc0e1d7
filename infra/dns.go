package infra

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/internal/config"
)

const (
	// recordTTL in seconds: how long resolvers may hold an old answer after an address changed.
	recordTTL = 300

	// letsEncryptAPI is the domain of all of Let's Encrypt's ACME directories, staging included, and letsEncryptCAA
	// the identity that both look for in CAA records. Source: letsencrypt.org/docs/caa.
	letsEncryptAPI = "api.letsencrypt.org"
	letsEncryptCAA = "letsencrypt.org"

	// amazonCAA is the identity of AWS Certificate Manager's authority. Source: its user guide, "CAA records".
	amazonCAA = "amazon.com"
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
	// Balanced says that the names point to a load balancer instead, later (PointNames), which shows a certificate of ACM's.
	Balanced bool
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
		if err := d.records(ctx, name, args); err != nil {
			return nil, err
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

// records declares those of a name.
func (d *DNS) records(ctx *pulumi.Context, name string, args *DNSArgs) error {
	authorities := []string{letsEncryptCAA}
	if args.Balanced {
		authorities = append(authorities, amazonCAA)
	} else {
		if err := d.record(ctx, name, "A", values(args.IPv4)); err != nil {
			return err
		}
		if args.IPv6 != nil {
			if err := d.record(ctx, name, "AAAA", values(args.IPv6)); err != nil {
				return err
			}
		}
	}
	if !args.restrictsAuthority(name) {
		return nil
	}
	var issue pulumi.StringArray
	for _, authority := range authorities {
		issue = append(issue, pulumi.Sprintf(`0 issue "%s"`, authority))
	}
	return d.record(ctx, name, "CAA", values(issue...))
}

// values are those of a record, which has no alias.
func values(values ...pulumi.StringInput) *route53.RecordArgs {
	return &route53.RecordArgs{Ttl: pulumi.Int(recordTTL), Records: pulumi.StringArray(values)}
}

// PointNames has the site's names point to the load balancer of several servers, once after is there. They are the records that point
// to the address of one server, changed in place, so that no name is without one. With one server it does nothing: New has declared
// them.
func (e *Environment) PointNames(ctx *pulumi.Context, cfg *config.Config, after []pulumi.Resource) error {
	if !cfg.Servers.Several() {
		return nil
	}
	for _, name := range cfg.Records() {
		for _, kind := range []string{"A", "AAAA"} {
			alias := &route53.RecordArgs{Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
				Name: e.balancer.DNSName, ZoneId: e.balancer.ZoneID, EvaluateTargetHealth: pulumi.Bool(false),
			}}}
			if err := e.DNS.record(ctx, name, kind, alias, pulumi.DependsOn(after)); err != nil {
				return err
			}
		}
	}
	return nil
}

// record declares a record. One that exists already and is not the stack's own is an error, which comes from AWS:
// overwriting it could take a name from another service.
func (d *DNS) record(ctx *pulumi.Context, name, kind string, args *route53.RecordArgs, opts ...pulumi.ResourceOption) error {
	args.ZoneId, args.Name, args.Type = d.ZoneID, pulumi.String(name), pulumi.String(kind)
	record, err := route53.NewRecord(ctx, strings.ToLower(kind)+"-"+name, args, append(opts, pulumi.Parent(d))...)
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
