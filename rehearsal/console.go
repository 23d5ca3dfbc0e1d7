package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"berth/rehearsal/aws"
)

// console does in the account what somebody does by hand.
func (r *rehearsal) console(ctx context.Context, args []string) error {
	console, err := aws.OpenConsole(filepath.Join(r.Dir, "aws"), r.world)
	if err != nil {
		return err
	}
	properties := map[string]any{}
	if args[0] != "remove" {
		if err := json.Unmarshal([]byte(args[len(args)-1]), &properties); err != nil {
			return fmt.Errorf("read the properties %s: %w; they are JSON, for example {\"instanceState\": \"stopped\"}", args[len(args)-1], err)
		}
	}
	switch {
	case args[0] == "make" && len(args) == 3:
		id, err := console.Make(ctx, args[1], properties)
		if err == nil {
			fmt.Println(id)
		}
		return err
	case args[0] == "change" && len(args) == 4:
		return console.Change(ctx, args[1], args[2], properties)
	case args[0] == "remove" && len(args) == 3:
		return console.Remove(ctx, args[1], args[2])
	}
	return fmt.Errorf("there is no console %s; see: rehearsal console --help", strings.Join(args, " "))
}
