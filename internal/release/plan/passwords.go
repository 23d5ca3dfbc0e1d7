package plan

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// passwordVariable matches the variables that images of databases take a password from.
var passwordVariable = regexp.MustCompile(`^(POSTGRES|POSTGRESQL|MYSQL|MARIADB)_([A-Z]+_)?PASSWORD(_FILE)?$`)

// Password is one that a database is given in a variable of its container, as its value, or by the name of the variable From that a
// secret is made from.
type Password struct{ Service, Variable, Value, From string }

// Passwords are those that known databases are given.
func (p *Plan) Passwords() (all []Password) {
	for _, database := range p.Databases {
		definition := p.Data.Services[database.Service]
		environment, _ := definition["environment"].(map[string]any)
		for _, variable := range slices.Sorted(maps.Keys(environment)) {
			if !passwordVariable.MatchString(variable) {
				continue
			}
			value, _ := environment[variable].(string)
			found := Password{Service: database.Service, Variable: variable, Value: strings.ReplaceAll(value, "$$", "$")}
			if strings.HasSuffix(variable, "_FILE") {
				found.From = p.secretAt(definition, found.Value)
				found.Value = ""
			}
			all = append(all, found)
		}
	}
	return all
}

// secretAt is the variable that the secret which a service mounts at a path is made from, "" for none.
func (p *Plan) secretAt(definition object, path string) string {
	mounts, _ := definition["secrets"].([]any)
	for _, mount := range mounts {
		mount, _ := mount.(map[string]any)
		source, _ := mount["source"].(string)
		target, _ := mount["target"].(string)
		if target == "" {
			target = source
		}
		if target == path || "/run/secrets/"+target == path {
			secret, _ := p.Data.Secrets[source].(object)
			variable, _ := secret["environment"].(string)
			return variable
		}
	}
	return ""
}
