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

// A load balancer's name has its addresses, and so have its aliases, in either spelling; an alias of none has no address.
func TestAliasesHaveTheLoadBalancersAddresses(t *testing.T) {
	folder := t.TempDir()
	alias := func(typ, target string) string {
		return `{"Type": "aws:route53/record:Record", "ID": "x", "Outputs": {"zoneId": "Z1", "name": "app.example.test", "type": "` + typ + `",
			"aliases": [{"name": "` + target + `", "zoneId": "Z2", "evaluateTargetHealth": false}]}}`
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "aws.json"), []byte(`{"Resources": {
		"aws:route53/zone:Zone::Z1": {"Type": "aws:route53/zone:Zone", "ID": "Z1", "Outputs": {"name": "example.test"}},
		"a": `+alias("A", "dualstack.Site-1.eu-central-1.elb.amazonaws.com.")+`, "b": `+alias("AAAA", "site-1.eu-central-1.elb.amazonaws.com")+`, "c": `+alias("A", "site-2.eu-central-1.elb.amazonaws.com")+`,
		"lb": {"Type": "aws:lb/loadBalancer:LoadBalancer", "ID": "lb", "Outputs": {"dnsName": "site-1.eu-central-1.elb.amazonaws.com",
			"ipv4Addresses": ["198.51.100.130", "198.51.100.131"], "ipv6Addresses": ["2001:db8::1"]}}
	}}`), 0o600))
	got, err := zones(folder)
	require.NoError(t, err)
	require.Len(t, got, 2)
	v4, v6 := []string{"198.51.100.130", "198.51.100.131"}, []string{"2001:db8::1"}
	assert.ElementsMatch(t, []dns.Record{
		{Name: "app.example.test", Type: "A", TTL: 60, Values: v4}, {Name: "app.example.test", Type: "AAAA", TTL: 60, Values: v6}, {Name: "app.example.test", Type: "A", TTL: 60},
	}, got[0].Records)
	name := "site-1.eu-central-1.elb.amazonaws.com"
	assert.Equal(t, dns.Zone{Name: name, Records: []dns.Record{{Name: name, Type: "A", TTL: 60, Values: v4}, {Name: name, Type: "AAAA", TTL: 60, Values: v6}}}, got[1])
}

func TestEndpointsOfAGroup(t *testing.T) {
	folder := t.TempDir()
	write := func(group string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "aws.json"), []byte(`{"Resources": {`+group+`
			"aws:ec2/subnet:Subnet::s": {"Type": "aws:ec2/subnet:Subnet", "ID": "s", "Outputs": {"availabilityZone": "eu-central-1a"}}}}`), 0o600))
	}
	write("")
	got, err := zones(folder)
	require.NoError(t, err)
	assert.Empty(t, got, "without one they are not the rehearsal's")
	write(`"aws:autoscaling/group:Group::web": {"Type": "aws:autoscaling/group:Group", "ID": "web", "Outputs": {}},`)
	got, err = zones(folder)
	require.NoError(t, err)
	var names []string
	for _, zone := range got {
		names = append(names, zone.Name)
		assert.Equal(t, []string{"198.51.100.7"}, zone.Records[0].Values)
	}
	assert.Equal(t, []string{"autoscaling.eu-central-1.amazonaws.com", "elasticloadbalancing.eu-central-1.amazonaws.com", "ec2.eu-central-1.amazonaws.com"}, names)
}

// A database's name has its private address, for everybody.
func TestADatabasesNameHasItsAddress(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "aws.json"), []byte(`{"Resources": {
		"db": {"Type": "aws:rds/instance:Instance", "ID": "db-1", "Outputs": {"address": "berth-1.c0.eu-central-1.rds.amazonaws.com", "privateIpAddress": "10.20.255.228"}}}}`), 0o600))
	got, err := zones(folder)
	require.NoError(t, err)
	assert.Equal(t, []dns.Zone{{Name: "berth-1.c0.eu-central-1.rds.amazonaws.com", Records: []dns.Record{
		{Name: "berth-1.c0.eu-central-1.rds.amazonaws.com", Type: "A", TTL: 5, Values: []string{"10.20.255.228"}},
	}}}, got)
}
