package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
	"berth/internal/release/trust"
)

func classes(t *testing.T) map[string]trust.Class {
	t.Helper()
	all, err := trust.Classes()
	require.NoError(t, err)
	byKey := map[string]trust.Class{}
	for _, one := range all {
		require.NotEmpty(t, one.Why, one.Keys)
		if one.Allow != "" {
			require.Contains(t, config.Allowable, one.Allow)
		}
		if one.Refuse && !one.Build {
			require.NotEmpty(t, one.Says, one.Keys)
		}
		for _, key := range strings.Split(one.Keys, " ") {
			path := strings.Trim(one.At+"."+strings.Trim(key, "."), ".")
			require.NotContains(t, byKey, path, "classed twice")
			byKey[path] = one
		}
	}
	return byKey
}

// keysOf tells every key that a JSON schema has, by its path (* for any name), with the values of those that are enumerated.
func keysOf(t *testing.T, text string) map[string][]string {
	t.Helper()
	var root map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &root))
	keys := map[string][]string{}
	var walk func(node map[string]any, path string, seen []string)
	walk = func(node map[string]any, path string, seen []string) {
		if reference, ok := node["$ref"].(string); ok {
			name, known := strings.CutPrefix(reference, "#/$defs/")
			require.True(t, known, reference)
			if !slices.Contains(seen, name) {
				definition, ok := at(root, "$defs", name).(map[string]any)
				require.True(t, ok, reference)
				walk(definition, path, append(slices.Clone(seen), name))
			}
		}
		below := func(name string, value any) {
			if child, ok := value.(map[string]any); ok && name != "x-" {
				walk(child, strings.Trim(path+"."+name, "."), seen)
			}
		}
		for _, word := range []string{"oneOf", "anyOf", "allOf"} {
			alternatives, _ := node[word].([]any)
			for _, one := range alternatives {
				walk(one.(map[string]any), path, seen)
			}
		}
		properties, _ := node["properties"].(map[string]any)
		for name, value := range properties {
			below(name, value)
		}
		patterns, _ := node["patternProperties"].(map[string]any)
		for pattern, value := range patterns {
			if pattern == "^x-" {
				continue
			}
			below("*", value)
		}
		if more, ok := node["additionalProperties"].(map[string]any); ok {
			below("*", more)
		}
		if items, ok := node["items"].(map[string]any); ok {
			walk(items, path, seen)
		}
		values, _ := node["enum"].([]any)
		for _, value := range values {
			keys[path] = append(keys[path], fmt.Sprint(value))
		}
		if len(properties)+len(patterns) == 0 && node["$ref"] == nil && node["type"] != nil {
			keys[path] = append(keys[path], []string{}...)
		}
	}
	walk(root, "", nil)
	delete(keys, "")
	return keys
}

// unclassed are the keys, and the values of lists, of a schema that no class is about.
func unclassed(t *testing.T, text string, byKey map[string]trust.Class) []string {
	t.Helper()
	var missing []string
	for path, values := range keysOf(t, text) {
		found, ok := byKey[path]
		if !ok {
			// What is refused whole is so with all that is in it; a harmless map is so with any name.
			for above := path; !ok && strings.Contains(above, "."); {
				above = above[:strings.LastIndex(above, ".")]
				found, ok = byKey[above]
				ok = ok && (found.Refuse || path == above+".*")
			}
		}
		if !ok {
			missing = append(missing, path)
			continue
		}
		for _, value := range values {
			if !found.Refuse && !regexp.MustCompile(`\A(?:`+found.Values+`)\z`).MatchString(value) && !regexp.MustCompile(`\A(?:`+found.Not+`)\z`).MatchString(value) {
				missing = append(missing, path+": "+value)
			}
		}
	}
	slices.Sort(missing)
	return missing
}

// TestEveryKeyOfComposeIsClassed fails when Compose's schema gains a key, or a value of a list, that is not classified.
func TestEveryKeyOfComposeIsClassed(t *testing.T) {
	byKey := classes(t)
	keys := keysOf(t, schema.Schema)
	require.Greater(t, len(keys), 250)
	require.Contains(t, keys, "services.*.deploy.resources.reservations.devices.driver")
	require.Contains(t, keys, "services.*.develop.watch.exec.privileged")
	require.Equal(t, []string{"host", "private"}, slices.Sorted(slices.Values(keys["services.*.cgroup"])))
	assert.Empty(t, unclassed(t, schema.Schema, byKey), "read what Compose and Docker do with it, and add it to trust/allowed.json")

	for path := range byKey {
		known := slices.ContainsFunc(slices.Collect(maps.Keys(keys)), func(key string) bool { return key == path || strings.HasPrefix(key, path+".") })
		// What this version's schema does not have, and its models do.
		known = known || regexp.MustCompile(`\.(Path|Rate|Weight)$|ulimits\.\*\.single$|secrets\.\*\.external|^services\.\*\.extends$`).MatchString(path)
		assert.True(t, known, "%s is not Compose's", path)
	}
}

// TestANewKeyIsSeen has a schema gain keys and values, of every shape and at every depth.
func TestANewKeyIsSeen(t *testing.T) {
	byKey := classes(t)
	for want, change := range map[string][2]string{
		"services.*.new_key":                      {`"annotations": {`, `"new_key": {"type": "string"}, "annotations": {`},
		"services.*.build.new_key":                {`"dockerfile_inline": {`, `"new_key": {"type": "boolean"}, "dockerfile_inline": {`},
		"services.*.volumes.bind.new_key":         {`"create_host_path": {`, `"new_key": {"type": ["boolean", "string"]}, "create_host_path": {`},
		"services.*.volumes.type: new":            {`"npipe",`, `"npipe", "new",`},
		"services.*.cgroup: new":                  {`"private"`, `"private", "new"`},
		"networks.*.new_key":                      {`"attachable": {`, `"new_key": {"type": "string"}, "attachable": {`},
		"new_key.a":                               {`"services": {`, `"new_key": {"type": "object", "properties": {"a": {"type": "string"}}}, "services": {`},
		"services.*.depends_on.*.condition: new":  {`"service_started",`, `"service_started", "new",`},
		"services.*.healthcheck.new_key":          {`"start_interval": {`, `"new_key": {"type": "object", "patternProperties": {"^.+$": {"type": "string"}}}, "start_interval": {`},
		"services.*.blkio_config.new_key.path":    {`"device_read_bps": {`, `"new_key": {"type": "array", "items": {"$ref": "#/$defs/blkio_limit"}}, "device_read_bps": {`},
		"services.*.deploy.placement.new_key":     {`"max_replicas_per_node": {`, `"new_key": {"oneOf": [{"type": "string"}, {"type": "number"}]}, "max_replicas_per_node": {`},
		"services.*.networks.*.new_key":           {`"link_local_ips": {`, `"new_key": {"$ref": "#/$defs/string_or_list"}, "link_local_ips": {`},
		"services.*.volumes.bind.propagation: sh": {`"propagation": {`, `"propagation": {"enum": ["private", "sh"], `},
	} {
		require.Contains(t, schema.Schema, change[0])
		missing := unclassed(t, strings.Replace(schema.Schema, change[0], change[1], 1), byKey)
		assert.Contains(t, strings.Join(missing, "\n"), want)
	}
}
