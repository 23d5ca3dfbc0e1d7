package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-command/sdk/go/command/remote"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"
)

// remoteCommand is command:remote:Command, which runs over SSH.
func remoteCommand(p *Provider) command {
	return command{args: remote.CommandArgs{}, run: p.runRemote}
}

func (p *Provider) runRemote(ctx context.Context, urn string, state resource.PropertyMap, line string) (result, error) {
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	client, err := p.dial(ctx, urn, object(state, "connection"))
	if err != nil {
		return result{}, err
	}
	defer client.close()
	// Whoever gives up closes the connection; the command on the other side is not notified.
	defer context.AfterFunc(ctx, client.close)()
	session, err := client.NewSession()
	if err != nil {
		return result{}, fmt.Errorf("open a session on %s: %w", client.RemoteAddr(), err)
	}
	if err := p.setEnvironment(ctx, urn, session, state); err != nil {
		return result{}, err
	}
	// A command that ends before it has read this may fail with "EOF", here and on the real provider: it must read all.
	if stdin := text(state, "stdin"); stdin != "" {
		session.Stdin = strings.NewReader(stdin)
	}
	printed := newCapture(text(state, "logging"), abort, func(line string) { p.LogStatus(ctx, urn, line) })
	session.Stdout, session.Stderr = &printed.stdout, &printed.stderr
	return printed.finish(ctx, line, session.Run(line))
}

// setEnvironment passes variables as SSH does, which the server has to accept by name. It is an error where it does
// not, except for the previous output, which may not have been requested: that is a warning.
func (p *Provider) setEnvironment(ctx context.Context, urn string, session *ssh.Session, state resource.PropertyMap) error {
	environment := object(state, "environment")
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		if err := session.Setenv(string(name), text(environment, name)); err != nil {
			return fmt.Errorf("could not set environment variable %q: %w; name it in AcceptEnv in the server's sshd_config, or pass it by stdin", name, err)
		}
	}
	previous := previousOutput(state)
	for _, name := range slices.Sorted(maps.Keys(previous)) {
		if err := session.Setenv(name, previous[name]); err != nil {
			p.Log(ctx, diag.Warning, urn, fmt.Sprintf("Unable to set %q: the server's sshd_config does not name it in AcceptEnv. Set addPreviousOutputInEnv to false where the command does not read it.", name))
		}
	}
	return nil
}
