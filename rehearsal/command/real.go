package command

import (
	"os"
	"os/exec"
	"path/filepath"
)

// FindReal looks for the real provider: on the PATH, then among the plugins of a Pulumi home folder ("" is the
// user's own).
func FindReal(home string) (path string, found bool) {
	const name = "pulumi-resource-command"
	if path, err := exec.LookPath(name); err == nil {
		return path, true
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
	return matches[len(matches)-1], true
}
