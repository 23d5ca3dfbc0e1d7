package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// challenges is where the certificate authority asks, which is never the app's.
const challenges = "/.well-known/acme-challenge"

var (
	// healthText is a path with a query, in characters that mean nothing to a shell.
	healthText  = regexp.MustCompile(`^/[A-Za-z0-9._~/?&=%+-]*$`)
	routeText   = regexp.MustCompile(`^/[A-Za-z0-9._~/-]*$`)
	serviceText = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
)

// routeField is a field of a route: what has to be there, such as its example, and where it goes.
type routeField struct {
	id, name, allowed, example string
	optional                   bool
	into                       func(*Route) any
	valid                      func(*Route) bool
}

// routeFields are all fields of a route. A further one is a line here, a field of Route, and what nginx makes of it: directives in
// provision/scripts/release/routes.jq.
var routeFields = []routeField{
	optional(field("route-host-invalid", "host", "a DNS name is required, such as api.example.com, in lower case; without one the route is for the domain and its aliases", "api.example.com",
		func(r *Route) any { return &r.Host }, func(r *Route) bool { return validName(r.Host) == "" })),
	field("route-path-invalid", "path", "a path is required, such as /api/: it begins with / and holds letters, digits and . _ ~ - /", "/",
		func(r *Route) any { return &r.Path }, func(r *Route) bool { return soundPath(r.Path) }),
	field("route-service-invalid", "service", "a service of the compose file is required", "web",
		func(r *Route) any { return &r.Service }, func(r *Route) bool { return serviceText.MatchString(r.Service) }),
	field("route-port-invalid", "port", "the port on which the service listens is required, 1 to 65535, a whole number without quotes", "80",
		func(r *Route) any { return &r.Port }, func(r *Route) bool { return r.Port >= 1 && r.Port <= 65535 }),
	// Of HTTP/2 without TLS nginx speaks gRPC alone to an app.
	optional(field("route-protocol-invalid", "protocol", "http or grpc is required; an app that speaks HTTP/2 without TLS (h2c) and is no gRPC gets requests by HTTP/1.1, as nginx has no other way to it", "grpc",
		func(r *Route) any { return &r.Protocol }, func(r *Route) bool { return r.Protocol == "http" || r.Protocol == ProtocolGRPC })),
	optional(field("route-health-invalid", "health", "a path is required that answers 2xx or 3xx when the service works, such as /healthz; a service of gRPC has none", "/healthz",
		func(r *Route) any { return &r.Health }, func(r *Route) bool {
			return r.Health == "" || healthText.MatchString(r.Health) && r.Protocol != ProtocolGRPC
		})),
	optional(field("route-buffering-invalid", "buffering", "true (nginx takes in whole answers) or false (the service gets requests as they come) is required, without quotes; gRPC is never buffered", "false",
		func(r *Route) any { return &r.Buffering }, func(r *Route) bool { return r.Buffering != nil && (r.Protocol != ProtocolGRPC || !*r.Buffering) })),
	optional(field("route-max-body-invalid", "maxBody", "a whole number of MiB is required, 1 to 256, or to 1048576 where requests are not buffered (buffering: false, protocol: grpc)", "100",
		func(r *Route) any { return &r.MaxBody }, func(r *Route) bool {
			return r.MaxBody >= 1 && (r.MaxBody <= maxBody || r.Streamed() && r.MaxBody <= maxStreamed)
		})),
	optional(field("route-allow-from-invalid", "allowFrom", "a network in CIDR notation is required, such as 203.0.113.0/24, or a list of at most 200, with the host bits zero and none of everyone", "203.0.113.0/24",
		func(r *Route) any { return &r.AllowFrom }, func(r *Route) bool { return r.AllowFrom.valid() })),
	optional(field("route-auth-invalid", "auth", "true or false is required, without quotes", "false",
		func(r *Route) any { return &r.Auth }, func(r *Route) bool { return r.Auth != nil })),
	optional(field("route-rate-limit-invalid", "rateLimit", "a rate is required, such as 10/minute or {requests: 10, per: minute, burst: 20}: at most 1000 a second or 60000 a minute, and at most 100000 at once", "10/minute",
		func(r *Route) any { return &r.RateLimit }, func(r *Route) bool { return r.RateLimit != nil && r.RateLimit.valid() })),
	optional(field("route-timeout-invalid", "timeout", "a whole number of seconds is required, 1 to 86400", "300",
		func(r *Route) any { return &r.Timeout }, func(r *Route) bool { return r.Timeout >= 1 && r.Timeout <= maxTimeout })),
	optional(field("route-strip-prefix-invalid", "stripPrefix", "true or false is required; at / there is nothing to take away", "false",
		func(r *Route) any { return &r.StripPrefix }, func(r *Route) bool { return !r.StripPrefix || folder(r.Path) != "/" })),
}

func field(id, name, allowed, example string, into func(*Route) any, valid func(*Route) bool) routeField {
	return routeField{id: id, name: name, allowed: allowed, example: example, into: into, valid: valid}
}

