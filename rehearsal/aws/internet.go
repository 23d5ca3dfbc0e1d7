package aws

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Internet tells the networks of public addresses apart that the rehearsals of one machine have, each a /24: 0 is the one that
// RFC 5737 sets aside for documentation, a higher one is of those that RFC 2544 sets aside for measuring networks.
type Internet int

// Internets is how many there are. Each has a VPC range of its own as well, 10.20.0.0/16 and up.
const Internets Internet = 200

// Hosts of an Internet. The stand-in gives out Elastic IPs from 16 on.
const (
	// OperatorHost is where connections from this machine come from: the network's gateway.
	OperatorHost   = 1
	NameServerHost = 2
	AuthorityHost  = 3
	GitHost        = 4
	MonitoringHost = 5
	S3Host         = 6
	// ScalingHost is that of EC2 Auto Scaling, of Elastic Load Balancing and of EC2's own API.
	ScalingHost = 7
)

// ScalingNames are the names of the endpoints that are at ScalingHost, in the region of an instance or a subnet.
func ScalingNames(place *Resource) []string {
	var names []string
	for _, service := range []string{"autoscaling", "elasticloadbalancing", "ec2"} {
		names = append(names, service+"."+regionOf(place)+".amazonaws.com")
	}
	return names
}

// Prefix is the network's range, such as 198.51.100.0/24.
func (i Internet) Prefix() string { return i.Address(0) + "/24" }

// Address is that of a host of the network, 0 to 255.
func (i Internet) Address(host int) string {
	if i == 0 {
		return fmt.Sprintf("198.51.100.%d", host)
	}
	return fmt.Sprintf("198.18.%d.%d", int(i), host)
}

// VPC is the range of a VPC that no other rehearsal's has.
func (i Internet) VPC() string { return fmt.Sprintf("10.%d.0.0/16", 20+int(i)) }

// ipv6 is the range of the VPC with the number, of the prefix that RFC 3849 sets aside for documentation: Amazon's own is not ours to use.
func (i Internet) ipv6(vpc int) string {
	return fmt.Sprintf("2001:db8:%x:100::/56", 0xbe00+16*int(i)+vpc)
}

func internetFile(dir string) string { return filepath.Join(dir, "internet") }

// ReadInternet is the network of the account in the folder; without a file it is 0.
func ReadInternet(dir string) (Internet, error) {
	text, err := os.ReadFile(internetFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for internet := range Internets {
		if internet.Prefix() == strings.TrimSpace(string(text)) {
			return internet, nil
		}
	}
	return 0, fmt.Errorf("%s holds %q, which is no network of a rehearsal; take it down: make rehearse-clean", internetFile(dir), text)
}

// HasInternet says whether the account in the folder has a network already.
func HasInternet(dir string) bool {
	_, err := os.Stat(internetFile(dir))
	return err == nil
}

// Keep writes the network of the account into its folder.
func (i Internet) Keep(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(internetFile(dir), []byte(i.Prefix()+"\n"), 0o600)
}
