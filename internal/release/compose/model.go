// Package compose is what the app's own files say at one commit: the model of its compose file, and the variables that its
// .env.example names.
package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/sirupsen/logrus"
)

// project is the app's name to Compose, the same as on the server.
const project = "app"

// Model is what a compose file says, as Compose understands it.
type Model struct {
	// JSON is what `docker compose config --format json` prints: interpolated, with defaults, env files resolved, every
	// $ doubled and paths absolute, below the folder that was loaded. It holds the values of variables, secrets too.
	JSON []byte
	// Project is the same as compose-go has it.
	Project *types.Project
	// EnvFiles are the env files that each service names, in its order; a service without has no entry. Their paths
	// are relative to the folder that was loaded, with slashes, and absolute where they lie outside of it. LabelFiles are
	// those with labels.
	EnvFiles, LabelFiles map[string][]string
	// StandIns are those of EnvFiles that the commit does not hold and that the stack's variables replace; Absent are those of
	// both that it does not hold and that nothing replaces.
	StandIns, Absent map[string][]string
	// SSH are the services whose build wants keys of the operator's.
	SSH []string
}

// silence keeps compose-go's warnings out of Pulumi's output; it logs nowhere else.
var silence = sync.OnceFunc(func() { logrus.SetOutput(io.Discard) })

// Load reads the compose files of a checkout, of which later ones override earlier ones, as `docker compose -f A -f B` does:
// interpolated with these variables and with nothing of the operator's own environment, without override files that are not among
// them, and with the profiles that COMPOSE_PROFILES among the variables names. Their paths are relative to the folder dir, with
// slashes; the paths that they name are relative to the folder of the first.
//
// Load writes .env.production beside the first, and the same to where a committed .env or an env file is that the commit
// does not hold, so dir has to be thrown away afterwards. Nothing outside of dir is read: a file there that is included or
// extended is an error, env files and label files are left out of the model. The error says in one sentence what Compose has
// against the file; the whole value of a secret is replaced by its name.
func Load(ctx context.Context, dir string, composeFiles []string, variables, secrets map[string]string) (*Model, error) {
	silence()
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	paths, err := locate(dir, composeFiles)
	if err != nil {
		return nil, err
	}
	beside := filepath.Dir(paths[0])
	written := []string{".env.production"}
	if info, err := os.Lstat(filepath.Join(beside, ".env")); err == nil && !info.IsDir() {
		written = append(written, ".env")
	}
	for _, name := range written {
		if err := writeEnvironment(filepath.Join(beside, name), variables); err != nil {
			return nil, fmt.Errorf("write the variables beside %s: %w", composeFiles[0], err)
		}
	}
	model, err := load(ctx, dir, paths, variables)
	if err != nil {
		return nil, fmt.Errorf("%s is refused by Compose: %s", strings.Join(composeFiles, " with "), reason(err, dir, paths, secrets))
	}
	return model, nil
}

// locate is where the compose files are in dir once symbolic links are followed. The error has one for each that is not there.
func locate(dir string, composeFiles []string) (paths []string, err error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	var wrong []error
	for i, file := range composeFiles {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, filepath.FromSlash(file)))
		relative, outside := filepath.Rel(root, path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			fix := "berth:composeFile compose.yaml"
			if len(composeFiles) > 1 {
				fix = fmt.Sprintf("--path 'berth:composeFile[%d]' compose.yaml", i)
			}
			wrong = append(wrong, fmt.Errorf("the repository has no %s; name the file: pulumi config set %s", file, fix))
		case err != nil:
			wrong = append(wrong, fmt.Errorf("find %s: %w", file, err))
		case outside != nil || !filepath.IsLocal(relative):
			wrong = append(wrong, fmt.Errorf("%s points outside the repository; commit the file itself", file))
		default:
			paths = append(paths, filepath.Join(dir, relative))
		}
	}
	return paths, errors.Join(wrong...)
}

// serverHome is the home folder of who runs Compose on the server.
const serverHome = "/root"

