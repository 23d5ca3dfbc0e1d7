package infra

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra/ec2"
)

// The ranges that hold every address.
const (
	anyIPv4 = "0.0.0.0/0"
	anyIPv6 = "::/0"
)

// Firewall is the server's security group: SSH from the operator's ranges, HTTP and HTTPS from everywhere, and nothing
// else in. It is the only protection from the outside: a firewall on the host would be bypassed by the ports that Docker
// publishes. The one there keeps containers from the server's own services, which this one never sees.
//
// Several servers have two groups more, the web servers' and the load balancer's, and each lets in what the others send it alone.
type Firewall struct {
	pulumi.ResourceState

	// SecurityGroupID is the group the server belongs to.
	SecurityGroupID pulumi.StringOutput
	// WebGroupID is the group of the web servers, BalancerGroupID that of the load balancer.
	WebGroupID, BalancerGroupID pulumi.StringOutput
	// DatabaseGroupID is the group of a database in RDS.
	DatabaseGroupID pulumi.StringOutput

	// groups are those that are declared.
	groups pulumi.StringArray
	// rules are those that are declared.
	rules pulumi.IDArray
	// between are those by which the load balancer, web servers and the first server reach each other.
	between []pulumi.Resource
}

// FirewallArgs are what a Firewall needs.
type FirewallArgs struct {
	// Domain is the site's, for the name in AWS's console.
	Domain string
	// VPCID is the VPC of the server's subnet.
	VPCID pulumi.StringInput
	// OperatorCIDRs are the ranges that may connect over SSH.
	OperatorCIDRs []netip.Prefix
	// HTTP3 opens the port of HTTPS to UDP.
	HTTP3 bool
	// Several says whether there are web servers and a load balancer.
	Several bool
	// Database says whether there is a database in RDS.
	Database bool
}

// NewFirewall declares the security group and each of its rules.
func NewFirewall(ctx *pulumi.Context, name string, args *FirewallArgs, opts ...pulumi.ResourceOption) (*Firewall, error) {
	f := &Firewall{}
	if err := ctx.RegisterComponentResource("berth:infra:Firewall", name, f, opts...); err != nil {
		return nil, fmt.Errorf("declare the firewall: %w", err)
	}
	var err error
	if f.SecurityGroupID, err = f.group(ctx, "security-group", "SSH from the operator, HTTP and HTTPS from everywhere", args.Domain, args); err != nil {
		return nil, err
	}
	var openings []opening
	for _, cidr := range args.OperatorCIDRs {
		openings = append(openings, opening{"ssh-from-" + ruleName(cidr), "tcp", cidr.String(), "SSH from the operator", 22})
	}
	openings = append(openings, toSite("")...)
	if args.HTTP3 {
		openings = append(openings, opening{"http3-ipv4", "udp", anyIPv4, "HTTP/3 from everywhere", 443}, opening{"http3-ipv6", "udp", anyIPv6, "HTTP/3 from everywhere", 443})
	}
	if err := f.allowIn(ctx, f.SecurityGroupID, openings); err != nil {
		return nil, err
	}
	if err := f.allowOut(ctx, f.SecurityGroupID, ""); err != nil {
		return nil, err
	}
	if args.Several {
		if err := f.several(ctx, args); err != nil {
			return nil, err
		}
	}
	if args.Database {
		if err := f.database(ctx, args); err != nil {
			return nil, err
		}
	}
	f.warnOfStrangers(ctx)
	if err := ctx.RegisterResourceOutputs(f, pulumi.Map{"securityGroupId": f.SecurityGroupID}); err != nil {
		return nil, fmt.Errorf("register the firewall: %w", err)
	}
	return f, nil
}

// add remembers a rule.
func (f *Firewall) add(rule pulumi.CustomResource) {
	f.rules = append(f.rules, rule.ID())
	if len(f.groups) > 1 {
		f.between = append(f.between, rule)
	}
}

// group declares a security group. Another description, or another name, would replace it.
func (f *Firewall) group(ctx *pulumi.Context, name, description, tag string, args *FirewallArgs) (pulumi.StringOutput, error) {
	group, err := ec2.NewSecurityGroup(ctx, name, &ec2.SecurityGroupArgs{
		Description: pulumi.String(description),
		VpcId:       args.VPCID,
		Tags:        nameTag(tag),
	}, pulumi.Parent(f))
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("declare the security group %s: %w", name, err)
	}
	id := group.ID().ToStringOutput()
	f.groups = append(f.groups, id)
	return id, nil
}

// several declares the groups of the web servers and of the load balancer, and who of the three may reach whom.
func (f *Firewall) several(ctx *pulumi.Context, args *FirewallArgs) (err error) {
	if f.WebGroupID, err = f.group(ctx, "web-security-group", "SSH from the first server, HTTPS from the load balancer", webName(args.Domain), args); err != nil {
		return err
	}
	if f.BalancerGroupID, err = f.group(ctx, "balancer-security-group", "HTTP and HTTPS from everywhere", args.Domain+" balancer", args); err != nil {
		return err
	}
	if err := f.allowIn(ctx, f.BalancerGroupID, toSite("balancer-")); err != nil {
		return err
	}
	if err := f.allowOut(ctx, f.WebGroupID, "web-"); err != nil {
		return err
	}
	first, web, balancer := f.SecurityGroupID, f.WebGroupID, f.BalancerGroupID
	for _, way := range []struct {
		name, description string
		from, to          pulumi.StringOutput
		port              int
	}{
		{"web-ssh", "SSH from the first server", first, web, 22},
		{"web-balanced", "Requests from the load balancer", balancer, web, balancedPort},
		{"balanced", "Requests from the load balancer", balancer, first, balancedPort},
		{"challenges", "Requests of the certificate authority from the load balancer", balancer, first, 80},
		// They are forwarded to containers. What is for the server itself is dropped by its own firewall.
		{"web", "Requests from web servers to containers", web, first, 0},
	} {
		if err := f.allowWithin(ctx, way.name, way.description, way.from, way.to, way.port); err != nil {
			return err
		}
	}
	for _, way := range []struct {
		name string
		to   pulumi.StringOutput
		port int
	}{{"balancer-to-web", web, balancedPort}, {"balancer-to-first", first, balancedPort}, {"balancer-challenges", first, 80}} {
		rule, err := vpc.NewSecurityGroupEgressRule(ctx, way.name, &vpc.SecurityGroupEgressRuleArgs{
			SecurityGroupId: balancer, ReferencedSecurityGroupId: way.to.ToStringPtrOutput(),
			IpProtocol: pulumi.String("tcp"), FromPort: pulumi.Int(way.port), ToPort: pulumi.Int(way.port), Description: pulumi.String("Requests to servers"),
		}, pulumi.Parent(f))
		if err != nil {
			return fmt.Errorf("declare the firewall rule %s: %w", way.name, err)
		}
		f.add(rule)
	}
	return nil
}

