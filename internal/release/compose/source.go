package compose

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Source is the compose files as their author wrote them, merged, to point at lines of. What they include or extend is not in it.
type Source struct {
	whole, services *yaml.Node
	// files says which file a node is of, where it is not the first.
	files map[*yaml.Node]int
}

// Place is a line of a compose file: the file by its place in the list, from 0, and the line from 1, 0 for the file as a whole.
type Place struct{ File, Line int }

// Compare orders places as they are read.
func (p Place) Compare(other Place) int {
	return cmp.Or(cmp.Compare(p.File, other.File), cmp.Compare(p.Line, other.Line))
}

// ReadSource reads the texts of compose files, of which later ones override earlier ones. One that is not YAML has no lines to
// point at; Load says what is wrong with it.
func ReadSource(texts ...[]byte) *Source {
	source := &Source{files: map[*yaml.Node]int{}}
	nodes := 0
	for i, text := range texts {
		var document yaml.Node
		if err := yaml.Unmarshal(text, &document); err != nil || len(document.Content) == 0 {
			continue
		}
		// Whoever reads a source follows its aliases; Compose refuses what points back to itself, or is without bounds.
		if nodes += expanded(&document, map[*yaml.Node]int{}); nodes > mostNodes {
			return &Source{}
		}
		source.note(&document, i)
		if source.whole == nil {
			source.whole = document.Content[0]
		} else {
			source.whole = source.merged(source.whole, document.Content[0])
		}
	}
	_, source.services = field(source.whole, "services")
	return source
}

// mostNodes is how many nodes a source has at most, aliases followed.
const mostNodes = 1_000_000

