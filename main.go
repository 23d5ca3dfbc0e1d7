// Berth takes a Docker Compose app, a domain and an AWS account to production. See README.md.
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/internal/program"
)

func main() {
	settings, err := program.Settings()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	pulumi.Run(program.Run(settings))
}
