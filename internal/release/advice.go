package release

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"berth/internal/config"
	"berth/internal/release/compose"
)

// mostNamed is how many services a line of advice names beside the first.
const mostNamed = 10

// mostAdvice is how many lines of advice a preview has.
const mostAdvice = 20

// What advice is about, the most important first.
const (
	aboutTLS = iota
	aboutSecrets
	aboutData
	aboutTwice
	aboutVariables
	aboutOrder
	aboutFiles
	aboutHealth
	aboutImages
	aboutNames
)

// weights are what the plan's advice is about, by its key.
var weights = map[string]int{"volumes": aboutData, "environment": aboutData, "depends_on": aboutOrder, "healthcheck": aboutHealth, "restart": aboutHealth, "image": aboutImages}

// adviseAll says what works and should not stay as it is, the most important first: what is true of several services in one line.
func (f *findings) adviseAll() []string {
	f.fromPlan()
	f.exposed()
	f.gaps()
	f.ownTLS()
	f.twice()
	f.ofEachServer()
	f.otherFiles()
	if variables := len(f.cfg.Variables()); variables > 0 && !hasExample(f.cfg, f.commit.Folder) {
		f.advise(aboutFiles, compose.Place{}, "the repository has no .env.example beside it, so a missing one of the stack's %d variables is not noticed; commit one that names them", variables)
	}
	all := slices.Clone(f.advice)
	slices.SortStableFunc(all, func(a, b located) int { return cmp.Or(a.about-b.about, a.at.Compare(b.at)) })
	var texts []string
	for _, one := range all {
		texts = append(texts, sentences(f.cfg, []located{one})...)
	}
	if more := len(texts) - mostAdvice; more > 0 {
		texts = append(texts[:mostAdvice-1], fmt.Sprintf("%s: %d more pieces of advice are shown when these are followed", f.cfg.ComposeFiles[0], more+1))
	}
	return texts
}

// fromPlan takes the plan's advice over. What differs in the service's name alone is said once.
func (f *findings) fromPlan() {
	type kind struct{ key, text string }
	type piece struct {
		located
		others []string
	}
	var order []kind
	found := map[kind]*piece{}
	all := slices.Concat(f.plan.Advice, f.neverTwice())
	slices.SortStableFunc(all, func(a, b Advice) int {
		return f.source.At("services", a.Service, a.Key).Compare(f.source.At("services", b.Service, b.Key))
	})
	for _, one := range all {
		if one.Key == "healthcheck" && hasHealthCheck(f.commit.Folder, f.plan, one.Service) || one.Key == "restart" && f.runsOnce(one.Service) {
			continue
		}
		place := f.source.At("services", one.Service, one.Key)
		of := kind{one.Key, general(one, f.model.Project.Services[one.Service].Image)}
		if before := found[of]; before != nil {
			other := one.Service
			if place.Line > 0 && place.File == before.at.File {
				other += fmt.Sprintf(" (line %d)", place.Line)
			} else if place.Line > 0 {
				other += fmt.Sprintf(" (%s:%d)", f.cfg.ComposeFiles[place.File], place.Line)
			}
			if !slices.Contains(before.others, other) {
				before.others = append(before.others, other)
			}
			continue
		}
		about, ok := weights[one.Key]
		if !ok {
			about = aboutNames
		}
		order = append(order, of)
		found[of] = &piece{located: located{at: place, text: one.Text, about: about}}
	}
	for _, of := range order {
		text := found[of].text
		if others := found[of].others; len(others) > mostNamed {
			text += fmt.Sprintf("; the same is true of %s and %d more", strings.Join(others[:mostNamed], ", "), len(others)-mostNamed)
		} else if len(others) > 0 {
			text += "; the same is true of " + strings.Join(others, ", ")
		}
		f.advise(found[of].about, found[of].at, "%s", text)
	}
}

