package failclosed

import "path"

// exceptions are where a command that fails, or prints nothing, is no failure of its script; patterns as of path.Match.
var exceptions = []struct{ run, command, mode, reason string }{}

// excuse says why it is none, and which exception says so.
func excuse(run, command, mode string) (reason, excuse string) {
	for _, e := range exceptions {
		named := true
		for pattern, name := range map[string]string{"r " + e.run: "r " + run, "c " + e.command: "c " + command, "m " + e.mode: "m " + mode} {
			matched, err := path.Match(pattern, name)
			named = named && matched && err == nil
		}
		if named {
			return e.reason, e.run + ", " + e.command + ", " + e.mode
		}
	}
	return "", ""
}
