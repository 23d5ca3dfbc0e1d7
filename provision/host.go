// Package provision is what happens on the server over SSH, step by step. Every step is a remote command of its own:
// named, idempotent, limited in time, and run again only when what it depends on changed.
package provision

import (
	"fmt"
	"io/fs"
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

	// resolversForget is how many seconds an alias of a load balancer is kept. Source: Route 53 Developer Guide, "Choosing between
	// alias and non-alias records".
	resolversForget = 60
	// namesForgotten waits so long.
	namesForgotten = "echo 'waiting %d seconds, until resolvers have forgotten the load balancer'; sleep %d"
)

// Host is the provisioned server.
type Host struct {
	pulumi.ResourceState
	// Commit is the released commit's SHA.
	Commit pulumi.StringOutput
	// CertificateOutput is what the certificate step printed; its last line is that of ssl-manager.sh check.
	CertificateOutput pulumi.StringOutput
	// ReleaseOutput is what the release step printed.
	ReleaseOutput pulumi.StringOutput
	// Ready is known when the first step can begin, Steps are all of them in their order.
	Ready pulumi.Output
	Steps []Step
}

// Step is a remote command of the sequence and what it printed, known when it has ended. After is the step that it waits for, "" for none.
type Step struct {
	Name, After string
	Output      pulumi.StringOutput
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
	// triggers are what runs the step again besides a new server and a changed script.
	triggers pulumi.Array
	// remove is run on the server when the step is no longer declared, "" for nothing.
	remove string
	// output is where what the step printed goes, nil for nowhere.
	output *pulumi.StringOutput
}

// New declares the steps for one environment and one commit, each after the one before it. With one server the certificate is asked for
// while the release is made: it waits for names, too, and needs nothing of it.
func New(ctx *pulumi.Context, cfg *config.Config, environment *infra.Environment, release Release, opts ...pulumi.ResourceOption) (*Host, error) {
	host := &Host{Commit: pulumi.String(release.Commit).ToStringOutput()}
	if err := ctx.RegisterComponentResource("berth:provision:Host", "host", host, opts...); err != nil {
		return nil, err
	}
	steps, err := host.sequence(cfg, environment, ctx.Stack(), release)
	if err != nil {
		return nil, err
	}
	builder, err := newBuilder(ctx, host, environment)
	if err != nil {
		return nil, err
	}
	if err := builder.bootstrap(); err != nil {
		return nil, err
	}
	for _, step := range steps {
		if step.name == "release" && environment.Database != nil {
			// A release may have another password of the database.
			builder.after = append(builder.after, environment.Database.Instance)
		}
		if step.name == "certificate" && environment.Servers == nil {
			builder.after, builder.last = builder.edge, "edge"
		}
		if err := builder.step(step); err != nil {
			return nil, err
		}
		var err error
		switch step.name {
		case "edge":
			builder.edge = builder.after
		case "servers":
			builder.first = builder.after
		case "operations":
			err = builder.startServers(environment)
		case "joined":
			err = builder.pointNames(cfg, environment)
		}
		if err != nil {
			return nil, err
		}
	}
	return host, ctx.RegisterResourceOutputs(host, pulumi.Map{"commit": host.Commit})
}