// expanded counts the nodes below one, aliases followed, to mostNodes and a bit more; known has those that were counted, 0 while they
// are.
func expanded(node *yaml.Node, known map[*yaml.Node]int) int {
	if count, seen := known[node]; seen {
		if count == 0 {
			return mostNodes + 1 // It points back to itself.
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

// note says of the nodes of a file which one they are of.
func (s *Source) note(node *yaml.Node, file int) {
	if file == 0 {
		return
	}
	s.files[node] = file
	for _, one := range node.Content {
		s.note(one, file)
	}
}

// place is where a node is, none for none.
func (s *Source) place(node *yaml.Node) Place {
	if node == nil {
		return Place{}
	}
	return Place{s.files[node], node.Line}
}

// replacing are the keys whose lists are replaced and not added to. Source: compose-go, override/merge.go.
var replacing = []string{"command", "entrypoint", "test"}

// naming are the keys that take a mapping or a list of NAME=value.
var naming = []string{"annotations", "args", "environment", "labels", "sysctls"}

// merged is a value with that of a later file over it, as Compose merges them.
func (s *Source) merged(base, over *yaml.Node) *yaml.Node {
	base, over = resolved(base), resolved(over)
	switch {
	case base == nil || over == nil || over.Tag == "!override":
		return over
	case base.Kind == yaml.MappingNode && over.Kind == yaml.MappingNode:
		all := &yaml.Node{Kind: yaml.MappingNode, Line: base.Line, Content: pairs(base)}
		s.files[all] = s.files[base]
		for later := pairs(over); len(later) > 0; later = later[2:] {
			all.Content = s.put(all.Content, later[0], later[1])
		}
		return all
	case base.Kind == yaml.SequenceNode && over.Kind == yaml.SequenceNode:
		all := &yaml.Node{Kind: yaml.SequenceNode, Line: base.Line, Content: slices.Concat(base.Content, over.Content)}
		s.files[all] = s.files[base]
		return all
	}
	return over
}

// put puts a later file's key over those of a mapping. What replaces another is where a reader has to look.
func (s *Source) put(all []*yaml.Node, key, value *yaml.Node) []*yaml.Node {
	at := 0
	for at < len(all) && all[at].Value != key.Value {
		at += 2
	}
	switch before := all[at:]; {
	case value.Tag == "!reset":
		return slices.Concat(all[:at], all[min(at+2, len(all)):])
	case len(before) == 0:
		return append(all, key, value)
	case slices.Contains(naming, key.Value):
		before[1] = s.merged(s.named(before[1]), s.named(value))
	case slices.Contains(replacing, key.Value) || resolved(value).Kind == yaml.ScalarNode || value.Tag == "!override":
		before[0], before[1] = key, value
	default:
		before[1] = s.merged(before[1], value)
	}
	return all
}

// named is a list of NAME=value as a mapping.
func (s *Source) named(node *yaml.Node) *yaml.Node {
	list := resolved(node)
	if list == nil || list.Kind != yaml.SequenceNode {
		return node
	}
	all := &yaml.Node{Kind: yaml.MappingNode, Line: list.Line, Tag: node.Tag}
	s.files[all] = s.files[list]
	for _, one := range list.Content {
		one := resolved(one)
		key, value := *one, *one
		given := false
		if key.Value, value.Value, given = strings.Cut(one.Value, "="); !given {
			value.Tag = "!!null"
		}
		all.Content = append(all.Content, &key, &value)
		s.files[&key], s.files[&value] = s.files[one], s.files[one]
	}
	return all
}

// pairs are the keys of a mapping, each followed by its value, through aliases and merges.
func pairs(mapping *yaml.Node) (all []*yaml.Node) {
	known := map[string]bool{}
	var merges []*yaml.Node
	add := func(key, value *yaml.Node) {
		if !known[key.Value] {
			known[key.Value] = true
			all = append(all, key, value)
		}
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Tag == "!!merge" {
			merges = append(merges, mergedInto(mapping.Content[i+1])...)
		} else {
			add(mapping.Content[i], mapping.Content[i+1])
		}
	}
	for _, one := range merges {
		if one = resolved(one); one != nil && one.Kind == yaml.MappingNode {
			for more := pairs(one); len(more) > 0; more = more[2:] {
				add(more[0], more[1])
			}
		}
	}
	return all
}

// mergedInto are the mappings that a merge (<<) takes.
func mergedInto(node *yaml.Node) []*yaml.Node {
	if list := resolved(node); list != nil && list.Kind == yaml.SequenceNode {
		return list.Content
	}
	return []*yaml.Node{node}
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

// At is the place of the key at a path of keys, that of the last one there is, or none.
func (s *Source) At(path ...string) Place {
	place, _ := s.reach(path)
	return place
}

// Holding is the place of a key below a path of keys, or the first below it that holds the text, or that of the path.
func (s *Source) Holding(text string, path ...string) Place {
	place, node := s.reach(path)
	if key, _ := field(node, text); key != nil {
		return s.place(key)
	}
	found := Place{}
	everyText(node, func(one *yaml.Node) {
		if found.Line == 0 && text != "" && strings.Contains(one.Value, text) {
			found = s.place(one)
		}
	})
	if found.Line > 0 {
		return found
	}
	return place
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

// reach is the place of the last key of a path that is there, and the value of the whole path, nil for none.
func (s *Source) reach(path []string) (place Place, node *yaml.Node) {
	node = s.whole
	for i, key := range path {
		var at *yaml.Node
		if at, node = field(node, key); at == nil {
			// A service that no file has is one of a file that they include.
			if at, _ := field(s.whole, "include"); i == 1 {
				return s.place(at), nil
			}
			return place, nil
		}
		place = s.place(at)
	}
	return place, node
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
		for _, one := range mergedInto(mapping.Content[i+1]) {
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

// Exposure is a variable of a service whose secret is written in the file itself.
type Exposure struct {
	Service, Name string
	// By is the variable that its value should come from: the one whose default it is, or the first that has the same value; its
	// own name where there is none.
	By string
	At Place
	// InURL says that it is a password in a URL.
	InURL bool
}

// Exposed lists the services' variables whose secret is written in the file itself, in their order. A reference to the environment is
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
		for _, variable := range s.variables(environment) {
			if !Exposes(variable.name, variable.value) {
				continue
			}
			one := Exposure{Service: services.Content[i].Value, Name: variable.name, By: variable.name, At: variable.at}
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
	at          Place
	// bare says that only its name is given.
	bare bool
}

// variables are those of an environment, which is a mapping or a list of NAME=value.
func (s *Source) variables(environment *yaml.Node) (all []variable) {
	if environment == nil {
		return nil
	}
	switch environment.Kind {
	case yaml.SequenceNode:
		for _, node := range environment.Content {
			name, value, given := strings.Cut(resolved(node).Value, "=")
			all = append(all, variable{name, value, s.place(node), !given})
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(environment.Content); i += 2 {
			key, value := environment.Content[i], resolved(environment.Content[i+1])
			if key.Tag == "!!merge" {
				for _, one := range mergedInto(value) {
					all = append(all, s.variables(resolved(one))...)
				}
				continue
			}
			all = append(all, variable{key.Value, value.Value, s.place(key), value.Tag == "!!null"})
		}
	}
	return all
}

// Exposes says whether a variable of the compose file's holds a secret: by its name, or with a password in a URL.
func Exposes(name, value string) bool {
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

// Gap is a variable that a service takes and that has no value.
type Gap struct {
	Service, Name string
	// At is where the file takes it.
	At Place
	// Passed says that it is passed through by its name alone, so that it is not there instead of empty; Required, that
	// Compose refuses the file without it.
	Passed, Required bool
}

// taken matches what Compose puts a variable for: its groups are the name in braces, what follows it there, and the name
// without braces. A doubled $ is a $.
var taken = regexp.MustCompile(`\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)([^}]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)`)

// plainName matches a variable's name without a reference to another.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Gaps lists the variables that the file takes without a default and that have has no value for, each at its first line, in the
// order of the lines. Compose makes them empty and only prints a warning, or refuses the file (:?). A service of a
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
					add(Gap{Service: service, Name: variable, At: s.place(node), Required: required})
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
			for _, one := range s.variables(environment) {
				if one.bare && plainName.MatchString(one.name) {
					add(Gap{Service: name, Name: one.name, At: one.at, Passed: true})
				}
			}
		}
	}
	for _, section := range []string{"networks", "volumes", "secrets", "configs"} {
		_, node := field(s.whole, section)
		texts("", node)
	}
	slices.SortStableFunc(gaps, func(a, b Gap) int { return a.At.Compare(b.At) })
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
