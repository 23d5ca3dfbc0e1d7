package trust

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"berth/internal/release/plan"
)

// Given is what is known besides the app's model.
type Given struct {
	// Source is the checkout, an absolute path, Root the folder that holds it, "" for none: what leads there is the plan's to
	// refuse.
	Source, Root string
	// Own are the server's own networks, as far as they are known.
	Own []string
	// Allow and Images are those of the settings.
	Allow  []string
	Images map[string]string
}

// found is what would let a container out.
type found struct {
	// id is its kind (docs/problems.md); kind and name say of what, as in "service web".
	id         string
	kind, name string
	// allow is the name that lets it through, "" for none; what says what it does, instead what to do about it.
	allow, what, instead string
	// at is where it is in the compose file, as far as that tells, and holds a text there.
	at    []string
	holds string
}

// check is one check of an app.
type check struct {
	Given
	found []found
}

// add notes what was found at a key of a service, network or volume, where the file has a text.
func (c *check) add(id, kind, name, key, holds, allow, format string, args ...any) {
	c.found = append(c.found, found{id: id, kind: kind, name: name, at: append([]string{kind + "s", name}, strings.Fields(key)...), holds: holds, allow: allow, what: fmt.Sprintf(format, args...)})
}

// Check says in sentences what of an app would let its containers out of their own confines. What Allow names is let through;
// what is not classed, nothing lets through. model is what `docker compose config --format json` prints.
func Check(model []byte, given Given) ([]plan.Problem, error) {
	var whole object
	if err := json.Unmarshal(model, &whole); err != nil {
		return nil, fmt.Errorf("read the compose file's model: %w", err)
	}
	classes, err := tree()
	if err != nil {
		return nil, err
	}
	services := objects(whole["services"])
	for name, service := range services {
		prepare(service, has(given.Images, name))
	}
	c := &check{Given: given}
	for _, one := range c.walk(whole, classes, nil) {
		c.found = append(c.found, describe(one))
	}
	secrets := objects(whole["secrets"])
	for name, service := range services {
		c.mounts(name, service)
		c.build(name, service, secrets)
	}
	for name, volume := range objects(whole["volumes"]) {
		c.volume(name, volume)
	}
	for name, network := range objects(whole["networks"]) {
		c.network(name, network)
	}
	c.files("secret", secrets)
	c.files("config", objects(whole["configs"]))
	return c.sentences(), nil
}

// prepare makes a service comparable: capabilities are written in several ways, and an image from elsewhere is not built.
func prepare(service object, elsewhere bool) {
	if elsewhere {
		delete(service, "build")
	}
	capabilities, _ := service["cap_add"].([]any)
	for i, one := range capabilities {
		if name, ok := one.(string); ok {
			capabilities[i] = strings.TrimPrefix(strings.ToUpper(name), "CAP_")
		}
	}
}

// sentences are what was found and is not allowed.
func (c *check) sentences() []plan.Problem {
	c.found = slices.DeleteFunc(c.found, func(one found) bool { return slices.Contains(c.Allow, one.allow) })
	slices.SortFunc(c.found, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.allow, b.allow), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), cmp.Compare(a.what, b.what))
	})
	all := []plan.Problem{}
	for _, one := range slices.CompactFunc(c.found, func(a, b found) bool { return a.kind+" "+a.name == b.kind+" "+b.name && a.what == b.what }) {
		subject := strings.TrimSpace(one.kind + " " + one.name)
		instead := cmp.Or(one.instead, "nothing lets it through; take it out of the compose file")
		if one.allow != "" {
			instead = fmt.Sprintf("if the app needs it and you trust the repository: pulumi config set --path 'berth:allow[%d]' %s", len(c.Allow), one.allow)
		}
		all = append(all, plan.Problem{At: one.at, Holds: one.holds, Text: fmt.Sprintf("%s %s [%s]; %s", subject, one.what, one.id, instead)})
	}
	return all
}

