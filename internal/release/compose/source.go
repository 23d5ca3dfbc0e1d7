package compose

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Source is a compose file as its author wrote it, to point at lines of. What it includes or extends is not in it.
type Source struct{ whole, services *yaml.Node }

// ReadSource reads a compose file's text. One that is not YAML has no lines to point at; Load says what is wrong with it.
func ReadSource(text []byte) *Source {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil || len(document.Content) == 0 {
		return &Source{}
	}
	// Whoever reads a source follows its aliases; Compose refuses what leads back to itself, or is without bounds.
	if expanded(&document, map[*yaml.Node]int{}) > mostNodes {
		return &Source{}
	}
	_, services := field(document.Content[0], "services")
	return &Source{whole: document.Content[0], services: services}
}

// mostNodes is how many nodes a source has at most, aliases followed.
const mostNodes = 1_000_000

// expanded counts the nodes below one, aliases followed, to mostNodes and a bit more; known has those that were counted, 0 while they
// are.
func expanded(node *yaml.Node, known map[*yaml.Node]int) int {
	if count, seen := known[node]; seen {
		if count == 0 {
			return mostNodes + 1 // It leads back to itself.
		}
		return count
	}
	known[node] = 0
	count := 1
	if node.Alias != nil {
		count += expanded(node.Alias, known)
	}
	for _, one := range node.Content {
		count = min(count+expanded(one, known), mostNodes+1)
	}
	known[node] = count
	return count
}

// Services are the names of the services, in their order.
func (s *Source) Services() (names []string) {
	if services := resolved(s.services); services != nil && services.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(services.Content); i += 2 {
			names = append(names, services.Content[i].Value)
		}
	}
	return names
}

// At is the line of the key that a path of keys leads to, that of the last one there is, or 0 where there is none.
func (s *Source) At(path ...string) int {
	line, _ := s.reach(path)
	return line
}

// Holding is the first line below a path of keys that holds a text, or that of the path.
func (s *Source) Holding(text string, path ...string) int {
	line, node := s.reach(path)
	found := 0
	everyText(node, func(one *yaml.Node) {
		if found == 0 && text != "" && strings.Contains(one.Value, text) {
			found = one.Line
		}
	})
	if found > 0 {
		return found
	}
	return line
}

// Unset lists the variables that are taken below a path of keys without a default and that have has no value for.
func (s *Source) Unset(have func(name string) bool, path ...string) (names []string) {
	_, node := s.reach(path)
	everyText(node, func(one *yaml.Node) {
		for _, found := range taken.FindAllStringSubmatch(one.Value, -1) {
			if name := found[1] + found[3]; name != "" && found[2] == "" && !have(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	})
	return names
}

// reach is the line of the last key of a path that is there, and the value of the whole path, nil for none.
func (s *Source) reach(path []string) (line int, node *yaml.Node) {
	node = s.whole
	for _, key := range path {
		var at *yaml.Node
		if at, node = field(node, key); at == nil {
			return line, nil
		}
		line = at.Line
	}
	return line, node
}

// Line is where a service has a key, from 1: the key's own line, that of the service where it lacks the key, or 0 where
// the file does not have the service.
func (s *Source) Line(service, key string) int {
	name, definition := field(s.services, service)
	if name == nil {
		return 0
	}
	if at, _ := field(definition, key); at != nil {
		return at.Line
	}
	return name.Line
}

// field finds a key of a mapping, through aliases and merges (<<), as its key's and its value's node.
func field(mapping *yaml.Node, key string) (at, value *yaml.Node) {
	mapping = resolved(mapping)
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i], resolved(mapping.Content[i+1])
		}
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Tag != "!!merge" {
			continue
		}
		merged := []*yaml.Node{mapping.Content[i+1]}
		if list := resolved(mapping.Content[i+1]); list != nil && list.Kind == yaml.SequenceNode {
			merged = list.Content
		}
		for _, one := range merged {
			if at, value := field(one, key); at != nil {
				return at, value
			}
		}
	}
	return nil, nil
}

