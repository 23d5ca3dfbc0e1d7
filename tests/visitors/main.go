// visitors asks for a page of a site, so many times a second, until it is ended, and says what the visitors noticed: what a test of the
// rehearsal measures, for a site of a real account (docs/growth.md).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"berth/tests/load"
)

func main() {
	site := flag.String("site", "", "the site's name, such as app.example.com")
	path := flag.String("path", "/", "the path that is asked for; its answer has to be a good one")
	rate := flag.Int("rate", 100, "requests a second")
	resolver := flag.String("resolver", "1.1.1.1:53", "the name server that is asked for the site's address")
	holds := flag.Duration("holds", time.Minute, "how long an answer of it is used")
	flag.Parse()
	if *site == "" || *rate < 1 {
		fmt.Fprintln(os.Stderr, "visitors: name the site: -site app.example.com, and a -rate of at least 1")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := load.Start(context.Background(), load.Target{Domain: *site, Resolver: *resolver, Holds: *holds}, load.Plan{Rate: *rate, Request: *path})
	<-ctx.Done()
	fmt.Print(run.Stop())
}