// database declares the group of the database in RDS. Only the servers reach it, and it connects to nothing.
func (f *Firewall) database(ctx *pulumi.Context, args *FirewallArgs) (err error) {
	if f.DatabaseGroupID, err = f.group(ctx, "database-security-group", "Postgres from the servers", args.Domain+" database", args); err != nil {
		return err
	}
	if err := f.allowWithin(ctx, "database", "Postgres from the first server", f.SecurityGroupID, f.DatabaseGroupID, databasePort); err != nil || !args.Several {
		return err
	}
	return f.allowWithin(ctx, "database-web", "Postgres from web servers", f.WebGroupID, f.DatabaseGroupID, databasePort)
}

// allowWithin opens a port of one group's members to another's, or everything where it is 0.
func (f *Firewall) allowWithin(ctx *pulumi.Context, name, description string, from, to pulumi.StringOutput, port int) error {
	args := &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: to, ReferencedSecurityGroupId: from.ToStringPtrOutput(),
		IpProtocol: pulumi.String("-1"), Description: pulumi.String(description),
	}
	if port > 0 {
		args.IpProtocol, args.FromPort, args.ToPort = pulumi.String("tcp"), pulumi.Int(port), pulumi.Int(port)
	}
	rule, err := vpc.NewSecurityGroupIngressRule(ctx, name, args, pulumi.Parent(f))
	if err != nil {
		return fmt.Errorf("declare the firewall rule %s: %w", name, err)
	}
	f.add(rule)
	return nil
}

// opening is one port that is open to one range.
type opening struct {
	name, protocol, cidr, description string
	port                              int
}

// toSite are the site's ports, open to everybody.
func toSite(prefix string) []opening {
	return []opening{
		{prefix + "http-ipv4", "tcp", anyIPv4, "HTTP from everywhere", 80},
		{prefix + "http-ipv6", "tcp", anyIPv6, "HTTP from everywhere", 80},
		{prefix + "https-ipv4", "tcp", anyIPv4, "HTTPS from everywhere", 443},
		{prefix + "https-ipv6", "tcp", anyIPv6, "HTTPS from everywhere", 443},
	}
}

// allowIn opens ports of a group. Each rule is a resource of its own, so that a changed range opens and
// closes that one rule and the others stay as they are.
func (f *Firewall) allowIn(ctx *pulumi.Context, group pulumi.StringInput, openings []opening) error {
	for _, open := range openings {
		args := &vpc.SecurityGroupIngressRuleArgs{
			SecurityGroupId: group,
			IpProtocol:      pulumi.String(open.protocol),
			FromPort:        pulumi.Int(open.port),
			ToPort:          pulumi.Int(open.port),
			Description:     pulumi.String(open.description),
		}
		if isIPv6(open.cidr) {
			args.CidrIpv6 = pulumi.String(open.cidr)
		} else {
			args.CidrIpv4 = pulumi.String(open.cidr)
		}
		rule, err := vpc.NewSecurityGroupIngressRule(ctx, open.name, args, pulumi.Parent(f))
		if err != nil {
			return fmt.Errorf("declare the firewall rule %s: %w", open.name, err)
		}
		f.add(rule)
	}
	return nil
}

// allowOut lets a group's servers reach everything: package mirrors, registries, the repository and the certificate
// authority have no fixed addresses.
func (f *Firewall) allowOut(ctx *pulumi.Context, group pulumi.StringInput, prefix string) error {
	for _, out := range []struct {
		name string
		args vpc.SecurityGroupEgressRuleArgs
	}{
		{prefix + "egress-ipv4", vpc.SecurityGroupEgressRuleArgs{CidrIpv4: pulumi.String(anyIPv4)}},
		{prefix + "egress-ipv6", vpc.SecurityGroupEgressRuleArgs{CidrIpv6: pulumi.String(anyIPv6)}},
	} {
		out.args.SecurityGroupId = group
		out.args.IpProtocol = pulumi.String("-1") // AWS's word for every protocol and port
		out.args.Description = pulumi.String("Everything out")
		rule, err := vpc.NewSecurityGroupEgressRule(ctx, out.name, &out.args, pulumi.Parent(f))
		if err != nil {
			return fmt.Errorf("declare the firewall rule %s: %w", out.name, err)
		}
		f.add(rule)
	}
	return nil
}

// ruleName spells a range without the characters that mean something in a resource's URN or in a shell.
func ruleName(cidr netip.Prefix) string {
	return strings.NewReplacer(":", "-", "/", "-").Replace(cidr.String())
}

func isIPv6(cidr string) bool {
	return strings.Contains(cidr, ":")
}
