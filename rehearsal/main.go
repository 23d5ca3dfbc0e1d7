// The rehearsal runs the production program offline: the real Pulumi engine, a stand-in for AWS, real hosts in
// containers, a DNS server and an ACME authority of its own. See `rehearsal help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"berth/rehearsal/language"
)

func main() {
	if filepath.Base(os.Args[0]) == language.Plugin {
		if err := language.Run(builtProgram, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "rehearsal:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	options := &options{}
	if err := root(options).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "rehearsal:", withName(options.Name, err.Error()))
		var status exitStatus
		if errors.As(err, &status) {
			os.Exit(int(status))
		}
		os.Exit(1)
	}
}

// usualName is a rehearsal's that has none of its own; other names begin with namePrefix, as the Makefile has them.
const usualName, namePrefix = "berth-rehearsal", "berth-"

// rehearse matches a command that says no name of a rehearsal.
var rehearse = regexp.MustCompile(`make rehearse(?:-[a-z]+)?\b( NAME=)?`)

// withName has commands in a text be those of the rehearsal with this name: without it, they would be another one's.
func withName(name, text string) string {
	own, made := strings.CutPrefix(name, namePrefix)
	if name == usualName || !made {
		return text
	}
	return rehearse.ReplaceAllStringFunc(text, func(command string) string {
		if strings.HasSuffix(command, " NAME=") {
			return command
		}
		return command + " NAME=" + own
	})
}

// exitStatus is another program's, passed on.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func root(options *options) *cobra.Command {
	command := &cobra.Command{
		Use:           "rehearsal",
		Short:         "Run the production program offline, against real parts",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := command.PersistentFlags()
	flags.StringVar(&options.Name, "name", usualName, "name of the rehearsal; its Docker objects begin with it")
	flags.StringVar(&options.Dir, "dir", "", "folder of the rehearsal's state (default: the user's cache folder)")
	flags.StringVar(&options.Bin, "bin", "", "folder of pulumi, pebble, rehearsal-dns and rehearsal-imds (default: this program's own)")
	flags.StringVar(&options.Project, "project", ".", "Berth's own folder, with Pulumi.yaml")
	flags.StringVar(&options.App, "app", "", "folder of the app, with compose.yaml (default: the one that try was given, or the sample app)")
	flags.StringVar(&options.Command, "command-provider", "auto", "auto, real (pulumi-resource-command) or stand-in")
	flags.DurationVar(&options.AlarmPeriod, "alarm-period", time.Minute, "how long each period of an alarm lasts, whatever the alarm says")
	flags.BoolVar(&options.Warm, "warm", false, "have new hosts start with Debian's packages installed")
	flags.StringArrayVar(&options.Set, "set", nil, "a setting to keep on the stack, as path=value (instanceType=t3.small); a leading ! makes it a secret")
	command.AddCommand(
		simple(options, "up", "Create or update the rehearsal (the default of make rehearse)", (*rehearsal).up),
		simple(options, "preview", "Show what up would change", (*rehearsal).preview),
		simple(options, "refresh", "Read the account's state back into the stack", (*rehearsal).refresh),
		simple(options, "destroy", "Destroy the environment as `pulumi destroy` does; the final snapshot stays", (*rehearsal).destroy),
		simple(options, "clean", "Take away everything of the rehearsal: containers, networks, disks, state", (*rehearsal).clean),
		simple(options, "snapshot", "Take a snapshot of the data volume, as a lifecycle policy does every night, and say its id", (*rehearsal).snapshot),
		simple(options, "status", "List what the account holds and what runs here", (*rehearsal).status),
		simple(options, "dashboard", "Draw CloudWatch's dashboard into a page", (*rehearsal).dashboard),
		planCommand(),
		consoleCommand(options),
		tryCommand(options),
		sshCommand(options),
		shellCommand(options),
	)
	return command
}

func simple(options *options, name, short string, run func(*rehearsal, context.Context) error) *cobra.Command {
	return &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: func(command *cobra.Command, _ []string) error {
		rehearsal, err := open(options)
		if err != nil {
			return err
		}
		return run(rehearsal, command.Context())
	}}
}

func consoleCommand(options *options) *cobra.Command {
	return &cobra.Command{Use: "console make TYPE PROPERTIES | change TYPE ID PROPERTIES | remove TYPE ID", Short: "Change the account by hand, past Pulumi, as in AWS's console; properties are JSON",
		Args: cobra.RangeArgs(3, 4), RunE: func(command *cobra.Command, args []string) error {
			rehearsal, err := open(options)
			if err != nil {
				return err
			}
			return rehearsal.console(command.Context(), args)
		}}
}

func tryCommand(options *options) *cobra.Command {
	return &cobra.Command{Use: "try FOLDER|URL", Short: "Rehearse an app of your own, with settings guessed from its files", Args: cobra.ExactArgs(1), RunE: func(command *cobra.Command, args []string) error {
		rehearsal, err := open(options)
		if err != nil {
			return err
		}
		return rehearsal.try(command.Context(), args[0])
	}}
}

func shellCommand(options *options) *cobra.Command {
	return &cobra.Command{Use: "shell [-- COMMAND…]", Short: "Work on the rehearsal with pulumi and aws, as in production", RunE: func(command *cobra.Command, args []string) error {
		rehearsal, err := open(options)
		if err != nil {
			return err
		}
		return rehearsal.shell(command.Context(), args)
	}}
}

func sshCommand(options *options) *cobra.Command {
	return &cobra.Command{Use: "ssh [-- COMMAND…]", Short: "Log in to the host, or run a command on it", RunE: func(command *cobra.Command, args []string) error {
		rehearsal, err := open(options)
		if err != nil {
			return err
		}
		return rehearsal.ssh(command.Context(), args)
	}}
}