// sequence is every step in its order, after those of bootstrap.
func (h *Host) sequence(cfg *config.Config, environment *infra.Environment, stack string, released Release) ([]step, error) {
	// Rendered once here, so that a mistake is found before the first resource.
	if _, _, err := site(cfg); err != nil {
		return nil, err
	}
	volume := environment.Storage.VolumeID.ApplyT(func(id pulumi.ID) (string, error) {
		return volumeSettings(string(id), cfg.VolumeSize)
	}).(pulumi.StringOutput)
	edge := environment.Address.PublicIP.ApplyT(func(address string) (string, error) {
		return edgeSettings(cfg, address)
	}).(pulumi.StringOutput)
	// The setting berth:nginx may have a key in it.
	if cfg.ACME.EABKey != "" || len(cfg.Auth) > 0 || cfg.Nginx != "" {
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
	// A command may have more in it than who wrote it thought of.
	if len(cfg.Jobs) > 0 {
		operations = pulumi.ToSecret(operations).(pulumi.StringOutput)
	}
	checks, err := under("health")
	if err != nil {
		return nil, err
	}
	certificate, err := under("certificate")
	if err != nil {
		return nil, err
	}
	certificate = append(certificate, "ssl-manager.sh")
	servers, joined, err := serversSteps(cfg, environment, edge)
	if err != nil {
		return nil, err
	}
	fanOut, err := under("servers")
	if err != nil {
		return nil, err
	}
	parts = append(parts, fanOut...)
	return slices.Concat([]step{
		{name: "volume", seconds: 300, settings: volume, scripts: []string{"volume/zeros.pl"},
			// A volume that was away is mounted again.
			triggers: pulumi.Array{environment.Server.Attachment.ID()}},
		{name: "packages", seconds: 900, scripts: []string{"reboot.sh", "edge/replace-nginx.sh"}},
		{name: "firewall", seconds: 60, scripts: []string{"edge/firewall.nft"}},
		// It waits for a release that somebody has begun by hand (release/lock.sh).
		{name: "edge", seconds: 900, scripts: append(slices.Clone(certificate), "edge/starting.html", "edge/maintenance.html", "edge/proxy.conf", "edge/grpc.conf", "edge/proxies.sh", "edge/cloudflare.txt", "edge/cloudfront.txt", "edge/slots.sh", "edge/spool.sh", "release/plan.sh", "release/upstreams.sh", "release/routes.jq", "release/hosts.jq", "release/lock.sh"), settings: edge},
	}, servers, []step{
		{name: "release", seconds: 3600, scripts: append(slices.Clone(parts), "deploy.sh", "aws.sh"), settings: release, output: &h.ReleaseOutput},
		{name: "operations", seconds: 600, settings: operations, scripts: append(slices.Clone(parts), append(checks, "health-check.sh", "log-monitor.sh", "aws.sh")...)},
	}, joined, []step{
		// The certificate follows the edge's settings: another name asks for another certificate.
		{name: "certificate", seconds: 1800, scripts: certificate, settings: edge, output: &h.CertificateOutput},
	}), nil
}

// serversSteps are the two of several servers; there are none with one. The first has the server be the first of several, before anything
// is released: a new first server is to know the others by then, and they its settings of nginx. It runs again when those change. After
// the second, the others have joined.
func serversSteps(cfg *config.Config, environment *infra.Environment, edge pulumi.StringOutput) (first, last []step, err error) {
	servers := environment.Servers
	if servers == nil {
		return nil, nil, nil
	}
	var names []string
	if err := fs.WalkDir(scripts.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	}); err != nil {
		return nil, nil, fmt.Errorf("list the scripts: %w", err)
	}
	// Web servers get all of them.
	sources, err := fingerprint(names...)
	if err != nil {
		return nil, nil, err
	}
	text := pulumi.All(servers.GroupName, servers.TargetGroupARN, servers.FleetPrivate, servers.WebHostPublic, servers.BalancerName, environment.Server.InstanceID, edge).ApplyT(
		func(values []any) (string, error) {
			return serversSettings(cfg, firstOfSeveral{
				group: values[0].(string), targetGroup: values[1].(string), fleetKey: values[2].(string), webHostKey: values[3].(string), balancer: values[4].(string),
				server: string(values[5].(pulumi.ID)), edge: values[6].(string), sources: sources,
			})
		}).(pulumi.StringOutput)
	joined := text.ApplyT(func(text string) (string, error) { return joinedSettings(cfg, text) }).(pulumi.StringOutput)
	return []step{{name: "servers", seconds: 900, settings: pulumi.ToSecret(text).(pulumi.StringOutput), remove: "sudo -n /opt/berth/servers.sh leave"}},
		// It runs again with the other.
		[]step{{name: "joined", seconds: 1800, settings: pulumi.Unsecret(joined).(pulumi.StringOutput)}}, nil
}

// builder declares remote commands in a row.
type builder struct {
	ctx  *pulumi.Context
	host *Host
	// server is what a replaced one changes, instance what takes every step with it.
	server   pulumi.IDOutput
	instance pulumi.Resource
	// connection is the one of every command, and guarded checks who answers there.
	connection *remote.ConnectionArgs
	guarded    *pulumi.ResourceHookBinding
	// after is what the next command waits for.
	after []pulumi.Resource
	// last is the step among those, edge the command of nginx.
	last string
	edge []pulumi.Resource
	// first is the command that has the server be the first of several; none with one.
	first []pulumi.Resource
}

