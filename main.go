// Berth takes a Docker Compose app, a domain and an AWS account to production. See README.md.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/internal/program"
)

// memory is up to where nothing is collected, in bytes: the program runs for a second and takes a tenth of it.
const memory = 512 << 20

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(memory)
	}
	settings, err := program.Settings()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	pulumi.Run(program.Run(settings))
}
