package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAccountBinding takes both halves or neither, and the key in base64url, padded or not; it is never shown.
func TestAccountBinding(t *testing.T) {
	const key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	for _, padding := range []string{"", "=="} {
		cfg, err := Load(with("acmeEabKeyId", "kid-1", "acmeEabKey", key[:22]+padding), allSecret)
		require.NoError(t, err)
		assert.Equal(t, "kid-1", cfg.ACME.EABKeyID)
		assert.Equal(t, key[:22], cfg.ACME.EABKey)
	}
	cfg, err := Load(with(), allSecret)
	require.NoError(t, err)
	assert.Empty(t, cfg.ACME.EABKeyID+cfg.ACME.EABKey)
	for _, test := range []struct{ id, key, says, fix string }{
		{"kid-1", "", "a key id comes with its key", "pulumi config set --secret berth:acmeEabKey"},
		{"", key, "a key comes with its key id", "pulumi config set berth:acmeEabKeyId KEY_ID"},
		{"kid-1", "a+/b" + key, "base64url", "pulumi config set --secret berth:acmeEabKey"},
		{"kid-1", "not a key" + key, "base64url", "pulumi config set --secret berth:acmeEabKey"},
		{"kid-1", key[:20], "16 bytes or more", "pulumi config set --secret berth:acmeEabKey"},
		{"kid 1", key, "the key id is required", "pulumi config set berth:acmeEabKeyId"},
		{"[kid]", key, "the key id is required", "pulumi config set berth:acmeEabKeyId"},
		{"kid\nserver = x", key, "the key id is required", "pulumi config set"},
	} {
		_, err := Load(with("acmeEabKeyId", test.id, "acmeEabKey", test.key), allSecret)
		require.ErrorContains(t, err, test.says)
		require.ErrorContains(t, err, test.fix)
		if test.key != "" {
			assert.NotContains(t, err.Error(), test.key)
		}
	}
	_, err = Load(with("acmeEabKeyId", "kid-1", "acmeEabKey", key), func(string) bool { return false })
	require.ErrorContains(t, err, "stored in plain text")
	assert.NotContains(t, err.Error(), key)
}

// TestAProfileTakesFewerNames: those of Let's Encrypt with short lives take 25, its own and an unknown one 100.
func TestAProfileTakesFewerNames(t *testing.T) {
	for _, profile := range []string{"shortlived", "tlsserver"} {
		_, err := Load(with("acmeProfile", profile, "aliases", names(24)), allSecret)
		require.NoError(t, err, profile)
		_, err = Load(with("acmeProfile", profile, "aliases", names(25)), allSecret)
		require.ErrorContains(t, err, "a certificate of the profile "+profile+" holds at most 25 names; there are 26")
		require.ErrorContains(t, err, "pulumi config rm --path 'berth:aliases[24]'")
	}
	_, err := Load(with("acmeProfile", "classic", "aliases", names(99)), allSecret)
	assert.NoError(t, err)
}

