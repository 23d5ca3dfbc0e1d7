package infra

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra/elb"
	"berth/internal/config"
)

const (
	// balancedPort is where nginx takes requests from the load balancer, over TLS.
	balancedPort = 8443

	// readyPath is where nginx says whether its server has the current release.
	readyPath = "/.berth/ready"

	// tlsPolicy offers TLS 1.2 and 1.3 with forward secrecy alone, as nginx does.
	tlsPolicy = "ELBSecurityPolicy-TLS13-1-2-2021-06"

	// usualIdle is Elastic Load Balancing's default of the seconds that a connection may be silent.
	usualIdle = 60

	// validation is how long Certificate Manager has to see the records. It takes minutes most often; where the zone is not
	// delegated it would never end.
	validation = "30m"
)

// Balancer is the Application Load Balancer of several servers, and the certificate that it shows.
type Balancer struct {
	pulumi.ResourceState

	// DNSName and ZoneID are what an alias record points to.
	DNSName, ZoneID pulumi.StringOutput
	// TargetGroupARN is the target group of the servers that take requests.
	TargetGroupARN pulumi.StringOutput

	// metricName is the load balancer's name in CloudWatch's metrics, targetMetricName that of the target group.
	metricName, targetMetricName pulumi.StringOutput
	// listeners are its ports, with what is behind them.
	listeners []pulumi.Resource
}

// BalancerArgs are what a Balancer needs.
type BalancerArgs struct {
	// Names are the site's, the domain first; ZoneID is the hosted zone that holds them.
	Names  []string
	ZoneID pulumi.StringInput
	// Authorities are the records that say who may issue a certificate.
	Authorities []pulumi.Resource
	// Network is where it is, SecurityGroupID who may reach it.
	Network         *Network
	SecurityGroupID pulumi.StringInput
	// FirstID is the first server, which takes requests where First says so.
	FirstID pulumi.IDOutput
	First   bool
	// Sticky keeps a visitor with a server.
	Sticky bool
	// DrainWithin and Idle are seconds: what open requests have to end in, and how long a connection may be silent.
	DrainWithin, Idle int
	// LogDays is how many days access logs are kept in a bucket, 0 for none. Load balancers of Region and Account write to it.
	LogDays         int
	Region, Account string
}

// NewBalancer declares the load balancer and its certificate.
func NewBalancer(ctx *pulumi.Context, name string, args *BalancerArgs, opts ...pulumi.ResourceOption) (*Balancer, error) {
	b := &Balancer{}
	if err := ctx.RegisterComponentResource("berth:infra:Balancer", name, b, opts...); err != nil {
		return nil, fmt.Errorf("declare the load balancer: %w", err)
	}
	certificate, err := b.certificate(ctx, args)
	if err != nil {
		return nil, err
	}
	before := args.Network.egress // Without a gateway, AWS refuses one that faces the Internet.
	// Left out, logs would be written as before.
	logs := elb.LoadBalancerAccessLogsArgs{Bucket: pulumi.String(""), Enabled: pulumi.Bool(false)}
	if args.LogDays > 0 {
		bucket, ready, err := b.logs(ctx, args)
		if err != nil {
			return nil, err
		}
		logs, before = elb.LoadBalancerAccessLogsArgs{Bucket: bucket, Enabled: pulumi.Bool(true)}, slices.Concat(before, ready)
	}
	balancer, err := elb.NewLoadBalancer(ctx, "site", &elb.LoadBalancerArgs{
		LoadBalancerType: pulumi.String("application"),
		Internal:         pulumi.Bool(false),
		IpAddressType:    pulumi.String("dualstack"),
		SecurityGroups:   pulumi.StringArray{args.SecurityGroupID},
		Subnets:          pulumi.StringArray{args.Network.SubnetID, args.Network.secondID},
		IdleTimeout:      pulumi.Int(args.Idle),
		// nginx drops them, too.
		DropInvalidHeaderFields: pulumi.Bool(true),
		AccessLogs:              logs,
		Tags:                    nameTag(args.Names[0]),
	}, pulumi.Parent(b), pulumi.DependsOn(before))
	if err != nil {
		return nil, fmt.Errorf("declare the load balancer: %w", err)
	}
	b.DNSName, b.ZoneID, b.metricName = balancer.DnsName, balancer.ZoneId, balancer.ArnSuffix
	site, challenge, err := b.targets(ctx, args)
	if err != nil {
		return nil, err
	}
	b.TargetGroupARN, b.targetMetricName = site.Arn, site.ArnSuffix
	if err := b.listen(ctx, args, balancer, certificate, site, challenge); err != nil {
		return nil, err
	}
	if err := ctx.RegisterResourceOutputs(b, pulumi.Map{"dnsName": b.DNSName}); err != nil {
		return nil, fmt.Errorf("register the load balancer: %w", err)
	}
	return b, nil
}

