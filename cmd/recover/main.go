// Recover hands Pulumi what AWS made without Pulumi hearing of it, because an update was killed in that moment:
//
//	go run ./cmd/recover                                  what AWS was asked for
//	go run ./cmd/recover vpc=vpc-0123456789abcdef0 …      these exist: they become resources of the stack
//
// Pulumi's own way, refresh --import-pending-creates, forgets the resource instead (seen with 3.259.0; the engine of 3.276.0
// still carries out no operation of the type "importing", which the flag makes of a pending one).
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "recover:", err)
		os.Exit(1)
	}
}

// run works on the selected stack.
func run(ctx context.Context, args []string, out io.Writer) error {
	ids := map[string]string{}
	for _, arg := range args {
		name, id, ok := strings.Cut(arg, "=")
		if !ok || name == "" || id == "" {
			return fmt.Errorf("read %q: it has the form name=id, for example vpc=vpc-0123456789abcdef0", arg)
		}
		ids[name] = id
	}
	exported, err := pulumi(ctx, nil, "stack", "export")
	if err != nil {
		return err
	}
	found, err := read(exported)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return list(found, out)
	}
	if err := found.recover(ids); err != nil {
		return err
	}
	text, err := found.write()
	if err != nil {
		return err
	}
	if _, err := pulumi(ctx, text, "stack", "import"); err != nil {
		return err
	}
	fmt.Fprintf(out, "Pulumi has %s. Have it read them, and forget what AWS does not have: pulumi refresh --clear-pending-creates; then: pulumi up\n",
		strings.Join(slices.Sorted(maps.Keys(ids)), ", "))
	return nil
}

func list(found *state, out io.Writer) error {
	all, err := found.asked()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "Pulumi has heard of everything that it asked AWS for.")
		return nil
	}
	fmt.Fprintln(out, "AWS was asked for these, and Pulumi did not hear the answer. Look in AWS which of them exist, and name those: go run ./cmd/recover NAME=ID …")
	for _, one := range all {
		inputs, err := json.Marshal(plain(one.Inputs))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s  %s  %s\n", one.Name, one.Type, short(string(inputs)))
	}
	return nil
}

// plain are the inputs that help to find a resource: no secrets, which are objects, and none of Pulumi's own.
func plain(inputs map[string]any) map[string]any {
	kept := map[string]any{}
	for name, value := range inputs {
		switch value.(type) {
		case string, float64, bool:
			if !strings.HasPrefix(name, "__") {
				kept[name] = value
			}
		}
	}
	return kept
}

// short keeps a line on the screen.
func short(text string) string {
	const most = 160
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func pulumi(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "pulumi", args...)
	command.Stdin = bytes.NewReader(input)
	output, err := command.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return nil, fmt.Errorf("run pulumi %s: %s", strings.Join(args, " "), bytes.TrimSpace(failed.Stderr))
	}
	return output, err
}