// kinds are what the parts of a compose file hold.
var kinds = map[string]string{"services": "service", "volumes": "volume", "networks": "network", "secrets": "secret", "configs": "config"}

// describe says what of a value is refused.
func describe(one refusal) found {
	said := found{id: "compose-key-unknown", kind: "the compose file", at: one.path, holds: text(one.value)}
	below := one.path
	if kind, ok := kinds[one.path[0]]; ok && len(one.path) > 1 {
		said.kind, said.name, below = kind, one.path[1], one.path[2:]
	}
	key := strings.Join(below, ".")
	class := cmp.Or(one.class, &Class{})
	said.id, said.allow = cmp.Or(class.ID, said.id), class.Allow
	says, ok := class.Says[asText(one.value)]
	if !ok {
		says = class.Says[""]
	}
	switch {
	case class.Build:
		said.what = fmt.Sprintf("has the build option %s, which is not supported here", one.path[3])
		said.instead = fmt.Sprintf("build the image elsewhere and name it: pulumi config set --path 'berth:images[\"%s\"]' REFERENCE", said.name)
	case says != "":
		said.what = strings.NewReplacer("SHORT", strings.TrimSuffix(key, "_mode"), "KEY", key, "NAME", shown(one.path[len(one.path)-1]), "VALUE", shown(one.value)).Replace(says)
	default:
		said.what = fmt.Sprintf("has %s: %s, which Berth does not know", key, shown(one.value))
	}
	return said
}

var (
	controls = regexp.MustCompile(`[\x00-\x1f\x7f]`)
	crooked  = regexp.MustCompile(`(\A|/)[.][.]?(/|\z)|[\x00-\x1f\x7f]`)
	remote   = regexp.MustCompile(`\A((https?|git|ssh)://|git@)`)
	sockets  = regexp.MustCompile(`/(docker|containerd)\.sock$`)
	images   = regexp.MustCompile(`\A(docker-image://|service:|target:)`)
)

