package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// FindReal looks for the real provider: on the PATH, then among the plugins of a Pulumi home folder, where it takes the
// newest. "" is the operator's own home folder: PULUMI_HOME, or ~/.pulumi.
func FindReal(home string) (file string, found bool) {
	const name = "pulumi-resource-command"
	if file, err := exec.LookPath(name); err == nil {
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
	matches, err := filepath.Glob(filepath.Join(home, "plugins", "resource-command-v*", name))
	if err != nil || len(matches) == 0 {
		return "", false
	}
	return slices.MaxFunc(matches, func(a, b string) int { return semver.Compare(pluginVersion(a), pluginVersion(b)) }), true
}

// pluginVersion reads the version that a plugin's folder is named after, such as v1.1.0.
func pluginVersion(file string) string {
	return strings.TrimPrefix(filepath.Base(filepath.Dir(file)), "resource-command-")
}
