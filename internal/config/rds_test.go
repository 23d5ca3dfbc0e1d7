package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRDSIsAnEngineOrAnObject(t *testing.T) {
	for value, want := range map[string]RDS{
		"postgres":              {"17", "db.t4g.micro", 20, false, "app", "app"},
		`{"engine":"postgres"}`: {"17", "db.t4g.micro", 20, false, "app", "app"},
		`{"version":16}`:        {"16", "db.t4g.micro", 20, false, "app", "app"},
		`{"engine":"postgres","version":"15","class":"db.m7g.large","sizeGB":65536,"multiAZ":true,"user":"postgres","database":"shop_1"}`: {"15", "db.m7g.large", 65536, true, "postgres", "shop_1"},
	} {
		cfg, err := Load(with("rds", value, "rdsPassword", "not-a-secret"), allSecret)
		require.NoError(t, err, value)
		assert.Equal(t, &want, cfg.RDS, value)
		assert.Equal(t, "not-a-secret", cfg.RDSPassword)
	}
	for _, none := range []string{"", "{}"} {
		cfg, err := Load(with("rds", none), allSecret)
		require.NoError(t, err)
		assert.Nil(t, cfg.RDS)
	}
}

// TestThePasswordOfRDS is one that RDS takes, is encrypted, and is shown nowhere.
func TestThePasswordOfRDS(t *testing.T) {
	for _, good := range []string{"12345678", strings.Repeat("x", 128), "!#$%&'()*+,-.:;<=>?[]^_`{|}~"} {
		_, err := Load(with("rds", "postgres", "rdsPassword", good), allSecret)
		assert.NoError(t, err, good)
	}
	for _, bad := range []string{"1234567", strings.Repeat("x", 129), "slash/slash", `quote"quote`, "at@at-at-at", "pässwörter", "tab\ttab-tab"} {
		_, err := Load(with("rds", "postgres", "rdsPassword", bad), allSecret)
		require.ErrorContains(t, err, "[rds-password-invalid]")
		assert.NotContains(t, err.Error(), bad)
	}
	_, err := Load(with("rds", "postgres", "rdsPassword", "not-a-secret"), func(string) bool { return false })
	require.ErrorContains(t, err, "[setting-in-plain-text]")
	assert.NotContains(t, err.Error(), "not-a-secret")
}

// TestRDSNeedsBerthsOwnNetwork, with room in it.
func TestRDSNeedsBerthsOwnNetwork(t *testing.T) {
	for id, settings := range map[string][]string{
		"rds-with-subnet":     {"subnetId", "subnet-0123456789abcdef0"},
		"rds-range-too-small": {"vpcCidr", "10.20.0.0/23"},
	} {
		_, err := Load(with(settings...), allSecret)
		require.NoError(t, err, id)
		_, problems := Parse("berth", with(append(settings, "rds", "postgres", "rdsPassword", "not-a-secret")...), allSecret)
		require.NotNil(t, problems, id)
		require.Len(t, problems.List, 1)
		assert.Equal(t, id, problems.List[0].ID)
	}
	_, err := Load(with("vpcCidr", "10.20.0.0/22", "rds", "postgres", "rdsPassword", "not-a-secret"), allSecret)
	assert.NoError(t, err)
}

func TestTheCommandOfRDSSetsIt(t *testing.T) {
	assert.Equal(t, "pulumi config rm berth:rds && pulumi config set --path berth:rds.engine postgres && pulumi config set --path berth:rds.version 16 && pulumi config set --path berth:rds.class db.t4g.small && "+
		"pulumi config set --path berth:rds.sizeGB 50 && pulumi config set --path berth:rds.multiAZ true && pulumi config set --path berth:rds.user me && pulumi config set --path berth:rds.database shop",
		RDS{"16", "db.t4g.small", 50, true, "me", "shop"}.Command())
}
