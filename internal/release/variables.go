package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fingerprints are short hashes of the app's variables by their names, by which a later preview tells what changed. They are
// secret: a short value might be guessed from its hash.
func Fingerprints(variables map[string]string) map[string]string {
	all := map[string]string{}
	for name, value := range variables {
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
func (r *Release) describeVariables(before map[string]string) (lines []string) {
	if before == nil {
		return nil
	}
	changed, added, gone := changedVariables(before, Fingerprints(r.Variables))
	for _, one := range []struct {
		what  string
		names []string
	}{{"change", changed}, {"are new", added}, {"are gone", gone}} {
		if len(one.names) > 0 {
			lines = append(lines, fmt.Sprintf("variables that %s: %s", one.what, strings.Join(one.names, ", ")))
		}
	}
	for _, password := range r.Plan.Passwords() {
		for _, name := range changed {
			if name != password.From && (r.Variables[name] == "" || !strings.Contains(password.Value, r.Variables[name])) {
				continue
			}
			lines = append(lines, fmt.Sprintf("WARNING: the password of database %s (%s) changes, and a database takes one from there only when its volume is made. The release tries it first; where the database refuses it, the release ends and nothing changes. "+
				"To have the database take it, after that: sudo /opt/berth/deploy.sh deploy --change-password; to keep the old one: pulumi config set --secret --path berth:secrets.%s", password.Service, password.Variable, name))
			break
		}
	}
	return lines
}
