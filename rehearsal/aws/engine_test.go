package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/infra"
	"berth/internal/config"
	"berth/rehearsal/provider"
	"berth/rehearsal/tls"
)

// newStack makes a stack of the real engine that declares what AWS holds for cfg, in the account in dir, as somebody who
// may do everything.
func newStack(t *testing.T, dir string, cfg *config.Config) auto.Stack {
	account, err := Open(dir, nil)
	require.NoError(t, err)
	return newStackBy(t, account, cfg)
}

// pulumiCommand is the Pulumi CLI that BERTH_PULUMI names. It skips the test if the variable is not set.
func pulumiCommand(t *testing.T) auto.PulumiCommand {
	t.Helper()
	cli := os.Getenv("BERTH_PULUMI")
	if cli == "" {
		t.Skip("BERTH_PULUMI does not name the Pulumi CLI; make tools builds it")
	}
	// The Automation API expects a folder with bin/pulumi.
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "bin"), 0o700))
	require.NoError(t, os.Symlink(cli, filepath.Join(root, "bin", "pulumi")))
	command, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root})
	require.NoError(t, err)
	return command
}

// newStackBy makes one by a provider of the test's own.
func newStackBy(t *testing.T, account *Provider, cfg *config.Config) auto.Stack {
	command := pulumiCommand(t)
	var attach []string
	for name, server := range map[string]pulumirpc.ResourceProviderServer{"aws": account, "tls": tls.New()} {
		port, stop, err := provider.Serve(server)
		require.NoError(t, err)
		t.Cleanup(stop)
		attach = append(attach, fmt.Sprintf("%s:%d", name, port))
	}
	program := func(ctx *pulumi.Context) error {
		environment, err := infra.New(ctx, cfg)
		if err == nil {
			ctx.Export("address", environment.Address.PublicIP)
			if environment.Servers != nil {
				err = environment.Servers.Start(ctx, nil)
			}
			err = errors.Join(err, environment.PointNames(ctx, cfg, nil))
		}
		return err
	}
	stack, err := auto.UpsertStackInlineSource(t.Context(), "test", "berth", program,
		auto.Pulumi(command), auto.PulumiHome(t.TempDir()), auto.WorkDir(t.TempDir()), auto.SecretsProvider("passphrase"),
		auto.EnvVars(map[string]string{
			"PULUMI_BACKEND_URL": "file://" + t.TempDir(), "PULUMI_CONFIG_PASSPHRASE": "x", "PULUMI_SKIP_UPDATE_CHECK": "true",
			"PULUMI_DEBUG_PROVIDERS": strings.Join(attach, ","), "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		}))
	require.NoError(t, err)
	return stack
}

// watchedSite is a stack with everything that can be had of monitoring and backups.
func watchedSite() *config.Config {
	cfg := &config.Config{
		Domain: "app.example.test", Zone: "example.test", Region: "eu-central-1", AvailabilityZone: "eu-central-1a",
		OperatorCIDRs: []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32")}, VPCCIDR: netip.MustParsePrefix("10.20.0.0/16"),
		InstanceType: "t3.micro", VolumeSize: 20, Protect: true,
		AlarmEmail: "you@example.test", SnapshotsKept: 7, DumpBucket: true,
	}
	cfg.ACME.Directory = "https://acme-v02.api.letsencrypt.org/directory"
	return cfg
}

// one is the only resource of a type.
func one(t *testing.T, dir, typ string) *Resource {
	t.Helper()
	account, err := Read(dir)
	require.NoError(t, err)
	found := account.OfType(typ)
	require.Len(t, found, 1, typ)
	return found[0]
}

// changes are those of an update, without what stayed.
func changes(t *testing.T, stack auto.Stack) map[string]int {
	t.Helper()
	up, err := stack.Up(t.Context(), optup.ProgressStreams(io.Discard))
	require.NoError(t, err)
	counted := *up.Summary.ResourceChanges
	delete(counted, "same")
	return counted
}

func TestMonitoringStandsInItsRegions(t *testing.T) {
	dir, cfg := t.TempDir(), watchedSite()
	_, err := EnsureZone(dir, cfg.Zone)
	require.NoError(t, err)
	stack := newStack(t, dir, cfg)
	changes(t, stack)
	account, err := Read(dir)
	require.NoError(t, err)
	regions := map[string]int{}
	for _, alarm := range account.OfType(AlarmType) {
		regions[strings.Split(Text(alarm.Outputs, "arn"), ":")[3]]++
		assert.Equal(t, "berth", Text(Object(alarm.Outputs, "tagsAll"), "ManagedBy"))
	}
	assert.Equal(t, map[string]int{"eu-central-1": 11, "us-east-1": 1}, regions)
	assert.Empty(t, changes(t, stack), "a second update changes nothing")

	cfg.AlarmEmail, cfg.SnapshotsKept = "", 0
	changes(t, stack)
	account, err = Read(dir)
	require.NoError(t, err)
	for _, typ := range []string{TopicType, SubscriptionType, AlarmType, DashboardType, healthCheckType, lifecycleType} {
		assert.Empty(t, account.OfType(typ), typ)
	}
	cfg.Protect = false
	changes(t, stack)
	_, err = stack.Destroy(t.Context())
	require.NoError(t, err)
}

func TestAChangedTagReachesWhatHasTags(t *testing.T) {
	dir, cfg := t.TempDir(), watchedSite()
	_, err := EnsureZone(dir, cfg.Zone)
	require.NoError(t, err)
	require.NoError(t, EnsureBoundary(dir))
	stack := newStack(t, dir, cfg)
	changes(t, stack)
	tagged := func() (all []*Resource) {
		account, err := Read(dir)
		require.NoError(t, err)
		for typ, s := range schemas {
			// The zone and the boundary were there before the stack.
			if s.taggable() && typ != zoneType && typ != policyType {
				all = append(all, account.OfType(typ)...)
			}
		}
		return all
	}
	before := len(tagged())
	require.Greater(t, before, 20)
	const providers = 2
	for _, tags := range []map[string]string{{"Team": "web"}, {"Team": "ops", "Cost": "1"}, nil} {
		cfg.Tags = tags
		assert.Equal(t, map[string]int{"update": before + providers}, changes(t, stack), "in place, each that has tags")
		for _, resource := range tagged() {
			all := Object(resource.Outputs, "tagsAll")
			assert.Equal(t, tags["Team"], Text(all, "Team"), resource.ID)
			assert.Equal(t, tags["Cost"], Text(all, "Cost"), resource.ID)
			assert.Equal(t, "berth", Text(all, "ManagedBy"), resource.ID)
		}
		assert.Empty(t, changes(t, stack))
	}
}

// TestAnotherFamilyKeepsTheServer: it is stopped and started, credits come and go with the family, and the preview says so.
func TestAnotherFamilyKeepsTheServer(t *testing.T) {
	dir, cfg := t.TempDir(), watchedSite()
	_, err := EnsureZone(dir, cfg.Zone)
	require.NoError(t, err)
	stack := newStack(t, dir, cfg)
	changes(t, stack)
	server, volume := one(t, dir, instanceType), one(t, dir, volumeType)
	for _, step := range []struct{ wanted, says string }{
		{"m7i.large", "the server: t3.micro -> m7i.large, 7.59 -> 73.58 USD a month (+65.99), at the prices of us-east-1"},
		{"c6id.large", "the server: m7i.large -> c6id.large"},
		{"t3a.small", "it is stopped and started"},
	} {
		cfg.InstanceType = step.wanted
		var said strings.Builder
		_, err := stack.Preview(t.Context(), optpreview.ProgressStreams(&said))
		require.NoError(t, err)
		assert.Contains(t, strings.Join(strings.Fields(said.String()), " "), step.says)
		changes(t, stack)
		now := one(t, dir, instanceType)
		assert.Equal(t, server.ID, now.ID, step.wanted)
		assert.Equal(t, step.wanted, Text(now.Outputs, "instanceType"))
		assert.Equal(t, volume.ID, one(t, dir, volumeType).ID)
		account, err := Read(dir)
		require.NoError(t, err)
		burstable := strings.HasPrefix(step.wanted, "t")
		assert.Equal(t, burstable, slices.ContainsFunc(account.OfType(AlarmType), func(alarm *Resource) bool { return Text(alarm.Outputs, "metricName") == "CPUCreditBalance" }), step.wanted)
		assert.Empty(t, changes(t, stack), "a second update changes nothing")
	}
}

func TestRestoreFromASnapshot(t *testing.T) {
	dir, cfg := t.TempDir(), watchedSite()
	_, err := EnsureZone(dir, cfg.Zone)
	require.NoError(t, err)
	stack := newStack(t, dir, cfg)
	changes(t, stack)
	volume, server := one(t, dir, volumeType), one(t, dir, instanceType)
	snapshot, err := TakeSnapshot(context.Background(), dir, nil, volume.ID)
	require.NoError(t, err)

	cfg.VolumeSnapshot = snapshot
	_, err = stack.Up(t.Context(), optup.ProgressStreams(io.Discard))
	require.ErrorContains(t, err, "berth:volumeSnapshot is "+snapshot+": the data volume is protected")
	assert.Equal(t, volume.ID, one(t, dir, volumeType).ID)
	assert.Equal(t, server.ID, one(t, dir, instanceType).ID, "a refused restore touches nothing")

	cfg.Protect = false
	changes(t, stack)
	restored := one(t, dir, volumeType)
	assert.NotEqual(t, volume.ID, restored.ID)
	assert.Equal(t, snapshot, Text(restored.Outputs, "snapshotId"))
	assert.NotEqual(t, server.ID, one(t, dir, instanceType).ID, "nothing starts a server again that was stopped for its volume")
	tie := one(t, dir, attachmentType)
	assert.Equal(t, restored.ID, Text(tie.Outputs, "volumeId"))
	assert.Equal(t, one(t, dir, instanceType).ID, Text(tie.Outputs, "instanceId"))
	account, err := Read(dir)
	require.NoError(t, err)
	assert.Len(t, account.OfType(snapshotType), 2, "the replaced volume leaves a final snapshot")
	for _, alarm := range account.OfType(AlarmType) {
		if Text(alarm.Outputs, "namespace") == "AWS/EC2" {
			assert.Equal(t, one(t, dir, instanceType).ID, Text(Object(alarm.Outputs, "dimensions"), "InstanceId"))
		}
	}

	assert.Empty(t, changes(t, stack), "the setting may stay")
	cfg.Protect = true
	changes(t, stack)
	cfg.VolumeSnapshot = ""
	changes(t, stack)
	assert.Equal(t, restored.ID, one(t, dir, volumeType).ID, "or go")
}

// TestWhatIsProtectedIsNeitherRemovedNorReplaced turns every setting that would: the run is refused before anything is
// touched. (The Automation API's up has no preview of its own: it is pulumi up --skip-preview.)
func TestWhatIsProtectedIsNeitherRemovedNorReplaced(t *testing.T) {
	dir, cfg := t.TempDir(), watchedSite()
	cfg.CreateZone = true
	stack := newStack(t, dir, cfg)
	changes(t, stack)
	snapshot, err := TakeSnapshot(context.Background(), dir, nil, one(t, dir, volumeType).ID)
	require.NoError(t, err)
	everything := func() string {
		account, err := Read(dir)
		require.NoError(t, err)
		return strings.Join(account.Inventory(), "\n")
	}
	before, sound := everything(), *cfg
	for name, c := range map[string]struct {
		change  func()
		setting string
	}{
		"the bucket":                       {func() { cfg.DumpBucket = false }, "berth:dumpBucket is false: the bucket for dumps berth-dumps"},
		"the bucket, and the protection":   {func() { cfg.DumpBucket, cfg.Protect = false, false }, "berth:dumpBucket is false"},
		"the zone":                         {func() { cfg.CreateZone = false }, "berth:createZone is false: the stack made the hosted zone example.test"},
		"another zone":                     {func() { cfg.Zone = "app.example.test" }, "berth:zone is app.example.test"},
		"a snapshot":                       {func() { cfg.VolumeSnapshot = snapshot }, "berth:volumeSnapshot is " + snapshot},
		"an availability zone":             {func() { cfg.AvailabilityZone = "eu-central-1b" }, "berth:availabilityZone is eu-central-1b"},
		"a region":                         {func() { cfg.Region, cfg.AvailabilityZone = "us-east-1", "us-east-1a" }, "berth:region is us-east-1: the stack is in eu-central-1"},
		"the bucket with something before": {func() { cfg.DumpBucket, cfg.VPCCIDR, cfg.AlarmEmail = false, netip.MustParsePrefix("10.30.0.0/16"), "" }, "berth:dumpBucket is false"},
	} {
		*cfg = sound
		c.change()
		for run, err := range map[string]error{"up": upError(t, stack), "preview": previewError(t, stack)} {
			require.ErrorContains(t, err, c.setting, "%s, %s", name, run)
			assert.Contains(t, err.Error(), "nothing was touched", name)
			assert.NotContains(t, err.Error(), "marked for protection", name)
		}
		assert.Equal(t, before, everything(), name)
	}
	*cfg = sound
	assert.Empty(t, changes(t, stack), "a refused run leaves nothing behind")

	// The way that the refusal names.
	cfg.Protect = false
	changes(t, stack)
	cfg.DumpBucket = false
	changes(t, stack)
	account, err := Read(dir)
	require.NoError(t, err)
	assert.Empty(t, account.OfType("aws:s3/bucketV2:BucketV2"))
}

func upError(t *testing.T, stack auto.Stack) error {
	_, err := stack.Up(t.Context(), optup.ProgressStreams(io.Discard))
	return err
}

func previewError(t *testing.T, stack auto.Stack) error {
	_, err := stack.Preview(t.Context())
	return err
}
