package compose

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"berth/internal/plain"
)

// reason is compose-go's error as one sentence, without the folder's own path and without the values of variables.
func reason(err error, dir, path string, variables map[string]string) string {
	text := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	own := shown(dir, path) + ": "
	for _, prefix := range []string{"validating ", "failed to parse "} {
		text = strings.TrimPrefix(text, prefix+own)
	}
	text = absentEnvFile.ReplaceAllString(text, "$1: the commit does not hold it; name .env.production there, which the stack's variables become, or both: "+
		"env_file: [{path: $2, required: false}, {path: .env.production, required: false}]")
	// The words of its JSON Schema library for a key that no schema allows.
	text = strings.ReplaceAll(hideValues(text, variables), " false schema", " is not known to Compose")
	var lines []string
	for line := range strings.Lines(text) {
		if line = plain.Line(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// absentEnvFile matches what compose-go says of an env file that is not there: most often one that git leaves on the laptop.
var absentEnvFile = regexp.MustCompile(`(env file (\S+) not found): stat .*`)

// shortestHidden is the length from which a value is told from an ordinary word, in bytes.
const shortestHidden = 4

// hideValues puts the variables' names where their values stood, the longest values first.
func hideValues(text string, variables map[string]string) string {
	var names []string
	for name, value := range variables {
		if len(value) >= shortestHidden {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if difference := len(variables[b]) - len(variables[a]); difference != 0 {
			return difference
		}
		return strings.Compare(a, b)
	})
	var pairs []string
	for _, name := range names {
		pairs = append(pairs, variables[name], "${"+name+"}")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