func TestLoadRefuses(t *testing.T) {
	for _, test := range []struct {
		setting, value, path, reason, fix string
	}{
		{"domain", "", "domain", "required", "pulumi config set berth:domain app.example.com"},
		{"domain", "https://app.example.com/", "domain", "not a URL", "pulumi config set berth:domain app.example.com"},
		{"domain", "App.Example.com.", "domain", "lower case", "pulumi config set berth:domain app.example.com"},
		{"domain", "*.example.com", "domain", "wildcard", "pulumi config set berth:domain example.com"},
		{"domain", "a_b.example.com", "domain", "DNS name", "pulumi config set berth:domain"},
		{"domain", "192.0.2.1", "domain", "not an address", "pulumi config set berth:domain"},
		{"domain", strings.Repeat("a.", 130) + "com", "domain", "253", "pulumi config set berth:domain"},
		{"aliases", `["app.example.com"]`, "aliases[0]", "there already", "pulumi config rm --path 'berth:aliases[0]'"},
		{"aliases", `["www.other.org"]`, "aliases[0]", "outside the zone example.com", "pulumi config rm --path 'berth:aliases[0]'"},
		{"aliases", `["WWW.example.com"]`, "aliases[0]", "lower case", "pulumi config set --path 'berth:aliases[0]' www.example.com"},
		{"aliases", `["www.example.com",["x"]]`, "aliases[1]", "DNS name", "pulumi config set --path 'berth:aliases[1]'"},
		{"aliases", names(100), "aliases", "at most 100 names; there are 101", "pulumi config rm"},
		{"allow", `["root"]`, "allow[0]", "one of capabilities, devices, docker-socket, host-mounts, host-namespaces, privileged, unconfined", "pulumi config rm --path 'berth:allow[0]'"},
		{"allow", `"privileged"`, "allow", "a list", "pulumi config rm berth:allow && pulumi config set --path 'berth:allow[0]'"},
		{"aliases", `"www"`, "aliases", "a list", "pulumi config rm berth:aliases && pulumi config set --path 'berth:aliases[0]'"},
		{"domain", "co.uk", "zone", "no zone follows", "pulumi config set berth:zone co.uk"},
		{"domain", strings.Repeat("a", 64) + ".example.com", "domain", "63", "pulumi config set berth:domain"},
		{"domain", "app", "domain", "DNS name", "pulumi config set berth:domain"},
		{"zone", "other.org", "domain", "outside the zone", "pulumi config set berth:zone example.com"},
		{"zone", "-.org", "zone", "DNS name", "pulumi config set berth:zone"},
		{"createZone", "maybe", "createZone", "true or false", "pulumi config set berth:createZone true"},
		{"operatorCidrs", "[]", "operatorCidrs", "required", "pulumi config set --path 'berth:operatorCidrs[0]'"},
		{"operatorCidrs", `["0.0.0.0/0"]`, "operatorCidrs[0]", "never open to everyone", "pulumi config set --path"},
		{"operatorCidrs", `["::/0"]`, "operatorCidrs[0]", "never open to everyone", "pulumi config set --path"},
		{"operatorCidrs", `["10.0.0.0/7"]`, "operatorCidrs[0]", "most of the internet", "pulumi config set --path"},
		{"operatorCidrs", `["2001:db8::/31"]`, "operatorCidrs[0]", "no wider than /32", "pulumi config set --path"},
		{"operatorCidrs", `["::ffff:0.0.0.0/96"]`, "operatorCidrs[0]", "its own notation", "pulumi config set --path"},
		{"operatorCidrs", networks(41), "operatorCidrs", "at most 40 networks are allowed, since a security group holds 60 rules; there are 41", "pulumi config rm"},
		{"operatorCidrs", `{"a":"203.0.113.7/32"}`, "operatorCidrs", "a list", "pulumi config rm berth:operatorCidrs && pulumi config set --path"},
		{"operatorCidrs", "203.0.113.7", "operatorCidrs[0]", "CIDR", "pulumi config set --path 'berth:operatorCidrs[0]' 203.0.113.7/32"},
		{"operatorCidrs", `["203.0.113.7"]`, "operatorCidrs[0]", "CIDR", "203.0.113.7/32"},
		{"operatorCidrs", `["203.0.113.7/24"]`, "operatorCidrs[0]", "203.0.113.0/24", "203.0.113.0/24"},
		{"operatorCidrs", `["203.0.113.7/32","203.0.113.7/32"]`, "operatorCidrs[1]", "there already", "pulumi config rm"},
		{"region", "Frankfurt", "region", "region's code", "pulumi config set berth:region"},
		{"region", "cn-north-1", "region", "another partition of AWS than aws", "pulumi config set berth:region eu-central-1"},
		{"region", "us-gov-west-1", "region", "another partition of AWS than aws", "pulumi config set berth:region eu-central-1"},
		{"region", "us-iso-east-1", "region", "another partition of AWS than aws", "pulumi config set berth:region eu-central-1"},
		{"region", "us-isob-east-1", "region", "another partition of AWS than aws", "pulumi config set berth:region eu-central-1"},
		{"region", "eu-isoe-west-1", "region", "another partition of AWS than aws", "pulumi config set berth:region eu-central-1"},
		{"region", "eusc-de-east-1", "region", "another partition of AWS than aws", "pulumi config set berth:region eu-central-1"},
		{"region", "xx-north-1", "region", "region's code", "pulumi config set berth:region eu-central-1"},
		{"availabilityZone", "us-east-1a", "availabilityZone", "zone of the region", "eu-central-1a"},
		{"instanceType", "m5.huge", "instanceType", "instance type of these families", "m5.large"},
		{"instanceType", "p5.48xlarge", "instanceType", "instance type of these families", "t3.micro"},
		{"instanceType", "m4.large", "instanceType", "before the Nitro System", "m5.large"},
		{"instanceType", "c5.metal", "instanceType", "a whole machine", "c5.large"},
		{"instanceType", "m7g.2xlarge", "instanceType", "ARM", "m7a.2xlarge"},
		{"instanceType", "t4g.small", "instanceType", "ARM", "t3.small"},
		{"servers", "0", "servers", "from 1 to 20 is required", "pulumi config set berth:servers 1"},
		{"servers", "21", "servers", "from 1 to 20 is required", "pulumi config set berth:servers 1"},
		{"servers", "three", "servers", "a whole number of servers, or {min, max, cpu, first, sticky, accessLogs}", "pulumi config set berth:servers 1"},
		{"servers", "2.5", "servers", "a whole number of servers", "pulumi config set berth:servers 1"},
		{"servers", `[2,4]`, "servers", "a whole number of servers", "pulumi config set berth:servers 1"},
		{"servers", `{"min":2,"maxx":4}`, "servers.maxx", "the nearest is max", "pulumi config rm --path berth:servers.maxx"},
		{"servers", `{"Min":2}`, "servers.Min", "the nearest is min", "pulumi config rm --path berth:servers.Min"},
		{"servers", `{"min":"2"}`, "servers.min", "a whole number without quotes", "pulumi config set --path berth:servers.min 2"},
		{"servers", `{"max":null}`, "servers.max", "a whole number without quotes", "pulumi config set --path berth:servers.max 4"},
		{"servers", `{"max":2,"sticky":1}`, "servers.sticky", "true or false without quotes", "pulumi config set --path berth:servers.sticky true"},
		{"servers", `{"min":0,"max":4}`, "servers.min", "1 to max (4) servers", "pulumi config set --path berth:servers.min 1"},
		{"servers", `{"min":5,"max":4}`, "servers.min", "1 to max (4) servers", "pulumi config set --path berth:servers.min 4"},
		{"servers", `{"min":2,"max":21}`, "servers.max", "1 to 20 servers", "pulumi config set --path berth:servers.max 2"},
		{"servers", `{"min":30}`, "servers.max", "1 to 20 servers", "pulumi config set --path berth:servers.max 20"},
		{"servers", `{"min":2,"max":4,"cpu":9}`, "servers.cpu", "percent from 10 to 90", "pulumi config set --path berth:servers.cpu 60"},
		{"servers", `{"min":2,"max":4,"cpu":91}`, "servers.cpu", "percent from 10 to 90", "pulumi config set --path berth:servers.cpu 60"},
		{"servers", `{"max":4,"accessLogs":3651}`, "servers.accessLogs", "0 to 3650 days", "pulumi config set --path berth:servers.accessLogs 30"},
		{"servers", `{"min":1,"max":4}`, "servers.min", "at least 2 servers", "pulumi config set --path berth:servers.min 2"},
		{"servers", `{"first":false}`, "servers.first", "the first server may be the only one", "pulumi config set --path berth:servers.first true"},
		{"rds", "mysql", "rds", "the one engine", "pulumi config set berth:rds postgres"},
		{"rds", `["postgres"]`, "rds", "postgres, or {engine, version", "pulumi config set berth:rds postgres"},
		{"rds", "postgres", "rdsPassword", "needs a password", "pulumi config set --secret --path berth:rdsPassword"},
		{"rds", `{"engine":"mariadb"}`, "rds.engine", "the one engine", "pulumi config set --path berth:rds.engine postgres"},
		{"rds", `{"version":"9.6"}`, "rds.version", "one of 15, 16, 17", "pulumi config set --path berth:rds.version 17"},
		{"rds", `{"version":17.2}`, "rds.version", "a text is required", "pulumi config set --path berth:rds.version 17"},
		{"rds", `{"class":"db.t3.micro"}`, "rds.class", "one of db.t4g.micro", "pulumi config set --path berth:rds.class db.t4g.micro"},
		{"rds", `{"sizeGB":19}`, "rds.sizeGB", "20 to 65536", "pulumi config set --path berth:rds.sizeGB 20"},
		{"rds", `{"sizeGB":65537}`, "rds.sizeGB", "20 to 65536", "pulumi config set --path berth:rds.sizeGB 20"},
		{"rds", `{"sizeGB":"50"}`, "rds.sizeGB", "without quotes", "pulumi config set --path berth:rds.sizeGB 50"},
		{"rds", `{"multiAZ":"yes"}`, "rds.multiAZ", "true or false", "pulumi config set --path berth:rds.multiAZ true"},
		{"rds", `{"multiAZ":null}`, "rds.multiAZ", "true or false", "pulumi config set --path berth:rds.multiAZ true"},
		{"rds", `{"multiAz":true}`, "rds.multiAz", "the nearest is multiAZ", "pulumi config rm --path berth:rds.multiAz"},
		{"rds", `{"user":"admin"}`, "rds.user", "begin with a letter", "pulumi config set --path berth:rds.user app"},
		{"rds", `{"user":"Pg_me"}`, "rds.user", "keeps to itself", "pulumi config set --path berth:rds.user app"},
		{"rds", `{"user":"a23456789012345678"}`, "rds.user", "1 to 16", "pulumi config set --path berth:rds.user app"},
		{"rds", `{"user":"a'b"}`, "rds.user", "letters, digits", "pulumi config set --path berth:rds.user app"},
		{"rds", `{"database":"1shop"}`, "rds.database", "begin with a letter", "pulumi config set --path berth:rds.database app"},
		{"rds", `{"database":"template1"}`, "rds.database", "keeps to itself", "pulumi config set --path berth:rds.database app"},
		{"rdsPassword", "short", "rdsPassword", "8 to 128", "pulumi config set --secret --path berth:rdsPassword"},
		{"rdsPassword", "with a space", "rdsPassword", "without a space", "pulumi config set --secret --path berth:rdsPassword"},
		{"ami", "ami-1", "ami", "image's id", "pulumi config rm"},
		{"volumeSize", "4", "volumeSize", "8 to 16384", "pulumi config set berth:volumeSize 20"},
		{"volumeSize", "20GB", "volumeSize", "whole number", "pulumi config set berth:volumeSize 20"},
		{"volumeSize", "16385", "volumeSize", "8 to 16384", "pulumi config set berth:volumeSize 20"},
		{"volumeSize", "20]", "volumeSize", "whole number", "pulumi config set berth:volumeSize 20"},
		{"volumeSize", "1e400", "volumeSize", "whole number", "pulumi config set berth:volumeSize 20"},
		{"subnetId", "subnet-x", "subnetId", "subnet's id", "pulumi config rm"},
		{"vpcCidr", "8.8.0.0/16", "vpcCidr", "private", "10.20.0.0/16"},
		{"vpcCidr", "10.0.0.0/8", "vpcCidr", "/16 to /24", "10.20.0.0/16"},
		{"protect", "1", "protect", "true or false", "pulumi config set berth:protect true"},
		{"tags", `{"aws:x":"y"}`, `tags["aws:x"]`, "reserved", "pulumi config rm"},
		{"tags", `["x"]`, "tags", "a map", "pulumi config rm berth:tags && pulumi config set --path berth:tags.NAME"},
		{"tags", `{"berth:x":"y"}`, `tags["berth:x"]`, "reserved", "pulumi config rm"},
		{"tags", `{"A":"` + strings.Repeat("x", 257) + `"}`, "tags.A", "256", "pulumi config rm --path berth:tags.A"},
		{"tags", `{"` + strings.Repeat("x", 129) + `":"y"}`, "tags.xxx", "1 to 128", "pulumi config rm"},
		{"tags", `{"A":{"B":"C"}}`, "tags.A", "a text is required", "pulumi config set --path berth:tags.A"},
		{"tags", variables(41), "tags", "at most 40 tags are allowed; there are 41", "pulumi config rm berth:tags"},
		{"tags", `{"Name":"y"}`, "tags.Name", "reserved", "pulumi config rm"},
		{"tags", `{"managedby":"y"}`, "tags.managedby", "reserved", "pulumi config rm"},
		{"tags", `{"Berth:x":"y"}`, `tags["Berth:x"]`, "reserved", "pulumi config rm"},
		{"tags", `{"Team":"a","team":"b"}`, "tags.team", "there is the tag Team too", "pulumi config rm --path berth:tags.team"},
		{"repository", "", "repository", "required", "pulumi config set berth:repository"},
		{"repository", "http://example.com/a.git", "repository", "https", "pulumi config set berth:repository"},
		{"repository", "https://example.com:65536/a.git", "repository", "https", "pulumi config set berth:repository"},
		{"repository", "HTTPS://example.com/a.git", "repository", "https", "pulumi config set berth:repository"},
		{"repository", "https://example.com/a.git?x=y", "repository", "https", "pulumi config set berth:repository"},
		{"repository", "https://example.com/a.git#", "repository", "https", "pulumi config set berth:repository"},
		{"repository", "git@-oProxyCommand=id:a", "repository", "https", "pulumi config set berth:repository"},
		{"repository", "ssh://-oProxyCommand=id/a", "repository", "https", "pulumi config set berth:repository"},
		{"repository", "https://example.com/a\x1b[31m", "repository", `\x1b`, "pulumi config set berth:repository"},
		{"repository", "ssh://git@git.example.com:2222/a.git", "repositoryHostKey", "host key", "ssh-keyscan -p 2222 -t ed25519 git.example.com"},
		{"repository", "file:///etc", "repository", "https", "pulumi config set berth:repository"},
		{"repository", "ext::sh -c id", "repository", "https", "pulumi config set berth:repository"},
		{"repository", "--upload-pack=id", "repository", "https", "pulumi config set berth:repository"},
		{"repository", "https://user:pass@example.com/a.git", "repository", "password", "pulumi config set berth:repository"},
		{"repository", "git@github.com:you/app.git", "deployKey", "deploy key", "pulumi config set --secret berth:deployKey"},
		{"repository", "ssh://git@git.example.com/a.git", "repositoryHostKey", "host key", "ssh-keyscan -t ed25519 git.example.com"},
		{"deployKey", "nonsense", "deployKey", "no private key", "pulumi config set --secret berth:deployKey"},
		{"sshPrivateKey", "nonsense", "sshPrivateKey", "no private key", "pulumi config set --secret berth:sshPrivateKey"},
		{"ref", "--exec", "ref", "branch", "pulumi config set berth:ref main"},
		{"ref", "a..b", "ref", "branch", "pulumi config set berth:ref main"},
		{"ref", "a.lock/b", "ref", "branch", "pulumi config set berth:ref main"},
		{"ref", "a@{1}", "ref", "branch", "pulumi config set berth:ref main"},
		{"ref", "a b", "ref", "branch", "pulumi config set berth:ref main"},
		{"composeFile", "./compose.yaml", "composeFile", "stay inside", "compose.yaml"},
		{"composeFile", "-f.yaml", "composeFile", "stay inside", "compose.yaml"},
		{"composeFile", "a\n.yaml", "composeFile", "stay inside", "compose.yaml"},
		{"composeFile", "../compose.yaml", "composeFile", "stay inside", "compose.yaml"},
		{"composeFile", "/etc/compose.yaml", "composeFile", "stay inside", "compose.yaml"},
		{"composeFile", "a/../../compose.yaml", "composeFile", "stay inside", "compose.yaml"},
		{"releaseStrategy", "rolling", "releaseStrategy", "blue-green or stop-first", "pulumi config set berth:releaseStrategy blue-green"},
		{"healthyWithin", "4", "healthyWithin", "5 to 900", "pulumi config set berth:healthyWithin 300"},
		{"maxBody", "0", "maxBody", "1 to 256", "pulumi config set berth:maxBody 100"},
		{"maxBody", "257", "maxBody", "1 to 256", "pulumi config set berth:maxBody 100"},
		{"maxBody", "100m", "maxBody", "1 to 256", "pulumi config set berth:maxBody 100"},
		{"uploadLimit", "100", "uploadLimit", "no such setting", "pulumi config rm berth:uploadLimit"},
		{"timeout", "0", "timeout", "seconds, 1 to 86400", "pulumi config set berth:timeout 300"},
		{"timeout", "86401", "timeout", "seconds, 1 to 86400", "pulumi config set berth:timeout 300"},
		{"timeout", "5m", "timeout", "seconds, 1 to 86400", "pulumi config set berth:timeout 300"},
		{"drainWithin", "601", "drainWithin", "0 to 600", "pulumi config set berth:drainWithin 30"},
		{"keepReleases", "1", "keepReleases", "2 to 20", "pulumi config set berth:keepReleases 3"},
		{"keepReleases", "many", "keepReleases", "whole number", "pulumi config set berth:keepReleases 3"},
		{"migration", `{"service":"api"}`, "migration.command", "required", "pulumi config set --path berth:migration.command ./migrate"},
		{"migration", `{"service":"-","command":"x"}`, "migration.service", "service of the compose file", "pulumi config set --path berth:migration.service api"},
		{"migration", `{"service":"api","command":"a\nb"}`, "migration.command", "one line", "pulumi config set --path berth:migration.command ./migrate"},
		{"migration", `{"service":"api","comand":"x","command":"x"}`, "migration.comand", "the nearest is command", "pulumi config rm --path berth:migration.comand"},
		{"migration", `["x"]`, "migration", "an object with command, service", "pulumi config rm berth:migration && pulumi config set"},
		{"jobs", `{"name":"a"}`, "jobs", "a list of {name, schedule, service, command}", "pulumi config rm berth:jobs && pulumi config set --path 'berth:jobs[0].name' nightly"},
		{"jobs", `["a"]`, "jobs[0]", "a job is", "pulumi config rm --path 'berth:jobs[0]'"},
		{"jobs", `[null]`, "jobs[0]", "a job is", "pulumi config rm --path 'berth:jobs[0]'"},
		{"jobs", `[{"name":"A b","schedule":"@daily","service":"web","command":"x"}]`, "jobs[0].name", "small letters", "pulumi config set --path 'berth:jobs[0].name' nightly"},
		{"jobs", `[{"schedule":"@daily","service":"web","command":"x"}]`, "jobs[0].name", "required", "pulumi config set --path 'berth:jobs[0].name' nightly"},
		{"jobs", `[{"name":"a","schedule":"@daily","service":"web","command":"x"},{"name":"a","schedule":"@daily","service":"web","command":"x"}]`, "jobs[1].name", "another job", "pulumi config set --path 'berth:jobs[1].name' nightly-2"},
		{"jobs", `[{"name":"a","schedule":"61 * * * *","service":"web","command":"x"}]`, "jobs[0].schedule", "a number from 0 to 59", "pulumi config set --path 'berth:jobs[0].schedule' '30 2 * * *'"},
		{"jobs", `[{"name":"a","service":"web","command":"x"}]`, "jobs[0].schedule", "required", "pulumi config set --path 'berth:jobs[0].schedule' '30 2 * * *'"},
		{"jobs", `[{"name":"a","schedule":"@daily","service":"-","command":"x"}]`, "jobs[0].service", "service of the compose file", "pulumi config set --path 'berth:jobs[0].service' web"},
		{"jobs", `[{"name":"a","schedule":"@daily","service":"web","command":"x\ny"}]`, "jobs[0].command", "one line", "pulumi config set --path 'berth:jobs[0].command' ./cleanup"},
		{"jobs", `[{"name":"a","schedule":"@daily","service":"web","command":["x"]}]`, "jobs[0].command", "one line", "pulumi config set --path 'berth:jobs[0].command' ./cleanup"},
		{"jobs", `[{"name":"a","schedule":"@daily","service":"web","command":"x","timeout":5}]`, "jobs[0].timeout", "10 to 86400", "pulumi config set --path 'berth:jobs[0].timeout' 3600"},
		{"jobs", `[{"name":"a","schedule":"@daily","service":"web","command":"x","timeout":"10"}]`, "jobs[0].timeout", "10 to 86400", "pulumi config set --path 'berth:jobs[0].timeout' 3600"},
		{"jobs", `[{"name":"a","schedul":"@daily","service":"web","command":"x"}]`, "jobs[0].schedul", "the nearest is schedule", "pulumi config rm --path 'berth:jobs[0].schedul'"},
		{"jobs", "[" + strings.TrimSuffix(strings.Repeat(`{"name":"a"},`, 51), ",") + "]", "jobs", "50 at most", "pulumi config rm --path 'berth:jobs[50]'"},
		{"database", `{"service":"db","dump":"x"}`, "database.restore", "required", "pulumi config set --path berth:database.restore"},
		{"images", `{"api":"-x"}`, "images.api", "by tag or digest", "pulumi config set --path berth:images.api registry.example.com/you/api:1.4.2"},
		{"images", `{"a b":"x"}`, `images["a b"]`, "none of a service", "pulumi config rm"},
		{"registries", `{"registry.example.com":"token"}`, `registries["registry.example.com"]`, "user:password", "pulumi config set --secret --path"},
		{"registries", `{"https://registry.example.com":"a:b"}`, `registries["https://registry.example.com"]`, "name of a registry", "pulumi config rm"},
		{"routes", `[{"path":"/","service":"web","port":80,"health":"x y"}]`, "routes[0].health", "/healthz", "pulumi config set --path 'berth:routes[0].health' /healthz"},
		{"routes", `[{"path":"/","service":"web","port":80,"maxBody":0}]`, "routes[0].maxBody", "1 to 256", "pulumi config set --path 'berth:routes[0].maxBody' 100"},
		{"routes", `[{"path":"/","service":"web","port":80,"maxBody":257}]`, "routes[0].maxBody", "1 to 256", "pulumi config set --path 'berth:routes[0].maxBody' 100"},
		{"routes", `[{"path":"/","service":"web","port":80,"maxBody":257,"buffering":true}]`, "routes[0].maxBody", "1 to 256", "pulumi config set --path 'berth:routes[0].maxBody' 100"},
		{"routes", `[{"path":"/","service":"web","port":80,"maxBody":1048577,"buffering":false}]`, "routes[0].maxBody", "or to 1048576", "pulumi config set --path 'berth:routes[0].maxBody' 100"},
		{"routes", `[{"path":"/","service":"web","port":80,"maxBody":"10m"}]`, "routes[0].maxBody", "whole number", "pulumi config set --path 'berth:routes[0].maxBody' 100"},
		{"routes", `[{"path":"/","service":"web","port":80,"timeout":0}]`, "routes[0].timeout", "1 to 86400", "pulumi config set --path 'berth:routes[0].timeout' 300"},
		{"routes", `[{"path":"/","service":"web","port":80,"timeout":86401}]`, "routes[0].timeout", "1 to 86400", "pulumi config set --path 'berth:routes[0].timeout' 300"},
		{"routes", `[{"path":"/","service":"web","port":80,"timeout":null}]`, "routes[0].timeout", "1 to 86400", "pulumi config set --path 'berth:routes[0].timeout' 300"},
		{"routes", `[{"path":"/","service":"web","port":80,"buffering":"off"}]`, "routes[0].buffering", "without quotes", "pulumi config set --path 'berth:routes[0].buffering' false"},
		{"routes", `[{"path":"/","service":"web","port":80,"buffering":true,"protocol":"grpc"}]`, "routes[0].buffering", "gRPC is never buffered", "pulumi config set --path 'berth:routes[0].buffering' false"},
		{"routes", `[{"path":"/","service":"web","port":80,"protocol":"h2c"}]`, "routes[0].protocol", "nginx has no other way", "pulumi config set --path 'berth:routes[0].protocol' grpc"},
		{"routes", `[{"path":"/","service":"web","port":80,"protocol":""}]`, "routes[0].protocol", "http or grpc", "pulumi config set --path 'berth:routes[0].protocol' grpc"},
		{"routes", `[{"path":"/","service":"web","port":80,"allowFrom":[]}]`, "routes[0].allowFrom", "a network in CIDR notation", "pulumi config set --path 'berth:routes[0].allowFrom' 203.0.113.0/24"},
		{"routes", `[{"path":"/","service":"web","port":80,"allowFrom":["10.0.0.0/8","x; allow all"]}]`, "routes[0].allowFrom", "a network in CIDR notation", "pulumi config set --path 'berth:routes[0].allowFrom' 203.0.113.0/24"},
		{"routes", `[{"path":"/","service":"web","port":80,"allowFrom":"10.0.0.1/8"}]`, "routes[0].allowFrom", "host bits zero", "pulumi config set --path 'berth:routes[0].allowFrom' 203.0.113.0/24"},
		{"routes", `[{"path":"/","service":"web","port":80,"allowFrom":"::/0"}]`, "routes[0].allowFrom", "none of everyone", "pulumi config set --path 'berth:routes[0].allowFrom' 203.0.113.0/24"},
		{"routes", `[{"path":"/","service":"web","port":80,"auth":"yes"}]`, "routes[0].auth", "true or false", "pulumi config set --path 'berth:routes[0].auth' false"},
		{"routes", `[{"path":"/","service":"web","port":80,"auth":true}]`, "routes[0].auth", "has no user", "pulumi config set --secret --path berth:auth.USER"},
		{"routes", `[{"path":"/","service":"web","port":80,"rateLimit":"10"}]`, "routes[0].rateLimit", "10/minute", "pulumi config set --path 'berth:routes[0].rateLimit' 10/minute"},
		{"routes", `[{"path":"/","service":"web","port":80,"rateLimit":"0/minute"}]`, "routes[0].rateLimit", "10/minute", "pulumi config set --path 'berth:routes[0].rateLimit' 10/minute"},
		{"routes", `[{"path":"/","service":"web","port":80,"rateLimit":"1001/second"}]`, "routes[0].rateLimit", "1000 a second", "pulumi config set --path 'berth:routes[0].rateLimit' 10/minute"},
		{"routes", `[{"path":"/","service":"web","port":80,"rateLimit":{"requests":1,"per":"hour"}}]`, "routes[0].rateLimit", "10/minute", "pulumi config set --path 'berth:routes[0].rateLimit' 10/minute"},
		{"routes", `[{"path":"/","service":"web","port":80,"rateLimit":{"requests":1,"per":"minute","brust":5}}]`, "routes[0].rateLimit", "10/minute", "pulumi config set --path 'berth:routes[0].rateLimit' 10/minute"},
		{"routes", `[{"path":"/","service":"web","port":80,"rateLimit":{"requests":1,"per":"minute","burst":0}}]`, "routes[0].rateLimit", "at once", "pulumi config set --path 'berth:routes[0].rateLimit' 10/minute"},
		{"trustedProxies", `["fastly"]`, "trustedProxies[0]", "one of cloudflare, cloudfront or a network", "pulumi config set --path 'berth:trustedProxies[0]' cloudflare"},
		{"trustedProxies", `["0.0.0.0/0"]`, "trustedProxies[0]", "that is everyone", "pulumi config set --path 'berth:trustedProxies[0]' cloudflare"},
		{"trustedProxies", `["unix:"]`, "trustedProxies[0]", "CIDR", "pulumi config set --path 'berth:trustedProxies[0]' cloudflare"},
		{"trustedProxies", `["10.0.0.1/8"]`, "trustedProxies[0]", "the network is 10.0.0.0/8", "pulumi config set --path 'berth:trustedProxies[0]' cloudflare"},
		{"trustedProxies", `["cloudflare","cloudflare"]`, "trustedProxies[1]", "there already", "pulumi config rm --path 'berth:trustedProxies[1]'"},
		{"trustedProxies", `"cloudflare"`, "trustedProxies", "a list of networks", "pulumi config rm berth:trustedProxies"},
		{"trustedProxies", networks(201), "trustedProxies", "at most 200 networks are allowed; there are 201", "pulumi config rm"},
		{"onlyTrustedProxies", "true", "trustedProxies", "nobody would get in", "pulumi config set --path 'berth:trustedProxies[0]' cloudflare"},
		{"onlyTrustedProxies", "1", "onlyTrustedProxies", "true or false", "pulumi config set berth:onlyTrustedProxies true"},
		{"http3", "on", "http3", "true or false", "pulumi config set berth:http3 true"},
		{"nginx", strings.Repeat("#", 32769), "nginx", "at most 32768 bytes", "cat snippet.conf | pulumi config set berth:nginx"},
		{"auth", `{"a:b":"x"}`, `auth["a:b"]`, "letters, digits", "pulumi config rm"},
		{"auth", `{"alice":""}`, "auth.alice", "one line of 1 to 200 bytes", "pulumi config set --secret --path berth:auth.alice"},
		{"auth", `{"alice":"a\nb"}`, "auth.alice", "one line", "pulumi config set --secret --path berth:auth.alice"},
		{"routes", `[{"path":"/","service":"web","port":80,"health":{}}]`, "routes[0].health", "/healthz", "pulumi config set --path 'berth:routes[0].health' /healthz"},
		{"composeFile", "compose.json", "composeFile", ".yaml", "compose.yaml"},
		{"composeFile", `["compose.yaml", "../prod.yaml"]`, "composeFile[1]", "stay inside", "config rm --path 'berth:composeFile[1]'"},
		{"composeFile", `["compose.yaml", "prod.yaml", "compose.yaml"]`, "composeFile[2]", "in the list already", "config rm --path 'berth:composeFile[2]'"},
		{"composeFile", `["/etc/compose.yaml"]`, "composeFile", "stay inside", "set berth:composeFile compose.yaml"},
		{"composeFile", `[{"path": "compose.yaml"}]`, "composeFile", ".yaml", "compose.yaml"},
		{"composeFile", `{"0": "compose.yaml"}`, "composeFile", "a list of such paths", "compose.yaml"},
		{"routes", "[]", "routes", "at least one", "pulumi config set berth:routes web:80"},
		{"routes", "web", "routes", "such as web:80", "pulumi config set berth:routes web:80"},
		{"routes", "web:0", "routes", "such as web:80", "pulumi config set berth:routes web:80"},
		{"routes", "web:65536", "routes", "such as web:80", "pulumi config set berth:routes web:80"},
		{"routes", "$(id):80", "routes", "such as web:80", "pulumi config set berth:routes web:80"},
		{"routes", `[{"path":"/api/","service":"api","port":80}]`, "routes", "begins at /", "pulumi config set"},
		{"routes", `[{"path":"/","service":"web","port":0}]`, "routes[0].port", "1 to 65535", "pulumi config set --path 'berth:routes[0].port' 80"},
		{"routes", `[{"path":"/","service":"web","port":65536}]`, "routes[0].port", "1 to 65535", "pulumi config set"},
		{"routes", `[{"path":"/","service":"$(id)","port":80}]`, "routes[0].service", "service", "pulumi config set"},
		{"routes", `[{"path":"/;}","service":"web","port":80}]`, "routes[0].path", "begins with /", "pulumi config set"},
		{"routes", `{"path":"/"}`, "routes", "{path, service, port}", "pulumi config rm berth:routes && pulumi config set --path 'berth:routes[0].path' /"},
		{"routes", `[null]`, "routes[0]", "{path, service, port}", "pulumi config rm --path 'berth:routes[0]'"},
		{"routes", `[{"path":"/","service":"web","prot":80}]`, "routes[0].prot", "the nearest is port", "pulumi config rm --path 'berth:routes[0].prot'"},
		{"routes", `[{"path":"/","service":"web","prot":80}]`, "routes[0].port", "required", "pulumi config set --path 'berth:routes[0].port' 80"},
		{"routes", `[{"Path":"/","service":"web","port":80}]`, "routes[0].Path", "the nearest is path", "pulumi config rm --path 'berth:routes[0].Path'"},
		{"routes", `[{"path":"/","service":"web","port":"80"}]`, "routes[0].port", "without quotes", "pulumi config set --path 'berth:routes[0].port' 80"},
		{"routes", `[{"path":"/","service":"web","port":80.5}]`, "routes[0].port", "whole number", "pulumi config set --path 'berth:routes[0].port' 80"},
		{"routes", `[{"path":"/","service":"web","port":80},{"path":"/","service":"b","port":80}]`, "routes[1].path", "a route already", "pulumi config rm --path 'berth:routes[1]'"},
		{"routes", `[{"path":"/","service":"web","port":80},{"path":"/a","service":"b","port":80},{"path":"/a/","service":"b","port":80}]`, "routes[2].path", "a route already", "pulumi config rm --path 'berth:routes[2]'"},
		{"routes", `[{"path":"/","service":"web","port":80},{"path":"/a/../b","service":"b","port":80}]`, "routes[1].path", "begins with /", "pulumi config set"},
		{"routes", `[{"path":"/","service":"web","port":80},{"path":"/a//b","service":"b","port":80}]`, "routes[1].path", "begins with /", "pulumi config set"},
		{"routes", `[{"path":"/","service":"web","port":80},{"path":"api","service":"b","port":80}]`, "routes[1].path", "begins with /", "pulumi config set"},
		{"routes", `[{"path":"/","service":"web","port":80},{"path":"/.well-known/acme-challenge/","service":"web","port":80}]`, "routes[1].path", "authority", "pulumi config set"},
		{"environment", `{"1A":"x"}`, `environment["1A"]`, "begin with a digit", "pulumi config rm"},
		{"environment", `{"A":"x\ny"}`, "environment.A", "one line", "pulumi config set"},
		{"environment", `["A"]`, "environment", "a map", "pulumi config rm berth:environment && pulumi config set --path berth:environment.NAME value"},
		{"environment", `{"A":1.1}`, "environment.A", "put quotes around", "pulumi config set --path berth:environment.A value"},
		{"environment", `{"A":null}`, "environment.A", "a text is required", "pulumi config set --path berth:environment.A value"},
		{"environment", `{"A":"x\u0000y"}`, "environment.A", "NUL", "pulumi config set"},
		{"environment", `{"A":"` + strings.Repeat("x", maxVariable+1) + `"}`, "environment.A", "at most 32768 bytes", "pulumi config set"},
		{"environment", variables(201), "environment", "at most 200 variables are allowed; there are 201", "pulumi config rm --path berth:environment.NAME"},
		{"secrets", `{"A":""}`, "secrets.A", "missing", "pulumi config set --secret --path berth:secrets.A"},
		{"secrets", `{"A":null}`, "secrets.A", "a text is required", "pulumi config set --secret --path berth:secrets.A"},
		{"acmeEmail", "", "acmeEmail", "required", "pulumi config set berth:acmeEmail"},
		{"acmeEmail", "you at example", "acmeEmail", "e-mail", "pulumi config set berth:acmeEmail"},
		{"acmeEmail", "You <you@example.com>", "acmeEmail", "e-mail", "pulumi config set berth:acmeEmail"},
		{"acmeEmail", "you@localhost", "acmeEmail", "e-mail", "pulumi config set berth:acmeEmail"},
		{"acmeEmail", "$(id)@example.com", "acmeEmail", "e-mail", "pulumi config set berth:acmeEmail"},
		{"acmeStagingDirectory", "ftp://ca.example.com", "acmeStagingDirectory", "https", "pulumi config set berth:acmeStagingDirectory"},
		{"acmeDirectory", "https://ca.example.com/;x", "acmeDirectory", "https", "pulumi config set berth:acmeDirectory"},
		{"acmeDirectory", "http://ca.example.com", "acmeDirectory", "https", "pulumi config set berth:acmeDirectory"},
		{"acmeProfile", "short lived", "acmeProfile", "profile", "pulumi config set berth:acmeProfile"},
		{"acmeProfile", "--dry-run;x", "acmeProfile", "profile", "pulumi config set berth:acmeProfile"},
		{"acmeRoots", "nonsense", "acmeRoots", "PEM", "pulumi config set berth:acmeRoots"},
		{"alarmEmail", "you at example", "alarmEmail", "one e-mail address", "pulumi config set berth:alarmEmail you@example.com"},
		{"alarmEmail", "a@example.com,b@example.com", "alarmEmail", "one e-mail address", "pulumi config set berth:alarmEmail you@example.com"},
		{"alarmEmail", `["you@example.com"]`, "alarmEmail", "one e-mail address", "pulumi config set berth:alarmEmail you@example.com"},
		{"restoreDrill", "91", "restoreDrill", "whole number of days, 0 to 90", "pulumi config set berth:restoreDrill 7"},
		{"restoreDrill", "weekly", "restoreDrill", "whole number of days", "pulumi config set berth:restoreDrill 7"},
		{"snapshotsKept", "-1", "snapshotsKept", "whole number of daily snapshots, 0 to 365", "pulumi config set berth:snapshotsKept 7"},
		{"snapshotsKept", "366", "snapshotsKept", "whole number of daily snapshots, 0 to 365", "pulumi config set berth:snapshotsKept 7"},
		{"snapshotsKept", "7.5", "snapshotsKept", "whole number", "pulumi config set berth:snapshotsKept 7"},
		{"dumpBucket", "my-bucket", "dumpBucket", "true or false", "pulumi config set berth:dumpBucket true"},
		{"volumeSnapshot", "snap-1", "volumeSnapshot", "snap- and 8 or 17", "pulumi config rm --path berth:volumeSnapshot"},
		{"volumeSnapshot", "vol-0123456789abcdef0", "volumeSnapshot", "snap- and 8 or 17", "pulumi config rm --path berth:volumeSnapshot"},
		{"volumesize", "20", "volumesize", "nearest is volumeSize", "pulumi config rm"},
	} {
		t.Run(test.setting+" "+test.reason, func(t *testing.T) {
			_, err := Load(with(test.setting, test.value), allSecret)
			require.Error(t, err)
			assert.Contains(t, err.Error(), "berth:"+test.path)
			assert.Contains(t, err.Error(), test.reason)
			assert.Contains(t, err.Error(), test.fix)
		})
	}
}

// variables is a map of so many texts, networks and names are lists, all as JSON.
func variables(count int) string {
	all := map[string]string{}
	for i := range count {
		all[fmt.Sprintf("A%d", i)] = "x"
	}
	return encoded(all)
}

func networks(count int) string { return numbered("203.0.113.%d/32", count) }

func names(count int) string { return numbered("a%d.example.com", count) }

func numbered(format string, count int) string {
	var all []string
	for i := range count {
		all = append(all, fmt.Sprintf(format, i))
	}
	return encoded(all)
}

func encoded(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}