// certificate declares the certificate with the record of each name by which Certificate Manager sees whose it is, now and at every
// renewal, and waits until it is issued.
func (b *Balancer) certificate(ctx *pulumi.Context, args *BalancerArgs) (*elb.CertificateValidation, error) {
	certificate, err := elb.NewCertificate(ctx, "site", &elb.CertificateArgs{
		DomainName:              pulumi.String(args.Names[0]),
		SubjectAlternativeNames: pulumi.ToStringArray(args.Names[1:]),
		ValidationMethod:        pulumi.String("DNS"),
		Tags:                    nameTag(args.Names[0]),
	}, pulumi.Parent(b), pulumi.DependsOn(args.Authorities))
	if err != nil {
		return nil, fmt.Errorf("declare the load balancer's certificate: %w", err)
	}
	var names pulumi.StringArray
	for _, name := range args.Names {
		// They come in any order, one for each name. Another certificate for the name has the same record.
		asked := func(key string) pulumi.StringOutput {
			return certificate.DomainValidationOptions.ApplyT(func(options []any) (string, error) {
				return validationOf(options, name, key)
			}).(pulumi.StringOutput)
		}
		record, err := route53.NewRecord(ctx, "validation-"+name, &route53.RecordArgs{
			ZoneId:  args.ZoneID,
			Name:    asked("resourceRecordName"),
			Type:    pulumi.String("CNAME"),
			Ttl:     pulumi.Int(recordTTL),
			Records: pulumi.StringArray{asked("resourceRecordValue")},
		}, pulumi.Parent(b))
		if err != nil {
			return nil, fmt.Errorf("declare the record that validates %s: %w", name, err)
		}
		names = append(names, record.Fqdn)
	}
	issued, err := elb.NewCertificateValidation(ctx, "site", &elb.CertificateValidationArgs{
		CertificateArn: certificate.Arn, ValidationRecordFqdns: names,
	}, pulumi.Parent(b), pulumi.Timeouts(&pulumi.CustomTimeouts{Create: validation}))
	if err != nil {
		return nil, fmt.Errorf("declare the validation of the load balancer's certificate: %w", err)
	}
	return issued, nil
}

// validationOf is a field of the record that Certificate Manager asks for of a name.
func validationOf(options []any, name, key string) (string, error) {
	for _, option := range options {
		fields, _ := option.(map[string]any)
		if fields["domainName"] == name {
			if value, _ := fields[key].(string); value != "" {
				return value, nil
			}
		}
	}
	return "", fmt.Errorf("read the record that validates %s: Certificate Manager names none. Fix: pulumi refresh, then pulumi up", name)
}

// targets declares the two target groups: one for requests, one for the certificate authority's, which the first server alone answers.
func (b *Balancer) targets(ctx *pulumi.Context, args *BalancerArgs) (site, challenge *elb.TargetGroup, err error) {
	group := func(name, protocol string, port, drain int, sticky bool) (*elb.TargetGroup, error) {
		made, err := elb.NewTargetGroup(ctx, name, &elb.TargetGroupArgs{
			VpcId:               args.Network.VPCID,
			TargetType:          pulumi.String("instance"),
			Protocol:            pulumi.String(protocol),
			Port:                pulumi.Int(port),
			DeregistrationDelay: pulumi.Int(drain),
			HealthCheck: elb.TargetGroupHealthCheckArgs{
				Protocol: pulumi.String("HTTPS"), Port: pulumi.String(strconv.Itoa(balancedPort)), Path: pulumi.String(readyPath), Matcher: pulumi.String("200"),
				Interval: pulumi.Int(5), Timeout: pulumi.Int(2), HealthyThreshold: pulumi.Int(2), UnhealthyThreshold: pulumi.Int(2),
			},
			// Left out, it would stay as it was.
			Stickiness: elb.TargetGroupStickinessArgs{Enabled: pulumi.Bool(sticky), Type: pulumi.String("lb_cookie")},
			Tags:       nameTag(args.Names[0]),
		}, pulumi.Parent(b))
		if err != nil {
			return nil, fmt.Errorf("declare the target group %s: %w", name, err)
		}
		return made, nil
	}
	if site, err = group("site", "HTTPS", balancedPort, args.DrainWithin, args.Sticky); err != nil {
		return nil, nil, err
	}
	if challenge, err = group("challenge", "HTTP", 80, 0, false); err != nil {
		return nil, nil, err
	}
	if err := b.attach(ctx, args, "challenge", challenge); err != nil {
		return nil, nil, err
	}
	if args.First {
		err = b.attach(ctx, args, "site", site)
	}
	return site, challenge, err
}