// general is a piece of advice without what is a service's own in it.
func general(advice Advice, image string) string {
	words := []string{advice.Service}
	switch advice.Key {
	case "image":
		words = append(words, image)
	case "ports", "healthcheck", "restart", "scale", "deploy":
	case "volumes":
		if strings.HasPrefix(advice.Text, advice.Service+neverRunsTwice) {
			return neverRunsTwice // Each for a volume of its own.
		}
		return advice.Service + " " + advice.Text
	default:
		return advice.Service + " " + advice.Text
	}
	text := " " + advice.Text + " "
	for _, word := range words {
		if word != "" {
			text = strings.Replace(text, " "+word+" ", " … ", 1)
		}
	}
	return text
}

// oneTime matches commands that end by themselves.
var oneTime = regexp.MustCompile(`(?i)\b(migrate|migrations?|db:(migrate|prepare|setup|seed)|seed|createbuckets?|mc (mb|alias)|create-site|collectstatic|init-?db|wait-for|chown|chmod|bootstrap)\b`)

// runsOnce says whether a service is a job by its name or its command: with a restart policy it would run for ever.
func (f *findings) runsOnce(name string) bool {
	service := f.model.Project.Services[name]
	return service.Restart == "" && f.plan.Because[name] == "" && (oneTime.MatchString(strings.Join(service.Command, " ")+" "+strings.Join(service.Entrypoint, " ")) || slices.ContainsFunc(nameWords(name), func(word string) bool {
		return slices.Contains([]string{"init", "migrate", "migration", "migrations", "migrator", "seed", "seeder", "setup", "createbucket", "createbuckets", "bootstrap", "installer", "initializer"}, word)
	}))
}

const neverRunsTwice = " never runs twice, because "

// neverTwice is what the plan says of persistent services that are built, for those of an image.
func (f *findings) neverTwice() (all []Advice) {
	for _, name := range f.plan.Stateful {
		service := f.model.Project.Services[name]
		because := f.plan.Because[name]
		if service.Build != nil || slices.Contains(f.plan.Stores, name) || !strings.HasPrefix(because, "it has the named volume") && !strings.HasPrefix(because, "it keeps files") {
			continue
		}
		if restart := service.Restart; restart == "no" || strings.HasPrefix(restart, "on-failure") || service.Deploy != nil && service.Deploy.RestartPolicy != nil && slices.Contains([]string{"none", "on-failure"}, service.Deploy.RestartPolicy.Condition) {
			continue // A job.
		}
		all = append(all, Advice{Service: name, Key: "volumes", Text: fmt.Sprintf("%s"+neverRunsTwice+"%s: a release that changes it stops it before the new one starts; if two may use its files at the same time, let it take over without a gap: labels: {berth.stateful: \"false\"}", name, because)})
	}
	return all
}

// exposed points at secrets in the compose file, a line a service.
func (f *findings) exposed() {
	type of struct {
		names, written, by []string
		at                 compose.Place
	}
	found := map[string]*of{}
	var services []string
	for _, one := range f.source.Exposed(f.have) {
		at := found[one.Service]
		if at == nil {
			at = &of{at: one.At}
			found[one.Service] = at
			services = append(services, one.Service)
		}
		at.names = append(at.names, one.Name)
		if one.InURL {
			at.written = append(at.written, fmt.Sprintf("${%s:?} for the password in %s", one.By, one.Name))
		} else {
			at.written = append(at.written, fmt.Sprintf("%s: ${%s:?}", one.Name, one.By))
		}
		if !slices.Contains(at.by, one.By) {
			at.by = append(at.by, one.By)
		}
	}
	for _, service := range services {
		at := found[service]
		var set []string
		for _, name := range at.by {
			if !f.have(name) {
				set = append(set, setSecretVariable(name))
			}
		}
		what, fresh := "the value of "+at.names[0]+" of "+service, "a new value"
		if len(at.names) > 1 {
			what, fresh = "the values of "+strings.Join(at.names, ", ")+" of "+service, "new values"
		}
		text := fmt.Sprintf("%s can be read by everyone who has the repository; write %s there", what, strings.Join(at.written, ", "))
		if len(set) > 0 {
			text += ", and set " + fresh + ": " + strings.Join(set, " && ")
		}
		f.advise(aboutSecrets, at.at, "%s", text)
	}
}

