package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
)

const namespace = "berth:"

var (
	plainName      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	wholeOrBoolean = regexp.MustCompile(`^(true|false|-?[0-9]+)$`)
)

// loader reads settings one by one and collects what is wrong.
type loader struct {
	settings map[string]string
	isSecret func(string) bool
	config   *Config
	problems []Problem
	// declared are the routes as far as they read, by their place in the setting.
	declared []Route
	// fromProject are the settings that are set in the namespace of a project with another name.
	fromProject map[string]bool
}

func (l *loader) problem(id, path, value, allowed, fix string) {
	if isSecretKey(root(path)) {
		value = ""
	}
	if value = redacted(value); value != "" {
		value = shown(value)
	}
	l.problems = append(l.problems, Problem{ID: id, Setting: namespace + harmless(path), Value: value, Allowed: allowed, Fix: fix})
}

// root is the setting that a path belongs to.
func root(path string) string {
	if end := strings.IndexAny(path, ".["); end >= 0 {
		return path[:end]
	}
	return path
}

// pathInto is the path of a key of a map setting, quoted where the key is no plain word.
func pathInto(setting, key string) string {
	if plainName.MatchString(key) {
		return setting + "." + key
	}
	return setting + `["` + strings.ReplaceAll(key, `"`, `\"`) + `"]`
}

func (l *loader) refuseUnknown() {
	for _, full := range slices.Sorted(maps.Keys(l.settings)) {
		key, ours := strings.CutPrefix(full, namespace)
		if !ours || slices.Contains(Keys(), key) {
			continue
		}
		l.problems = append(l.problems, l.unknown(full, key))
	}
}

// plainPath matches a path into a setting as a command can hold it; its first group is the index into a list.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_]+(?:\[(\d{1,4})\])?(?:\.[A-Za-z0-9_]+|\["[^"\\]+"\])*$`)

// unknown is what is wrong with a key that is no setting. One with a path in its name was set without --path.
func (l *loader) unknown(full, key string) Problem {
	name := root(key)
	problem := Problem{Setting: harmless(full[:len(full)-len(key)]) + strings.Trim(shown(key), `"`), Fix: removeFlat(full)}
	if name == key || !slices.Contains(Keys(), name) {
		problem.ID, problem.Allowed = "setting-unknown", "there is no such setting"+nearest(name, Keys())
	} else {
		problem.ID, problem.Allowed = "setting-without-path", "it was set without --path, so that it is a setting of this whole name, which does not exist, and no part of "+namespace+name
		if again := l.again(full, key); again != "" {
			problem.Fix += " && " + again
		}
	}
	if isSecretKey(name) && !l.isSecret(full) {
		problem.Allowed += "; it is stored in plain text, which counts as leaked: set a new one"
	}
	return problem
}

// again is the command that sets with --path what was set without, "" where it would show what it should not, or fail.
func (l *loader) again(full, key string) string {
	match := plainPath.FindStringSubmatch(key)
	value := l.settings[full]
	var elements []json.RawMessage
	switch {
	case match == nil || match[0] == "":
		return ""
	case match[1] != "":
		// Pulumi appends to a list and makes no gap in one.
		index, err := strconv.Atoi(match[1])
		known := l.settings[namespace+root(key)]
		if err != nil || !unset(known) && known != defaultText(root(key)) && json.Unmarshal([]byte(known), &elements) != nil || index > len(elements) {
			return ""
		}
	}
	if isSecretKey(root(key)) || l.isSecret(full) {
		return setSecret(key)
	}
	if redacted(value) != value || len(value) > shownLength || harmless(value) != value {
		return ""
	}
	return set(key, value)
}

// nearest is advice about a misspelt name, "" where nothing is near.
func nearest(name string, known []string) string {
	best, score := "", 0.49
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
	if unset(value) {
		return ""
	}
	return value
}

func unset(value string) bool {
	return slices.Contains([]string{"", "[]", "{}", "null"}, strings.TrimSpace(value))
}

