package ec2host

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"berth/rehearsal/aws"
)

func (w *World) internet() string { return w.object("internet") }

// makeInternet makes the network on which Elastic IPs and the rehearsal's services live: in the range that the account has already, or
// else in the first one that no other network of this machine's Docker has.
func (w *World) makeInternet(ctx context.Context) error {
	if exists(ctx, "network", w.internet()) {
		return nil
	}
	first, last := aws.Internet(0), aws.Internets-1
	if aws.HasInternet(w.path("aws")) {
		first, last = w.Internet, w.Internet
	}
	for number := first; number <= last; number++ {
		// The file comes first: whatever ends this run, no network is taken for another one.
		if err := number.Keep(w.path("aws")); err != nil {
			return err
		}
		w.Internet = number
		_, err := docker(ctx, "", "network", "create", "--label", w.label(), "--subnet", number.Prefix(), "--gateway", number.Address(aws.OperatorHost), w.internet())
		if err == nil || !strings.Contains(err.Error(), "overlap") {
			return err
		}
	}
	return fmt.Errorf("make the rehearsal's network %s: another Docker network has its range, %s; remove that (docker network ls), or this rehearsal: make rehearse-clean", w.internet(), w.Internet.Prefix())
}

// vpcLabel marks the Docker network of a VPC, with the VPC's id as value.
const vpcLabel = "berth.vpc"

const (
	subnetType = "aws:ec2/subnet:Subnet"
	vpcType    = "aws:ec2/vpc:Vpc"
)

