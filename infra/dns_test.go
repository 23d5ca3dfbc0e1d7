package infra

import (
	"testing"

	"berth/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// records maps "TYPE name" to the one value of each declared record.
func records(t *testing.T, c *cloud) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, record := range c.of("route53/record:Record") {
		assert.Equal(t, mockZoneID, text(record, "zoneId"))
		assert.Equal(t, 300.0, input(record, "ttl").NumberValue())
		assert.NotContains(t, record.Inputs, "allowOverwrite")
		values := input(record, "records").ArrayValue()
		require.Len(t, values, 1)
		found[text(record, "type")+" "+text(record, "name")] = values[0].StringValue()
	}
	return found
}

func TestRecordsOfAnExistingZone(t *testing.T) {
	var zoneID string
	nameServers := []string{"unread"}
	c := declare(t, nil, func(env *Environment) {
		read(t, env.DNS.ZoneID, &zoneID)
		read(t, env.DNS.NameServers, &nameServers)
	})
	assert.Empty(t, c.of("route53/zone:Zone"))
	assert.Equal(t, mockZoneID, zoneID)
	assert.Empty(t, nameServers)
	assert.Equal(t, map[string]string{
		"A app.example.com":        mockElasticIP,
		"A www.app.example.com":    mockElasticIP,
		"AAAA app.example.com":     "2001:db8:12:3400::10",
		"AAAA www.app.example.com": "2001:db8:12:3400::10",
		"CAA app.example.com":      `0 issue "letsencrypt.org"`,
		"CAA www.app.example.com":  `0 issue "letsencrypt.org"`,
	}, records(t, c))
	for _, record := range c.of("route53/record:Record") {
		assert.False(t, dependsOn(record, "ec2/instance:Instance", "server"),
			"%s: names resolve before the server is there", record.Name)
	}
}

// TestRecordsOfFurtherNames: of hosts that routes are for and of names that redirect, and none of those whose DNS is elsewhere.
func TestRecordsOfFurtherNames(t *testing.T) {
	c := declare(t, func(cfg *config.Config) {
		cfg.Aliases = []string{"shop.other.org"}
		cfg.Routes = []config.Route{{Path: "/"}, {Host: "api.example.com", Path: "/"}, {Host: "app.example.com", Path: "/x/"}}
		cfg.Redirects = map[string]string{"old.example.com": "app.example.com", "old.other.org": "app.example.com"}
		cfg.ExternalHosts = []string{"shop.other.org", "old.other.org"}
	}, nil)
	found := records(t, c)
	assert.Len(t, found, 9)
	for _, name := range []string{"app.example.com", "api.example.com", "old.example.com"} {
		assert.Equal(t, mockElasticIP, found["A "+name])
		assert.Equal(t, "2001:db8:12:3400::10", found["AAAA "+name])
		assert.Equal(t, `0 issue "letsencrypt.org"`, found["CAA "+name])
	}
}

func TestZoneOfTheStacksOwn(t *testing.T) {
	var zoneID string
	var nameServers []string
	c := declare(t, func(cfg *config.Config) { cfg.CreateZone = true }, func(env *Environment) {
		read(t, env.DNS.ZoneID, &zoneID)
		read(t, env.DNS.NameServers, &nameServers)
	})
	assert.Equal(t, "example.com", text(c.only(t, "route53/zone:Zone"), "name"))
	assert.Equal(t, mockZoneID, zoneID)
	assert.Equal(t, []string{"ns-1.example.net"}, nameServers)
	assert.Len(t, records(t, c), 6)
}

func TestNoIPv6NoAAAA(t *testing.T) {
	cfg, c := production(), newCloud()
	cfg.SubnetID, c.subnetIPv6 = "subnet-shared", ""
	require.NoError(t, c.run(cfg, nil))
	got := records(t, c)
	assert.Contains(t, got, "A app.example.com")
	assert.NotContains(t, got, "AAAA app.example.com")
}

func TestExistingSubnetsAddressIsNamed(t *testing.T) {
	c := declare(t, func(cfg *config.Config) { cfg.SubnetID = "subnet-shared" }, nil)
	assert.Equal(t, mockSharedIP6, records(t, c)["AAAA app.example.com"])
}

func TestCertificateAuthorityIsRestricted(t *testing.T) {
	for _, test := range []struct {
		name, directory, domain string
		createZone, want        bool
	}{
		{"Let's Encrypt", "https://acme-v02.api.letsencrypt.org/directory", "app.example.com", false, true},
		{"Let's Encrypt staging", "https://acme-staging-v02.api.letsencrypt.org/directory", "app.example.com", false, true},
		{"another authority", "https://acme.example.net/directory", "app.example.com", false, false},
		{"a look-alike", "https://api.letsencrypt.org.example.net/directory", "app.example.com", false, false},
		{"another look-alike", "https://notapi.letsencrypt.org/directory", "app.example.com", false, false},
		{"no address", "://", "app.example.com", false, false},
		{"apex of an existing zone", "https://acme-v02.api.letsencrypt.org/directory", "example.com", false, false},
		{"apex of the stack's own zone", "https://acme-v02.api.letsencrypt.org/directory", "example.com", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := declare(t, func(cfg *config.Config) {
				cfg.Domain, cfg.CreateZone, cfg.ACME.Directory = test.domain, test.createZone, test.directory
			}, nil)
			got := records(t, c)
			if test.want {
				assert.Equal(t, `0 issue "letsencrypt.org"`, got["CAA "+test.domain])
			} else {
				assert.NotContains(t, got, "CAA "+test.domain)
			}
		})
	}
}

func TestMissingZoneIsExplained(t *testing.T) {
	cfg, c := production(), newCloud()
	c.failing = "aws:route53/getZone:getZone"
	err := c.run(cfg, nil)
	require.ErrorContains(t, err, "look up the hosted zone example.com: ")
	assert.ErrorContains(t, err, "refused by AWS")
	assert.ErrorContains(t, err, "pulumi config set berth:createZone true")
}
