// The probe is the attacker's hand where the tests themselves are not: in a container that is not the operator's, in
// one of the app's, on the server.
//
//	probe relay :1080          connects for whoever asks: a line "host:port", or "host:port FROM" for another address of the
//	                           probe's, the answer "ok" or why not, then the connection
//	probe scan ADDRESS…        asks every TCP port of the addresses and says in JSON what answers
//	probe impostor :2222 FILE  is an SSH server with a key of its own that lets everybody in and writes down who came
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "relay":
		return relay(ctx, args[1])
	case len(args) > 1 && args[0] == "scan":
		return scanAll(ctx, args[1:])
	case len(args) == 3 && args[0] == "impostor":
		return impostor(ctx, args[1], args[2])
	}
	return errors.New("usage: probe relay LISTEN | scan ADDRESS… | impostor LISTEN FILE")
}
