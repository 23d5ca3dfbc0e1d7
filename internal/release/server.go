package release

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"berth/internal/instance"
	"berth/internal/release/compose"
)

const gibibyte = 1 << 30

// loggingDrivers are those of Debian 13's Docker. Source: moby v26.1.5, daemon/logdrivers_linux.go.
var loggingDrivers = []string{"awslogs", "fluentd", "gcplogs", "gelf", "journald", "json-file", "local", "none", "splunk", "syslog"}

// missingDevice matches devices that no server has.
var missingDevice = regexp.MustCompile(`^/dev/(dri|kvm|kfd|nvidia|video|snd|tty(USB|ACM|AMA|S[1-9])|bus/usb|serial|apex|dvb|i2c|spi|gpio|mem$|hidraw|sgx|vfio|accel)`)

// unlike finds what services want of a server and the stack's own does not have.
func (f *findings) unlike() {
	for _, name := range slices.Sorted(maps.Keys(f.model.Project.Services)) {
		service := f.model.Project.Services[name]
		at := func(keys ...string) compose.Place { return f.source.At(append([]string{"services", name}, keys...)...) }
		if !runsHere(service.Platform) {
			f.problem("platform-other", at("platform"), "service %s is for the platform %s, and the server is linux/amd64; take platform out, or name an image for linux/amd64", name, service.Platform)
		}
		f.limits(name, service, at)
		f.devices(name, service, at)
		if driver := logDriver(service); driver != "" && !slices.Contains(loggingDrivers, driver) {
			f.problem("logging-plugin", at("logging", "driver"), "service %s logs with %s, a plugin that the server's Docker does not have; take logging out: the server keeps its output within bounds, or name one of: json-file, local, journald, none", name, driver)
			f.better = append(f.better, fmt.Sprintf("service %s has its output sent in the server's own network (logging.", name))
		}
		if service.Runtime != "" && service.Runtime != "runc" && service.Runtime != "io.containerd.runc.v2" {
			f.problem("runtime-missing", at("runtime"), "service %s wants the runtime %s, which the server does not have; take runtime out", name, service.Runtime)
			f.better = append(f.better, fmt.Sprintf("service %s chooses the runtime %s", name, service.Runtime))
		}
	}
	for name, volume := range f.model.Project.Volumes {
		if volume.Driver != "" && volume.Driver != "local" && !bool(volume.External) {
			f.problem("volume-plugin", f.source.At("volumes", name, "driver"), "volume %s has the driver %s, a plugin that the server's Docker does not have; take driver out, and Docker keeps the files on the data volume", name, volume.Driver)
			f.better = append(f.better, fmt.Sprintf("volume %s has the driver %s", name, volume.Driver))
		}
	}
	for name, network := range f.model.Project.Networks {
		if !slices.Contains([]string{"", "default", "bridge", "host", "none", "macvlan", "ipvlan"}, network.Driver) && !bool(network.External) {
			f.problem("network-plugin", f.source.At("networks", name, "driver"), "network %s has the driver %s, which a single server does not have; take driver out", name, network.Driver)
			f.better = append(f.better, fmt.Sprintf("network %s has the driver %s", name, network.Driver))
		}
	}
}

// runsHere says whether the server runs what is for a platform.
func runsHere(platform string) bool {
	parts := strings.Split(strings.ToLower(platform), "/")
	if len(parts) > 1 {
		return parts[0] == "linux" && (parts[1] == "amd64" || parts[1] == "x86_64" || parts[1] == "x86-64" || parts[1] == "386")
	}
	return slices.Contains([]string{"", "linux", "amd64", "x86_64", "x86-64", "386"}, parts[0])
}

func logDriver(service types.ServiceConfig) string {
	if service.Logging != nil && service.Logging.Driver != "" {
		return service.Logging.Driver
	}
	return service.LogDriver
}

