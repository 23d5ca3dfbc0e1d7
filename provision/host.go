// Package provision is what happens on the server over SSH, step by step. Every step is a remote command of its own:
// named, idempotent, limited in time, and run again only when what it depends on changed.
package provision

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-command/sdk/go/command/remote"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra"
	"berth/internal/config"
	"berth/provision/scripts"
)

const (
	// dialErrorLimit bounds the provider's own wait for sshd, whose pauses grow to 5 s. guard has waited before it, so it
	// meets a server that is there; another number would run every step of every stack again.
	dialErrorLimit = 60
	// perDialTimeout bounds one TCP connect, in seconds.
	perDialTimeout = 10
)

// Host is the provisioned server.
type Host struct {
	pulumi.ResourceState
	// Commit is the released commit's SHA.
	Commit pulumi.StringOutput
	// CertificateOutput is what the certificate step printed; its last line is that of ssl-manager.sh check.
	CertificateOutput pulumi.StringOutput
	// Ready is known when the first step can begin, Steps are all of them in their order.
	Ready pulumi.Output
	Steps []Step
}

// Step is a remote command of the sequence and what it printed, known when it has ended.
type Step struct {
	Name   string
	Output pulumi.StringOutput
}

// step is one remote command of the sequence.
type step struct {
	name string
	// seconds limit the step on the server.
	seconds int
	// scripts are what the step runs.
	scripts []string
	// settings reach the step by standard input; nil means none.
	settings pulumi.StringInput
}

// New declares the steps for one environment and one commit, each after the one before it.
func New(ctx *pulumi.Context, cfg *config.Config, environment *infra.Environment, release Release, opts ...pulumi.ResourceOption) (*Host, error) {
	host := &Host{Commit: pulumi.String(release.Commit).ToStringOutput()}
	if err := ctx.RegisterComponentResource("berth:provision:Host", "host", host, opts...); err != nil {
		return nil, err
	}
	steps, err := sequence(cfg, environment, ctx.Stack(), release)
	if err != nil {
		return nil, err
	}
	guarded, err := guard(ctx)
	if err != nil {
		return nil, err
	}
	builder := builder{ctx: ctx, host: host, environment: environment, guarded: guarded, after: append([]pulumi.Resource{
		environment.Server.Attachment, environment.Server.Association,
	}, environment.DNS.Records...)}
	var waits []any
	for _, resource := range builder.after {
		waits = append(waits, resource.URN())
	}
	host.Ready = pulumi.All(waits...)
	if err := builder.bootstrap(); err != nil {
		return nil, err
	}
	for _, step := range steps {
		command, err := builder.step(step)
		if err != nil {
			return nil, err
		}
		host.CertificateOutput = command.Stdout
	}
	return host, ctx.RegisterResourceOutputs(host, pulumi.Map{"commit": host.Commit})
}

func sequence(cfg *config.Config, environment *infra.Environment, stack string, released Release) ([]step, error) {
	// Rendered once here, so that a mistake is found before the first resource.
	if _, err := site(cfg); err != nil {
		return nil, err
	}
	volume := environment.Storage.VolumeID.ApplyT(func(id pulumi.ID) (string, error) {
		return volumeSettings(string(id), cfg.VolumeSize)
	}).(pulumi.StringOutput)
	edge := environment.Address.PublicIP.ApplyT(func(address string) (string, error) {
		return edgeSettings(cfg, address)
	}).(pulumi.StringOutput)
	if cfg.ACME.EABKey != "" {
		edge = pulumi.ToSecret(edge).(pulumi.StringOutput)
	}
	settings, err := releaseSettings(cfg, stack, released)
	if err != nil {
		return nil, err
	}
	release := pulumi.ToSecret(pulumi.String(settings)).(pulumi.StringOutput)
	parts, err := under("release")
	if err != nil {
		return nil, err
	}
	operations := environment.Backups.Bucket.ApplyT(func(bucket string) (string, error) {
		return operationsSettings(cfg, bucket)
	}).(pulumi.StringOutput)
	checks, err := under("health")
	if err != nil {
		return nil, err
	}
	certificate, err := under("certificate")
	if err != nil {
		return nil, err
	}
	certificate = append(certificate, "ssl-manager.sh")
	return []step{
		{name: "volume", seconds: 300, settings: volume, scripts: []string{"volume/zeros.pl"}},
		{name: "packages", seconds: 900, scripts: []string{"reboot.sh", "edge/replace-nginx.sh"}},
		{name: "firewall", seconds: 60, scripts: []string{"edge/firewall.nft"}},
		{name: "edge", seconds: 120, scripts: append(slices.Clone(certificate), "edge/starting.html", "edge/maintenance.html", "edge/proxy.conf", "edge/slots.sh", "edge/spool.sh", "release/plan.sh", "release/upstreams.sh", "release/routes.jq"), settings: edge},
		{name: "release", seconds: 3600, scripts: append(slices.Clone(parts), "deploy.sh", "aws.sh"), settings: release},
		{name: "operations", seconds: 600, settings: operations, scripts: append(slices.Clone(parts), append(checks, "health-check.sh", "log-monitor.sh", "aws.sh")...)},
		// The certificate follows the edge's settings: another name asks for another certificate.
		{name: "certificate", seconds: 1800, scripts: certificate, settings: edge},
	}, nil
}

