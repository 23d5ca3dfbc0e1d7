// Package scripts holds what Berth installs on the server, below /opt/berth.
package scripts

import "embed"

// FS has the scripts by their path below /opt/berth.
//
//go:embed *.sh certificate edge health release status steps volume
var FS embed.FS

// Read returns one script, named by its path below /opt/berth. The error is fs.ErrNotExist.
func Read(name string) (string, error) {
	content, err := FS.ReadFile(name)
	return string(content), err
}
