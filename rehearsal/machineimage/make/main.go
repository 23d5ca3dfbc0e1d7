// Makes the images that the rehearsal's hosts start from: make [-warm] PACKAGES, a folder for what is downloaded.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"berth/rehearsal/machineimage"
)

func main() {
	warm := flag.Bool("warm", false, "make the image of warm hosts, too")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: make [-warm] PACKAGES")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := machineimage.Build(ctx, flag.Arg(0), os.Stdout)
	if err == nil && *warm {
		err = machineimage.BuildWarm(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rehearsal:", err)
		os.Exit(1)
	}
}
