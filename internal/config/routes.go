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
	routeFields = []string{"health", "path", "port", "service"}
	// healthText is a path with a query, in characters that mean nothing to a shell.
	healthText  = regexp.MustCompile(`^/[A-Za-z0-9._~/?&=%+-]*$`)
	routeText   = regexp.MustCompile(`^/[A-Za-z0-9._~/-]*$`)
	serviceText = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
)

// setRoute is the command that sets a whole route.
func setRoute(i int, path, service, port string) string {
	at := fmt.Sprintf("routes[%d].", i)
	return set(at+"path", path) + " && " + set(at+"service", service) + " && " + set(at+"port", port)
}

// maxUpload in MiB lets an address send two at a time; more does not fit a small server's disk.
const maxUpload = 256

// folder is a route's path with a slash at its end: with and without one it is the same route.
func folder(path string) string { return strings.TrimSuffix(path, "/") + "/" }

// routes reads which paths lead where, and how much may be sent there.
func (l *loader) routes() {
	l.config.UploadLimit = l.number("uploadLimit", 100, 1, maxUpload, "MiB")
	if word := l.word("routes"); word != "" {
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
		if !ok {
			seen[folder(route.Path)] = true
			continue
		}
		at := fmt.Sprintf("routes[%d]", i)
		switch {
		case !routeText.MatchString(route.Path) || strings.Contains(route.Path, "//") || strings.Contains(route.Path+"/", "/./") || strings.Contains(route.Path, ".."):
			l.problem("route-path-invalid", at+".path", route.Path, "a path begins with / and holds letters, digits and . _ ~ - /", set(at+".path", "/"))
		case strings.HasPrefix(route.Path, challenges):
			l.problem("route-path-acme", at+".path", route.Path, "the certificate authority asks there", set(at+".path", "/"))
		case seen[folder(route.Path)]:
			l.problem("route-path-twice", at+".path", route.Path, "the path has a route already", remove(at))
		}
		seen[folder(route.Path)] = true
		if !serviceText.MatchString(route.Service) {
			l.problem("route-service-invalid", at+".service", route.Service, "a service of the compose file is required", set(at+".service", "web"))
		}
		if route.Port < 1 || route.Port > 65535 {
			l.problem("route-port-invalid", at+".port", fmt.Sprint(route.Port), "the port on which the service listens is 1 to 65535", set(at+".port", "8000"))
		}
		if route.Health != "" && !healthText.MatchString(route.Health) {
			l.problem("route-health-invalid", at+".health", route.Health, "a path is required that answers 2xx or 3xx when the service works, such as /healthz", set(at+".health", "/healthz"))
		}
		l.config.Routes = append(l.config.Routes, route)
	}
	if !seen["/"] {
		l.problem("route-none-at-root", "routes", "", "no route begins at /, so the site itself would lead nowhere", setRoute(len(elements), "/", "web", "80"))
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
}

// route reads one route and refuses fields that are none or are missing.
func (l *loader) route(i int, element json.RawMessage) (Route, bool) {
	at := fmt.Sprintf("routes[%d]", i)
	var route Route
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(element, &fields); err != nil || fields == nil {
		l.problem("route-wrong-kind", at, string(element), "a route is {path, service, port}", remove(at))
		return route, false
	}
	sound := true
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(routeFields, field) {
			path := pathInto(at, field)
			l.problem("route-field-unknown", path, "", "a route has path, service and port, and may have health"+nearest(field, routeFields), remove(path))
			sound = false
		}
	}
	for _, field := range []struct {
		name, kind, example string
		into                any
	}{
		{"path", "a path is required, such as /api/", "/", &route.Path},
		{"service", "a service of the compose file is required", "web", &route.Service},
		{"port", "the port on which the service listens is required, a whole number without quotes", "80", &route.Port},
	} {
		value, ok := fields[field.name]
		if ok && string(value) != "null" && json.Unmarshal(value, field.into) == nil {
			continue
		}
		l.problem("route-field-invalid", at+"."+field.name, string(value), field.kind, set(at+"."+field.name, field.example))
		sound = false
	}
	if health, ok := fields["health"]; ok {
		if text, isText := scalar(health); isText {
			route.Health = text
		} else {
			l.problem("route-health-wrong-kind", at+".health", string(health), "a path is required, such as /healthz", set(at+".health", "/healthz"))
			sound = false
		}
	}
	return route, sound
}
