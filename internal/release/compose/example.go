package compose

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// assignment is the line of an env file that sets a variable. Names that Berth cannot set are not asked for.
var assignment = regexp.MustCompile(`^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)$`)

// Missing are the variables that an app's .env.example sets, to whatever value, and that are not in have, sorted. A
// commented line (# NAME=) names an optional variable. Lines that set nothing are passed over: the file is an example,
// often half prose, and Compose never reads it.
func Missing(example []byte, have map[string]bool) []string {
	missing := map[string]bool{}
	text := string(bytes.TrimPrefix(example, []byte("\ufeff")))
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		found := assignment.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		if name := found[1]; !have[name] {
			missing[name] = true
		}
		text = afterValue(found[2], text)
	}
	return slices.Sorted(maps.Keys(missing))
}

// afterValue is what follows a value that begins with these words on its line: a quoted one may end lines later. One
// whose quote nothing ends is taken to end with its line.
func afterValue(value, following string) string {
	if value == "" || value[0] != '"' && value[0] != '\'' {
		return following
	}
	whole, escaped := value+"\n"+following, false
	for i := 1; i < len(whole); i++ {
		switch {
		case escaped:
			escaped = false
		case whole[i] == '\\':
			escaped = true
		case whole[i] == value[0]:
			if i < len(value) {
				return following
			}
			_, rest, _ := strings.Cut(whole[i:], "\n")
			return rest
		}
	}
	return following
}
