package ec2host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"

	"berth/rehearsal/aws"
	"berth/rehearsal/machineimage"
)

//go:embed addresses.sh
var addressesScript string

// balancer is the container of the account's load balancer, BalancerFiles the folder of its configuration, which rehearsal/scaling
// writes, and of its sockets.
func (w *World) balancer() string      { return w.object("balancer") }
func (w *World) BalancerFiles() string { return w.path("balancer") }

// removeBalancer removes the container of a load balancer that the account no longer holds.
func (w *World) removeBalancer(ctx context.Context, account *aws.Account) error {
	// The folder is made before the container, and goes after it.
	if _, err := os.Stat(w.BalancerFiles()); errors.Is(err, fs.ErrNotExist) || len(account.OfType(aws.LoadBalancerType)) > 0 || !exists(ctx, "container", w.balancer()) {
		return nil
	}
	if _, err := docker(ctx, "", "container", "rm", "--force", "--volumes", w.balancer()); err != nil {
		return err
	}
	return os.RemoveAll(w.BalancerFiles())
}

// runBalancer starts the container of the account's load balancer, with its addresses in the subnets and in the internet.
func (w *World) runBalancer(ctx context.Context, account *aws.Account) error {
	all := account.OfType(aws.LoadBalancerType)
	switch {
	case len(all) == 0:
		return nil
	case len(all) > 1:
		return fmt.Errorf("run %s: the rehearsal has one load balancer", all[1].ID)
	case running(ctx, w.balancer()):
		return nil
	}
	subnets, private := aws.Texts(all[0].Outputs, "subnets"), privateOf(account, all[0])
	if len(subnets) == 0 || len(private) == 0 {
		return fmt.Errorf("run %s: it has no subnets, or no addresses in them", all[0].ID)
	}
	subnet := account.Resources[subnetType+"::"+subnets[0]]
	if subnet == nil {
		return fmt.Errorf("find the subnet %q of %s", subnets[0], all[0].ID)
	}
	network, err := w.networkOf(ctx, subnet)
	if err != nil {
		return err
	}
	if err := machineimage.BuildBalancer(ctx, os.Stderr); err != nil {
		return err
	}
	if err := os.MkdirAll(w.BalancerFiles(), 0o700); err != nil {
		return err
	}
	args := []string{
		"--network", network, "--ip", private[0], "--cap-add", "NET_ADMIN", "--sysctl", "net.ipv6.conf.all.disable_ipv6=0",
		"--volume", w.BalancerFiles() + ":/var/lib/balancer",
	}
	whole, v6 := rangeOf(account, subnets[0]), aws.Texts(all[0].Outputs, "ipv6Addresses")
	if first := slices.IndexFunc(v6, func(address string) bool { return inFirst64(whole, address) }); first >= 0 {
		args = append(args, "--ip6", v6[first])
	}
	if err := w.replaceContainer(ctx, w.balancer(), append(args, machineimage.Balancer)...); err != nil {
		return err
	}
	if err := w.addAddresses(ctx, private, v6, whole); err != nil {
		return err
	}
	public := aws.Texts(all[0].Outputs, "ipv4Addresses")
	if len(public) == 0 {
		return nil
	}
	if _, err := docker(ctx, "", "network", "connect", "--ip", public[0], w.internet(), w.balancer()); err != nil {
		return err
	}
	return w.addAddresses(ctx, public, nil, netip.Prefix{})
}

// privateOf are the IPv4 addresses of a load balancer in its subnets. Where the account does not say, they are the last ones, of which
// instances get none.
func privateOf(account *aws.Account, balancer *aws.Resource) []string {
	if said := aws.Texts(balancer.Outputs, "privateIpv4Addresses"); len(said) > 0 {
		return said
	}
	var all []string
	for _, id := range aws.Texts(balancer.Outputs, "subnets") {
		subnet := account.Resources[subnetType+"::"+id]
		if subnet == nil {
			continue
		}
		if prefix, err := netip.ParsePrefix(aws.Text(subnet.Outputs, "cidrBlock")); err == nil && prefix.Addr().Is4() {
			last := prefix.Masked().Addr().As4()
			host := uint32(1)<<(32-prefix.Bits()) - 2
			for i := range last {
				last[3-i] |= byte(host >> (8 * i))
			}
			all = append(all, netip.AddrFrom4(last).String())
		}
	}
	return all
}

// addAddresses adds what Docker does not: it gives a container one address of a network.
func (w *World) addAddresses(ctx context.Context, v4, v6 []string, whole netip.Prefix) error {
	args := append([]string{"exec", "--interactive", w.balancer(), "bash", "-s"}, v4...)
	for _, address := range v6 {
		args = append(args, fmt.Sprintf("%s/%d", address, whole.Bits()))
	}
	if _, err := docker(ctx, addressesScript, args...); err != nil {
		return fmt.Errorf("give the load balancer its addresses: %w", err)
	}
	return nil
}
