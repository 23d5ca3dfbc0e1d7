package trust

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mountOption matches options of a mount that stay what they are for every file system; Docker makes flags of the others, such as
// bind.
const mountOption = `rw|ro|exec|noexec|suid|nosuid|dev|nodev|sync|async|dirsync|atime|noatime|diratime|nodiratime|relatime|norelatime|strictatime|lazytime|_netdev|defaults|hard|soft|intr|nointr|lock|nolock|tcp|udp|bg|fg|ac|noac|cto|nocto|acl|noacl|resvport|noresvport|sharecache|nosharecache|rdirplus|nordirplus|fsc|nofsc|posix|noposix|serverino|noserverino|perm|noperm|forceuid|forcegid|noforceuid|noforcegid|unix|nounix|linux|mfsymlinks|nobrl|brl|seal|sfu|mapposix|mapchars|nomapchars|dynperm|nodfs|guest|persistenthandles|resilienthandles|multichannel|[a-z_]+=[^,\x00-\x1f]*`

// hostItself matches names of the server itself.
var hostItself = regexp.MustCompile(`(?i)\A/*\[?(localhost|127[.]|0|::|fe80:|169[.]254[.])`)

// far says whether what Docker mounts by a volume's options is another machine's, or memory.
func far(options object) bool {
	kind, device, given := optional(options["type"]), optional(options["device"]), optional(options["o"])
	if given != "" {
		for _, option := range strings.Split(given, ",") {
			if !whole(option, mountOption) {
				return false
			}
			if name, address, _ := strings.Cut(option, "="); (name == "addr" || name == "ip") && hostItself.MatchString(address) {
				return false
			}
		}
	}
	if hostItself.MatchString(device) {
		return false
	}
	for key := range options {
		if !slices.Contains([]string{"type", "device", "o", "size"}, key) {
			return false
		}
	}
	switch kind {
	case "tmpfs":
		return whole(device, `[A-Za-z0-9_-]*`)
	case "nfs", "nfs4":
		return whole(device, `([A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]):[^,\x00-\x1f]*`)
	case "cifs":
		return whole(device, `//[A-Za-z0-9._:\[\]-]+/[^,\x00-\x1f]*`)
	}
	return len(options) == 0
}

// optional is a value as text, "" for none.
func optional(value any) string {
	if value == nil || value == false {
		return ""
	}
	return asText(value)
}

// span are the addresses of an IPv4 network, the first and the last.
type span struct{ first, last int64 }

// spanOf is the network that a text names; ok is false for what is no IPv4.
func spanOf(network string) (found span, ok bool) {
	address, bits, given := strings.Cut(network, "/")
	if !given {
		bits = "32"
	}
	bits, _, _ = strings.Cut(bits, "/")
	if !whole(address, `[0-9]{1,3}([.][0-9]{1,3}){3}`) || !whole(bits, `[0-9]{1,2}`) {
		return span{}, false
	}
	var first int64
	for _, part := range strings.Split(address, ".") {
		number, _ := strconv.ParseInt(part, 10, 64)
		first = first*256 + number
	}
	length, _ := strconv.Atoi(bits)
	size := int64(1) << max(0, 32-length)
	first -= first % size
	return span{first, first + size - 1}, true
}

// privateNetworks are what is for networks without other members.
var privateNetworks = []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}

// private says whether addresses are for private networks, and of none that the server is in itself. The metadata service has an
// address in fd00:ec2::/32.
func private(network string, own []string) bool {
	found, ok := spanOf(network)
	if !ok {
		network = strings.ToLower(network)
		return whole(network, `f[cd][0-9a-f]{2}:[0-9a-f:]*(/([1-9][0-9]|1[01][0-9]|12[0-8]))?`) && !whole(network, `(?s)fd00:0?ec2:.*`)
	}
	for _, one := range own {
		if other, ok := spanOf(one); ok && found.last >= other.first && found.first <= other.last {
			return false
		}
	}
	return slices.ContainsFunc(privateNetworks, func(one string) bool {
		outer, _ := spanOf(one)
		return found.first >= outer.first && found.last <= outer.last
	})
}
