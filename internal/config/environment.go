package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"berth/internal/instance"
)

const (
	// maxOperators leaves room in a security group, which holds 60 rules. Source: VPC User Guide, "Amazon VPC quotas".
	maxOperators = 40
	// minVolume holds Docker's data and a few releases; maxVolume is gp3's. Source: EBS User Guide, "gp3 volumes".
	minVolume, maxVolume = 8, 16384
	// maxTags leaves room for the tags of Berth's own under the 50 of AWS.
	maxTags = 40
)

var (
	// reservedTags are those that Berth itself sets. AWS tells keys apart by case, but the conditions of an IAM policy do
	// not, and two keys that differ in case alone make a request that no policy allows.
	reservedTags = []string{"Name", "ManagedBy", "Project", "Stack"}

	// regionCode matches those of AWS's partition aws, and of no other. Source: partitions.json of AWS's SDKs, regionRegex.
	regionCode = regexp.MustCompile(`^(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d+$`)
	apart      = regexp.MustCompile(`^(cn|us-gov|us-iso[a-z]*|eu-iso[a-z]*|eusc)-`)
	subnetID   = regexp.MustCompile(`^subnet-([0-9a-f]{8}|[0-9a-f]{17})$`)
	amiID      = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	tagText    = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

func (l *loader) region() {
	c := l.config
	switch c.Region = l.text("region"); {
	case apart.MatchString(c.Region):
		l.problem("region-other-partition", "region", c.Region, "it belongs to another partition of AWS than aws, with other names, services and images, which Berth does not support; a region of the partition aws is required, such as eu-central-1 or us-east-1", set("region", defaultText("region")))
	case !regionCode.MatchString(c.Region):
		l.problem("region-invalid", "region", c.Region, "a region's code is required, such as eu-central-1 or us-east-1", set("region", defaultText("region")))
	}
}

// availabilityZone reads the zone of a region that is valid.
func (l *loader) availabilityZone() {
	region := l.config.Region
	if !regionCode.MatchString(region) {
		return
	}
	zone := cmp.Or(l.raw("availabilityZone"), region+"a")
	if letter, ok := strings.CutPrefix(zone, region); !ok || len(letter) != 1 || letter < "a" || letter > "f" {
		l.problem("availability-zone-invalid", "availabilityZone", zone, "a zone of the region "+region+" is required", set("availabilityZone", region+"a"))
	}
	l.config.AvailabilityZone = zone
}

func (l *loader) image() {
	l.config.AMI = l.resourceID("ami-invalid", "ami", amiID, "an image's id is required, ami- and 8 or 17 hexadecimal digits, of an x86-64 Debian 13")
}

func (l *loader) subnet() {
	l.config.SubnetID = l.resourceID("subnet-id-invalid", "subnetId", subnetID, "a subnet's id is required, subnet- and 8 or 17 hexadecimal digits")
}

func (l *loader) network() {
	network, err := netip.ParsePrefix(l.text("vpcCidr"))
	if err != nil || !network.Addr().Is4() || !network.Addr().IsPrivate() || network.Bits() < 16 || network.Bits() > 24 || network != network.Masked() {
		l.problem("vpc-cidr-invalid", "vpcCidr", l.raw("vpcCidr"), "a private IPv4 range from /16 to /24 is required, its host bits zero", set("vpcCidr", defaultText("vpcCidr")))
	}
	l.config.VPCCIDR = network
}

func (l *loader) instance() {
	c := l.config
	c.InstanceType = l.text("instanceType")
	if _, known := instance.Lookup(c.InstanceType); known {
		return
	}
	switch why, instead := instance.Refuse(c.InstanceType); why {
	case instance.ARM:
		l.problem("instance-type-arm", "instanceType", c.InstanceType, "its processor is ARM; the machine image, the builds and the images that a plan checks are x86-64, so it is not supported", set("instanceType", instead))
	case instance.Metal:
		l.problem("instance-type-metal", "instanceType", c.InstanceType, "it is a whole machine, which starts many times slower than the steps on the server wait for; a virtual size is required", set("instanceType", instead))
	case instance.Xen:
		l.problem("instance-type-xen", "instanceType", c.InstanceType, "it is of a generation before the Nitro System, on which the data volume has no name with its id; a type of the fifth generation or newer is required, or t3", set("instanceType", instead))
	default:
		l.problem("instance-type-invalid", "instanceType", c.InstanceType, "an instance type of these families is required: "+strings.Join(instance.Families(), ", ")+"; internal/instance/types.txt lists their sizes", set("instanceType", instead))
	}
}

func (l *loader) operators() {
	fix := set("operatorCidrs[0]", "203.0.113.7/32")
	texts, ok := []string{l.single("operatorCidrs")}, true
	if texts[0] == "" {
		texts, ok = l.list("operatorCidrs", "a network or a list of networks", setAnew("operatorCidrs", "operatorCidrs[0]", "203.0.113.7/32"))
	}
	if !ok {
		return
	}
	if len(texts) == 0 {
		l.problem("operator-cidrs-missing", "operatorCidrs", "", "the networks from which SSH is allowed are required; your own address is a good one", fix)
	}
	if len(texts) > maxOperators {
		l.problem("operator-cidrs-too-many", "operatorCidrs", "", fmt.Sprintf("at most %d networks are allowed, since a security group holds 60 rules; there are %d", maxOperators, len(texts)), remove(fmt.Sprintf("operatorCidrs[%d]", maxOperators)))
	}
	seen := map[netip.Prefix]bool{}
	for i, text := range texts {
		path := fmt.Sprintf("operatorCidrs[%d]", i)
		prefix, err := netip.ParsePrefix(text)
		widest := 8
		if prefix.Addr().Is6() {
			widest = 32
		}
		switch {
		case err != nil:
			l.problem("operator-cidr-invalid", path, text, "a network in CIDR notation is required, such as 203.0.113.7/32", set(path, suggestCIDR(text)))
		case prefix.Addr().Is4In6():
			l.problem("operator-cidr-not-ipv4", path, text, "an IPv4 network is required in its own notation, such as 203.0.113.7/32", set(path, "203.0.113.7/32"))
		case prefix.Bits() == 0:
			l.problem("operator-cidr-everyone", path, text, "SSH is never open to everyone; name your own networks", set(path, "203.0.113.7/32"))
		case prefix.Bits() < widest:
			l.problem("operator-cidr-too-wide", path, text, fmt.Sprintf("that is most of the internet; a network is no wider than /%d", widest), set(path, "203.0.113.7/32"))
		case prefix != prefix.Masked():
			l.problem("operator-cidr-host-bits", path, text, "its host bits are set; the network is "+prefix.Masked().String(), set(path, prefix.Masked().String()))
		case seen[prefix]:
			l.problem("operator-cidr-twice", path, text, "the network is there already", remove(path))
		}
		seen[prefix] = true
		l.config.OperatorCIDRs = append(l.config.OperatorCIDRs, prefix)
	}
}

func suggestCIDR(text string) string {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		return netip.PrefixFrom(address, address.BitLen()).String()
	}
	return "203.0.113.7/32"
}

