package command

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// realName is the real provider's program.
const realName = "pulumi-resource-command"

// FindReal looks for the real provider: on the PATH, then among the plugins of a Pulumi home folder, where it takes the
// newest. "" is the operator's own home folder: PULUMI_HOME, or ~/.pulumi.
func FindReal(home string) (file string, found bool) {
	if file, err := exec.LookPath(realName); err == nil {
		return file, true
	}
	if home == "" {
		home = os.Getenv("PULUMI_HOME")
	}
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return "", false
		}
		home = filepath.Join(user, ".pulumi")
	}
	matches, err := filepath.Glob(filepath.Join(home, "plugins", "resource-command-v*", realName))
	if err != nil || len(matches) == 0 {
		return "", false
	}
	return slices.MaxFunc(matches, func(a, b string) int { return semver.Compare(pluginVersion(a), pluginVersion(b)) }), true
}

// InstallReal links the real provider's program into a Pulumi home folder, as the version that the program asks for.
func InstallReal(home, program string) error {
	folder := filepath.Join(home, "plugins", "resource-command-v"+version)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	link := filepath.Join(folder, realName)
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(program, link)
}

// pluginVersion reads the version that a plugin's folder is named after, such as v1.2.1.
func pluginVersion(file string) string {
	return strings.TrimPrefix(filepath.Base(filepath.Dir(file)), "resource-command-")
}
