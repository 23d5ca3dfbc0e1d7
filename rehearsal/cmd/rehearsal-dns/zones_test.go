package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/dns"
)

func TestZonesAreReadOutOfTheAccount(t *testing.T) {
	folder := t.TempDir()
	got, err := zones(folder)
	require.NoError(t, err, "before the first change there is no account")
	assert.Empty(t, got)

	file := filepath.Join(folder, "aws.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"Resources": {
		"aws:route53/zone:Zone::Z1": {"Type": "aws:route53/zone:Zone", "ID": "Z1", "Outputs": {"name": "example.test", "nameServers": ["ns-1.test"]}},
		"aws:route53/record:Record::r1": {"Type": "aws:route53/record:Record", "ID": "r1", "Outputs":
			{"zoneId": "Z1", "name": "app.example.test", "type": "A", "ttl": 300, "records": ["198.51.100.16"]}},
		"aws:route53/record:Record::r2": {"Type": "aws:route53/record:Record", "ID": "r2", "Outputs":
			{"zoneId": "Z2", "name": "of.another.zone", "type": "A", "ttl": 300, "records": ["198.51.100.17"]}}
	}}`), 0o600))
	got, err = zones(folder)
	require.NoError(t, err)
	assert.Equal(t, []dns.Zone{{
		Name: "example.test", NameServers: []string{"ns-1.test"},
		Records: []dns.Record{{Name: "app.example.test", Type: "A", TTL: 300, Values: []string{"198.51.100.16"}}},
	}}, got)

	require.NoError(t, os.WriteFile(file, []byte(`{"Resources": {
		"aws:route53/zone:Zone::Z1": {"Type": "aws:route53/zone:Zone", "ID": "Z1", "Outputs": {"name": "example.test", "undelegated": true}},
		"aws:route53/record:Record::r1": {"Type": "aws:route53/record:Record", "ID": "r1", "Outputs": {"zoneId": "Z1", "name": "app.example.test", "type": "A", "ttl": 300, "records": ["198.51.100.16"]}}
	}}`), 0o600))
	got, err = zones(folder)
	require.NoError(t, err)
	assert.Equal(t, []dns.Zone{{Name: "example.test"}}, got, "what is in a zone that is not delegated is not found")

	require.NoError(t, os.WriteFile(file, []byte(`{`), 0o600))
	_, err = zones(folder)
	assert.Error(t, err)
}
