package trust

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

type object = map[string]any

// refusal is a value that no class has for harmless.
type refusal struct {
	path  []string
	class *Class
	value any
}

// walk collects what of a value is not allowed by the classes at a node and below it.
func (c *check) walk(value any, at *node, path []string) (found []refusal) {
	class := at.class
	if value == nil || class != nil && unset(value) {
		return nil
	}
	here := []refusal{{path, class, value}}
	if class != nil && class.Refuse {
		return here
	}
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			found = append(found, c.walk(one, at, path)...)
		}
		return found
	case object:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			found = append(found, c.walkKey(key, value[key], at, append(slices.Clone(path), key))...)
		}
		return found
	}
	text := asText(value)
	name, _, _ := strings.Cut(text, "=")
	switch {
	case class == nil, class.Values != "" && !whole(text, class.Values), class.Path && c.outside(text):
		return here
	case class.Names != "" && !whole(name, class.Names):
		return []refusal{{append(slices.Clone(path), name), class, value}}
	}
	return nil
}

func (c *check) walkKey(key string, value any, at *node, path []string) []refusal {
	class := at.class
	leaf := class != nil && len(at.below) == 0
	if class != nil && class.Names != "" && !whole(key, class.Names) {
		return []refusal{{path, class, value}}
	}
	if below := at.below[key]; key != "" && below != nil {
		return c.walk(value, below, path)
	}
	if any := at.below["*"]; any != nil {
		return c.walk(value, any, path)
	}
	if !leaf && strings.HasPrefix(key, "x-") || value == nil {
		return nil
	}
	if leaf && !class.Path && scalar(value) {
		unnamed := *class
		unnamed.Names = ""
		return c.walk(value, &node{class: &unnamed}, path)
	}
	return []refusal{{path, nil, value}}
}

func scalar(value any) bool {
	switch value.(type) {
	case object, []any:
		return false
	}
	return true
}

// unset says whether a value is the same as none.
func unset(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case bool:
		return !value
	case float64:
		return value == 0
	case object:
		return len(value) == 0
	case []any:
		return len(value) == 0
	}
	return false
}

// asText is a value as the compose file has it, or as JSON.
func asText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	return asJSON(value)
}

// longest is how many characters of a value are shown.
const longest = 120

// shown is a value in a sentence.
func shown(value any) string {
	text := asText(value)
	if controls.MatchString(text) {
		text = asJSON(text)
	}
	if letters := []rune(text); len(letters) > longest {
		text = string(letters[:longest]) + "…"
	}
	return text
}

// asJSON is a value as JSON, for a sentence.
func asJSON(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprintf("%q", value)
	}
	return strings.TrimSuffix(text.String(), "\n")
}
