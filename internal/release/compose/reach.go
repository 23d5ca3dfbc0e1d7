package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"
)

// mostFiles is how many files a compose file may draw in.
const mostFiles = 500

// reach follows what a compose file draws in (include and extends) before Compose does, and refuses what points out of the
// checkout: Compose opens any file of this machine. What a file names is read as Compose reads it, by its own parser.
type reach struct {
	dir  string
	seen int
}

// drawn is a file, with the folder that its paths belong to and the variables that they are read with.
type drawn struct {
	file, base string
	variables  types.Mapping
	// included says that the file was included, extended that a service of it is extended.
	included, extended bool
	// by are the files that include it.
	by []string
}

func (r *reach) follow(ctx context.Context, at drawn) error {
	if slices.Contains(at.by, at.file) {
		return nil // Compose says which files are a circle.
	}
	if r.seen++; r.seen > mostFiles {
		return fmt.Errorf("it draws in more than %d files", mostFiles)
	}
	text, err := os.ReadFile(at.file)
	if err != nil {
		return err
	}
	at.by = append(slices.Clone(at.by), at.file)
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var document any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("failed to parse %s: %w", at.file, err)
		}
		if document == nil {
			continue
		}
		if err := r.followDocument(ctx, at, document); err != nil {
			return err
		}
	}
}

func (r *reach) followDocument(ctx context.Context, at drawn, document any) error {
	config, isMap := document.(map[string]any)
	if !isMap {
		return errors.New("top-level object must be a mapping")
	}
	if !drawsIn(document) {
		return nil
	}
	details := types.ConfigDetails{WorkingDir: at.base, Environment: at.variables, ConfigFiles: []types.ConfigFile{{Filename: at.file, Config: config}}}
	model, err := loader.LoadModelWithContext(ctx, details, func(o *loader.Options) {
		o.SetProjectName(project, true)
		o.SkipInclude, o.SkipExtends, o.SkipValidation, o.SkipNormalization = true, true, true, true
		o.SkipConsistencyCheck, o.SkipDefaultValues, o.SkipResolveEnvironment, o.ResolvePaths = true, true, true, false
	})
	if err != nil {
		return err
	}
	if !at.extended {
		entries, _ := model["include"].([]any)
		for _, entry := range entries {
			if err := r.include(ctx, at, entry); err != nil {
				return err
			}
		}
	}
	services, _ := model["services"].(map[string]any)
	for name, service := range services {
		service, _ := service.(map[string]any)
		extends, _ := service["extends"].(map[string]any)
		file, isText := extends["file"].(string)
		if !isText {
			continue
		}
		path, err := r.inside(at.base, file)
		if err != nil {
			return fmt.Errorf("services.%s.extends.file: %w", name, err)
		}
		if err := r.follow(ctx, drawn{file: path, base: filepath.Dir(path), variables: at.variables, extended: true, by: at.by}); err != nil {
			return err
		}
	}
	return nil
}

// drawsIn says whether a document has a key by which it draws in others, wherever that may be. Reading it as Compose does takes
// its time.
func drawsIn(node any) bool {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if key == "include" || key == "extends" || drawsIn(value) {
				return true
			}
		}
	case map[any]any:
		for key, value := range node {
			if key == "include" || key == "extends" || drawsIn(value) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(node, drawsIn)
	}
	return false
}

// include follows an entry of a file's include, as compose-go's ApplyInclude reads it.
func (r *reach) include(ctx context.Context, at drawn, entry any) error {
	fields, isMap := entry.(map[string]any)
	if !isMap {
		fields = map[string]any{"path": entry}
	}
	paths, variables, project := texts(fields["path"]), texts(fields["env_file"]), texts(fields["project_directory"])
	if at.included && len(variables)+len(project) > 0 {
		return fmt.Errorf("%s is included and includes with env_file or project_directory, which Compose does not look for beside it; include from the compose file itself", at.file)
	}
	var files []string
	for _, path := range paths {
		file, err := r.inside(at.base, path)
		if err != nil {
			return fmt.Errorf("include: %w", err)
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil // Compose says what is wrong with it.
	}
	base := filepath.Dir(files[0])
	for _, folder := range project {
		var err error
		if base, err = r.inside(at.base, folder); err != nil {
			return fmt.Errorf("include, project_directory: %w", err)
		}
	}
	if len(variables) == 0 {
		if info, err := os.Stat(filepath.Join(base, ".env")); err == nil && !info.IsDir() {
			variables = []string{filepath.Join(base, ".env")}
		}
	}
	var envFiles []string
	for _, name := range variables {
		if name == os.DevNull {
			continue
		}
		file, err := r.inside(at.base, name)
		if err != nil {
			return fmt.Errorf("include, env_file: %w", err)
		}
		envFiles = append(envFiles, file)
	}
	values, err := dotenv.GetEnvFromFile(at.variables, envFiles)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := r.follow(ctx, drawn{file: file, base: base, variables: at.variables.Clone().Merge(values), included: true, by: at.by}); err != nil {
			return err
		}
	}
	return nil
}

// inside is the absolute path of what a file names, which has to lie in the checkout, links followed.
func (r *reach) inside(base, name string) (string, error) {
	if elsewhere.MatchString(name) {
		return "", fmt.Errorf("%s is not in the repository, and Berth fetches nothing else; Fix: commit the file and name it by its path there", name)
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	if strings.HasPrefix(name, "~") || outside(r.dir, path) {
		return "", fmt.Errorf("%s points outside the repository; Fix: commit the file and name it by its path there", name)
	}
	return path, nil
}

// elsewhere matches what Compose would fetch automatically.
var elsewhere = regexp.MustCompile(`^([a-z][a-z0-9+.-]*://|git@|github\.com[/:])`)

// texts are those of a key that takes one or a list.
func texts(value any) (all []string) {
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	for _, one := range list {
		if text, isText := one.(string); isText && text != "" {
			all = append(all, text)
		}
	}
	return all
}
