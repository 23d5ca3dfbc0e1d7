// Package infra declares what AWS holds for one Berth stack: network, firewall, storage, address, server, DNS,
// backups and monitoring, each as a component resource, so that a preview reads as a table of contents.
package infra

import (
	"fmt"

	"berth/internal/config"
	"berth/internal/instance"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Environment is everything AWS holds for one stack, and the keys that open it.
type Environment struct {
	// Keys identify the server to its operator and the operator to the server.
	Keys *Keys
	// Network is the network of the server.
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
	// Servers are those beside the first one; nil for none.
	Servers *Servers
	// Backups are the snapshots of the storage and the bucket for dumps.
	Backups *Backups
	// Database is a Postgres in Amazon RDS; nil for none.
	Database *Database
	// Monitoring sends alarms; nil without an address for them.
	Monitoring *Monitoring

	// balancer is in front of several servers; nil with one.
	balancer *Balancer
	// account is the AWS account's number.
	account string
	// boundary is the ARN of the permissions boundary of every role.
	boundary pulumi.StringInput
	// defaultTags are the tags of every resource.
	defaultTags map[string]string
	// hadSeveral says that there are web servers since an earlier run.
	hadSeveral bool
	// volumeZone is where the data volume of the last run is, as long as it is protected.
	volumeZone string
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
	for _, text := range []string{resized(cfg, there[serverType]), describeDatabase(cfg, there[databaseType])} {
		if text == "" || !ctx.DryRun() {
			continue
		}
		if err := ctx.Log.Info(text, nil); err != nil {
			return nil, err
		}
	}
	env := &Environment{defaultTags: defaultTags(ctx.Project(), ctx.Stack(), cfg.Tags)}
	env.hadSeveral = there[webServersType] != nil
	if volume := there[volumeType]; volume != nil && cfg.Protect {
		env.volumeZone = volume.text("availabilityZone")
	}
	provider, err := newProvider(ctx, "aws", cfg.Region, env.defaultTags)
	if err != nil {
		return nil, err
	}
	caller, err := aws.GetCallerIdentity(ctx, nil, pulumi.Provider(provider))
	if err != nil {
		return nil, fmt.Errorf("look up the account's number: %w. Fix: log in to AWS (aws sts get-caller-identity)", err)
	}
	env.account = caller.AccountId
	if env.boundary, err = newBoundary(ctx, env.account, cfg.Region, there[policyType] != nil, pulumi.Provider(provider)); err != nil {
		return nil, err
	}
	if env.Keys, err = NewKeys(ctx, "keys", &KeysArgs{ClientPrivate: cfg.SSHPrivateKey, Several: cfg.Servers.Several()}); err != nil {
		return nil, err
	}
	for _, declare := range []func(*pulumi.Context, *config.Config, pulumi.ResourceOption) error{
		env.addNetwork, env.addFirewall, env.addStorage, env.addAddress, env.addServer, env.addDNS,
		env.addBalancer, env.addServers, env.addBackups, env.addDatabase, env.addMonitoring,
	} {
		if err := declare(ctx, cfg, pulumi.Providers(provider)); err != nil {
			return nil, err
		}
	}
	return env, nil
}

func (e *Environment) addNetwork(ctx *pulumi.Context, cfg *config.Config, provider pulumi.ResourceOption) (err error) {
	e.Network, err = NewNetwork(ctx, "network", &NetworkArgs{
		Domain: cfg.Domain, Region: cfg.Region, SubnetID: cfg.SubnetID, CIDR: cfg.VPCCIDR, AvailabilityZone: cfg.AvailabilityZone,
		VolumeZone: e.volumeZone, Several: cfg.Servers.Several(), Database: cfg.RDS != nil,
	}, provider)
	return err
}

func (e *Environment) addFirewall(ctx *pulumi.Context, cfg *config.Config, provider pulumi.ResourceOption) (err error) {
	e.Firewall, err = NewFirewall(ctx, "firewall", &FirewallArgs{
		Domain: cfg.Domain, VPCID: e.Network.VPCID, OperatorCIDRs: cfg.OperatorCIDRs, HTTP3: cfg.HTTP3, Several: cfg.Servers.Several(), Database: cfg.RDS != nil,
	}, provider)
	return err
}

func (e *Environment) addStorage(ctx *pulumi.Context, cfg *config.Config, provider pulumi.ResourceOption) (err error) {
	e.Storage, err = NewStorage(ctx, "storage", &StorageArgs{
		Domain: cfg.Domain, Zone: e.Network.Zone, Size: cfg.VolumeSize, Snapshot: cfg.VolumeSnapshot, Protect: cfg.Protect,
	}, provider)
	return err
}

func (e *Environment) addAddress(ctx *pulumi.Context, cfg *config.Config, provider pulumi.ResourceOption) (err error) {
	e.Address, err = NewAddress(ctx, "address", &AddressArgs{
		Domain: cfg.Domain, Protect: cfg.Protect, Gateway: e.Network.gateway,
	}, provider)
	return err
}

func (e *Environment) addServer(ctx *pulumi.Context, cfg *config.Config, provider pulumi.ResourceOption) (err error) {
	args := &ServerArgs{
		Domain: cfg.Domain, DefaultTags: e.defaultTags, Region: cfg.Region, InstanceType: cfg.InstanceType, AMI: cfg.AMI,
		UserData: userData(e.Keys), Boundary: e.boundary,
		Network: e.Network, SecurityGroupID: e.Firewall.SecurityGroupID,
		VolumeID: e.Storage.VolumeID, AllocationID: e.Address.AllocationID, Forwards: cfg.Servers.Several() || e.hadSeveral,
	}
	if cfg.VolumeSnapshot != "" {
		// Another volume takes another server. Detaching the old one stops a server, and nothing would start it again;
		// besides, what ran on the old data must not go on with the new.
		args.ReplaceWith = []pulumi.Resource{e.Storage.volume}
	}
	e.Server, err = NewServer(ctx, "server", args, provider)
	return err
}

func (e *Environment) addDNS(ctx *pulumi.Context, cfg *config.Config, provider pulumi.ResourceOption) (err error) {
	args := &DNSArgs{
		Names: cfg.Records(), Zone: cfg.Zone, Create: cfg.CreateZone, Protect: cfg.Protect, ACMEDirectory: cfg.ACME.Directory,
		IPv4: e.Address.PublicIP, Balanced: cfg.Servers.Several(),
	}
	if e.Server.DualStack {
		args.IPv6 = e.Server.IPv6
	}
	e.DNS, err = NewDNS(ctx, "dns", args, provider)
	return err
}

func (e *Environment) addBalancer(ctx *pulumi.Context, cfg *config.Config, provider pulumi.ResourceOption) (err error) {
	if !cfg.Servers.Several() {
		return nil
	}
	e.balancer, err = NewBalancer(ctx, "balancer", &BalancerArgs{
		Names: cfg.Records(), ZoneID: e.DNS.ZoneID, Authorities: e.DNS.Records,
		Network: e.Network, SecurityGroupID: e.Firewall.BalancerGroupID,
		FirstID: e.Server.InstanceID, First: cfg.Servers.First, Sticky: cfg.Servers.Sticky,
		DrainWithin: cfg.DrainWithin, Idle: Idle(cfg),
		LogDays: cfg.Servers.AccessLogs, Region: cfg.Region, Account: e.account,
	}, provider)
	return err
}

func (e *Environment) addServers(ctx *pulumi.Context, cfg *config.Config, provider pulumi.ResourceOption) (err error) {
	if !cfg.Servers.Several() {
		return nil
	}
	e.Servers, err = NewServers(ctx, "servers", &ServersArgs{
		Domain: cfg.Domain, DefaultTags: e.defaultTags, Servers: cfg.Servers,
		InstanceType: cfg.InstanceType, Image: e.Server.image, Newest: cfg.AMI == "", Keys: e.Keys,
		Network: e.Network, SecurityGroupID: e.Firewall.WebGroupID, Between: e.Firewall.between, First: e.Server, Balancer: e.balancer,
	}, provider)
	return err
}

func (e *Environment) addBackups(ctx *pulumi.Context, cfg *config.Config, provider pulumi.ResourceOption) (err error) {
	e.Backups, err = NewBackups(ctx, "backups", &BackupsArgs{
		Domain: cfg.Domain, SnapshotsKept: cfg.SnapshotsKept, Mark: e.Storage.mark, Boundary: e.boundary,
		DumpBucket: cfg.DumpBucket, ServerRole: e.Server.Role.Name, Protect: cfg.Protect,
	}, provider)
	return err
}

func (e *Environment) addDatabase(ctx *pulumi.Context, cfg *config.Config, provider pulumi.ResourceOption) (err error) {
	if cfg.RDS == nil {
		return nil
	}
	e.Database, err = NewDatabase(ctx, "database", &DatabaseArgs{
		Domain: cfg.Domain, RDS: cfg.RDS, Password: cfg.RDSPassword, Network: e.Network, SecurityGroupID: e.Firewall.DatabaseGroupID, Protect: cfg.Protect, External: cfg.External,
	}, provider)
	return err
}

func (e *Environment) addMonitoring(ctx *pulumi.Context, cfg *config.Config, provider pulumi.ResourceOption) (err error) {
	if cfg.AlarmEmail == "" {
		return nil
	}
	args := &MonitoringArgs{
		Domain: cfg.Domain, Region: cfg.Region, DefaultTags: e.defaultTags, Email: cfg.AlarmEmail, HealthPath: "/",
		InstanceID: e.Server.InstanceID, ServerRole: e.Server.Role.Name, Burstable: instance.Burstable(cfg.InstanceType),
	}
	if first := cfg.First(); first != nil && first.Health != "" {
		args.HealthPath = first.Health
	}
	if e.Servers != nil {
		args.Several = &Several{
			Web: cfg.Servers.Min - 1, GroupName: e.Servers.GroupName, Balancer: e.balancer.metricName, TargetGroup: e.balancer.targetMetricName,
		}
	}
	if e.Database != nil {
		args.Database = &MonitoredDatabase{Identifier: e.Database.identifier, SizeGB: cfg.RDS.SizeGB}
	}
	e.Monitoring, err = NewMonitoring(ctx, "monitoring", args, provider)
	return err
}

// newProvider makes an AWS provider: the stack's own, and another for what exists in one region alone. They are
// explicit, rather than taken from the surroundings, so that the region is known and every resource carries the stack's
// tags.
func newProvider(ctx *pulumi.Context, name, region string, tags map[string]string) (*aws.Provider, error) {
	provider, err := aws.NewProvider(ctx, name, &aws.ProviderArgs{
		Region:      pulumi.String(region),
		DefaultTags: aws.ProviderDefaultTagsArgs{Tags: pulumi.ToStringMap(tags)},
	})
	if err != nil {
		return nil, fmt.Errorf("declare the AWS provider for %s: %w", region, err)
	}
	return provider, nil
}