// attach makes the first server a target of a group.
func (b *Balancer) attach(ctx *pulumi.Context, args *BalancerArgs, name string, group *elb.TargetGroup) error {
	attachment, err := elb.NewTargetGroupAttachment(ctx, name, &elb.TargetGroupAttachmentArgs{TargetGroupArn: group.Arn, TargetId: args.FirstID}, pulumi.Parent(b))
	if err != nil {
		return fmt.Errorf("declare the first server as a target of %s: %w", name, err)
	}
	b.listeners = append(b.listeners, attachment)
	return nil
}

// listen declares the two ports.
func (b *Balancer) listen(ctx *pulumi.Context, args *BalancerArgs, balancer *elb.LoadBalancer, certificate *elb.CertificateValidation, site, challenge *elb.TargetGroup) error {
	tags, parent := nameTag(args.Names[0]), pulumi.Parent(b)
	https, err := elb.NewListener(ctx, "https", &elb.ListenerArgs{
		LoadBalancerArn: balancer.Arn, Protocol: pulumi.String("HTTPS"), Port: pulumi.Int(443),
		CertificateArn: certificate.CertificateArn, SslPolicy: pulumi.String(tlsPolicy),
		DefaultActions: []elb.ListenerDefaultActionArgs{{Type: pulumi.String("forward"), TargetGroupArn: site.Arn}},
		Tags:           tags,
	}, parent)
	if err != nil {
		return fmt.Errorf("declare the load balancer's port 443: %w", err)
	}
	http, err := elb.NewListener(ctx, "http", &elb.ListenerArgs{
		LoadBalancerArn: balancer.Arn, Protocol: pulumi.String("HTTP"), Port: pulumi.Int(80),
		DefaultActions: []elb.ListenerDefaultActionArgs{{Type: pulumi.String("redirect"), Redirect: elb.ListenerDefaultActionRedirectArgs{
			Protocol: pulumi.String("HTTPS"), Port: pulumi.String("443"), StatusCode: pulumi.String("HTTP_301"),
		}}},
		Tags: tags,
	}, parent)
	if err != nil {
		return fmt.Errorf("declare the load balancer's port 80: %w", err)
	}
	// The servers' own certificate is Let's Encrypt's, which the first server asks for as before.
	rule, err := elb.NewListenerRule(ctx, "challenge", &elb.ListenerRuleArgs{
		ListenerArn: http.Arn, Priority: pulumi.Int(1),
		Conditions: []elb.ListenerRuleConditionArgs{{PathPattern: elb.ListenerRuleConditionPathPatternArgs{Values: pulumi.ToStringArray([]string{"/.well-known/acme-challenge/*"})}}},
		Actions:    []elb.ListenerRuleActionArgs{{Type: pulumi.String("forward"), TargetGroupArn: challenge.Arn}},
		Tags:       tags,
	}, parent)
	if err != nil {
		return fmt.Errorf("declare what the load balancer hands on to the first server: %w", err)
	}
	b.listeners = append(b.listeners, https, http, rule)
	return nil
}

// Idle is how long in seconds the load balancer lets a connection be silent: longer than nginx lets the app by a little, and nginx then
// answers with its own page.
func Idle(cfg *config.Config) int {
	longest := max(usualIdle, cfg.Timeout)
	for i := range cfg.Routes {
		longest = max(longest, cfg.Routes[i].Timeout)
	}
	return min(longest+5, config.MaxIdle)
}
