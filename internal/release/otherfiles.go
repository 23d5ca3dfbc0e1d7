package release

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"berth/internal/config"
)

// production matches names of compose files that are put over another one where it is not a laptop's.
var production = regexp.MustCompile(`(?i)^(docker-)?compose[.-]([\w-]+[.-])*(prod|production|deploy|server|live|release)([.-][\w-]+)*\.ya?ml$`)

// override is a compose file that Compose takes without being asked, on a laptop.
var override = regexp.MustCompile(`^(docker-)?compose\.override\.ya?ml$`)

// filesBeside are the compose files beside the one that is read, whose names match.
func filesBeside(cfg *config.Config, folder string, names *regexp.Regexp) (found []string) {
	entries, err := os.ReadDir(filepath.Join(folder, filepath.FromSlash(path.Dir(cfg.ComposeFile))))
	if err != nil {
		return nil // Then the compose file is not there either, which others say.
	}
	for _, entry := range entries {
		if name := entry.Name(); !entry.IsDir() && name != path.Base(cfg.ComposeFile) && names.MatchString(name) {
			found = append(found, path.Join(path.Dir(cfg.ComposeFile), name))
		}
	}
	return found
}

// oneFile says how to have several files read.
func oneFile(cfg *config.Config, files []string) string {
	over := strings.Join(append([]string{cfg.ComposeFile}, files...), " -f ")
	return "Berth reads one file, " + cfg.ComposeFile + "; where the app is started with both, commit them as one: docker compose -f " + over + " config --no-interpolate --no-path-resolution >compose.berth.yaml, and: pulumi config set berth:composeFile compose.berth.yaml"
}

// otherFiles points at a compose file for production beside the one that is read.
func (f *findings) otherFiles() {
	if production.MatchString(path.Base(f.cfg.ComposeFile)) {
		return
	}
	if files := filesBeside(f.cfg, f.commit.Folder, production); len(files) > 0 {
		f.advise(aboutFiles, 0, "%s beside it is not read: %s", strings.Join(files, ", "), oneFile(f.cfg, files))
	}
}

// beside is what to know of a compose file that Compose refuses: what it lacks may be in another one.
func beside(cfg *config.Config, folder string) string {
	files := append(filesBeside(cfg, folder, production), filesBeside(cfg, folder, override)...)
	if len(files) == 0 {
		return ""
	}
	return "; " + strings.Join(files, ", ") + " beside it is not read: " + oneFile(cfg, files)
}
