package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"berth/internal/config"
)

// Fingerprints are short hashes of the app's variables by their names, by which a later preview tells what changed. They are
// secret: a short value might be guessed from its hash.
func Fingerprints(cfg *config.Config) map[string]string {
	all := map[string]string{}
	for name, value := range cfg.Variables() {
		sum := sha256.Sum256([]byte(name + "\x00" + value))
		all[name] = hex.EncodeToString(sum[:8])
	}
	return all
}

// changedVariables are the names of those that have another value than before, are new or are gone, sorted.
func changedVariables(before, now map[string]string) (changed, added, gone []string) {
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if old, known := before[name]; !known {
			added = append(added, name)
		} else if old != now[name] {
			changed = append(changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, there := now[name]; !there {
			gone = append(gone, name)
		}
	}
	return changed, added, gone
}

// describeVariables says which of the app's variables change, and which of them is a password that a database does not know; before
// are the fingerprints of what is released, nil where they are not known.
func (r *Release) describeVariables(cfg *config.Config, before map[string]string) (lines []string) {
	if before == nil {
		return nil
	}
	changed, added, gone := changedVariables(before, Fingerprints(cfg))
	for _, one := range []struct {
		what  string
		names []string
	}{{"change", changed}, {"are new", added}, {"are gone", gone}} {
		if len(one.names) > 0 {
			lines = append(lines, fmt.Sprintf("variables that %s: %s", one.what, strings.Join(one.names, ", ")))
		}
	}
	values := cfg.Variables()
	for _, password := range r.Plan.passwords() {
		for _, name := range changed {
			if name != password.from && (values[name] == "" || !strings.Contains(password.value, values[name])) {
				continue
			}
			lines = append(lines, fmt.Sprintf("WARNING: the password of database %s (%s) changes, and a database takes one from there only when its volume is made. The release tries it first; where the database refuses it, the release ends and nothing changes. "+
				"To have the database take it, after that: sudo /opt/berth/deploy.sh deploy --change-password; to keep the old one: pulumi config set --secret --path berth:secrets.%s", password.service, password.variable, name))
			break
		}
	}
	return lines
}

// passwordVariable matches the variables that images of databases take a password from.
var passwordVariable = regexp.MustCompile(`^(POSTGRES|POSTGRESQL|MYSQL|MARIADB)_([A-Z]+_)?PASSWORD(_FILE)?$`)

// password is one that a database is given, as its value, or by the name of the variable that a secret is made from.
type password struct{ service, variable, value, from string }

// passwords are those that known databases are given.
func (p *Plan) passwords() (all []password) {
	for _, database := range p.Databases {
		definition, _ := p.Data.Services[database.Service].(map[string]any)
		environment, _ := definition["environment"].(map[string]any)
		for _, variable := range slices.Sorted(maps.Keys(environment)) {
			if !passwordVariable.MatchString(variable) {
				continue
			}
			value, _ := environment[variable].(string)
			found := password{service: database.Service, variable: variable, value: strings.ReplaceAll(value, "$$", "$")}
			if strings.HasSuffix(variable, "_FILE") {
				found.from = p.secretAt(definition, found.value)
				found.value = ""
			}
			all = append(all, found)
		}
	}
	return all
}

// secretAt is the variable that the secret which a service mounts at a path is made from, "" for none.
func (p *Plan) secretAt(definition map[string]any, path string) string {
	mounts, _ := definition["secrets"].([]any)
	for _, mount := range mounts {
		mount, _ := mount.(map[string]any)
		source, _ := mount["source"].(string)
		target, _ := mount["target"].(string)
		if target == "" {
			target = source
		}
		if target == path || "/run/secrets/"+target == path {
			return p.Data.Secrets[source].Environment
		}
	}
	return ""
}
