package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxVariables and maxVariable, in bytes, bound what is sent to the server in one step.
const maxVariables, maxVariable = 200, 32 * 1024

// environment reads the app's variables that are not secret.
func (l *loader) environment() {
	c := l.config
	setPlain := func(path string) string { return set(path, "value") }
	c.Environment, _ = l.texts("environment", setPlain)
	for _, name := range slices.Sorted(maps.Keys(c.Environment)) {
		l.variable(pathInto("environment", name), name, c.Environment[name], setPlain)
	}
}

// secrets reads the app's secret variables, none of which may be in the environment.
func (l *loader) secrets() {
	c := l.config
	c.Secrets, _ = l.texts("secrets", setSecret)
	l.encrypted("secrets", l.setAnew())
	if count := len(c.Environment) + len(c.Secrets); count > maxVariables {
		l.problem("variables-too-many", "environment", "", fmt.Sprintf("with the secrets at most %d variables are allowed; there are %d", maxVariables, count), remove("environment.NAME"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Secrets)) {
		path := pathInto("secrets", name)
		l.variable(path, name, c.Secrets[name], setSecret)
		if c.Secrets[name] == "" {
			l.problem("secret-missing", path, "", "the secret is missing", setSecret(path))
		}
		if _, both := c.Environment[name]; both {
			l.problem("secret-in-environment", path, "", "the name is in the environment too, where it is readable", remove(pathInto("environment", name)))
		}
	}
}

// setAnew are the commands that set every secret once more.
func (l *loader) setAnew() string {
	fix := []string{}
	for _, name := range slices.Sorted(maps.Keys(l.config.Secrets)) {
		if plainName.MatchString(name) {
			fix = append(fix, setSecret("secrets."+name))
		}
	}
	if len(fix) == 0 {
		fix = []string{"pulumi config rm berth:secrets && " + setSecret("secrets.NAME")}
	}
	return strings.Join(fix, " && ")
}

// variable refuses what an environment file cannot hold; fix sets the value.
func (l *loader) variable(path, name, value string, fix func(path string) string) {
	switch {
	case !plainName.MatchString(name):
		l.problem("variable-name-invalid", path, "", "a variable's name has letters, digits and underscores, and does not begin with a digit", remove(path))
	case strings.ContainsAny(value, "\x00\r\n"):
		l.problem("variable-value-invalid", path, value, "a value is one line without NUL characters; put what has more lines in base64", fix(path))
	case len(value) > maxVariable:
		l.problem("variable-too-long", path, value, fmt.Sprintf("a value has at most %d bytes; this one has %d", maxVariable, len(value)), fix(path))
	}
}
