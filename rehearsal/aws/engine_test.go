package aws

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/config"
	"berth/infra"
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

// newStackBy makes one by a provider of the test's own. It skips the test where BERTH_PULUMI does not name the Pulumi CLI.
func newStackBy(t *testing.T, account *Provider, cfg *config.Config) auto.Stack {
	cli := os.Getenv("BERTH_PULUMI")
	if cli == "" {
		t.Skip("BERTH_PULUMI does not name the Pulumi CLI; make tools builds it")
	}
	// The Automation API wants a folder that holds bin/pulumi.
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "bin"), 0o700))
	require.NoError(t, os.Symlink(cli, filepath.Join(root, "bin", "pulumi")))
	pulumiCommand, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root})
	require.NoError(t, err)
	var attach []string
	for name, server := range map[string]pulumirpc.ResourceProviderServer{"aws": account, "tls": tls.New()} {
		port, stop, err := provider.Serve(server)
		require.NoError(t, err)
		t.Cleanup(stop)
		attach = append(attach, fmt.Sprintf("%s:%d", name, port))
	}
	program := func(ctx *pulumi.Context) error {
		_, err := infra.New(ctx, cfg)
		return err
	}
	stack, err := auto.UpsertStackInlineSource(t.Context(), "test", "berth", program,
		auto.Pulumi(pulumiCommand), auto.PulumiHome(t.TempDir()), auto.WorkDir(t.TempDir()), auto.SecretsProvider("passphrase"),
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
		regions[strings.Split(text(alarm.Outputs, "arn"), ":")[3]]++
		assert.Equal(t, "berth", text(object(alarm.Outputs, "tagsAll"), "ManagedBy"))
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
	require.ErrorContains(t, err, "marked for protection")
	assert.Equal(t, volume.ID, one(t, dir, volumeType).ID)
	assert.Equal(t, server.ID, one(t, dir, instanceType).ID, "a refused restore touches nothing")

	cfg.Protect = false
	changes(t, stack)
	restored := one(t, dir, volumeType)
	assert.NotEqual(t, volume.ID, restored.ID)
	assert.Equal(t, snapshot, text(restored.Outputs, "snapshotId"))
	assert.NotEqual(t, server.ID, one(t, dir, instanceType).ID, "nothing starts a server again that was stopped for its volume")
	tie := one(t, dir, attachmentType)
	assert.Equal(t, restored.ID, text(tie.Outputs, "volumeId"))
	assert.Equal(t, one(t, dir, instanceType).ID, text(tie.Outputs, "instanceId"))
	account, err := Read(dir)
	require.NoError(t, err)
	assert.Len(t, account.OfType(snapshotType), 2, "the replaced volume leaves a final snapshot")
	for _, alarm := range account.OfType(AlarmType) {
		if text(alarm.Outputs, "namespace") == "AWS/EC2" {
			assert.Equal(t, one(t, dir, instanceType).ID, text(object(alarm.Outputs, "dimensions"), "InstanceId"))
		}
	}

	assert.Empty(t, changes(t, stack), "the setting may stay")
	cfg.Protect = true
	changes(t, stack)
	cfg.VolumeSnapshot = ""
	changes(t, stack)
	assert.Equal(t, restored.ID, one(t, dir, volumeType).ID, "or go")
}
