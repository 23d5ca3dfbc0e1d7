package release

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"

	"berth/internal/config"
	"berth/internal/release/compose"
)

// production matches names of compose files that are put over another one where it is not a laptop's.
var production = regexp.MustCompile(`(?i)^(docker-)?compose[.-]([\w-]+[.-])*(prod|production|deploy|server|live|release)([.-][\w-]+)*\.ya?ml$`)

// override is a compose file that Compose takes without being asked, on a laptop.
var override = regexp.MustCompile(`^(docker-)?compose\.override\.ya?ml$`)

// filesBeside are the compose files beside the first that is read, whose names match and which are not read.
func filesBeside(cfg *config.Config, folder string, names *regexp.Regexp) (found []string) {
	beside := path.Dir(cfg.ComposeFiles[0])
	entries, err := os.ReadDir(filepath.Join(folder, filepath.FromSlash(beside)))
	if err != nil {
		return nil // Then the compose file is not there either, which others say.
	}
	for _, entry := range entries {
		if file := path.Join(beside, entry.Name()); !entry.IsDir() && !slices.Contains(cfg.ComposeFiles, file) && names.MatchString(entry.Name()) {
			found = append(found, file)
		}
	}
	return found
}

// readToo says how to have further files read: those of production alone, since each is for a place of its own.
func readToo(cfg *config.Config, file string) string {
	var commands []string
	for i, one := range append(slices.Clone(cfg.ComposeFiles), file) {
		commands = append(commands, fmt.Sprintf("pulumi config set --path 'berth:composeFile[%d]' %s", i, shellescape.Quote(one)))
	}
	return "where the app is started with both: " + strings.Join(commands, " && ")
}

// otherFiles points at a compose file for production beside those that are read.
func (f *findings) otherFiles() {
	if slices.ContainsFunc(f.cfg.ComposeFiles, func(file string) bool { return production.MatchString(path.Base(file)) }) {
		return
	}
	if files := filesBeside(f.cfg, f.commit.Folder, production); len(files) > 0 {
		f.advise(aboutFiles, compose.Place{}, "%s beside it is not read; %s", strings.Join(files, ", "), readToo(f.cfg, files[0]))
	}
}

// beside is what to know of a compose file that Compose refuses: what it lacks may be in another one.
func beside(cfg *config.Config, folder string) string {
	files := append(filesBeside(cfg, folder, production), filesBeside(cfg, folder, override)...)
	if len(files) == 0 {
		return ""
	}
	return "; " + strings.Join(files, ", ") + " beside it is not read; " + readToo(cfg, files[0])
}
