package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"berth/internal/release/compose"
)

// external finds what keeps services from running elsewhere, and what still names them here.
func (f *findings) external() {
	for _, one := range f.outside {
		if !one.There {
			f.problem("external-service-unknown", compose.Place{}, "berth:external names service %s, which the compose file does not have; take it out: pulumi config rm --path 'berth:external[%q]'", one.Service, one.Service)
			continue
		}
		for _, user := range one.Shared {
			f.problem("external-service-shared", f.source.At("services", user), "service %s uses a namespace or the volumes of %s, which has no container here, since it is external; take that out, or run %s here: pulumi config rm --path 'berth:external[%q]'", user, one.Service, one.Service, one.Service)
		}
		// Whoever set the variable knows what else it has to say there, such as a user and a password.
		named := false
		for _, name := range slices.Sorted(maps.Keys(f.variables)) {
			if _, names := compose.PointTo(name, f.variables[name], one.Service, one.Host); !names {
				continue
			}
			named = true
			set := setVariable(name)
			if _, secret := f.cfg.Secrets[name]; secret {
				set = setSecretVariable(name)
			}
			f.problem("external-variable-named", compose.Place{}, "the variable %s names %s as a host, which is external; have it name %s, with what is needed there: %s", name, one.Service, one.Host, set)
		}
		for _, user := range slices.Sorted(maps.Keys(one.Named)) {
			f.advise(aboutData, f.source.At("services", user, one.Named[user]), "the %s of %s names %s, which is external: it finds no such host; write a variable there that names %s", one.Named[user], user, one.Service, one.Host)
		}
		for _, user := range one.Inside {
			f.advise(aboutData, f.source.At("services", user, "networks"), "%s is only on networks with internal: true, from which external service %s at %s is not reached; add one without it", user, one.Service, one.Host)
		}
		if len(one.Pointed) == 0 && !named && !f.names(one.Host) {
			f.advise(aboutData, f.source.At("services", one.Service), "no variable names %s, where external service %s is; set the one by which the app finds it", one.Host, one.Service)
		}
	}
}

// names says whether one of the app's variables has a text in it.
func (f *findings) names(text string) bool {
	for _, value := range f.variables {
		if strings.Contains(value, text) {
			return true
		}
	}
	return false
}

// describeExternal has a line for each service that runs elsewhere.
func (r *Release) describeExternal() (lines []string) {
	for _, one := range r.External {
		line := fmt.Sprintf("%s is external, at %s: no container runs here, and the volumes of an earlier one stay", one.Service, one.Host)
		if len(one.Pointed) > 0 {
			line += "; pointed there: " + strings.Join(one.Pointed, ", ")
		}
		lines = append(lines, line)
	}
	return lines
}
