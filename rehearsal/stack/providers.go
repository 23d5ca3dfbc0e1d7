package stack

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"berth/rehearsal/aws"
	"berth/rehearsal/command"
	"berth/rehearsal/provider"
	"berth/rehearsal/tls"
)

// providers are the stand-ins that the engine attaches to instead of starting plugins.
type providers struct {
	ports   []string
	stops   []func()
	command *command.Provider
	account *aws.Provider
	// realCommand is the real command provider's program where that is used.
	realCommand string
}

func startProviders(options Options) (*providers, error) {
	p := &providers{}
	account, err := aws.Open(filepath.Join(options.Dir, "aws"), options.World)
	if err != nil {
		return nil, err
	}
	p.account = account
	servers := map[string]pulumirpc.ResourceProviderServer{"aws": account, "tls": tls.New()}
	path, found := command.FindReal("")
	switch {
	case options.CommandProvider == "real" && !found:
		return nil, errors.New("find pulumi-resource-command: it is neither on the PATH nor among Pulumi's plugins; install it: pulumi plugin install resource command; or use --command-provider stand-in")
	case options.CommandProvider == "real", options.CommandProvider == "auto" && found:
		p.realCommand = path
	case options.CommandProvider == "stand-in", options.CommandProvider == "auto":
		p.command = command.New()
		servers["command"] = p.command
	default:
		return nil, fmt.Errorf("read --command-provider %q: it is auto, real or stand-in", options.CommandProvider)
	}
	for name, server := range servers {
		port, stop, err := provider.Serve(server)
		if err != nil {
			p.stop()
			return nil, fmt.Errorf("serve the %s provider: %w", name, err)
		}
		p.ports = append(p.ports, fmt.Sprintf("%s:%d", name, port))
		p.stops = append(p.stops, stop)
	}
	return p, nil
}

// attach is the value of PULUMI_DEBUG_PROVIDERS.
func (p *providers) attach() string { return strings.Join(p.ports, ",") }

func (p *providers) stop() {
	for _, stop := range p.stops {
		stop()
	}
}