// makeSubnets makes a Docker network for each VPC with subnets. It has the VPC's whole range, since Docker lets nothing through from
// one of its networks to another, and the name of the VPC's first subnet. The name server joins it at the address where a VPC has its
// resolver (the base plus two) and the authority joins it because it validates over IPv6, which the internet network does not carry.
func (w *World) makeSubnets(ctx context.Context, account *aws.Account) error {
	for _, subnet := range account.OfType(subnetType) {
		vpc := account.Resources[vpcType+"::"+aws.Text(subnet.Outputs, "vpcId")]
		if vpc == nil {
			return fmt.Errorf("make %s: its VPC %q is gone", subnet.ID, aws.Text(subnet.Outputs, "vpcId"))
		}
		prefix, err := netip.ParsePrefix(aws.Text(vpc.Outputs, "cidrBlock"))
		if err != nil {
			return fmt.Errorf("read the range of %s: %w", vpc.ID, err)
		}
		network, err := w.networkOf(ctx, subnet)
		if err != nil {
			return err
		}
		if network != "" {
			continue
		}
		if err := w.makeNetwork(ctx, w.object(subnet.ID), vpc, prefix); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) makeNetwork(ctx context.Context, name string, vpc *aws.Resource, prefix netip.Prefix) error {
	args := []string{"network", "create", "--label", w.label(), "--label", vpcLabel + "=" + vpc.ID, "--subnet", prefix.String()}
	if v6 := aws.Text(vpc.Outputs, "ipv6CidrBlock"); v6 != "" {
		args = append(args, "--ipv6", "--subnet", v6)
	}
	if _, err := docker(ctx, "", append(args, name)...); err != nil {
		if strings.Contains(err.Error(), "overlap") {
			return fmt.Errorf("%s (%s) overlaps a network of this machine; choose another range: pulumi config set berth:vpcCidr 10.77.0.0/16: %w", vpc.ID, prefix, err)
		}
		return err
	}
	if _, err := docker(ctx, "", "network", "connect", "--ip", resolverAddress(prefix), name, w.object("dns")); err != nil {
		return err
	}
	_, err := docker(ctx, "", "network", "connect", name, w.object("acme"))
	return err
}

// networkOf is the Docker network of a subnet's VPC, "" where there is none yet. An older version's has no label and is the subnet's.
func (w *World) networkOf(ctx context.Context, subnet *aws.Resource) (string, error) {
	name, err := docker(ctx, "", "network", "ls", "--format", "{{.Name}}",
		"--filter", "label="+w.label(), "--filter", "label="+vpcLabel+"="+aws.Text(subnet.Outputs, "vpcId"))
	if own := w.object(subnet.ID); err == nil && name == "" && exists(ctx, "network", own) {
		return own, nil
	}
	return name, err
}

// subnetOf is an instance's subnet and the Docker network that it is in.
func (w *World) subnetOf(ctx context.Context, account *aws.Account, instance *aws.Resource) (subnet *aws.Resource, network string, err error) {
	id := aws.Text(instance.Outputs, "subnetId")
	if subnet = account.Resources[subnetType+"::"+id]; subnet == nil {
		return nil, "", fmt.Errorf("find the subnet %q of %s", id, instance.ID)
	}
	if network, err = w.networkOf(ctx, subnet); err == nil && network == "" {
		err = fmt.Errorf("find the Docker network of %s: it is gone; take the rehearsal down: make rehearse-clean", id)
	}
	return subnet, network, err
}

// resolverAddress is where a VPC answers DNS: the second address after the base of its range.
func resolverAddress(prefix netip.Prefix) string {
	return prefix.Masked().Addr().Next().Next().String()
}

func (w *World) deleteSubnets(ctx context.Context, account *aws.Account) error {
	wanted := map[string]bool{}
	for _, subnet := range account.OfType(subnetType) {
		wanted[aws.Text(subnet.Outputs, "vpcId")], wanted[w.object(subnet.ID)] = true, true
	}
	output, err := docker(ctx, "", "network", "ls", "--format", fmt.Sprintf("{{.Name}} {{.Label %q}}", vpcLabel), "--filter", "label="+w.label())
	if err != nil {
		return err
	}
	for _, line := range lines(output) {
		name, vpc, _ := strings.Cut(line, " ")
		if name == w.internet() || wanted[vpc] || wanted[name] {
			continue
		}
		for _, service := range []string{"dns", "acme"} {
			if _, err := docker(ctx, "", "network", "disconnect", "--force", name, w.object(service)); err != nil && !strings.Contains(err.Error(), "not connected") {
				return err
			}
		}
		if _, err := docker(ctx, "", "network", "rm", name); err != nil {
			return err
		}
	}
	return nil
}

// The card that a public address comes by has the same name for ever, as on EC2, where the address comes by the card that is there: the
// server's firewall knows its cards by their names. Docker would take a new name each time, and does not take away what has another one.
const (
	leaveCard = `[ ! -e /sys/class/net/eth1 ] || ip link delete eth1`
	nameCard  = `card=$(ip -oneline -4 address show | awk -v address="$1" '{ split($4, one, "/") } one[1] == address { print $2 }')
if [ "$card" != eth1 ]; then
  ip link set "$card" down
  ip link set "$card" name eth1
  ip link set eth1 up
fi`
)

// associateAddresses gives each network interface its Elastic IP, and takes away one that is no longer associated. An instance of a
// group has its automatic address instead.
func (w *World) associateAddresses(ctx context.Context, account *aws.Account) error {
	elastic := map[string]string{}
	for _, association := range account.OfType("aws:ec2/eipAssociation:EipAssociation") {
		elastic[aws.Text(association.Outputs, "instanceId")] = aws.Text(association.Outputs, "publicIp")
	}
	for _, instance := range account.OfType(instanceType) {
		eni := w.eni(instance.ID)
		current, err := attached(ctx, eni, w.internet(), "IPAddress")
		if err != nil {
			return err
		}
		wanted := elastic[instance.ID]
		if wanted == "" && grouped(instance) {
			wanted = aws.Text(instance.Outputs, "publicIp")
		}
		if current == wanted {
			continue
		}
		if current != "" {
			if _, err := docker(ctx, "", "network", "disconnect", w.internet(), eni); err != nil {
				return err
			}
		}
		if _, err := docker(ctx, leaveCard, "exec", "--interactive", eni, "sh", "-eu"); err != nil {
			return fmt.Errorf("take the address %s from %s: %w", current, instance.ID, err)
		}
		if wanted != "" {
			if _, err := docker(ctx, "", "network", "connect", "--ip", wanted, w.internet(), eni); err != nil {
				return err
			}
			if _, err := docker(ctx, nameCard, "exec", "--interactive", eni, "sh", "-eu", "-s", wanted); err != nil {
				return fmt.Errorf("give the address %s to %s: %w", wanted, instance.ID, err)
			}
		}
		if err := w.writeMetadata(ctx, account, instance, wanted); err != nil {
			return err
		}
	}
	return nil
}

// attached tells a field ("IPAddress", "MacAddress") of a container's attachment to a network, "" where it has none.
func attached(ctx context.Context, container, network, field string) (string, error) {
	format := fmt.Sprintf(`{{with index .NetworkSettings.Networks %q}}{{.%s}}{{end}}`, network, field)
	return docker(ctx, "", "container", "inspect", "--format", format, container)
}
