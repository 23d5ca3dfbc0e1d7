// Package infra declares what AWS holds for one Berth stack: network, firewall, storage, address, server, DNS,
// backups and monitoring, each as a component resource, so that a preview reads as a table of contents.
package infra

import (
	"fmt"

	"berth/internal/config"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Environment is everything AWS holds for one stack, and the keys that open it.
type Environment struct {
	// Keys identify the server to its operator and the operator to the server.
	Keys *Keys
	// Network is where the server stands.
	Network *Network
	// Firewall says who may reach the server.
	Firewall *Firewall
	// Storage holds what outlives a server.
	Storage *Storage
	// Address is where the site is found.
	Address *Address
	// Server runs the site. A connection to it goes to Address.PublicIP and waits for Server.Association.
	Server *Server
	// DNS names the address.
	DNS *DNS
	// Backups are the snapshots of the storage and the bucket for dumps.
	Backups *Backups
	// Monitoring says when something is wrong; nil where nobody is to be told.
	Monitoring *Monitoring

	// boundary is the ARN of the permissions boundary of every role.
	boundary pulumi.StringInput
}

// New declares the environment that cfg describes. The order is the one in which AWS needs it, with one intention
// added: address and DNS come before the server, so that names resolve from its first second on.
func New(ctx *pulumi.Context, cfg *config.Config) (*Environment, error) {
	there, err := asItIs(ctx)
	if err != nil {
		return nil, err
	}
	if err := refuse(cfg, there); err != nil {
		return nil, err
	}
	provider, err := newProvider(ctx, cfg, "aws", cfg.Region)
	if err != nil {
		return nil, err
	}
	opt := pulumi.Providers(provider)

	env := &Environment{}
	if env.boundary, err = newBoundary(ctx, cfg.Region, there, provider); err != nil {
		return nil, err
	}
	if env.Keys, err = newKeys(ctx, cfg); err != nil {
		return nil, err
	}
	if env.Network, err = newNetwork(ctx, cfg, opt); err != nil {
		return nil, err
	}
	if env.Firewall, err = newFirewall(ctx, cfg, env.Network, opt); err != nil {
		return nil, err
	}
	if env.Storage, err = newStorage(ctx, cfg, env.Network, opt); err != nil {
		return nil, err
	}
	if env.Address, err = newAddress(ctx, cfg, env.Network, opt); err != nil {
		return nil, err
	}
	if env.Server, err = newServer(ctx, cfg, env, opt); err != nil {
		return nil, err
	}
	if env.DNS, err = newDNS(ctx, cfg, env.Address, env.Server, opt); err != nil {
		return nil, err
	}
	if env.Backups, err = newBackups(ctx, cfg, env, opt); err != nil {
		return nil, err
	}
	if cfg.AlarmEmail != "" {
		if env.Monitoring, err = newMonitoring(ctx, cfg, env, opt); err != nil {
			return nil, err
		}
	}
	return env, nil
}

// newProvider makes an AWS provider: the stack's own, and another for what exists in one region alone. They are
// explicit, rather than taken from the surroundings, so that the region is known and every resource carries the stack's
// tags.
func newProvider(ctx *pulumi.Context, cfg *config.Config, name, region string) (*aws.Provider, error) {
	provider, err := aws.NewProvider(ctx, name, &aws.ProviderArgs{
		Region: pulumi.String(region),
		DefaultTags: aws.ProviderDefaultTagsArgs{
			Tags: pulumi.ToStringMap(defaultTags(ctx.Project(), ctx.Stack(), cfg.Tags)),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("declare the AWS provider for %s: %w", region, err)
	}
	return provider, nil
}
