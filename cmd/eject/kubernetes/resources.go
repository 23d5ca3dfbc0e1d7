package kubernetes

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// seconds is a duration of Compose's, rounded up, and whether it is one.
func seconds(value any) (int64, bool) {
	duration, err := time.ParseDuration(text(value))
	if err != nil || duration < 0 {
		return 0, false
	}
	return int64((duration + time.Second - 1) / time.Second), true
}

// amount is a size of the plan's, which Compose has made a number of bytes, and whether it is one.
func amount(value any) (resource.Quantity, bool) {
	count, err := strconv.ParseInt(text(value), 10, 64)
	if err != nil || count <= 0 {
		return resource.Quantity{}, false
	}
	return *resource.NewQuantity(count, resource.BinarySI), true
}

// processors is a number of CPUs, and whether it is one.
func processors(value any) (resource.Quantity, bool) {
	count, err := strconv.ParseFloat(text(value), 64)
	if err != nil || count <= 0 {
		return resource.Quantity{}, false
	}
	return *resource.NewMilliQuantity(int64(count*1000+0.5), resource.DecimalSI), true
}

func (m *maker) resources(p *pod) error {
	put := func(list *corev1.ResourceList, name corev1.ResourceName, of func(any) (resource.Quantity, bool), value any) {
		if quantity, ok := of(value); ok {
			if *list == nil {
				*list = corev1.ResourceList{}
			}
			(*list)[name] = quantity
		}
	}
	limits, requests := &p.container.Resources.Limits, &p.container.Resources.Requests
	put(limits, corev1.ResourceCPU, processors, p.take("cpus"))
	put(limits, corev1.ResourceMemory, amount, p.take("mem_limit"))
	put(requests, corev1.ResourceMemory, amount, p.take("mem_reservation"))
	deploy, _ := p.definition["deploy"].(object)
	wanted, _ := deploy["resources"].(object)
	for key, list := range map[string]*corev1.ResourceList{"limits": limits, "reservations": requests} {
		of, _ := wanted[key].(object)
		put(list, corev1.ResourceCPU, processors, of["cpus"])
		put(list, corev1.ResourceMemory, amount, of["memory"])
		if devices, ok := of["devices"].([]any); ok && len(devices) > 0 {
			m.note(p.name, "devices: ask for them as a resource of the cluster's device plugin")
		}
	}
	if len(*limits)+len(*requests) == 0 {
		m.note(p.name, "it has no limits and asks for nothing: give it resources.requests, or the scheduler puts it anywhere")
	}
	return nil
}

