// The doctor checks an operator's machine and account before the first `pulumi up`: what would block it, each
// with the command that fixes it. It changes nothing, and prints no secret.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// publicResolver is a name server that everyone may ask, and that has nothing to do with the machine's own. Source:
// one.one.one.one, "Set up 1.1.1.1".
const publicResolver = "1.1.1.1:53"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := diagnose(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "doctor:", err)
		code = int(fails)
	}
	os.Exit(code)
}

// diagnose makes every check and says what it found. The code is the worst verdict's: 0, 1 or 2.
func diagnose(ctx context.Context, args []string, out io.Writer) (code int, err error) {
	d := &doctor{}
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&d.chosen, "stack", "", "the stack (default: the one that is selected)")
	flags.StringVar(&d.project, "project", ".", "Berth's own folder")
	flags.StringVar(&d.folder, "settings", "", "the folder of Pulumi.yaml and the stack's settings (default: Berth's own)")
	flags.StringVar(&d.resolver, "resolver", first(os.Getenv("BERTH_RESOLVER"), publicResolver), "address:port of the name server that is asked whether the zone is delegated")
	asJSON := flags.Bool("json", false, "print JSON, for programs")
	if err := flags.Parse(args); err != nil {
		return int(fails), err
	}
	if flags.NArg() > 0 {
		return int(fails), fmt.Errorf("read %q: there are only options; the stack is named with --stack", flags.Arg(0))
	}
	d.folder = first(d.folder, d.project)
	clean, err := d.begin()
	if err != nil {
		return int(fails), err
	}
	defer clean()
	coloured := false
	if file, is := out.(*os.File); is && os.Getenv("NO_COLOR") == "" {
		coloured = term.IsTerminal(int(file.Fd()))
	}
	tell := func(f finding) { fmt.Fprintln(out, f.harmless(d.secrets()).line(coloured)) }
	if *asJSON {
		tell = func(finding) {}
	}
	all := examine(ctx, d.checks(), tell)
	for i := range all {
		all[i] = all[i].harmless(d.secrets())
	}
	worst, sentence := conclusion(all)
	if *asJSON {
		return int(worst), writeJSON(out, d.stackName(), all)
	}
	fmt.Fprintln(out, finding{Name: "all", Verdict: worst, Reason: sentence}.line(coloured))
	return int(worst), nil
}

// first is the first text that is one.
func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