func load(ctx context.Context, dir string, paths []string, variables map[string]string) (*Model, error) {
	known := types.Mapping{"HOME": serverHome}
	maps.Copy(known, variables)
	base := filepath.Dir(paths[0])
	checked := &reach{dir: dir}
	for _, path := range paths {
		if err := checked.follow(ctx, drawn{file: path, base: base, variables: known}); err != nil {
			return nil, err
		}
	}
	options, err := cli.NewProjectOptions(paths, cli.WithName(project), cli.WithWorkingDirectory(base),
		func(o *cli.ProjectOptions) error {
			maps.Copy(o.Environment, known)
			return nil
		},
		cli.WithDefaultProfiles(),
		// Both read files, of which some are the operator's own: that comes when those are sorted out.
		cli.WithoutEnvironmentResolution, cli.WithoutLabelsResolution)
	if err != nil {
		return nil, err
	}
	loaded, err := options.LoadProject(ctx)
	if err != nil {
		return nil, err
	}
	model := &Model{EnvFiles: map[string][]string{}, LabelFiles: map[string][]string{}, StandIns: map[string][]string{}, Absent: map[string][]string{}}
	for name, service := range loaded.Services {
		if err := model.sortOut(dir, name, &service.ContainerSpec, variables); err != nil {
			return nil, err
		}
		for i := range service.PreStart {
			if err := model.sortOut(dir, name, &service.PreStart[i].ContainerSpec, variables); err != nil {
				return nil, err
			}
		}
		atHome(dir, &service)
		service.Develop = nil // It is the laptop's.
		if service.Build != nil && len(service.Build.SSH) > 0 {
			model.SSH = append(model.SSH, name)
			service.Build.SSH = nil // compose-go writes some of them down as no JSON.
		}
		loaded.Services[name] = service
	}
	for name, secret := range loaded.Secrets {
		secret.File = onServer(dir, secret.File)
		loaded.Secrets[name] = secret
	}
	for name, file := range loaded.Configs {
		file.File = onServer(dir, file.File)
		loaded.Configs[name] = file
	}
	if loaded, err = loaded.WithServicesEnvironmentResolved(true); err != nil {
		return nil, err
	}
	if loaded, err = loaded.WithServicesLabelsResolved(true); err != nil {
		return nil, err
	}
	// From here on as `docker compose config` does. Source: docker/compose, cmd/compose/config.go.
	loaded = loaded.WithoutUnnecessaryResources()
	if err := loaded.CheckContainerNameUnicity(); err != nil {
		return nil, err
	}
	return model, model.set(loaded)
}

// set has the model be of a project.
func (m *Model) set(project *types.Project) error {
	text, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	m.Project, m.JSON = project, bytes.ReplaceAll(text, []byte("$"), []byte("$$"))
	return nil
}

// sortOut notes the env and label files of a service. It drops those that lie outside of dir: on the server they are the
// server's, here the operator's. For env files that are not there it writes the stack's variables.
func (m *Model) sortOut(dir, service string, spec *types.ContainerSpec, variables map[string]string) error {
	for _, file := range spec.EnvFiles {
		name := shown(dir, onServer(dir, file.Path))
		m.EnvFiles[service] = append(m.EnvFiles[service], name)
		if outside(dir, file.Path) || !bool(file.Required) || !gone(file.Path) {
			continue
		}
		if !variablesFile.MatchString(filepath.ToSlash(name)) || len(variables) == 0 {
			m.Absent[service] = append(m.Absent[service], name)
			continue
		}
		m.StandIns[service] = append(m.StandIns[service], name)
		if err := standIn(dir, file.Path, variables); err != nil {
			return err
		}
	}
	for _, file := range spec.LabelFiles {
		name := shown(dir, onServer(dir, file))
		m.LabelFiles[service] = append(m.LabelFiles[service], name)
		if !outside(dir, file) && gone(file) {
			m.Absent[service] = append(m.Absent[service], name)
		}
	}
	spec.EnvFiles = slices.DeleteFunc(spec.EnvFiles, func(file types.EnvFile) bool { return outside(dir, file.Path) || gone(file.Path) })
	spec.LabelFiles = slices.DeleteFunc(spec.LabelFiles, func(file string) bool { return outside(dir, file) || gone(file) })
	return nil
}

// standIn writes the stack's variables to an env file below dir, along no link that points out.
func standIn(dir, path string, variables map[string]string) error {
	relative, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if err := root.MkdirAll(filepath.Dir(relative), 0o700); err != nil {
		return err
	}
	if err := root.Remove(relative); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return root.WriteFile(relative, []byte(Environment(variables)), 0o600)
}

// variablesFile matches env files that git often leaves on the laptop, by their names or their folder's.
var variablesFile = regexp.MustCompile(`(^|/)\.env(\.[^/]+)?$|\.env$|(^|/)\.?envs?/`)

func gone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// atHome has a service's paths name the server's home folder where they name the operator's.
func atHome(dir string, service *types.ServiceConfig) {
	for i := range service.Volumes {
		service.Volumes[i].Source = onServer(dir, service.Volumes[i].Source)
	}
	if service.Build == nil {
		return
	}
	service.Build.Context = onServer(dir, service.Build.Context)
	for name, context := range service.Build.AdditionalContexts {
		service.Build.AdditionalContexts[name] = onServer(dir, context)
	}
}

// onServer is a path as Compose would give it on the server: ~ is the home folder of who runs it.
func onServer(dir, path string) string {
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(path) || !outside(dir, path) {
		return path
	}
	if relative, err := filepath.Rel(home, path); err == nil && filepath.IsLocal(relative) {
		return filepath.Join(serverHome, relative)
	}
	return path
}

// outside says whether a path points out of dir, directly or by symbolic links.
func outside(dir, path string) bool {
	if relative, err := filepath.Rel(dir, path); err != nil || !filepath.IsLocal(relative) {
		return true
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return true
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	relative, err := filepath.Rel(root, target)
	return err != nil || !filepath.IsLocal(relative)
}

func shown(dir, path string) string {
	if relative, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(relative) {
		return filepath.ToSlash(relative)
	}
	return path
}
