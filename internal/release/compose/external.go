package compose

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// External is what became of a service that runs elsewhere.
type External struct {
	Service, Host string
	// There says that the compose file has it.
	There bool
	// Pointed are the variables of other services that name Host now, as "service VARIABLE".
	Pointed []string
	// Shared are the services that share a namespace or volumes with its container. Inside are those that use it and have internal
	// networks only. Named are those whose command or health check names it, by the key that does.
	Shared, Inside []string
	Named          map[string]string
}

// Externalize takes the services out of the model that run elsewhere, by the hosts where they do. What the environment of the others
// says of them as a host names those hosts then.
func (m *Model) Externalize(hosts map[string]string) ([]External, error) {
	if len(hosts) == 0 {
		return nil, nil
	}
	var all []External
	names := map[string]string{}
	project := m.Project
	for _, service := range slices.Sorted(maps.Keys(hosts)) {
		one := External{Service: service, Host: hosts[service], Named: map[string]string{}}
		definition, there := project.Services[service]
		_, off := project.DisabledServices[service]
		if one.There = there || off; there {
			names[service] = service
			for _, name := range otherNames(definition) {
				names[name] = service
			}
		}
		all = append(all, one)
	}
	project = project.WithServicesDisabled(slices.Sorted(maps.Keys(hosts))...)
	for service := range hosts {
		delete(project.DisabledServices, service)
		for _, files := range []map[string][]string{m.EnvFiles, m.LabelFiles, m.Absent, m.StandIns} {
			delete(files, service)
		}
	}
	m.SSH = slices.DeleteFunc(m.SSH, func(service string) bool { return hosts[service] != "" })
	for _, user := range slices.Sorted(maps.Keys(project.Services)) {
		definition := project.Services[user]
		own := maps.Clone(names)
		// A link that has another name for it is a host by that name here.
		definition.Links = slices.DeleteFunc(definition.Links, func(link string) bool {
			service, alias, _ := strings.Cut(link, ":")
			if hosts[service] != "" && alias != "" {
				own[alias] = service
			}
			return hosts[service] != ""
		})
		for i := range all {
			if all[i].use(user, &definition, own) && inside(project, definition) {
				all[i].Inside = append(all[i].Inside, user)
			}
		}
		project.Services[user] = definition
	}
	return all, m.set(project.WithoutUnnecessaryResources())
}

// otherNames are those that containers reach a service by beside its own.
func otherNames(service types.ServiceConfig) []string {
	names := []string{service.ContainerName, service.Hostname}
	for _, network := range service.Networks {
		if network != nil {
			names = append(names, network.Aliases...)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// inside says whether all networks of a service are internal, so that it reaches nothing outside of them.
func inside(project *types.Project, service types.ServiceConfig) bool {
	for name := range service.Networks {
		if !project.Networks[name].Internal {
			return false
		}
	}
	return len(service.Networks) > 0
}

// use has another service name the host, and notes what it needs the container for. names are those of external services. It says
// whether the service names the host now.
func (e *External) use(user string, definition *types.ServiceConfig, names map[string]string) (pointed bool) {
	for _, namespace := range []string{definition.NetworkMode, definition.Ipc, definition.Pid} {
		if namespace == "service:"+e.Service {
			e.Shared = append(e.Shared, user)
		}
	}
	if slices.ContainsFunc(definition.VolumesFrom, func(from string) bool { return from == e.Service || strings.HasPrefix(from, e.Service+":") }) {
		e.Shared = append(e.Shared, user)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] != e.Service {
			continue
		}
		for _, variable := range slices.Sorted(maps.Keys(definition.Environment)) {
			value := definition.Environment[variable]
			if value == nil {
				continue
			}
			if value, ok := PointTo(variable, *value, name, e.Host); ok {
				definition.Environment[variable] = &value
				e.Pointed = append(e.Pointed, user+" "+variable)
				pointed = true
			}
		}
		if key := namedBy(definition, name, e.Host); key != "" {
			e.Named[user] = key
		}
	}
	return pointed
}

// namedBy is the key of a service whose words name a host, the first of entrypoint, command and healthcheck; "" for none.
func namedBy(definition *types.ServiceConfig, name, host string) string {
	var test []string
	if definition.HealthCheck != nil {
		test = definition.HealthCheck.Test
	}
	for _, one := range []struct {
		key   string
		words []string
	}{{"entrypoint", definition.Entrypoint}, {"command", definition.Command}, {"healthcheck", test}} {
		text := strings.Join(one.words, " ")
		if _, names := PointTo("", text, name, host); names || asked(name).MatchString(text) {
			return one.key
		}
	}
	return ""
}

// asked matches a command that asks a host: by a flag for one, or with a port after it.
func asked(name string) *regexp.Regexp {
	name = regexp.QuoteMeta(name)
	return regexp.MustCompile(`(?:^|\s)(?:(?:-h|-H|--host|--hostname)[ =]?` + name + `|` + name + `\s+\d{2,5})(?:\s|['";|&)]|$)`)
}

// hostVariable matches the names of variables whose value is a host alone.
var hostVariable = regexp.MustCompile(`(?i)(HOST|HOSTS|HOSTNAME|SERVER|SERVERS|ADDR|ADDRESS|ENDPOINT|ENDPOINTS)(_?\d+)?$`)

// imageVariable matches the names of variables that hold an image, whose tag is no port: postgres:16.
var imageVariable = regexp.MustCompile(`(?i)(^|_)(IMAGE|TAG)(_|$)`)

// PointTo has the value of a variable name another host where it names this one as a host: in a URL or a connection string, with a
// port, or alone where the variable's name says that it is a host. It is not ok if the value does not.
func PointTo(variable, value, name, host string) (pointed string, ok bool) {
	if name == host || imageVariable.MatchString(variable) {
		return value, false
	}
	if value == name && hostVariable.MatchString(variable) {
		return host, true
	}
	quoted := regexp.QuoteMeta(name)
	for _, pattern := range []string{
		`([:@]//)` + quoted + `(:\d+)?([/,?;&#)\s'"]|$)`,
		`(://[^/]*[@,])` + quoted + `(:\d+)?([/,?;&#)\s'"]|$)`,
		`(@(?:tcp)?\()` + quoted + `(:\d+)?(\))`,
		`((?i:\b(?:host|hostname|server|data source|address)\s*=\s*(?:tcp:)?['"]?))` + quoted + `([:,]\d+)?([;,&\s'"]|$)`,
		`(^|[\s,;='"@])` + quoted + `(:\d+)([/,:;\s'"]|$)`,
	} {
		// A list of hosts has several that share a separator.
		for found := regexp.MustCompile(pattern); found.MatchString(value); ok = true {
			value = found.ReplaceAllString(value, "${1}"+strings.ReplaceAll(host, "$", "$$")+"${2}${3}")
		}
	}
	return value, ok
}