// builder declares remote commands in a row.
type builder struct {
	ctx         *pulumi.Context
	host        *Host
	environment *infra.Environment
	guarded     *pulumi.ResourceHookBinding
	// after is what the next command waits for.
	after []pulumi.Resource
}

// bootstrap declares the two commands that come before the scripts are on the server.
func (b *builder) bootstrap() error {
	firstBoot, err := scripts.Read("first-boot.sh")
	if err != nil {
		return err
	}
	install, err := scripts.Read("install.sh")
	if err != nil {
		return err
	}
	archive, err := bundle()
	if err != nil {
		return err
	}
	if _, err := b.command("first-boot", pulumi.Array{b.environment.Server.InstanceID}, firstBoot, nil); err != nil {
		return err
	}
	_, err = b.command("scripts", pulumi.Array{b.environment.Server.InstanceID}, install, pulumi.String(archive))
	return err
}

func (b *builder) step(s step) (*remote.Command, error) {
	sources, err := fingerprint(append([]string{"lib.sh", "step.sh", "steps/" + s.name + ".sh"}, s.scripts...)...)
	if err != nil {
		return nil, err
	}
	// A new server, or a changed script, runs the step again.
	triggers := pulumi.Array{b.environment.Server.InstanceID, pulumi.String(sources)}
	if s.name == "volume" {
		// So does a volume that was away.
		triggers = append(triggers, b.environment.Server.Attachment.ID())
	}
	return b.command(s.name, triggers, fmt.Sprintf("sudo -n /opt/berth/step.sh %s %d", s.name, s.seconds), s.settings)
}

func (b *builder) command(name string, triggers pulumi.Array, create string, stdin pulumi.StringInput) (*remote.Command, error) {
	args := &remote.CommandArgs{
		Connection: &remote.ConnectionArgs{
			Host:           b.environment.Address.PublicIP,
			User:           pulumi.String(infra.User),
			PrivateKey:     b.environment.Keys.ClientPrivate,
			HostKey:        b.environment.Keys.HostPublic,
			DialErrorLimit: pulumi.Int(dialErrorLimit),
			PerDialTimeout: pulumi.Int(perDialTimeout),
		},
		Create:   pulumi.String(create),
		Triggers: triggers,
		// The default would ask sshd for an environment that it refuses.
		AddPreviousOutputInEnv: pulumi.Bool(false),
	}
	if stdin != nil {
		args.Stdin = stdin.ToStringOutput().ToStringPtrOutput()
	}
	command, err := remote.NewCommand(b.ctx, name, args,
		pulumi.Parent(b.host), pulumi.DependsOn(b.after), pulumi.DeletedWith(b.environment.Server.Instance), pulumi.ResourceHooks(b.guarded))
	if err != nil {
		return nil, fmt.Errorf("declare step %s: %w", name, err)
	}
	b.after = []pulumi.Resource{command}
	b.host.Steps = append(b.host.Steps, Step{name, command.Stdout})
	return command, nil
}
