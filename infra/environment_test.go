package infra

import (
	"strings"
	"testing"

	"berth/internal/config"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPreviewReadsAsTableOfContents(t *testing.T) {
	components := map[string]string{}
	for _, args := range declare(t, nil, nil).declared {
		if !args.Custom {
			components[args.TypeToken] = args.Name
		}
	}
	assert.Equal(t, map[string]string{
		"berth:infra:Keys":     "keys",
		"berth:infra:Network":  "network",
		"berth:infra:Firewall": "firewall",
		"berth:infra:Storage":  "storage",
		"berth:infra:Address":  "address",
		"berth:infra:Server":   "server",
		"berth:infra:DNS":      "dns",
		"berth:infra:Backups":  "backups",
	}, components)
}

func TestEveryResourceHasItsComponentAndTheStacksProvider(t *testing.T) {
	for _, shape := range shapes {
		c := declare(t, shape.change, nil)
		require.NotEmpty(t, c.asked)
		for _, args := range c.asked {
			assert.Contains(t, args.Provider, "::pulumi:providers:aws::aws::", shape.name+": "+args.Token)
		}
		for _, args := range c.declared {
			if !args.Custom || args.TypeToken == "pulumi:providers:aws" {
				continue
			}
			where := shape.name + ": " + args.TypeToken + " " + args.Name
			assert.Contains(t, args.RegisterRPC.GetParent(), "::berth:infra:", where)
			if strings.HasPrefix(args.TypeToken, "aws:") && !elsewhere[args.Name] {
				assert.Contains(t, args.Provider, "::pulumi:providers:aws::aws::", where)
			}
		}
	}
}

// The first preview knows neither IDs nor addresses, and shows every resource all the same.
func TestFirstPreviewShowsEveryResource(t *testing.T) {
	for _, shape := range shapes {
		cfg, c := production(), newCloud()
		if shape.change != nil {
			shape.change(cfg)
		}
		c.preview = true
		require.NoError(t, c.run(cfg, nil), shape.name)
		assert.ElementsMatch(t, names(declare(t, shape.change, nil)), names(c), shape.name)
	}
}

// elsewhere are the resources that AWS has in one region only.
var elsewhere = map[string]bool{"alarms-us-east-1": true, "site": true}

func names(c *cloud) []string {
	var found []string
	for _, args := range c.declared {
		found = append(found, args.TypeToken+" "+args.Name)
	}
	return found
}

func TestProviderHasTheStacksRegionAndTags(t *testing.T) {
	regions := map[string]string{}
	for _, args := range declare(t, watched, nil).declared {
		if args.TypeToken != "pulumi:providers:aws" {
			continue
		}
		regions[args.Name] = text(args, "region")
		assert.Equal(t, map[string]any{
			"ManagedBy": "berth", "Project": "berth", "Stack": "production", "Team": "web",
		}, input(args, "defaultTags", "tags").Mappable())
	}
	assert.Equal(t, map[string]string{"aws": "eu-central-1", "aws-us-east-1": "us-east-1"}, regions)
}

func TestMainResourcesBearTheDomainAsName(t *testing.T) {
	c := declare(t, func(cfg *config.Config) { cfg.CreateZone = true }, nil)
	for _, kind := range []string{
		"ec2/vpc:Vpc", "ec2/subnet:Subnet", "ec2/internetGateway:InternetGateway", "ec2/routeTable:RouteTable",
		"ec2/securityGroup:SecurityGroup", "ebs/volume:Volume", "ec2/eip:Eip", "ec2/instance:Instance",
		"iam/instanceProfile:InstanceProfile", "route53/zone:Zone",
	} {
		assert.Equal(t, "app.example.com", text(c.only(t, kind), "tags", "Name"), kind)
	}
	assert.Equal(t, "app.example.com", text(c.only(t, "ec2/instance:Instance"), "rootBlockDevice", "tags", "Name"))
}

func TestProtectionKeepsWhatCannotBeMadeAgain(t *testing.T) {
	for _, protect := range []bool{true, false} {
		c := declare(t, func(cfg *config.Config) { cfg.Protect, cfg.CreateZone, cfg.DumpBucket = protect, true, true }, nil)
		kept := map[string]bool{"aws:s3/bucketV2:BucketV2": true, "aws:ebs/volume:Volume": true, "aws:ec2/eip:Eip": true, "aws:route53/zone:Zone": true}
		for _, args := range c.declared {
			assert.Equal(t, protect && kept[args.TypeToken], args.RegisterRPC.GetProtect(), args.TypeToken)
		}
	}
}

// No private key is in clear text in what the engine keeps of a resource, whoever made the key.
func TestPrivateKeysAreNeverInClear(t *testing.T) {
	own, _, err := newKey()
	require.NoError(t, err)
	for _, sshPrivateKey := range []string{"", own} {
		c := declare(t, func(cfg *config.Config) { cfg.SSHPrivateKey = sshPrivateKey }, nil)
		c.private["own"] = own
		for name, key := range c.private {
			body := strings.Split(key, "\n")[2] // past the part that all Ed25519 keys begin with
			for _, args := range c.declared {
				assert.False(t, containsClear(resource.NewProperty(args.Inputs), body), "%s in %s", name, args.Name)
			}
		}
	}
}

// containsClear tells whether a value holds the text outside of any secret.
func containsClear(value resource.PropertyValue, needle string) bool {
	switch {
	case value.IsString():
		return strings.Contains(value.StringValue(), needle)
	case value.IsArray():
		for _, element := range value.ArrayValue() {
			if containsClear(element, needle) {
				return true
			}
		}
	case value.IsObject():
		for _, element := range value.ObjectValue() {
			if containsClear(element, needle) {
				return true
			}
		}
	}
	return false
}

// shapes are the environments that differ in which resources they have.
var shapes = []struct {
	name   string
	change func(cfg *config.Config)
}{
	{"own network", nil},
	{"existing subnet", func(cfg *config.Config) { cfg.SubnetID = "subnet-shared" }},
	{"created zone", func(cfg *config.Config) { cfg.CreateZone = true }},
	{"monitoring", watched},
	{"dumps", func(cfg *config.Config) { cfg.DumpBucket = true }},
	{"no snapshots", func(cfg *config.Config) { cfg.SnapshotsKept = 0 }},
	{"restore", func(cfg *config.Config) { cfg.VolumeSnapshot = "snap-0123456789abcdef0" }},
}
