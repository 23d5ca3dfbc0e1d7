package infra

import (
	"strings"
	"testing"

	"berth/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// cloudInit is the part of cloud-init's configuration that Berth uses.
type cloudInit struct {
	Hostname         string `yaml:"hostname"`
	PreserveHostname bool   `yaml:"preserve_hostname"`
	ManageEtcHosts   string `yaml:"manage_etc_hosts"`
	DisableRoot      bool   `yaml:"disable_root"`
	SSHPasswords     bool   `yaml:"ssh_pwauth"`
	Users            []struct {
		Name       string   `yaml:"name"`
		Gecos      string   `yaml:"gecos"`
		Shell      string   `yaml:"shell"`
		LockPasswd bool     `yaml:"lock_passwd"`
		Sudo       string   `yaml:"sudo"`
		Keys       []string `yaml:"ssh_authorized_keys"`
	} `yaml:"users"`
	DeleteKeys bool              `yaml:"ssh_deletekeys"`
	HostKeys   map[string]string `yaml:"ssh_keys"`
	SSH        struct {
		EmitKeys bool `yaml:"emit_keys_to_console"`
	} `yaml:"ssh"`
	NoFingerprints bool `yaml:"no_ssh_fingerprints"`
	PackageUpdate  bool `yaml:"package_update"`
	PackageUpgrade bool `yaml:"package_upgrade"`
}

func parse(t *testing.T, text string) cloudInit {
	t.Helper()
	require.True(t, strings.HasPrefix(text, "#cloud-config\n"), "cloud-init goes by the first line")
	var parsed cloudInit
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&parsed))
	return parsed
}

func TestUserDataPinsTheHostKeyAndAdmitsTheClient(t *testing.T) {
	var hostPublic, clientPublic string
	c := declare(t, nil, func(env *Environment) {
		read(t, env.Keys.HostPublic, &hostPublic)
		read(t, env.Keys.ClientPublic, &clientPublic)
	})
	instance := c.only(t, "ec2/instance:Instance")
	assert.True(t, instance.Inputs["userData"].IsSecret(), "the user data holds the host key")

	got := parse(t, text(instance, "userData"))
	assert.Equal(t, map[string]string{"ed25519_private": c.private["host-key"], "ed25519_public": hostPublic}, got.HostKeys)
	assert.True(t, got.DeleteKeys)
	require.Len(t, got.Users, 1)
	user := got.Users[0]
	assert.Equal(t, "admin", user.Name)
	assert.Equal(t, "/bin/bash", user.Shell)
	assert.Equal(t, "ALL=(ALL) NOPASSWD:ALL", user.Sudo)
	assert.Equal(t, []string{clientPublic}, user.Keys)
	assert.True(t, user.LockPasswd)
	assert.True(t, got.DisableRoot)
	assert.False(t, got.SSHPasswords)
	assert.False(t, got.SSH.EmitKeys)
	assert.True(t, got.NoFingerprints)
	assert.False(t, got.PackageUpdate)
	assert.False(t, got.PackageUpgrade)
	assert.Equal(t, "berth", got.Hostname)
}

// Every changed byte replaces the server: what a stack may change later has no place in the user data.
func TestUserDataDependsOnTheKeysAlone(t *testing.T) {
	private, _, err := newKey()
	require.NoError(t, err)
	rendered := func(change func(cfg *config.Config)) string {
		var hostPublic string
		c := declare(t, func(cfg *config.Config) {
			cfg.SSHPrivateKey = private
			change(cfg)
		}, func(env *Environment) { read(t, env.Keys.HostPublic, &hostPublic) })
		// The engine keeps the host key it once made; here each run makes another.
		hostPrivate, err := quote(c.private["host-key"])
		require.NoError(t, err)
		data := text(c.only(t, "ec2/instance:Instance"), "userData")
		return strings.NewReplacer(hostPrivate, "PRIVATE", hostPublic, "PUBLIC").Replace(data)
	}
	before := rendered(func(*config.Config) {})
	after := rendered(func(cfg *config.Config) {
		cfg.Domain, cfg.Aliases, cfg.Zone = "shop.example.org", nil, "example.org"
		cfg.InstanceType, cfg.VolumeSize, cfg.Protect = "t3.small", 40, false
		cfg.OperatorCIDRs = cfg.OperatorCIDRs[:1]
		cfg.Tags = nil
	})
	assert.Contains(t, before, "PRIVATE")
	assert.Contains(t, before, "PUBLIC")
	assert.Equal(t, before, after)
}

func TestRenderQuotesWhatYAMLWouldRead(t *testing.T) {
	hostile := "a\"b\\c: #d\n- e\t<&>'{{ .User }}\u2028é"
	text, err := firstBoot{User: User, ClientPublic: hostile, HostPrivate: hostile, HostPublic: hostile}.render()
	require.NoError(t, err)
	got := parse(t, text)
	assert.Equal(t, []string{hostile}, got.Users[0].Keys)
	assert.Equal(t, map[string]string{"ed25519_private": hostile, "ed25519_public": hostile}, got.HostKeys)
}

func TestRenderKeepsWithinWhatEC2Takes(t *testing.T) {
	_, err := firstBoot{User: User, HostPrivate: strings.Repeat("k", 16*1024)}.render()
	require.ErrorContains(t, err, "16384 that EC2 takes")
	assert.NotContains(t, err.Error(), "kkk")
}
