// Package program is the one program that both `pulumi up` and the rehearsal run: configuration, then what AWS
// holds, then what happens on the server, then the outputs.
package program

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/config"
	"berth/infra"
	"berth/provision"
)

// Run returns the program for a stack whose whole configuration is settings: Pulumi's map of namespaced keys
// ("berth:domain") to values, lists and objects as JSON text.
func Run(settings map[string]string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		cfg, err := config.Load(settings, ctx.IsConfigSecret)
		if err != nil {
			return err
		}
		commit, err := provision.ResolveCommit(ctx.Context(), cfg)
		if err != nil {
			return err
		}
		environment, err := infra.New(ctx, cfg)
		if err != nil {
			return err
		}
		host, err := provision.New(ctx, cfg, environment, commit)
		if err != nil {
			return err
		}
		err = protect(ctx, cfg, []pulumi.Resource{
			environment.Keys, environment.Network, environment.Firewall, environment.Storage, environment.Address,
			environment.Server, environment.DNS, host,
		})
		if err != nil {
			return err
		}
		return export(ctx, cfg, environment, host)
	}
}

// Settings reads the stack's configuration as Pulumi hands it to a program's process.
func Settings() (map[string]string, error) {
	settings := map[string]string{}
	text := os.Getenv(pulumi.EnvConfig)
	if text == "" {
		return settings, nil
	}
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		return nil, fmt.Errorf("read the stack's configuration from %s: %w", pulumi.EnvConfig, err)
	}
	return settings, nil
}
