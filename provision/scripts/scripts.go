// Package scripts holds what Berth installs on the server, below /opt/berth.
package scripts

import (
	"embed"
	"strings"
)

// FS has the scripts by their path below /opt/berth.
//
//go:embed VERSION *.sh certificate edge health release servers status steps volume
var FS embed.FS

// Version is Berth's, such as 0.1.0: an output of the stack, and /opt/berth/VERSION on the server.
func Version() string { return strings.TrimSpace(version) }

//go:embed VERSION
var version string

// Read returns one script, named by its path below /opt/berth. The error is fs.ErrNotExist.
func Read(name string) (string, error) {
	content, err := FS.ReadFile(name)
	return string(content), err
}
