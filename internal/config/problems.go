package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"al.essio.dev/pkg/shellescape"

	"berth/internal/plain"
)

// Problem is one thing that is wrong with the settings.
type Problem struct {
	// ID is its kind, for tests and for who searches; docs/problems.md lists them.
	ID string
	// Setting is its path, with namespace: "berth:routes[0].port".
	Setting string
	// Value is what it is set to, as it may be shown; "" where it is not set or secret.
	Value string
	// Allowed is a sentence about what is allowed.
	Allowed string
	// Fix is the command that fixes it.
	Fix string
}

// String is one line.
func (p Problem) String() string {
	text := p.Setting
	if p.Value != "" {
		text += " is " + p.Value
	}
	return text + ": " + p.Allowed + " [" + p.ID + "]. Fix: " + p.Fix
}

// Problems is everything that is wrong with a stack's settings.
type Problems struct{ List []Problem }

// Error lists all problems, one a line.
func (p *Problems) Error() string {
	lines := make([]string, 0, len(p.List)+1)
	if len(p.List) == 1 {
		lines = append(lines, "one setting is wrong; nothing was touched:")
	} else {
		lines = append(lines, fmt.Sprintf("%d settings are wrong; nothing was touched:", len(p.List)))
	}
	for _, problem := range p.List {
		lines = append(lines, "  - "+problem.String())
	}
	return strings.Join(lines, "\n")
}

// With adds problems to those that there are already, nil for none.
func (p *Problems) With(more ...Problem) *Problems {
	if p != nil {
		more = append(slices.Clone(p.List), more...)
	}
	if len(more) == 0 {
		return nil
	}
	return &Problems{List: more}
}

// Concern says whether something is wrong with one of these settings, which are named without their namespace.
func (p *Problems) Concern(keys ...string) bool {
	return p != nil && slices.ContainsFunc(p.List, func(problem Problem) bool {
		_, path, _ := strings.Cut(problem.Setting, ":")
		return slices.Contains(keys, root(path))
	})
}

// redacted is a value without the credentials that have no place in it: the part before the @ of a URL, and private
// keys.
func redacted(value string) string {
	if strings.Contains(value, "PRIVATE KEY") {
		return ""
	}
	if at := strings.LastIndex(value, "@"); at >= 0 && strings.Contains(value[:at], ":") {
		return "…" + value[at:]
	}
	return value
}

// shownLength is how much of a value an error shows, in bytes.
const shownLength = 80

// shown is a value as an error may hold it: quoted, so that it can neither fake a line nor speak to a terminal, and
// cut.
func shown(value string) string {
	if len(value) > shownLength {
		return strconv.QuoteToASCII(value[:shownLength]) + "… (" + strconv.Itoa(len(value)) + " bytes)"
	}
	return strconv.QuoteToASCII(value)
}

// harmless is a name as an error may hold it: without what speaks to a terminal, and cut.
func harmless(name string) string {
	if len(name) > 2*shownLength {
		name = name[:2*shownLength] + "…"
	}
	return plain.Line(name)
}

// set is the command that sets a plain setting.
func set(path, value string) string {
	if !addressable(path) {
		return edit
	}
	if strings.ContainsAny(path, "[.") {
		return "pulumi config set --path " + shellescape.Quote(namespace+path) + " " + shellescape.Quote(value)
	}
	return "pulumi config set " + namespace + path + " " + shellescape.Quote(value)
}

// setSecret is the command that sets an encrypted value, which Pulumi asks for.
func setSecret(path string) string {
	if !addressable(path) {
		return edit
	}
	return "pulumi config set --secret --path " + shellescape.Quote(namespace+path)
}

// setAnew is the command that sets a list or map which is of another kind now: Pulumi writes no key into a list.
func setAnew(key, path, value string) string {
	return "pulumi config rm " + namespace + key + " && " + set(path, value)
}

// edit is the command that opens the stack's file, for what no path can address.
const edit = `"${EDITOR:-vi}" "Pulumi.$(pulumi stack --show-name).yaml"`

// addressable says whether a path can be written in a command: Pulumi's paths cannot write every backslash, and what
// speaks to a terminal is not shown.
func addressable(path string) bool {
	return harmless(path) == path && !strings.Contains(path, `\`)
}

// removeFlat is the command that removes a key of the stack's file by its whole name: with --path a point or a bracket in
// it addresses an element of a map or a list.
func removeFlat(full string) string {
	if harmless(full) != full {
		return edit
	}
	return "pulumi config rm " + shellescape.Quote(full)
}

// remove is the command that removes a setting.
func remove(path string) string {
	if !addressable(path) {
		return edit
	}
	return "pulumi config rm --path " + shellescape.Quote(namespace+path)
}
