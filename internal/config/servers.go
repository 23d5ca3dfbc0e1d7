package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxServers bounds what one server drives over SSH at the same time, and whose containers find their data on it.
	maxServers = 20
	// minCPU and maxCPU are percent: below, servers never leave; above, they come too late. Source: a choice.
	minCPU, maxCPU = 10, 90
	// maxLogDays is ten years. Source: a choice.
	maxLogDays = 3650
	// MaxIdle is how many seconds a load balancer keeps a connection that is silent. Source: Elastic Load Balancing, "Edit attributes for
	// your Application Load Balancer", idle_timeout.timeout_seconds.
	MaxIdle = 4000
	// maxCommonName is how long the first name of a certificate of ACM may be. Source: ACM API Reference, "RequestCertificate".
	maxCommonName = 64
)

// Servers is how many servers there are, the first one included. The others, web servers, are an Auto Scaling group's.
type Servers struct {
	// Min and Max are the same where their number is fixed; otherwise it follows the web servers' CPU, in percent.
	Min, Max, CPU int
	// First says whether the first server takes requests, too, Sticky whether the load balancer keeps a visitor at one server.
	First, Sticky bool
	// AccessLogs is how many days the load balancer's access logs are kept in a bucket, 0 for none.
	AccessLogs int
}

// oneServer is the default.
var oneServer = Servers{Min: 1, Max: 1, CPU: 60, First: true}

// Several says whether there are others beside the first server.
func (s Servers) Several() bool { return s.Max > 1 }

// Command sets all of them, whatever fields were set before.
func (s Servers) Command() string {
	fixed := oneServer
	fixed.Min, fixed.Max = s.Min, s.Max
	if s == fixed && s.Min == s.Max {
		return set("servers", strconv.Itoa(s.Min))
	}
	commands := []string{"pulumi config rm " + namespace + "servers", set("servers.min", strconv.Itoa(s.Min)), set("servers.max", strconv.Itoa(s.Max))}
	if s.CPU != fixed.CPU {
		commands = append(commands, set("servers.cpu", strconv.Itoa(s.CPU)))
	}
	if s.First != fixed.First {
		commands = append(commands, set("servers.first", strconv.FormatBool(s.First)))
	}
	if s.Sticky != fixed.Sticky {
		commands = append(commands, set("servers.sticky", strconv.FormatBool(s.Sticky)))
	}
	if s.AccessLogs != fixed.AccessLogs {
		commands = append(commands, set("servers.accessLogs", strconv.Itoa(s.AccessLogs)))
	}
	return strings.Join(commands, " && ")
}

// serverFields are what servers may be as an object, with the command that sets each.
var serverFields = map[string]string{"min": "2", "max": "4", "cpu": "60", "first": "true", "sticky": "true", "accessLogs": "30"}

// servers reads how many there are. What is not sound is one server, so that nothing else is refused for it.
func (l *loader) servers() {
	before := len(l.problems)
	read := l.readServers()
	if l.config.Servers = oneServer; len(l.problems) == before {
		l.config.Servers = read
	}
}

func (l *loader) readServers() Servers {
	read := oneServer
	value := l.raw("servers")
	if value == "" {
		return read
	}
	if json.Unmarshal([]byte(value), &read.Min) == nil {
		if read.Max = read.Min; read.Min < 1 || read.Min > maxServers {
			l.problem("servers-out-of-range", "servers", value, fmt.Sprintf("a whole number of servers from 1 to %d is required, the first one included", maxServers), set("servers", defaultText("servers")))
		}
		return read
	}
	var fields map[string]json.RawMessage
	if !l.decode("servers", &fields, "a whole number of servers, or {min, max, cpu, first, sticky, accessLogs}", set("servers", defaultText("servers"))) {
		return read
	}
	read = oneServer
	l.serverFields(fields, &read)
	return read
}

// serverFields reads servers as an object, and says of each field what is wrong with it.
func (l *loader) serverFields(fields map[string]json.RawMessage, read *Servers) {
	known := slices.Sorted(maps.Keys(serverFields))
	into := map[string]any{"min": &read.Min, "max": &read.Max, "cpu": &read.CPU, "first": &read.First, "sticky": &read.Sticky, "accessLogs": &read.AccessLogs}
	sound := true
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		at, value := pathInto("servers", name), string(fields[name])
		switch target := into[name]; {
		case target == nil:
			l.problem("servers-field-unknown", at, "", "servers has min, max, cpu, first, sticky and accessLogs"+nearest(name, known), remove(at))
		case value == "null" || json.Unmarshal(fields[name], target) != nil:
			kind := "a whole number"
			if name == "first" || name == "sticky" {
				kind = "true or false"
			}
			l.problem("servers-field-invalid", at, value, kind+" without quotes is required", set(at, serverFields[name]))
			sound = false
		}
	}
	if _, given := fields["min"]; !given {
		// The load that adds a server is measured on web servers, so that there has to be one.
		read.Min = min(read.Max, 2)
	}
	if _, given := fields["max"]; !given {
		read.Max = max(read.Min, 1)
	}
	if sound {
		l.serverNumbers(read)
	}
}

