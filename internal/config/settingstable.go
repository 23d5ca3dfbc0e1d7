package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// setting is one as Pulumi.yaml declares it.
type setting struct {
	Description string
	Default     any
}

// kind is the type that a setting's default shows.
func (s setting) kind(name string) string {
	if slices.Contains(words, name) {
		return "text or array"
	}
	switch s.Default.(type) {
	case bool:
		return "boolean"
	case int:
		return "integer"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "string"
}

// SettingsTable makes the README's table of settings of the project file Pulumi.yaml: a row a setting, required ones
// first.
func SettingsTable(project []byte) (string, error) {
	var file struct{ Config map[string]setting }
	if err := yaml.Unmarshal(project, &file); err != nil {
		return "", fmt.Errorf("read Pulumi.yaml: %w", err)
	}
	// `pulumi new` adds a key of Pulumi's own.
	maps.DeleteFunc(file.Config, func(name string, _ setting) bool { return strings.Contains(name, ":") })
	names := slices.SortedFunc(maps.Keys(file.Config), func(a, b string) int {
		required := func(name string) int {
			if strings.HasPrefix(file.Config[name].Description, "Required.") {
				return 0
			}
			return 1
		}
		if difference := required(a) - required(b); difference != 0 {
			return difference
		}
		return strings.Compare(a, b)
	})
	table := strings.Builder{}
	table.WriteString("| setting | type | default | what it does |\n|---|---|---|---|\n")
	for _, name := range names {
		setting := file.Config[name]
		fallback := fmt.Sprint(setting.Default)
		if fallback == "[]" || fallback == "map[]" {
			fallback = ""
		}
		if fallback != "" {
			fallback = "`" + fallback + "`"
		}
		fmt.Fprintf(&table, "| `berth:%s` | %s | %s | %s |\n", name, setting.kind(name), fallback, setting.Description)
	}
	return table.String(), nil
}
