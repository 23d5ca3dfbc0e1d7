package compose

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Environment is the text of .env.production: a line a variable, sorted, each value quoted so that Compose takes it
// literally. A value is one line.
func Environment(variables map[string]string) string {
	lines := make([]string, 0, len(variables)+1)
	for name, value := range variables {
		lines = append(lines, name+"="+quote(value))
	}
	slices.Sort(lines)
	return strings.Join(append(lines, ""), "\n")
}

// quote quotes a value so that Compose reads it literally. Single quotes interpolate nothing, but how they escape a
// quote differs between Compose's versions, so a value that would need it goes into double quotes, whose escapes do
// not. Source: compose-go's dotenv parser.
func quote(value string) string {
	if !strings.Contains(value, "'") && !strings.HasSuffix(value, `\`) {
		return "'" + value + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value) + `"`
}

// writeEnvironment takes the place of a file that the app has committed there, and does not follow it where it is a
// symbolic link.
func writeEnvironment(path string, variables map[string]string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(Environment(variables))
	return errors.Join(err, file.Close())
}