// serverNumbers checks what of servers has a range.
func (l *loader) serverNumbers(read *Servers) {
	if read.CPU < minCPU || read.CPU > maxCPU {
		l.problem("servers-cpu-out-of-range", "servers.cpu", strconv.Itoa(read.CPU), fmt.Sprintf("percent from %d to %d are required, which Auto Scaling keeps the web servers' CPU at", minCPU, maxCPU), set("servers.cpu", serverFields["cpu"]))
	}
	if read.AccessLogs < 0 || read.AccessLogs > maxLogDays {
		l.problem("servers-access-logs-out-of-range", "servers.accessLogs", strconv.Itoa(read.AccessLogs), fmt.Sprintf("0 to %d days are required, for which the load balancer's access logs are kept; 0 keeps none", maxLogDays), set("servers.accessLogs", serverFields["accessLogs"]))
	}
	switch {
	case read.Max < 1 || read.Max > maxServers:
		l.problem("servers-max-out-of-range", "servers.max", strconv.Itoa(read.Max), fmt.Sprintf("1 to %d servers are required, the first one included", maxServers), set("servers.max", strconv.Itoa(min(max(read.Min, 1), maxServers))))
	case read.Min < 1 || read.Min > read.Max:
		l.problem("servers-min-out-of-range", "servers.min", strconv.Itoa(read.Min), fmt.Sprintf("1 to max (%d) servers are required, the first one included", read.Max), set("servers.min", strconv.Itoa(min(max(read.Min, 1), read.Max))))
	case read.Min < 2 && read.Max > 1:
		l.problem("servers-never-more", "servers.min", strconv.Itoa(read.Min), "at least 2 servers are required where there may be more: the load that adds a server is measured on web servers, and with 1 there is none", set("servers.min", "2"))
	case !read.First && read.Min < 2:
		l.problem("servers-first-alone", "servers.first", "false", fmt.Sprintf("with min %d the first server may be the only one, and has to take requests", read.Min), set("servers.first", "true"))
	}
}

// several refuses settings that do not go with several servers.
func (l *loader) several() {
	c := l.config
	if !c.Servers.Several() {
		return
	}
	one := oneServer.Command()
	if len(c.Domain) > maxCommonName {
		l.problem("domain-too-long-for-acm", "domain", c.Domain, fmt.Sprintf("with several servers, the certificate is one of ACM, whose first name has at most %d characters; make a shorter name the domain, and this one an alias; or have one server", maxCommonName), one)
	}
	if c.SubnetID != "" {
		// Without the setting, the server would be replaced.
		l.problem("subnet-of-one-server", "subnetId", c.SubnetID, "several servers need a network of Berth's, with subnets in two zones; in an existing subnet there is one server", one)
	}
	if len(c.ExternalHosts) > 0 {
		l.problem("external-hosts-with-servers", "externalHosts", "", "with several servers, the names point to a load balancer, whose addresses change, and its certificate is validated in the zone; names with DNS elsewhere need one server", one)
	}
	if c.ReleaseStrategy == StopFirst {
		l.problem("stop-first-with-servers", "releaseStrategy", StopFirst, "several servers switch to a release at the same moment, which "+BlueGreen+" alone does", set("releaseStrategy", BlueGreen))
	}
	if c.HTTP3 {
		l.problem("http3-with-servers", "http3", "true", "with several servers, visitors talk to an Application Load Balancer, which has no HTTP/3", remove("http3"))
	}
	if c.OnlyTrustedProxies {
		l.problem("only-proxies-with-servers", "onlyTrustedProxies", "true", "with several servers, all requests come from the load balancer, which lets everybody in", remove("onlyTrustedProxies"))
	}
	if slices.Equal(c.TrustedProxies, []string{"cloudflare"}) {
		l.problem("cloudflare-header-with-servers", "trustedProxies", "", "with cloudflare as the only proxy, a visitor's address is read in CF-Connecting-IP, which the load balancer takes from anybody; several servers read X-Forwarded-For", remove("trustedProxies"))
	}
	if c.Timeout > MaxIdle {
		l.problem("timeout-with-servers", "timeout", strconv.Itoa(c.Timeout), fmt.Sprintf("with several servers, the load balancer ends a connection that is silent for %d seconds", MaxIdle), set("timeout", strconv.Itoa(MaxIdle)))
	}
	for i, route := range l.declared {
		at := fmt.Sprintf("routes[%d]", i)
		if route.Protocol == ProtocolGRPC {
			l.problem("grpc-with-servers", at+".protocol", route.Protocol, "with several servers, the load balancer speaks HTTP/1.1 to the servers, and gRPC needs HTTP/2; a gRPC route needs one server", one)
		}
		if route.Timeout > MaxIdle {
			l.problem("route-timeout-with-servers", at+".timeout", strconv.Itoa(route.Timeout), fmt.Sprintf("with several servers, the load balancer ends a connection that is silent for %d seconds", MaxIdle), set(at+".timeout", strconv.Itoa(MaxIdle)))
		}
	}
}
