package language

import (
	"fmt"
	"io"
	"os"
)

// Plugin is the name by which Pulumi looks for its host for Go.
const Plugin = "pulumi-language-go"

// Folder is where Pulumi looks for it, below its home. Any version works.
const Folder = "plugins/language-go-v1.0.0"

// Run is the host as a plugin of the pulumi command that starts it, like the real one, so that the program runs below that
// command: it says on its standard output on which port it serves, and ends when its standard input does. The last of its
// arguments is the engine's address.
func Run(path string, args []string) error {
	engine := ""
	if len(args) > 0 {
		engine = args[len(args)-1]
	}
	port, stop, err := serve(&host{path: path, engine: engine})
	if err != nil {
		return fmt.Errorf("serve the host for Go: %w", err)
	}
	defer stop()
	fmt.Println(port)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
