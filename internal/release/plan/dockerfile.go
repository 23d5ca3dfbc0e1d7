package plan

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	continued   = regexp.MustCompile(`\\[ \t]*\n`)
	instruction = regexp.MustCompile(`(?i)^[ \t]*(FROM|ARG|VOLUME|CMD|ENTRYPOINT)[ \t]+(.*?)[ \t]*$`)
	blanks      = regexp.MustCompile(`[ \t]+`)
	argument    = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)(:?-([^}]*))?\}?`)
)

// base is what an image is built on in the end, the volumes that its Dockerfile declares, and what that starts, as its text: "" where
// the base decides.
type base struct {
	image   string
	volumes []string
	starts  string
}

// stage is one of a Dockerfile.
type stage struct {
	name, from   string
	volumes      []string
	command, run string // CMD and ENTRYPOINT
}

// baseOf is what the image of a service is built on.
func (g *Given) baseOf(name string, service *Service) base {
	build := service.Build
	if build == nil {
		build = &Build{}
	}
	text := g.Dockerfiles[name]
	if build.Inline != nil {
		text = *build.Inline
	}
	stages := readStages(text, build.Args)
	at := len(stages) - 1
	if target := strings.ToLower(build.Target); target != "" {
		at = slices.IndexFunc(stages, func(s stage) bool { return s.name == target })
		if number, err := strconv.Atoi(target); err == nil && at < 0 && number >= 0 && number < len(stages) {
			at = number
		}
	}
	found := base{volumes: []string{}}
	for at >= 0 {
		from := stages[at].from
		found.volumes = append(found.volumes, stages[at].volumes...)
		if found.starts == "" {
			found.starts = strings.TrimSpace(stages[at].run + " " + stages[at].command)
		}
		found.image = from
		if context, ok := build.AdditionalContexts[from]; ok {
			found.image = context
		}
		found.image = strings.TrimPrefix(found.image, "docker-image://")
		// A stage builds on one before it.
		for at--; at >= 0 && stages[at].name != strings.ToLower(from); at-- {
		}
	}
	slices.Sort(found.volumes)
	found.volumes = slices.Compact(found.volumes)
	return found
}

func readStages(text string, args object) (stages []stage) {
	values := map[string]string{}
	expand := func(text string) string {
		return argument.ReplaceAllStringFunc(text, func(found string) string {
			parts := argument.FindStringSubmatch(found)
			if value, ok := values[parts[1]]; ok {
				return value
			}
			return parts[3]
		})
	}
	text = continued.ReplaceAllString(strings.ReplaceAll(text, "\r", ""), " ")
	for _, line := range strings.Split(text, "\n") {
		parts := instruction.FindStringSubmatch(line)
		if parts == nil {
			continue
		}
		rest := blanks.Split(parts[2], -1)
		switch word := strings.ToUpper(parts[1]); {
		case word == "FROM":
			rest = append(slices.DeleteFunc(rest, func(part string) bool { return strings.HasPrefix(part, "--") }), "", "", "")
			stages = append(stages, stage{name: strings.ToLower(rest[2]), from: expand(unquoted(rest[0]))})
		case word == "ARG" && len(stages) == 0:
			for _, one := range rest {
				name, value, _ := strings.Cut(one, "=")
				values[name] = unquoted(value)
				if args[name] != nil {
					values[name] = asText(args[name])
				}
			}
		case word == "CMD" && len(stages) > 0:
			stages[len(stages)-1].command = parts[2]
		case word == "ENTRYPOINT" && len(stages) > 0:
			stages[len(stages)-1].run = parts[2]
		case word == "VOLUME" && len(stages) > 0:
			last := &stages[len(stages)-1]
			last.volumes = append(last.volumes, declared(parts[2], rest)...)
		}
	}
	return stages
}

// declared are the volumes of an instruction, as a list or by words; what a variable decides is not known.
func declared(text string, words []string) []string {
	if strings.HasPrefix(text, "[") {
		var list []any
		words = nil
		if json.Unmarshal([]byte(text), &list) == nil {
			for _, one := range list {
				if path, ok := one.(string); ok {
					words = append(words, path)
				}
			}
		}
	}
	return slices.DeleteFunc(words, func(path string) bool { return strings.Contains(path, "$") })
}

func unquoted(text string) string {
	for _, quote := range []string{`"`, `'`} {
		text = strings.TrimSuffix(strings.TrimPrefix(text, quote), quote)
	}
	return text
}

var (
	atEnd = regexp.MustCompile(`:.*$`)
	// thrownAway are places that are made to be.
	thrownAway = regexp.MustCompile(`^(/var)?/(tmp|run|cache)(/|$)|^/dev/`)
)

// volumesOf are the volumes that the image of a service declares, as far as they are known.
func (g *Given) volumesOf(name string, service *Service) []string {
	if known, ok := g.ImageVolumes[name]; ok {
		return known
	}
	return g.baseOf(name, service).volumes
}

// uncovered are the volumes that the image of a service declares and that nothing is mounted at: with each new container they
// are empty. What is made to be thrown away is no loss.
func (g *Given) uncovered(name string, service *Service) (paths []string) {
	mounted := covered(service)
	for _, path := range g.volumesOf(name, service) {
		if path = strings.TrimRight(path, "/"); !thrownAway.MatchString(path) && !slices.Contains(mounted, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// covered are the places in a service's containers at which something with a name, or memory, is mounted.
func covered(service *Service) (paths []string) {
	for _, mount := range service.Volumes {
		if mount.Source != "" || mount.Type == "tmpfs" {
			paths = append(paths, strings.TrimRight(mount.Target, "/"))
		}
	}
	for _, mount := range service.Tmpfs {
		paths = append(paths, strings.TrimRight(atEnd.ReplaceAllString(mount, ""), "/"))
	}
	return paths
}
