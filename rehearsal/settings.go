package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"berth/internal/config"
	"berth/rehearsal/aws"
	"berth/rehearsal/stack"
)

// settings are the rehearsal's stack configuration: a production stack's, with the rehearsal's addresses. What --set
// names comes last and stays on the stack.
func (r *rehearsal) settings() ([]stack.Setting, error) {
	deployKey, hostKey, err := r.world.GitKeys()
	if err != nil {
		return nil, fmt.Errorf("read the git host's keys: %w; make them: make rehearse", err)
	}
	roots, err := r.world.ACMERoots()
	if err != nil {
		return nil, fmt.Errorf("read the authority's root: %w; make it: make rehearse", err)
	}
	settings := []stack.Setting{
		{Path: "domain", Value: domain},
		{Path: "aliases[0]", Value: alias},
		{Path: "operatorCidrs[0]", Value: r.world.Internet.Address(aws.OperatorHost) + "/32"},
		{Path: "repository", Value: r.world.GitURL()},
		{Path: "repositoryHostKey", Value: hostKey},
		{Path: "deployKey", Value: deployKey, Secret: true},
		{Path: "acmeEmail", Value: "operator@example.test"},
		{Path: "acmeDirectory", Value: r.world.ACMEDirectory()},
		{Path: "acmeRoots", Value: roots},
		// Pebble takes any of its profiles where none is asked for.
		{Path: "acmeProfile", Value: "classic"},
		// A rehearsal is there to be taken down; try protection with --set protect=true.
		{Path: "protect", Value: "false"},
	}
	// Docker has each range once.
	if r.world.Internet > 0 {
		settings = append(settings, stack.Setting{Path: "vpcCidr", Value: r.world.Internet.VPC()})
	}
	theirs, err := r.appsOwn()
	if err != nil {
		return nil, err
	}
	given, err := r.keptSettings()
	return slices.Concat(settings, theirs, given), err
}

// appsOwn are the settings that are the app's: those that were guessed for the one that is tried, or the sample app's.
func (r *rehearsal) appsOwn() ([]stack.Setting, error) {
	own, err := r.kept()
	if err != nil {
		return nil, err
	}
	if own != nil && own.Folder == r.App {
		return own.Settings, nil
	}
	password, err := r.databasePassword()
	return []stack.Setting{
		{Path: "routes[0].path", Value: "/"},
		{Path: "routes[0].service", Value: "web"},
		{Path: "routes[0].port", Value: "80"},
		{Path: "routes[1].path", Value: "/api/"},
		{Path: "routes[1].service", Value: "api"},
		{Path: "routes[1].port", Value: "8000"},
		{Path: "environment.GREETING", Value: "Hello from the rehearsal"},
		{Path: "secrets.DATABASE_PASSWORD", Value: password, Secret: true},
	}, err
}

// keptSettings are those that --set named, now or in an earlier run: a later run without them is no change.
func (r *rehearsal) keptSettings() ([]stack.Setting, error) {
	file := filepath.Join(r.Dir, "settings.json")
	var kept []stack.Setting
	if text, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(text, &kept); err != nil {
			return nil, fmt.Errorf("read %s: %w; remove it to start from the rehearsal's own settings", file, err)
		}
	}
	kept, err := keep(kept, r.Set)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	return kept, os.WriteFile(file, text, 0o600)
}

var (
	// setting matches the path of one. What ends with a hyphen and is none may be a word of a value.
	setting = regexp.MustCompile(`^(` + strings.Join(config.Keys(), "|") + `)([.\[].*)?$`)
	// named matches the path of what may be one, misspelt or not: a part of a value that has a = in it is none.
	named = regexp.MustCompile(`^!?[A-Za-z][A-Za-z0-9_-]*([.\[].+)?$`)
	// stored matches the settings that have to be stored encrypted.
	stored = regexp.MustCompile(`^(` + strings.Join(config.SecretKeys(), "|") + `)([.\[]|$)`)
)

// words are those of SET with the space before each: a value of several keeps it as it is.
func words(text string) []string { return word.FindAllString(text, -1) }

var word = regexp.MustCompile(`\s*\S+`)

// keep applies what SET and --set name to the settings that are kept: path=value sets, path- takes it back. A word that does
// neither goes on with the value before it.
func keep(kept []stack.Setting, words []string) ([]stack.Setting, error) {
	without := func(path string) []stack.Setting {
		return slices.DeleteFunc(kept, func(s stack.Setting) bool { return s.Path == path })
	}
	last := false
	for _, spaced := range words {
		word := strings.TrimLeftFunc(spaced, unicode.IsSpace)
		back, hyphen := strings.CutSuffix(strings.TrimPrefix(word, "!"), "-")
		// A misspelt one, too, that is kept.
		misspelt := slices.ContainsFunc(kept, func(s stack.Setting) bool { return s.Path == back })
		if hyphen && (misspelt || setting.MatchString(back)) {
			kept, last = without(back), false
			continue
		}
		path, value, ok := strings.Cut(word, "=")
		switch {
		case ok && (!last || named.MatchString(path)):
			path, secret := strings.CutPrefix(path, "!")
			kept = append(without(path), stack.Setting{Path: path, Value: value, Secret: secret || stored.MatchString(path)})
			last = true
		case last && spaced == word:
			kept[len(kept)-1].Value += " " + word
		case last:
			kept[len(kept)-1].Value += spaced
		default:
			return nil, fmt.Errorf("%q sets nothing: a setting is NAME=VALUE, such as SET=instanceType=t3.small, and SET=instanceType- takes it back", word)
		}
	}
	return kept, nil
}

// databasePassword is made once and kept: the database remembers the one it was made with.
func (r *rehearsal) databasePassword() (string, error) {
	file := filepath.Join(r.Dir, "database-password")
	if text, err := os.ReadFile(file); err == nil {
		return string(text), nil
	}
	password := rand.Text()
	return password, os.WriteFile(file, []byte(password), 0o600)
}