// gaps reports variables that are not set, one line per service.
func (f *findings) gaps() {
	of := map[string][]compose.Gap{}
	var services []string
	for _, gap := range gaps(f.source, f.variables) {
		if of[gap.Service] == nil {
			services = append(services, gap.Service)
		}
		of[gap.Service] = append(of[gap.Service], gap)
	}
	for _, service := range services {
		f.advise(aboutVariables, of[service][0].At, "%s", gapsAdvice(of[service]))
	}
}

// gapsAdvice says what becomes of the variables that a service takes and that are not set, and both ways to mean it.
func gapsAdvice(gaps []compose.Gap) string {
	if len(gaps) == 1 {
		return gapAdvice(gaps[0])
	}
	var names []string
	becomes := ", so they are empty"
	for _, gap := range gaps {
		names = append(names, gap.Name)
		if gap.Required {
			becomes = ""
		}
	}
	return fmt.Sprintf("%s takes the variables %s, which the stack lacks%s; set them: %s; or give them a default: ${NAME:-}", cmp.Or(gaps[0].Service, "the file"), strings.Join(names, ", "), becomes, setVariables(names))
}

// gapAdvice is gapsAdvice for one variable.
func gapAdvice(gap compose.Gap) string {
	becomes, meant := ", so it is empty", "; or write ${"+gap.Name+":-} there if that is meant"
	switch {
	case gap.Required:
		becomes, meant = "", ""
	case gap.Passed:
		becomes, meant = ", so it is not set there", "; or take it out if that is meant"
	}
	return fmt.Sprintf("%s takes the variable %s, which the stack lacks%s; set it: %s%s", cmp.Or(gap.Service, "the file"), gap.Name, becomes, setVariable(gap.Name), meant)
}

// gaps are the variables that a compose file takes and that these are not.
func gaps(source *compose.Source, variables map[string]string) []compose.Gap {
	return source.Gaps(func(name string) bool { _, ok := variables[name]; return ok }, strings.Split(variables["COMPOSE_PROFILES"], ",")...)
}

// setVariable is the command that sets a variable, as a secret where its name says so.
func setVariable(name string) string {
	if compose.IsSecret(name) {
		return setSecretVariable(name)
	}
	return "pulumi config set --path berth:environment." + name + " VALUE"
}

func setSecretVariable(name string) string {
	return "pulumi config set --secret --path berth:secrets." + name
}

// setVariables are the commands that set several.
func setVariables(names []string) string {
	var commands []string
	for _, name := range names {
		commands = append(commands, setVariable(name))
	}
	return strings.Join(commands, " && ")
}

// readIn reads a file of a folder that strangers filled: a link does not point out of it.
func readIn(folder, name string) ([]byte, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	text, err := root.ReadFile(filepath.FromSlash(name))
	return text, errors.Join(err, root.Close())
}

// instruction is a Dockerfile's own health check, which an image built from it brings along.
var instruction = regexp.MustCompile(`(?im)^\s*HEALTHCHECK\s+(--|CMD)`)

func hasHealthCheck(folder string, plan *Plan, service string) bool {
	for _, build := range plan.Builds {
		if !slices.Contains(build.Services, service) {
			continue
		}
		name := build.Build.Dockerfile
		if name == "" {
			name = "Dockerfile"
		}
		// A context that is not a folder of the checkout is not checked.
		context, err := filepath.Rel(folder, build.Build.Context)
		if err != nil {
			return false
		}
		text, err := readIn(folder, filepath.Join(context, name))
		return err == nil && instruction.Match(text)
	}
	return false
}

func hasExample(cfg *config.Config, folder string) bool {
	for _, at := range examples(cfg) {
		if _, err := os.Stat(filepath.Join(folder, filepath.FromSlash(at))); err == nil {
			return true
		}
	}
	return false
}

// examples are where an app's .env.example may be, the nearest to the compose file first.
func examples(cfg *config.Config) []string {
	const name = ".env.example"
	return slices.Compact([]string{path.Join(path.Dir(cfg.ComposeFiles[0]), name), name})
}