func optional(of routeField) routeField {
	of.optional = true
	return of
}

// take reads a field's value, nil for none, and says whether it is what it has to be.
func (f routeField) take(route *Route, value json.RawMessage) bool {
	if value == nil {
		return f.optional
	}
	into := f.into(route)
	if text, ok := into.(*string); ok {
		var sound bool
		*text, sound = scalar(value)
		return sound && f.valid(route)
	}
	return string(value) != "null" && json.Unmarshal(value, into) == nil && f.valid(route)
}

func soundPath(path string) bool {
	return routeText.MatchString(path) && !strings.Contains(path, "//") && !strings.Contains(path+"/", "/./") && !strings.Contains(path, "..")
}

// setRoute is the command that sets a whole route.
func setRoute(i int, path, service, port string) string {
	at := fmt.Sprintf("routes[%d].", i)
	return set(at+"path", path) + " && " + set(at+"service", service) + " && " + set(at+"port", port)
}

// ProtocolGRPC is what a service speaks that nginx talks HTTP/2 to.
const ProtocolGRPC = "grpc"

// maxBody in MiB lets an address send two at a time; more does not fit a small server's disk.
const maxBody = 256

// maxStreamed in MiB is a TiB: what is not kept on the server has no limit by its room.
const maxStreamed = 1024 * 1024

// maxTimeout in seconds is a day: a connection that is silent for longer is most likely gone.
const maxTimeout = 86400

// folder is a route's path with a slash at its end: with and without one it is the same route.
func folder(path string) string { return strings.TrimSuffix(path, "/") + "/" }

// routes reads which paths lead where.
func (l *loader) routes() {
	if word := l.single("routes"); word != "" {
		l.onlyRoute(word)
		return
	}
	var elements []json.RawMessage
	if !l.decode("routes", &elements, "a list of {path, service, port}", "pulumi config rm berth:routes && "+setRoute(0, "/", "web", "80")) {
		return
	}
	if len(elements) == 0 {
		l.problem("routes-missing", "routes", "", "at least one route is required, from / to a service of the compose file and its port", set("routes", "web:80"))
		return
	}
	seen := map[string]bool{}
	for i, element := range elements {
		route, ok := l.route(i, element)
		at, key := fmt.Sprintf("routes[%d]", i), route.Host+folder(route.Path)
		switch {
		case strings.HasPrefix(route.Path, challenges):
			l.problem("route-path-acme", at+".path", route.Path, "the certificate authority asks there", set(at+".path", "/"))
		case ok && seen[key]:
			l.problem("route-path-twice", at+".path", route.Path, "the path has a route already", remove(at))
		case ok && route.StripPrefix && route.Health != "" && !strings.HasPrefix(folder(route.Health), folder(route.Path)):
			l.problem("route-health-outside", at+".health", route.Health, "it is asked as visitors would, and lies outside the route's path", set(at+".health", folder(route.Path)+strings.TrimPrefix(route.Health, "/")))
		}
		seen[key] = true
		l.declared = append(l.declared, route)
		if ok {
			l.config.Routes = append(l.config.Routes, route)
		}
	}
}

// timeout reads how long the app may be silent, also for routes that have no time of their own.
func (l *loader) timeout() {
	c := l.config
	c.Timeout = l.number("timeout", 1, maxTimeout, "seconds")
	for i := range c.Routes {
		if route := &c.Routes[i]; route.Streamed() && route.Timeout == 0 {
			// nginx bounds the silence of a stream on both sides, the visitor's at the route.
			route.Timeout = c.Timeout
		}
	}
}

// onlyRoute reads the route of a site that one service answers, as its name and port.
func (l *loader) onlyRoute(word string) {
	service, digits, _ := strings.Cut(word, ":")
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 || !serviceText.MatchString(service) {
		l.problem("route-word-invalid", "routes", word, "a service of the compose file and its port are required, such as web:80, or a list of {path, service, port}", set("routes", "web:80"))
		return
	}
	l.config.Routes = []Route{{Path: "/", Service: service, Port: int(port)}}
	l.declared = l.config.Routes
}

// route reads one route, and says whether all of its fields are what they have to be.
func (l *loader) route(i int, element json.RawMessage) (Route, bool) {
	at := fmt.Sprintf("routes[%d]", i)
	var route Route
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(element, &fields); err != nil || fields == nil {
		l.problem("route-wrong-kind", at, string(element), "a route is {path, service, port}", remove(at))
		return route, false
	}
	sound := true
	var known, options []string
	for _, field := range routeFields {
		known = append(known, field.name)
		if field.optional {
			options = append(options, field.name)
		}
		if value := fields[field.name]; !field.take(&route, value) {
			l.problem(field.id, at+"."+field.name, string(value), field.allowed, set(at+"."+field.name, field.example))
			sound = false
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, name) {
			path := pathInto(at, name)
			l.problem("route-field-unknown", path, "", "a route has path, service and port, and may have "+strings.Join(options, ", ")+nearest(name, known), remove(path))
			sound = false
		}
	}
	return route, sound
}
