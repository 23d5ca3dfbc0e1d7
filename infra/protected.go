package infra

import (
	"strconv"
	"strings"

	"berth/internal/config"
	"berth/internal/state"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// recorded is a resource of the stack as it is, before this run.
type recorded state.Resource

func (r *recorded) text(output string) string {
	text, _ := r.Outputs[output].(string)
	return text
}

// The protected resources, the server, the network and the group of web servers, each of which a stack has at most once, and the
// provider of the stack's region.
const (
	volumeType   = "aws:ebs/volume:Volume"
	addressType  = "aws:ec2/eip:Eip"
	zoneType     = "aws:route53/zone:Zone"
	bucketType   = "aws:s3/bucketV2:BucketV2"
	serverType   = "aws:ec2/instance:Instance"
	databaseType = "aws:rds/instance:Instance"
	vpcType      = "aws:ec2/vpc:Vpc"
	providerType = "pulumi:providers:aws"

	webServersType = "aws:autoscaling/group:Group"
)

// asItIs reads the resources of the stack from its state; of AWS's providers, the stack's
// own, and of buckets, the one for dumps.
func asItIs(ctx *pulumi.Context) (map[string]*recorded, error) {
	outputs, err := state.Outputs(ctx)
	if err != nil {
		return nil, err
	}
	if len(outputs) == 0 {
		// No update has ended well yet. What such a stack has is protected by the engine alone: reading the resources of a stack
		// without a state crashes some of its backends.
		return nil, nil
	}
	there, err := state.Resources(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]*recorded{}
	for urn, resource := range there {
		if resource.Type == providerType && !strings.HasSuffix(urn, "::aws") || resource.Type == bucketType && !strings.HasSuffix(urn, "::"+dumps) {
			continue
		}
		one := recorded(resource)
		found[resource.Type] = &one
	}
	return found, nil
}

// refuse ends a run whose settings would remove or replace what is protected, before anything is declared. The engine itself
// refuses too, but late: by then it has changed what comes before in its order, and deleted what depends on it.
//
// Replacing is possible where the settings lift the protection, as the engine has it. Removing takes a run with the
// protection lifted first: the engine follows the state of a resource that is no longer declared.
func refuse(cfg *config.Config, there map[string]*recorded) error {
	var problems *config.Problems
	add := func(id, setting, value, allowed, fix string) {
		problems = problems.With(config.Problem{ID: id, Setting: "berth:" + setting, Value: value, Allowed: allowed, Fix: fix})
	}
	const lift = "; to do it anyway, lift the protection for one run: pulumi config set berth:protect false && pulumi up"
	removal := func(id, setting, component, what string) {
		if parent := there[component]; !cfg.Protect && parent != nil && parent.Outputs["protected"] == false {
			return
		}
		add(id, setting, "false", what+" is protected, and this would delete it. To delete it anyway, first lift its protection with this setting still true: pulumi config set berth:"+setting+" true && pulumi config set berth:protect false && pulumi up; then set this to false, pulumi up, and set berth:protect to true",
			"pulumi config set berth:"+setting+" true")
	}
	if bucket := there[bucketType]; bucket != nil && !cfg.DumpBucket {
		removal("dump-bucket-protected", "dumpBucket", "berth:infra:Backups", "the bucket for dumps "+bucket.text("bucket"))
	}
	if zone := there[zoneType]; zone != nil && !cfg.CreateZone {
		if name := strings.TrimSuffix(zone.text("name"), "."); name == cfg.Zone {
			// Without protection too: its records would stay in it, and AWS deletes no zone that has some.
			add("zone-holds-names", "createZone", "false", "the stack made the hosted zone "+name+", which holds its names, and this would delete it; it goes with the stack, by pulumi destroy", "pulumi config set berth:createZone true")
		} else {
			removal("zone-protected", "createZone", "berth:infra:DNS", "the hosted zone "+name)
		}
	}
	if there[zoneType] == nil && cfg.CreateZone && cfg.Servers.Several() {
		add("zone-before-servers", "servers", strconv.Itoa(cfg.Servers.Max), "the hosted zone "+cfg.Zone+" is not made yet, and the load balancer's certificate waits for the registrar to delegate to it; begin with one server, enter the stack's output nameServers at the registrar, and have several afterwards",
			"pulumi config rm berth:servers && pulumi up")
	}
	refuseDatabase(cfg, there, add)
	if !cfg.Protect {
		return asError(problems)
	}
	if provider := there[providerType]; provider != nil && provider.text("region") != cfg.Region && (there[volumeType] != nil || there[addressType] != nil) {
		region := provider.text("region")
		add("region-protected", "region", cfg.Region, "the stack is in "+region+", and another region would replace all of it, with its protected volume and address; make another stack there", "pulumi config set berth:region "+region)
		return asError(problems)
	}
	if zone := there[zoneType]; zone != nil && cfg.CreateZone && strings.TrimSuffix(zone.text("name"), ".") != cfg.Zone {
		add("zone-name-protected", "zone", cfg.Zone, "the stack made the hosted zone "+zone.text("name")+", which is protected, and another name would replace it"+lift, "pulumi config set berth:zone "+strings.TrimSuffix(zone.text("name"), "."))
	}
	if volume := there[volumeType]; volume != nil {
		if cfg.VolumeSnapshot != "" && volume.text("snapshotId") != cfg.VolumeSnapshot {
			add("volume-snapshot-protected", "volumeSnapshot", cfg.VolumeSnapshot, "the data volume is protected, and another snapshot would replace it and the server"+lift, "pulumi config rm berth:volumeSnapshot")
		}
		if cfg.SubnetID == "" {
			if zone := volume.text("availabilityZone"); zone != cfg.AvailabilityZone {
				add("availability-zone-protected", "availabilityZone", cfg.AvailabilityZone, "the data volume is protected and in "+zone+", and another zone would replace it"+lift, "pulumi config set berth:availabilityZone "+zone)
			}
		}
	}
	return asError(problems)
}

// refuseSubnet is refuse for a subnet that exists already, whose zone AWS knows: one in another zone than the protected data
// volume's, "" for none.
func refuseSubnet(id, zone, volumeZone string) error {
	if volumeZone == "" || volumeZone == zone {
		return nil
	}
	return asError((*config.Problems)(nil).With(config.Problem{
		ID: "subnet-zone-protected", Setting: "berth:subnetId", Value: id, Fix: "pulumi config set berth:subnetId SUBNET",
		Allowed: "it is in " + zone + ", and the data volume, which is protected, in " + volumeZone + "; a subnet there is required, since another zone would replace the volume",
	}))
}

// asError keeps nothing wrong from becoming an error that is not nil.
func asError(problems *config.Problems) error {
	if problems == nil {
		return nil
	}
	return problems
}