func resolved(node *yaml.Node) *yaml.Node {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

var (
	// secretName matches variables that hold a secret by the words that end their name; NAME_FILE holds a path.
	secretName = regexp.MustCompile(`(?i)(PASSWORD|PASSWD|PASSPHRASE|PASS|SECRET|TOKEN|KEY|CREDENTIALS?|SECRET_KEY_BASE)$|(^|_)(PW|SALT|PEPPER|PAT|DSN)$|_PWD$`)
	// publicName matches what ends so and is none: what browsers are given, what names something in a store, how many there may be.
	publicName = regexp.MustCompile(`(?i)(PUBLIC|PUBLISHABLE|SITE|ANON)_?KEY$|^(NEXT_PUBLIC|NUXT_PUBLIC|EXPO_PUBLIC|PUBLIC|VITE|REACT_APP|GATSBY)_|` +
		`(^|_)(CACHE|SORT|PARTITION|PRIMARY|FOREIGN|ROUTING|LOOKUP|INDEX|OBJECT|GROUP|QUEUE|SHORTCUT|HOT|SORTING|IDEMPOTENCY|SESSION_COOKIE)_KEY$|(^|_)(MAX|MIN|NUM)(_[A-Z]+)*_TOKEN$|(BY|COM|SUR|TRES)PASS$`)
	// flagName matches what databases take as a flag about a password, whatever its value.
	flagName = regexp.MustCompile(`(?i)(^|_)(RANDOM|ALLOW_EMPTY|ONETIME)_(ROOT_)?PASSWORD$`)
	// flag matches the value of what is on or off, and switchName the name of what 1 and 0 turn on and off.
	flag       = regexp.MustCompile(`(?i)^\s*(true|false|yes|no|on|off|y|n|t|f|enabled?|disabled?|none)\s*$`)
	switchName = regexp.MustCompile(`(?i)(^|_)(ALLOW|CREATE|DISABLE|ENABLE|GENERATE|HAS|HIDE|IS|NO|REQUIRE|SHOW|SKIP|USE|VALIDATE|VERIFY|WITH|WITHOUT)D?S?_`)
	// inURL matches a password in a URL.
	inURL = regexp.MustCompile(`://[^/@:\s]*:([^@/\s]+)@`)
	// reference matches ${NAME} and $NAME; its first group is the name, its second a default.
	reference = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?[^}]*\}?`)
)

// Exposure is a variable of a service whose secret stands in the file itself.
type Exposure struct {
	Service, Name string
	// By is the variable that its value should come from: the one whose default it is, or the first that has the same value; its
	// own name where there is none.
	By   string
	Line int
	// InURL says that it is a password in a URL.
	InURL bool
}

// Exposed lists the services' variables whose secret stands in the file itself, in their order. A reference to the environment is
// none; its default is, unless have has a value for it.
func (s *Source) Exposed(have func(name string) bool) (found []Exposure) {
	services := resolved(s.services)
	if services == nil || services.Kind != yaml.MappingNode {
		return nil
	}
	first := map[string]string{}
	type place struct {
		at      int
		literal string
	}
	var later []place
	for i := 0; i+1 < len(services.Content); i += 2 {
		_, environment := field(services.Content[i+1], "environment")
		for _, variable := range variables(environment) {
			if !exposes(variable.name, variable.value) {
				continue
			}
			one := Exposure{Service: services.Content[i].Value, Name: variable.name, By: variable.name, Line: variable.line}
			literal := variable.value
			if inside := inURL.FindStringSubmatch(literal); inside != nil {
				literal, one.InURL = inside[1], true
			}
			if references := reference.FindAllStringSubmatch(literal, -1); len(references) > 0 {
				one.By = references[0][1]
				if have(one.By) {
					continue
				}
				literal = references[0][2]
			} else if !one.InURL && first[literal] == "" {
				first[literal] = variable.name
			}
			later = append(later, place{len(found), literal})
			found = append(found, one)
		}
	}
	for _, one := range later {
		if by := first[one.literal]; by != "" && found[one.at].By == found[one.at].Name {
			found[one.at].By = by
		}
	}
	return found
}

type variable struct {
	name, value string
	line        int
	// bare says that it stands there by its name alone.
	bare bool
}

// variables are those of an environment, which is a mapping or a list of NAME=value.
func variables(environment *yaml.Node) (all []variable) {
	if environment == nil {
		return nil
	}
	switch environment.Kind {
	case yaml.SequenceNode:
		for _, node := range environment.Content {
			name, value, given := strings.Cut(resolved(node).Value, "=")
			all = append(all, variable{name, value, node.Line, !given})
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(environment.Content); i += 2 {
			key, value := environment.Content[i], resolved(environment.Content[i+1])
			if key.Tag == "!!merge" {
				merged := []*yaml.Node{value}
				if value.Kind == yaml.SequenceNode {
					merged = value.Content
				}
				for _, one := range merged {
					all = append(all, variables(resolved(one))...)
				}
				continue
			}
			all = append(all, variable{key.Value, value.Value, key.Line, value.Tag == "!!null"})
		}
	}
	return all
}

func exposes(name, value string) bool {
	if password := inURL.FindStringSubmatch(value); password != nil {
		return literal(password[1])
	}
	return IsSecret(name) && literal(value) && !flag.MatchString(value) && (!switchName.MatchString(name) || strings.Trim(value, " 01") != "")
}

// IsSecret says whether a variable holds a secret, going by its name.
func IsSecret(name string) bool {
	return secretName.MatchString(name) && !publicName.MatchString(name) && !flagName.MatchString(name)
}

// literal says whether a value holds words of its own: beside references to the environment, or as their default.
func literal(value string) bool {
	references := reference.FindAllStringSubmatch(value, -1)
	if slices.ContainsFunc(references, func(found []string) bool { return found[2] != "" }) {
		return true
	}
	return strings.TrimSpace(value) != "" && len(references) == 0
}

// Gap is a variable that a service takes and that nobody gave a value.
type Gap struct {
	Service, Name string
	// Line is where the file takes it, from 1.
	Line int
	// Passed says that it is passed through by its name alone, so that it is not there instead of empty; Required, that
	// Compose refuses the file without it.
	Passed, Required bool
}

// taken matches what Compose puts a variable for: its groups are the name in braces, what follows it there, and the name
// without braces. A doubled $ is a $.
var taken = regexp.MustCompile(`\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)([^}]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)`)

// plainName matches a variable's name that is one as it stands, and no reference to another.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Gaps lists the variables that the file takes without a default and that have has no value for, each at its first line, in the
// order of the lines. Compose makes them empty and warns of it, where nobody looks, or refuses the file (:?). A service of a
// profile that is not among those that run does not count.
func (s *Source) Gaps(have func(name string) bool, running ...string) (gaps []Gap) {
	seen := map[string]int{}
	add := func(gap Gap) {
		if strings.HasPrefix(gap.Name, "COMPOSE_") || have(gap.Name) {
			return
		}
		if at, known := seen[gap.Name]; known {
			gaps[at].Required = gaps[at].Required || gap.Required
			return
		}
		seen[gap.Name] = len(gaps)
		gaps = append(gaps, gap)
	}
	texts := func(service string, node *yaml.Node) {
		everyText(node, func(node *yaml.Node) {
			for _, found := range taken.FindAllStringSubmatch(node.Value, -1) {
				required := strings.HasPrefix(found[2], ":?") || strings.HasPrefix(found[2], "?")
				if variable := found[1] + found[3]; variable != "" && (found[2] == "" || required) {
					add(Gap{Service: service, Name: variable, Line: node.Line, Required: required})
				}
			}
		})
	}
	if services := resolved(s.services); services != nil && services.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(services.Content); i += 2 {
			name, definition := services.Content[i].Value, services.Content[i+1]
			if !runs(definition, running) {
				continue
			}
			texts(name, definition)
			_, environment := field(definition, "environment")
			for _, one := range variables(environment) {
				if one.bare && plainName.MatchString(one.name) {
					add(Gap{Service: name, Name: one.name, Line: one.line, Passed: true})
				}
			}
		}
	}
	for _, section := range []string{"networks", "volumes", "secrets", "configs"} {
		_, node := field(s.whole, section)
		texts("", node)
	}
	slices.SortStableFunc(gaps, func(a, b Gap) int { return a.Line - b.Line })
	return gaps
}

// runs says whether a service runs with these profiles.
func runs(definition *yaml.Node, running []string) bool {
	_, node := field(definition, "profiles")
	of := 0
	found := false
	everyText(node, func(one *yaml.Node) {
		of++
		found = found || slices.Contains(running, one.Value)
	})
	return of == 0 || found || slices.Contains(running, "*")
}

// everyText visits the texts below a node, in their order; keys are none that Compose looks into.
func everyText(node *yaml.Node, visit func(*yaml.Node)) {
	if node = resolved(node); node == nil {
		return
	}
	switch node.Kind {
	case yaml.ScalarNode:
		visit(node)
	case yaml.SequenceNode:
		for _, one := range node.Content {
			everyText(one, visit)
		}
	case yaml.MappingNode:
		for i := 1; i < len(node.Content); i += 2 {
			everyText(node.Content[i], visit)
		}
	}
}
