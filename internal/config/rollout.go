package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// BlueGreen starts a release beside the one it replaces; StopFirst stops that one before.
const (
	BlueGreen = "blue-green"
	StopFirst = "stop-first"
)

// Limits in seconds of what a release waits for. The longest fits into the release step's own limit.
const (
	minHealthy, maxHealthy = 5, 900
	minDrain, maxDrain     = 0, 600
)

// minKeep is the running release and one to go back to; maxKeep bounds the disk they take.
const minKeep, maxKeep = 2, 20

// maxCommand bounds a command of the settings, in bytes.
const maxCommand = 4096

var (
	registryText = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`)
	// imageText follows the grammar of github.com/distribution/reference: name, tag, digest.
	imageText = regexp.MustCompile(`^[a-z0-9]([a-zA-Z0-9._:-]*[a-zA-Z0-9])?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
)

// Migration is a command that runs once in the new image of a service, before anything new serves.
type Migration struct {
	Service string `json:"service"`
	Command string `json:"command"`
}

// Database is how the data of a service is dumped (Dump prints it) and restored (Restore reads it), where Berth does not
// know it.
type Database struct {
	Service string `json:"service"`
	Dump    string `json:"dump"`
	Restore string `json:"restore"`
}

// strategy reads how a release replaces the one before it.
func (l *loader) strategy() {
	c := l.config
	if c.ReleaseStrategy = l.text("releaseStrategy"); c.ReleaseStrategy != BlueGreen && c.ReleaseStrategy != StopFirst {
		l.problem("release-strategy-invalid", "releaseStrategy", c.ReleaseStrategy, BlueGreen+" or "+StopFirst+" is required", set("releaseStrategy", BlueGreen))
	}
}

func (l *loader) migration() {
	if given := l.fields("migration", "a service of the compose file and a command", map[string]string{"service": "api", "command": "./migrate"}); given != nil {
		l.config.Migration = &Migration{Service: given["service"], Command: given["command"]}
	}
}

func (l *loader) database() {
	if given := l.fields("database", "a service of the compose file and two commands that run in it", map[string]string{"service": "db", "dump": "mongodump --archive", "restore": "mongorestore --archive --drop"}); given != nil {
		l.config.Database = &Database{Service: given["service"], Dump: given["dump"], Restore: given["restore"]}
	}
}

// fields reads an object whose fields are all texts and all required; examples has one for each. It is nil where the
// setting is missing or not sound.
func (l *loader) fields(key, kind string, examples map[string]string) map[string]string {
	if l.raw(key) == "" {
		return nil
	}
	names := slices.Sorted(maps.Keys(examples))
	var given map[string]json.RawMessage
	reset := "pulumi config rm " + namespace + key
	for _, name := range names {
		reset += " && " + set(key+"."+name, examples[name])
	}
	if !l.decode(key, &given, "an object with "+strings.Join(names, ", "), reset) {
		return nil
	}
	texts, sound := map[string]string{}, true
	refuse := func(id, name, value, allowed, fix string) {
		l.problem(id, pathInto(key, name), value, allowed, fix)
		sound = false
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, known := examples[name]; !known {
			refuse("object-field-unknown", name, "", "berth:"+key+" is "+kind+nearest(name, names), remove(pathInto(key, name)))
		}
	}
	for _, name := range names {
		text, ok := scalar(given[name])
		texts[name] = text
		fix := set(key+"."+name, examples[name])
		switch {
		case !ok || strings.TrimSpace(text) == "":
			refuse("object-field-missing", name, string(given[name]), "it is required: "+kind, fix)
		case name == "service" && !serviceText.MatchString(text):
			refuse("object-service-invalid", name, text, "a service of the compose file is required", fix)
		case strings.ContainsAny(text, "\x00\r\n") || len(text) > maxCommand:
			refuse("command-invalid", name, text, fmt.Sprintf("a command is one line of at most %d bytes", maxCommand), fix)
		}
	}
	if !sound {
		return nil
	}
	return texts
}

// images reads which images replace what the compose file says of a service.
func (l *loader) images() {
	const example = "registry.example.com/you/api:1.4.2"
	c := l.config
	c.Images, _ = l.texts("images", func(path string) string { return set(path, example) })
	for _, service := range slices.Sorted(maps.Keys(c.Images)) {
		path := pathInto("images", service)
		if !serviceText.MatchString(service) {
			l.problem("image-service-invalid", path, "", "the name is none of a service", remove(path))
		}
		if image := c.Images[service]; !imageText.MatchString(image) || len(image) > 255 {
			l.problem("image-reference-invalid", path, image, "the reference of an image is required, by tag or digest, such as "+example, set(path, example))
		}
	}
}

// registries reads with whose credentials images are pulled.
func (l *loader) registries() {
	c := l.config
	c.Registries, _ = l.texts("registries", setSecret)
	l.encrypted("registries", "pulumi config rm berth:registries && "+setSecret(`registries["registry.example.com"]`))
	for _, server := range slices.Sorted(maps.Keys(c.Registries)) {
		path := pathInto("registries", server)
		user, password, both := strings.Cut(c.Registries[server], ":")
		switch {
		case !registryText.MatchString(server):
			l.problem("registry-name-invalid", path, "", "the name of a registry is required, such as registry.example.com or registry.example.com:5000; Docker Hub is docker.io", remove(path))
		case !both || user == "" || password == "" || strings.ContainsAny(c.Registries[server], "\x00\r\n"):
			l.problem("registry-credentials-invalid", path, "", "credentials have the form user:password; a token is a password", setSecret(path))
		}
	}
}