// limits finds services that want more processors or memory than the server has: Docker starts no container with more processors,
// and one with more memory never gets it.
func (f *findings) limits(name string, service types.ServiceConfig, at func(...string) compose.Place) {
	server, known := instance.Lookup(f.cfg.InstanceType)
	if !known {
		return
	}
	vCPUs, has := float64(server.VCPUs), int64(server.Memory)<<20
	larger := func(vCPUs float64, memory int64) string {
		if one, ok := server.Larger(vCPUs, (memory+1<<20-1)>>20); ok {
			return "lower it, or take a larger server: pulumi config set berth:instanceType " + one.Name()
		}
		return "lower it: no server of the family has as much"
	}
	processors := func(wanted float64, keys ...string) {
		if wanted > vCPUs {
			f.problem("cpus-too-many", at(keys...), "service %s may take %s CPUs (%s), and a %s has %g, so Docker would not start it; %s", name, strconv.FormatFloat(wanted, 'g', 4, 64), strings.Join(keys, "."), f.cfg.InstanceType, vCPUs, larger(wanted, 0))
		}
	}
	memory := func(each int64, keys ...string) {
		// Replicas share the processors, and each has memory of its own.
		count := int64(max(service.GetScale(), 1))
		switch {
		case each > has:
			f.problem("memory-too-large", at(keys...), "service %s is to have %s of memory (%s), and a %s has %s; %s", name, bytes(each), strings.Join(keys, "."), f.cfg.InstanceType, bytes(has), larger(0, each))
		case each*count > has:
			f.problem("memory-of-replicas", at(keys...), "the %d containers of service %s are to have %s of memory each (%s), %s together, and a %s has %s; run fewer of them, or %s", count, name, bytes(each), strings.Join(keys, "."), bytes(each*count), f.cfg.InstanceType, bytes(has), larger(0, each*count))
		}
	}
	processors(float64(service.CPUS), "cpus")
	if last := lastProcessor(service.CPUSet); last >= vCPUs {
		f.problem("cpuset-outside", at("cpuset"), "service %s is to run on the CPUs %s, and a %s has 0 to %g, so Docker would not start it; take cpuset out, or %s", name, service.CPUSet, f.cfg.InstanceType, vCPUs-1, larger(last+1, 0))
	}
	memory(int64(service.MemLimit), "mem_limit")
	memory(int64(service.MemReservation), "mem_reservation")
	if service.Deploy == nil {
		return
	}
	if limits := service.Deploy.Resources.Limits; limits != nil {
		processors(float64(limits.NanoCPUs), "deploy", "resources", "limits", "cpus")
		memory(int64(limits.MemoryBytes), "deploy", "resources", "limits", "memory")
	}
	if reserved := service.Deploy.Resources.Reservations; reserved != nil {
		processors(float64(reserved.NanoCPUs), "deploy", "resources", "reservations", "cpus")
		memory(int64(reserved.MemoryBytes), "deploy", "resources", "reservations", "memory")
	}
}

// lastProcessor is the highest number of a list such as 0-3,6; -1 for none.
func lastProcessor(set string) float64 {
	last := -1.0
	for _, part := range strings.FieldsFunc(set, func(r rune) bool { return r < '0' || r > '9' }) {
		if number, err := strconv.ParseFloat(part, 64); err == nil {
			last = max(last, number)
		}
	}
	return last
}

func bytes(count int64) string {
	if count >= gibibyte {
		return strconv.FormatFloat(float64(count)/gibibyte, 'g', 4, 64) + " GiB"
	}
	return strconv.FormatInt(count>>20, 10) + " MiB"
}

// devices finds hardware that the server does not have, so that allowing it would not help.
func (f *findings) devices(name string, service types.ServiceConfig, at func(...string) compose.Place) {
	gpus := func(keys []string, wanted []types.DeviceRequest) {
		if len(wanted) == 0 {
			return
		}
		f.problem("gpu-missing", at(keys...), "service %s wants devices of the server (%s), and the server has no GPU; take that out if the app runs without it", name, strings.Join(keys, "."))
		f.better = append(f.better, fmt.Sprintf("service %s wants devices of the server (%s)", name, strings.Join(keys, ".")))
	}
	gpus([]string{"gpus"}, service.Gpus)
	if service.Deploy != nil && service.Deploy.Resources.Reservations != nil {
		gpus([]string{"deploy", "resources", "reservations", "devices"}, service.Deploy.Resources.Reservations.Devices)
	}
	var gone []string
	for _, device := range service.Devices {
		if missingDevice.MatchString(device.Source) || strings.Contains(device.Source, "=") && !strings.HasPrefix(device.Source, "/") {
			gone = append(gone, device.Source)
		}
	}
	if len(gone) > 0 {
		f.problem("device-missing", at("devices"), "service %s wants the device %s, which the server does not have; take it out if the app runs without it", name, strings.Join(gone, ", "))
	}
	if len(gone) > 0 && len(gone) == len(service.Devices) {
		f.better = append(f.better, fmt.Sprintf("service %s wants devices of the server (devices)", name))
	}
}

// across finds services that share what belongs to one project with a service of the other.
func (f *findings) across() {
	for _, name := range slices.Sorted(maps.Keys(f.model.Project.Services)) {
		service := f.model.Project.Services[name]
		for _, shares := range []struct{ key, value, what string }{{"pid", service.Pid, "processes"}, {"ipc", service.Ipc, "shared memory"}} {
			other, ok := strings.CutPrefix(shares.value, "service:")
			if !ok || (f.plan.Because[name] == "") == (f.plan.Because[other] == "") {
				continue
			}
			lasting, because := name, f.plan.Because[name]
			if because == "" {
				lasting, because = other, f.plan.Because[other]
			}
			f.problem("namespace-shared-across", f.source.At("services", name, shares.key), "service %s shares the %s of %s (%s: service:%s), but only %s is persistent, because %s, so they live in different projects; label both berth.stateful: \"true\", or both \"false\", in the compose file",
				name, shares.what, other, shares.key, other, lasting, cmp.Or(because, "it is labelled"))
		}
	}
}
