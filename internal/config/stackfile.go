package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"go.yaml.in/yaml/v3"
)

// Stray finds what looks like a setting in a stack's file and is none to Pulumi, which silently ignores it: a setting
// outside config:, or inside another one. root is the project's folder; settings are those that Pulumi read, nil where they
// are not known.
func Stray(root, project, stack string, settings map[string]string) []Problem {
	if root == "" {
		return nil // an inline program, which has no such file of its own
	}
	file := stackFile(root, stack)
	s := &strays{file: file, namespaces: []string{namespace, project + ":"}}
	if relative, err := filepath.Rel(root, file); err == nil {
		s.file = relative
	}
	other := strings.TrimSuffix(file, ".yaml") + ".yml"
	if _, err := os.Stat(other); err == nil {
		name := filepath.Base(other)
		s.problems = append(s.problems, Problem{ID: "stack-file-not-read", Setting: name, Allowed: "Pulumi reads " + filepath.Base(file) + " and not this file; its settings have to go there", Fix: `"${EDITOR:-vi}" ` + shellescape.Quote(s.file) + " && rm " + shellescape.Quote(filepath.Join(filepath.Dir(s.file), name))})
	}
	text, err := os.ReadFile(file)
	if err != nil {
		// Pulumi keeps the settings of some stacks elsewhere.
		return s.problems
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for first := true; ; first = false {
		var document yaml.Node
		// What YAML cannot read Pulumi refuses itself, with the line.
		if decoder.Decode(&document) != nil {
			return s.problems
		}
		if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
			continue
		}
		if first && settings != nil && !s.read(document.Content[0], project, settings) {
			// Pulumi was given another file: --config-file.
			return s.problems
		}
		s.top(document.Content[0], first)
	}
}

// stackFile is where Pulumi keeps a stack's settings: beside Pulumi.yaml, or in the folder that it names.
func stackFile(root, stack string) string {
	var project struct {
		StackConfigDir string `yaml:"stackConfigDir"`
	}
	if text, err := os.ReadFile(filepath.Join(root, "Pulumi.yaml")); err == nil {
		// What is wrong in it Pulumi says.
		_ = yaml.Unmarshal(text, &project)
	}
	return filepath.Join(root, project.StackConfigDir, "Pulumi."+strings.ReplaceAll(stack, "/", ".")+".yaml")
}

// strays collects them from a file.
type strays struct {
	file       string
	namespaces []string
	problems   []Problem
}

// pairs are the keys and values of a mapping.
func pairs(mapping *yaml.Node) (all [][2]*yaml.Node) {
	for i := 0; mapping.Kind == yaml.MappingNode && i+1 < len(mapping.Content); i += 2 {
		all = append(all, [2]*yaml.Node{mapping.Content[i], mapping.Content[i+1]})
	}
	return all
}

// setting is the path of the one that a key names, "" for none of Berth's.
func (s *strays) setting(key string) string {
	for _, namespace := range s.namespaces {
		if path, ours := strings.CutPrefix(key, namespace); ours && slices.Contains(Keys(), root(path)) {
			return path
		}
	}
	return ""
}

// read says whether Pulumi read its settings from this file.
func (s *strays) read(file *yaml.Node, project string, settings map[string]string) bool {
	for _, pair := range pairs(file) {
		if pair[0].Value != "config" {
			continue
		}
		for _, setting := range pairs(pair[1]) {
			key := setting[0].Value
			if !strings.Contains(key, ":") {
				key = project + ":" + key
			}
			// A key without a value is one whose lines are all comments.
			if _, known := settings[key]; s.setting(key) != "" && !known && setting[1].Tag != "!!null" {
				return false
			}
		}
	}
	return true
}

// top searches a document. Pulumi reads only the first.
func (s *strays) top(document *yaml.Node, first bool) {
	for _, pair := range pairs(document) {
		key, value := pair[0], pair[1]
		switch {
		case key.Value == "config" && first:
			for _, setting := range pairs(value) {
				s.inside(setting[1], setting[0].Value)
				s.plain(setting[0], setting[1])
			}
		case key.Value == "environment" && value.Kind != yaml.ScalarNode:
			// Pulumi's own: values.pulumiConfig in it holds settings. Berth's variables begin with berth:.
		case slices.Contains(Keys(), root(key.Value)):
			s.stray(key.Value, key, value)
		default:
			s.outside(key, value)
		}
	}
}

func (s *strays) outside(key, value *yaml.Node) {
	if path := s.setting(key.Value); path != "" {
		s.stray(path, key, value)
		return
	}
	for _, pair := range pairs(value) {
		s.outside(pair[0], pair[1])
	}
}

func (s *strays) stray(path string, key, value *yaml.Node) {
	s.problem("setting-outside-config", path, fmt.Sprintf("line %d of %s has it outside config:, where Pulumi reads no setting; it belongs below config: and above encryptionsalt:, two spaces in", key.Line, s.file), value)
}

// inside finds settings that are a space or two too far in: part of the one above them.
func (s *strays) inside(value *yaml.Node, outer string) {
	for _, pair := range pairs(value) {
		if path := s.setting(pair[0].Value); path != "" {
			s.problem("setting-inside-another", path, fmt.Sprintf("line %d of %s has it inside %s, where Pulumi reads no setting; it belongs directly below config:, two spaces in", pair[0].Line, s.file, outer), pair[1])
			continue
		}
		s.inside(pair[1], outer)
	}
	if value.Kind == yaml.SequenceNode {
		for _, element := range value.Content {
			s.inside(element, outer)
		}
	}
}

func (s *strays) problem(id, path, allowed string, value *yaml.Node) {
	if isSecretKey(root(path)) && !encrypted(value) {
		allowed += "; it is in plain text, which counts as leaked: set a new one"
	}
	s.problems = append(s.problems, Problem{ID: id, Setting: namespace + harmless(path), Allowed: allowed, Fix: `"${EDITOR:-vi}" ` + shellescape.Quote(s.file)})
}

// plain finds what is in plain text beside encrypted values: of a map Pulumi itself says only whether anything in it is
// encrypted.
func (s *strays) plain(key, value *yaml.Node) {
	if path := s.setting(key.Value); !isSecretKey(path) {
		return
	}
	var open []*yaml.Node
	for _, pair := range pairs(value) {
		if !encrypted(pair[1]) {
			open = append(open, pair[0])
		}
	}
	if len(open) == 0 || len(open) == len(pairs(value)) || encrypted(value) {
		return
	}
	for _, name := range open {
		path := pathInto(key.Value, name.Value)
		fix := edit
		if addressable(path) {
			fix = "pulumi config set --secret --path " + shellescape.Quote(path)
		}
		s.problems = append(s.problems, Problem{
			ID: "secret-in-plain-text", Setting: harmless(path), Fix: fix,
			Allowed: fmt.Sprintf("line %d of %s has it in plain text; it has to be stored encrypted, and what was readable counts as leaked: set a new one", name.Line, s.file),
		})
	}
}

// encrypted says whether all of a value is stored encrypted.
func encrypted(value *yaml.Node) bool {
	all := pairs(value)
	if len(all) == 1 && all[0][0].Value == "secure" {
		return true
	}
	return len(all) > 0 && !slices.ContainsFunc(all, func(pair [2]*yaml.Node) bool { return !encrypted(pair[1]) })
}