// single is the text of a setting that may be a text or a list, "" if it is a list.
func (l *loader) single(key string) string {
	text := strings.TrimSpace(l.raw(key))
	if strings.IndexAny(text, "[{\"") == 0 {
		return ""
	}
	return text
}

// text reads a string setting, or its default from the table.
func (l *loader) text(key string) string { return cmp.Or(l.raw(key), defaultText(key)) }

// decode reads a setting that is JSON text into what it has to be; fix sets it.
func (l *loader) decode(key string, into any, kind, fix string) bool {
	value := l.raw(key)
	if value == "" {
		return true
	}
	if err := json.Unmarshal([]byte(value), into); err != nil {
		l.problem("setting-wrong-kind", key, value, "it has to be "+kind, fix)
		return false
	}
	return true
}

// list reads a list of texts; fix sets its first.
func (l *loader) list(key, kind, fix string) (texts []string, ok bool) {
	var elements []json.RawMessage
	if !l.decode(key, &elements, kind, fix) {
		return nil, false
	}
	for _, element := range elements {
		text, isScalar := scalar(element)
		if !isScalar {
			// What is not a text is refused with its JSON.
			text = string(element)
		}
		texts = append(texts, text)
	}
	return texts, true
}

// texts reads a map of texts; fix gives the command that sets an element.
func (l *loader) texts(key string, fix func(path string) string) (map[string]string, bool) {
	var elements map[string]json.RawMessage
	if !l.decode(key, &elements, "a map of texts", "pulumi config rm "+namespace+key+" && "+fix(key+".NAME")) {
		return nil, false
	}
	texts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(elements)) {
		text, isScalar := scalar(elements[name])
		if !isScalar {
			path := pathInto(key, name)
			l.problem("setting-value-not-text", path, string(elements[name]), "a text is required; in the stack's file put quotes around what is neither a word nor a whole number", fix(path))
			continue
		}
		texts[name] = text
	}
	return texts, true
}

// scalar is the text of a JSON string, whole number or boolean. The latter two are texts here since
// `pulumi config set --path` writes 8080 and true without quotes. Any other number may have lost digits on its way
// (YAML's 1.10 is 1.1), and null is no text.
func scalar(value json.RawMessage) (string, bool) {
	var text string
	if !bytes.Equal(value, []byte("null")) && json.Unmarshal(value, &text) == nil {
		return text, true
	}
	return string(value), wholeOrBoolean.Match(value)
}

// boolean reads a setting that is true or false, or its default from the table.
func (l *loader) boolean(key string) bool {
	value := find(key).fallback.(bool)
	l.decode(key, &value, "true or false", set(key, "true"))
	return value
}

// number reads a whole number from least to most, or its default from the table.
func (l *loader) number(key string, least, most int, unit string) int {
	value := find(key).fallback.(int)
	kind := fmt.Sprintf("a whole number of %s, %d to %d", unit, least, most)
	if fix := set(key, defaultText(key)); l.decode(key, &value, kind, fix) && (value < least || value > most) {
		l.problem("number-out-of-range", key, strconv.Itoa(value), "it has to be "+kind, fix)
	}
	return value
}

// resourceID reads the id of a resource of AWS, "" for none.
func (l *loader) resourceID(id, key string, valid *regexp.Regexp, allowed string) string {
	value := l.raw(key)
	if value != "" && !valid.MatchString(value) {
		l.problem(id, key, value, allowed, remove(key))
	}
	return value
}

// secret reads a string setting that has to be stored encrypted; fix sets it.
func (l *loader) secret(key, fix string) string {
	l.encrypted(key, fix)
	return l.raw(key)
}

// encrypted refuses a setting in plain text; fix is the command. Pulumi says of a map only whether anything in it is encrypted: what is in
// plain text beside an encrypted value is found in the stack's file (stackfile.go).
func (l *loader) encrypted(key, fix string) {
	if l.raw(key) != "" && !l.isSecret(namespace+key) {
		l.problem("setting-in-plain-text", key, "", "it is stored in plain text; it has to be stored encrypted, and what was readable counts as leaked: set a new one", fix)
	}
}
