package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

const namespace = "berth:"

// Keys are all settings, sorted, without their namespace.
func Keys() []string {
	return []string{
		"acmeDirectory", "acmeEmail", "acmeRoots", "acmeStagingDirectory", "aliases", "ami", "availabilityZone",
		"composeFile", "createZone", "deployKey", "domain", "environment", "instanceType", "operatorCidrs", "protect",
		"ref", "region", "repository", "repositoryHostKey", "routes", "secrets", "sshPrivateKey", "subnetId", "tags",
		"volumeSize", "vpcCidr", "zone",
	}
}

// secretKeys have to be stored encrypted.
var secretKeys = []string{"deployKey", "secrets", "sshPrivateKey"}

// loader reads settings one by one and collects what is wrong.
type loader struct {
	settings map[string]string
	isSecret func(string) bool
	config   *Config
	problems []Problem
}

func (l *loader) problem(path, value, allowed, mend string) {
	if value != "" && !slices.Contains(secretKeys, root(path)) {
		value = shown(value)
	} else {
		value = ""
	}
	l.problems = append(l.problems, Problem{Setting: namespace + path, Value: value, Allowed: allowed, Mend: mend})
}

// root is the setting that a path leads into.
func root(path string) string {
	if end := strings.IndexAny(path, ".["); end >= 0 {
		return path[:end]
	}
	return path
}

func (l *loader) refuseUnknown() {
	for _, full := range slices.Sorted(maps.Keys(l.settings)) {
		key, ours := strings.CutPrefix(full, namespace)
		if !ours || slices.Contains(Keys(), key) {
			continue
		}
		l.problems = append(l.problems, Problem{
			Setting: namespace + strings.Trim(shown(key), `"`), Allowed: "there is no such setting" + nearest(key, Keys()), Mend: remove(harmless(key)),
		})
	}
}

// nearest is advice about a misspelt name, "" where nothing is near.
func nearest(name string, known []string) string {
	best, score := "", 0.5
	for _, candidate := range known {
		if similarity := levenshtein.Similarity(strings.ToLower(name), strings.ToLower(candidate), nil); similarity > score {
			best, score = candidate, similarity
		}
	}
	if best == "" {
		return "; Pulumi.production.yaml lists them all"
	}
	return "; the nearest is " + best
}

// raw gives a setting's text, "" where it is not set: Pulumi.yaml defaults every setting to nothing, since Pulumi
// itself would otherwise refuse a missing one with a message that helps less.
func (l *loader) raw(key string) string {
	value := l.settings[namespace+key]
	if trimmed := strings.TrimSpace(value); trimmed == "[]" || trimmed == "{}" || trimmed == "null" {
		return ""
	}
	return value
}

// text reads a string setting.
func (l *loader) text(key, fallback string) string {
	if value := l.raw(key); value != "" {
		return value
	}
	return fallback
}

// decode reads a setting that is JSON text; example is what the mending command sets.
func (l *loader) decode(key string, into any, kind, mend string) bool {
	value := l.raw(key)
	if value == "" {
		return true
	}
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil || decoder.More() {
		l.problem(key, value, "it has to be "+kind, mend)
		return false
	}
	return true
}

func (l *loader) boolean(key string, fallback bool) bool {
	value := fallback
	l.decode(key, &value, "true or false", set(key, "true"))
	return value
}

// secret reads a string setting that has to be stored encrypted; mend sets it.
func (l *loader) secret(key, mend string) string {
	value := l.raw(key)
	if value != "" && !l.isSecret(namespace+key) {
		l.problem(key, "", "it is stored in plain text; it has to be stored encrypted, and what was readable should be replaced by a new one", mend)
	}
	return value
}
