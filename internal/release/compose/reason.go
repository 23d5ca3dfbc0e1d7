package compose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"berth/internal/plain"
)

// reason is compose-go's error as one sentence, without the folder's own path and without the values of secrets.
func reason(err error, dir string, paths []string, secrets map[string]string) string {
	text := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	var written []byte
	for _, path := range paths {
		own := shown(dir, path) + ": "
		for _, prefix := range []string{"validating ", "failed to parse "} {
			// Of several files, it has to say which.
			if len(paths) == 1 {
				prefix += own
			}
			text = strings.TrimPrefix(text, prefix)
		}
		more, _ := os.ReadFile(path)
		written = append(written, more...)
	}
	// What the files themselves say tells nothing of a secret, and a message without their own words is of no use.
	text = hideValues(text, secrets, string(written)+composeWords)
	// The words of its JSON Schema library for a key that no schema allows.
	text = strings.ReplaceAll(text, " false schema", " is not known to Compose")
	var lines []string
	for line := range strings.Lines(text) {
		if line = plain.Line(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// composeWords are those of the specification that are in messages about every file.
const composeWords = " services networks volumes secrets configs include environment env_file image build context dockerfile ports healthcheck depends_on deploy labels command required"

// shortestHidden is the length from which a value is distinguished from an ordinary word, in bytes.
const shortestHidden = 4

// hideValues puts the secrets' names in place of their values, the longest values first; not for those that the file itself has.
func hideValues(text string, variables map[string]string, written string) string {
	var names []string
	for name, value := range variables {
		if len(value) >= shortestHidden && !strings.Contains(written, value) {
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
