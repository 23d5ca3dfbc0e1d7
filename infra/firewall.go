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
type Firewall struct {
	pulumi.ResourceState

	// SecurityGroupID is the group the server belongs to.
	SecurityGroupID pulumi.StringOutput

	// rules are those that are declared.
	rules pulumi.IDArray
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
}

// NewFirewall declares the security group and each of its rules.
func NewFirewall(ctx *pulumi.Context, name string, args *FirewallArgs, opts ...pulumi.ResourceOption) (*Firewall, error) {
	f := &Firewall{}
	if err := ctx.RegisterComponentResource("berth:infra:Firewall", name, f, opts...); err != nil {
		return nil, fmt.Errorf("declare the firewall: %w", err)
	}
	group, err := ec2.NewSecurityGroup(ctx, "security-group", &ec2.SecurityGroupArgs{
		// Another description, or another name, would replace the group.
		Description: pulumi.String("SSH from the operator, HTTP and HTTPS from everywhere"),
		VpcId:       args.VPCID,
		Tags:        nameTag(args.Domain),
	}, pulumi.Parent(f))
	if err != nil {
		return nil, fmt.Errorf("declare the security group: %w", err)
	}
	f.SecurityGroupID = group.ID().ToStringOutput()

	for _, cidr := range args.OperatorCIDRs {
		if err := f.allowIn(ctx, "ssh-from-"+ruleName(cidr), "tcp", 22, cidr.String(), "SSH from the operator"); err != nil {
			return nil, err
		}
	}
	type opening struct {
		name, protocol, cidr, description string
		port                              int
	}
	openings := []opening{
		{"http-ipv4", "tcp", anyIPv4, "HTTP from everywhere", 80},
		{"http-ipv6", "tcp", anyIPv6, "HTTP from everywhere", 80},
		{"https-ipv4", "tcp", anyIPv4, "HTTPS from everywhere", 443},
		{"https-ipv6", "tcp", anyIPv6, "HTTPS from everywhere", 443},
	}
	if args.HTTP3 {
		openings = append(openings, opening{"http3-ipv4", "udp", anyIPv4, "HTTP/3 from everywhere", 443}, opening{"http3-ipv6", "udp", anyIPv6, "HTTP/3 from everywhere", 443})
	}
	for _, open := range openings {
		if err := f.allowIn(ctx, open.name, open.protocol, open.port, open.cidr, open.description); err != nil {
			return nil, err
		}
	}
	if err := f.allowOut(ctx); err != nil {
		return nil, err
	}
	f.warnOfStrangers(ctx)
	if err := ctx.RegisterResourceOutputs(f, pulumi.Map{"securityGroupId": f.SecurityGroupID}); err != nil {
		return nil, fmt.Errorf("register the firewall: %w", err)
	}
	return f, nil
}

// allowIn opens one port to one range. Each rule is a resource of its own, so that a changed range opens and
// closes that one rule and the others stay as they are.
func (f *Firewall) allowIn(ctx *pulumi.Context, name, protocol string, port int, cidr, description string) error {
	args := &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: f.SecurityGroupID,
		IpProtocol:      pulumi.String(protocol),
		FromPort:        pulumi.Int(port),
		ToPort:          pulumi.Int(port),
		Description:     pulumi.String(description),
	}
	if isIPv6(cidr) {
		args.CidrIpv6 = pulumi.String(cidr)
	} else {
		args.CidrIpv4 = pulumi.String(cidr)
	}
	rule, err := vpc.NewSecurityGroupIngressRule(ctx, name, args, pulumi.Parent(f))
	if err != nil {
		return fmt.Errorf("declare the firewall rule %s: %w", name, err)
	}
	f.rules = append(f.rules, rule.ID())
	return nil
}

// allowOut lets the server reach everything: package mirrors, registries, the repository and the certificate
// authority have no fixed addresses.
func (f *Firewall) allowOut(ctx *pulumi.Context) error {
	for _, out := range []struct {
		name string
		args vpc.SecurityGroupEgressRuleArgs
	}{
		{"egress-ipv4", vpc.SecurityGroupEgressRuleArgs{CidrIpv4: pulumi.String(anyIPv4)}},
		{"egress-ipv6", vpc.SecurityGroupEgressRuleArgs{CidrIpv6: pulumi.String(anyIPv6)}},
	} {
		out.args.SecurityGroupId = f.SecurityGroupID
		out.args.IpProtocol = pulumi.String("-1") // AWS's word for every protocol and port
		out.args.Description = pulumi.String("Everything out")
		rule, err := vpc.NewSecurityGroupEgressRule(ctx, out.name, &out.args, pulumi.Parent(f))
		if err != nil {
			return fmt.Errorf("declare the firewall rule %s: %w", out.name, err)
		}
		f.rules = append(f.rules, rule.ID())
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