func (l *loader) tags() {
	c := l.config
	tags, ok := l.texts("tags", func(path string) string { return set(path, "value") })
	if !ok {
		return
	}
	c.Tags = tags
	if len(c.Tags) > maxTags {
		l.problem("tags-too-many", "tags", "", fmt.Sprintf("at most %d tags are allowed; there are %d", maxTags, len(c.Tags)), "pulumi config rm berth:tags")
	}
	same := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(c.Tags)) {
		path, value := pathInto("tags", key), c.Tags[key]
		folded := strings.ToLower(key)
		other, twice := same[folded]
		same[folded] = key
		switch {
		case key == "" || len([]rune(key)) > 128 || !tagText.MatchString(key):
			l.problem("tag-key-invalid", path, "", "a tag's key has 1 to 128 letters, digits, spaces and _.:/=+-@", remove(path))
		case strings.HasPrefix(folded, "aws:") || strings.HasPrefix(folded, namespace) ||
			slices.ContainsFunc(reservedTags, func(reserved string) bool { return strings.EqualFold(reserved, key) }):
			l.problem("tag-key-reserved", path, "", "the key is reserved, in any case: AWS keeps aws:, Berth keeps berth:, "+strings.Join(reservedTags, ", "), remove(path))
		case twice:
			l.problem("tag-key-twice", path, value, "there is the tag "+other+" too: IAM's policies do not tell tags apart by case, so one of the two is allowed", remove(path))
		case len([]rune(value)) > 256 || !tagText.MatchString(value):
			l.problem("tag-value-invalid", path, value, "a tag's value has at most 256 letters, digits, spaces and _.:/=+-@", remove(path))
		}
	}
}