func newBuilder(ctx *pulumi.Context, host *Host, environment *infra.Environment) (*builder, error) {
	guarded, err := guard(ctx)
	if err != nil {
		return nil, err
	}
	server := environment.Server
	after := append([]pulumi.Resource{server.Attachment, server.Association}, environment.DNS.Records...)
	var waits []any
	for _, resource := range after {
		waits = append(waits, resource.URN())
	}
	host.Ready = pulumi.All(waits...)
	return &builder{
		ctx: ctx, host: host, server: server.InstanceID, instance: server.Instance, guarded: guarded, after: after,
		connection: &remote.ConnectionArgs{
			Host:           environment.Address.PublicIP,
			User:           pulumi.String(infra.User),
			PrivateKey:     environment.Keys.ClientPrivate,
			HostKey:        environment.Keys.HostPublic,
			DialErrorLimit: pulumi.Int(dialErrorLimit),
			PerDialTimeout: pulumi.Int(perDialTimeout),
		},
	}, nil
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
	archive, err := packed()
	if err != nil {
		return err
	}
	if _, err := b.command("first-boot", pulumi.Array{b.server}, firstBoot, "", nil); err != nil {
		return err
	}
	_, err = b.command("scripts", pulumi.Array{b.server}, install, "", pulumi.String(archive))
	return err
}

func (b *builder) step(s step) error {
	sources, err := fingerprint(append([]string{"lib.sh", "step.sh", "steps/" + s.name + ".sh"}, s.scripts...)...)
	if err != nil {
		return err
	}
	// A new server, or a changed script, runs the step again.
	triggers := append(pulumi.Array{b.server, pulumi.String(sources)}, s.triggers...)
	if s.remove != "" {
		// A trigger replaces the command, which would undo what it has just done. Its settings say what runs it again.
		triggers = nil
	}
	command, err := b.command(s.name, triggers, fmt.Sprintf("sudo -n /opt/berth/step.sh %s %d", s.name, s.seconds), s.remove, s.settings)
	if err != nil {
		return err
	}
	if s.output != nil {
		*s.output = command.Stdout
	}
	return nil
}

// startServers starts the group of web servers, when the first one waits for them and serves what they are to serve.
func (b *builder) startServers(environment *infra.Environment) error {
	if environment.Servers == nil {
		return nil
	}
	before := len(environment.Servers.Listeners)
	// The command is named itself: on the way back it undoes what the group's servers need, and they go first.
	released := b.after
	if err := environment.Servers.Start(b.ctx, slices.Concat(b.first, released)); err != nil {
		return err
	}
	b.after = append(slices.Clone(released), environment.Servers.Listeners[before:]...)
	return nil
}

// pointNames declares the DNS of several servers, which answer by then. On the way back to one server the names move first, and what
// answered them stays until resolvers have forgotten it.
func (b *builder) pointNames(cfg *config.Config, environment *infra.Environment) error {
	joined := b.after
	b.after = append(slices.Clone(joined), environment.Servers.Listeners...)
	if _, err := b.command("names-forgotten", nil, "echo the names point to the load balancer", fmt.Sprintf(namesForgotten, resolversForget, resolversForget), nil); err != nil {
		return err
	}
	// It is none of the steps that an operator knows.
	b.host.Steps = b.host.Steps[:len(b.host.Steps)-1]
	b.last = b.host.Steps[len(b.host.Steps)-1].Name
	if err := environment.PointNames(b.ctx, cfg, b.after); err != nil {
		return err
	}
	b.after = append(slices.Clone(joined), environment.DNS.Records...)
	return nil
}

// command declares a command that runs create, and remove when it is no longer declared, "" for nothing.
func (b *builder) command(name string, triggers pulumi.Array, create, remove string, stdin pulumi.StringInput) (*remote.Command, error) {
	args := &remote.CommandArgs{
		Connection: b.connection,
		Create:     pulumi.String(create),
		Triggers:   triggers,
		// The default would ask sshd for an environment that it refuses.
		AddPreviousOutputInEnv: pulumi.Bool(false),
	}
	opts := []pulumi.ResourceOption{pulumi.Parent(b.host), pulumi.DependsOn(b.after), pulumi.DeletedWith(b.instance), pulumi.ResourceHooks(b.guarded)}
	if remove != "" {
		args.Delete = pulumi.String(remove)
		// Where somebody has it replaced, it undoes what it did before it does it again, and not after.
		opts = append(opts, pulumi.DeleteBeforeReplace(true))
	}
	if stdin != nil {
		args.Stdin = stdin.ToStringOutput().ToStringPtrOutput()
	}
	command, err := remote.NewCommand(b.ctx, name, args, opts...)
	if err != nil {
		return nil, fmt.Errorf("declare step %s: %w", name, err)
	}
	b.after = []pulumi.Resource{command}
	b.host.Steps = append(b.host.Steps, Step{Name: name, After: b.last, Output: command.Stdout})
	b.last = name
	return command, nil
}
