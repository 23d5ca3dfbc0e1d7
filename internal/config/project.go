package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// readProjectSettings makes the settings of a project with another name Berth's: `pulumi new` lets everyone choose a name, and to Pulumi
// a setting without a namespace (pulumi config set volumeSize 40) is the project's. A setting in either namespace is used; one
// that is in both and differs is refused, as one of the two would be ignored.
func (l *loader) readProjectSettings(project string) {
	own := project + ":"
	if own == namespace {
		return
	}
	given, isSecret := l.settings, l.isSecret
	l.settings = maps.Clone(given)
	l.fromProject = map[string]bool{}
	for _, full := range slices.Sorted(maps.Keys(given)) {
		key, projects := strings.CutPrefix(full, own)
		if !projects {
			continue
		}
		value, berths := given[full], given[namespace+key]
		switch {
		case !slices.Contains(Keys(), key):
			l.problems = append(l.problems, l.unknown(full, key))
		case unset(value) || value == defaultText(key) && !unset(berths) || value == berths:
		case !unset(berths):
			l.problems = append(l.problems, Problem{ID: "setting-twice", Setting: harmless(full), Allowed: fmt.Sprintf("%s%s is set, too, to something else; one of them has to go", namespace, key), Fix: removeFlat(full)})
		default:
			l.settings[namespace+key], l.fromProject[key] = value, true
		}
	}
	l.isSecret = func(key string) bool {
		if bare := strings.TrimPrefix(key, namespace); l.fromProject[bare] {
			return isSecret(own + bare)
		}
		return isSecret(key)
	}
}

// inProject makes the commands about such settings those of the project's namespace, where they are set.
func (l *loader) inProject(project string) {
	for key := range l.fromProject {
		named := regexp.MustCompile(`\b` + namespace + key + `\b`)
		for i := range l.problems {
			l.problems[i].Fix = named.ReplaceAllLiteralString(l.problems[i].Fix, project+":"+key)
		}
	}
}