func below(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// outside says whether a path is none of the checkout's: one that is not written straight is not, whatever its target.
func (c *check) outside(path string) bool {
	if path == "" || remote.MatchString(path) {
		return false
	}
	return crooked.MatchString(path) || !below(path, c.Source) && (c.Root == "" || !below(path, c.Root))
}

func (c *check) mounts(name string, service object) {
	for _, mount := range list(service["volumes"]) {
		source := text(mount["source"])
		clock := mount["read_only"] == true && (source == "/etc/localtime" || source == "/etc/timezone")
		switch {
		case mount["type"] != "bind" || clock:
		case sockets.MatchString(source):
			c.add("compose-docker-socket", "service", name, "volumes", "docker.sock", "docker-socket", "mounts %s, which is root on the server", source)
		case c.outside(source):
			c.add("compose-host-mount", "service", name, "volumes", path.Base(source), "host-mounts", "mounts %s of the server", shown(source))
		}
	}
}

func (c *check) build(name string, service object, secrets map[string]object) {
	build, _ := service["build"].(object)
	dockerfile := text(build["dockerfile"])
	paths := []string{text(build["context"])}
	contexts, _ := build["additional_contexts"].(object)
	for _, context := range contexts {
		if from := text(context); !images.MatchString(from) {
			paths = append(paths, from)
		}
	}
	if strings.HasPrefix(dockerfile, "/") {
		paths = append(paths, dockerfile)
	}
	for _, from := range paths {
		if c.outside(from) {
			c.add("compose-build-outside", "service", name, "build", path.Base(from), "host-mounts", "is built from %s, which is not in the repository", shown(from))
		}
	}
	if slices.Contains(strings.Split(dockerfile, "/"), "..") {
		c.add("compose-dockerfile-outside", "service", name, "build dockerfile", "", "host-mounts", "is built from the Dockerfile %s, which is outside its folder", shown(dockerfile))
	}
	// They are fields of one argument of Docker's, which a comma or a quote ends.
	for _, secret := range list(build["secrets"]) {
		source := text(secret["source"])
		for _, field := range []string{source, text(secret["target"]), text(secrets[source]["file"])} {
			if strings.ContainsAny(field, `,"`) {
				c.add("compose-build-secret-name", "service", name, "build secrets", "", "", "is built with a secret that has a comma or a quote in its name or its path (%s)", shown(field))
			}
		}
	}
}

func (c *check) volume(name string, volume object) {
	options, _ := volume["driver_opts"].(object)
	if !unset(volume["external"]) || far(options) {
		return
	}
	// A bind in the checkout is the plan's.
	kind, device := optional(options["type"]), optional(options["device"])
	if (kind == "" && options["type"] != "" || kind == "none" || kind == "bind") && device != "" && !(strings.HasPrefix(device, "/") && c.outside(device)) {
		return
	}
	with := ""
	if o := given(options["o"], ""); options["o"] != nil && options["o"] != false {
		with = fmt.Sprintf(" (%s)", shown(o))
	}
	c.add("compose-volume-host", "volume", name, "driver_opts device", "", "host-mounts", "is %s, mounted as %s on the server%s", shown(given(options["device"], "nothing")), shown(given(options["type"], "a bind")), with)
}

// given is a value, or another one where there is none.
func given(value, otherwise any) any {
	if value == nil || value == false {
		return otherwise
	}
	return value
}

var (
	interfaceName = `[A-Za-z][A-Za-z0-9_.-]{0,14}`
	serversOwn    = `lo|docker.*|veth.*|(e[nt]|wl|ww)[a-z]*[0-9].*`
	dockersOwn    = []string{"host", "bridge", "none", "ingress", "docker_gwbridge"}
)

func (c *check) network(name string, network object) {
	external, _ := network["external"].(object)
	for _, docker := range []any{network["name"], external["name"]} {
		if slices.Contains(dockersOwn, text(docker)) {
			c.add("compose-network-dockers-own", "network", name, "name", "", "host-namespaces", "is Docker's own network %s", text(docker))
		}
	}
	options, _ := network["driver_opts"].(object)
	if bridge, ok := options["com.docker.network.bridge.name"].(string); ok && (!whole(bridge, interfaceName) || whole(bridge, serversOwn)) {
		c.add("compose-network-interface", "network", name, "driver_opts", bridge, "host-namespaces", "is the interface %s of the server", shown(bridge))
	}
	for _, option := range slices.Sorted(maps.Keys(options)) {
		if value := options[option]; strings.Contains(option, "gateway_mode") && value != "nat" && value != "isolated" {
			c.add("compose-network-gateway", "network", name, "driver_opts", "", "host-namespaces", "is open to other machines (gateway mode %s)", shown(value))
		}
	}
	ipam, _ := network["ipam"].(object)
	for _, config := range list(ipam["config"]) {
		for _, key := range []string{"subnet", "ip_range", "gateway"} {
			if addresses, ok := config[key].(string); ok && !private(addresses, c.Own) {
				c.add("compose-network-addresses", "network", name, "ipam config", addresses, "host-namespaces", "takes the addresses %s, which are not private or the server's own", shown(addresses))
			}
		}
	}
}

func (c *check) files(kind string, of map[string]object) {
	for name, one := range of {
		if file := text(one["file"]); c.outside(file) {
			c.add("compose-file-outside", kind, name, "file", "", "host-mounts", "is the file %s of the server", shown(file))
		}
	}
}

// objects are the objects of an object, by name.
func objects(value any) map[string]object {
	all := map[string]object{}
	whole, _ := value.(object)
	for name, one := range whole {
		all[name], _ = one.(object)
	}
	return all
}

// list are the objects of a list.
func list(value any) (all []object) {
	whole, _ := value.([]any)
	for _, one := range whole {
		if is, ok := one.(object); ok {
			all = append(all, is)
		}
	}
	return all
}

func text(value any) string {
	is, _ := value.(string)
	return is
}

func has[V any](of map[string]V, key string) bool { _, ok := of[key]; return ok }