var (
	numericUser = regexp.MustCompile(`^([0-9]+)(:([0-9]+))?$`)
	hostLabel   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// security is who a container is and what it may do.
func (m *maker) security(p *pod) error {
	yes, no := true, false
	context := &corev1.SecurityContext{AllowPrivilegeEscalation: &yes}
	pods := &corev1.PodSecurityContext{}
	if user := text(p.take("user")); user != "" {
		found := numericUser.FindStringSubmatch(user)
		if found == nil {
			m.note(p.name, "user %s: Kubernetes takes numbers alone; set runAsUser to the user's number in the image", user)
		} else if uid, err := strconv.ParseInt(found[1], 10, 64); err == nil {
			context.RunAsUser = &uid
			if gid, err := strconv.ParseInt(found[3], 10, 64); err == nil {
				context.RunAsGroup, pods.FSGroup = &gid, &gid
			} else if p.claimed() {
				// A new claim is root's, and what is mounted belongs to this group.
				pods.FSGroup = &uid
			}
		}
	}
	for _, group := range texts(p.take("group_add")) {
		if gid, err := strconv.ParseInt(group, 10, 64); err == nil {
			pods.SupplementalGroups = append(pods.SupplementalGroups, gid)
		} else {
			m.note(p.name, "group_add %s: Kubernetes takes numbers alone", group)
		}
	}
	var capabilities corev1.Capabilities
	for _, one := range texts(p.take("cap_add")) {
		capabilities.Add = append(capabilities.Add, corev1.Capability(strings.TrimPrefix(strings.ToUpper(one), "CAP_")))
	}
	for _, one := range texts(p.take("cap_drop")) {
		capabilities.Drop = append(capabilities.Drop, corev1.Capability(strings.TrimPrefix(strings.ToUpper(one), "CAP_")))
	}
	if len(capabilities.Add)+len(capabilities.Drop) > 0 {
		context.Capabilities = &capabilities
	}
	if p.take("privileged") == true {
		context.Privileged = &yes
		m.note(p.name, "it is privileged: most clusters refuse that")
	}
	if p.take("read_only") == true {
		context.ReadOnlyRootFilesystem = &yes
	}
	for _, option := range texts(p.take("security_opt")) {
		if strings.HasPrefix(option, "no-new-privileges") && !strings.HasSuffix(option, "false") {
			context.AllowPrivilegeEscalation = &no
			continue
		}
		m.note(p.name, "security_opt %s: write it as a profile of seccomp, AppArmor or SELinux", option)
	}
	if *context.AllowPrivilegeEscalation {
		context.AllowPrivilegeEscalation = nil // Kubernetes' default, as Docker's.
	}
	sysctls, _ := p.take("sysctls").(object)
	for _, name := range sorted(sysctls) {
		pods.Sysctls = append(pods.Sysctls, corev1.Sysctl{Name: name, Value: text(sysctls[name])})
	}
	if *context != (corev1.SecurityContext{}) {
		p.container.SecurityContext = context
	}
	if pods.FSGroup != nil || len(pods.SupplementalGroups)+len(pods.Sysctls) > 0 {
		p.spec.SecurityContext = pods
	}
	return nil
}

// network is how a container is known and whom it knows.
func (m *maker) network(p *pod) error {
	if name := text(p.take("hostname")); hostLabel.MatchString(name) {
		p.spec.Hostname = name
	} else if name != "" {
		m.note(p.name, "hostname %s: a pod's is a DNS label", name)
	}
	hosts := p.take("extra_hosts")
	addresses := map[string][]string{}
	add := func(host, address string) {
		if _, err := netip.ParseAddr(strings.Trim(address, "[]")); err != nil {
			m.note(p.name, "extra_hosts %s: %s is no address; in a cluster there is no server that containers share", host, address)
			return
		}
		addresses[strings.Trim(address, "[]")] = append(addresses[strings.Trim(address, "[]")], host)
	}
	switch hosts := hosts.(type) {
	case object:
		for _, host := range sorted(hosts) {
			for _, address := range texts(hosts[host]) {
				add(host, address)
			}
		}
	case []any:
		for _, one := range texts(hosts) {
			if at := strings.IndexAny(one, "=:"); at > 0 {
				add(one[:at], one[at+1:])
			}
		}
	}
	for _, address := range sorted(addresses) {
		names := slices.Sorted(slices.Values(addresses[address]))
		p.spec.HostAliases = append(p.spec.HostAliases, corev1.HostAlias{IP: address, Hostnames: slices.Compact(names)})
	}
	switch mode := text(p.take("network_mode")); {
	case mode == "" || mode == "bridge":
	case mode == "host":
		m.note(p.name, "network_mode host: it gets an address of its own; what it reached at 127.0.0.1 it reaches by the services' names")
	default:
		m.note(p.name, "network_mode %s: put both containers into one pod, or have them use the Service's name", mode)
	}
	networks, _ := m.file(p.name).Services[p.name]["networks"].(object)
	if len(networks) > 1 || len(networks) == 1 && networks["default"] == nil {
		if _, standard := networks["default"]; !standard {
			m.note("", "networks: in a cluster every pod reaches every other; write NetworkPolicies where networks kept services apart (%s)", strings.Join(sorted(networks), ", "))
		}
	}
	for _, key := range []string{"pid", "ipc", "uts", "userns_mode", "cgroup"} {
		if value := text(p.take(key)); value != "" && value != "private" {
			m.note(p.name, "%s %s: it is not carried over", key, value)
		}
	}
	return nil
}
