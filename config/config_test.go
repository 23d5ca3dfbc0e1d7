package config

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func allSecret(string) bool { return true }

// good is the least that a stack has to set.
func good() map[string]string {
	return map[string]string{
		"berth:domain":        "app.example.com",
		"berth:operatorCidrs": `["203.0.113.7/32"]`,
		"berth:repository":    "https://github.com/you/app.git",
		"berth:routes":        `[{"path":"/","service":"web","port":80}]`,
		"berth:acmeEmail":     "you@example.com",
	}
}

// with is good with changes.
func with(pairs ...string) map[string]string {
	settings := good()
	for i := 0; i < len(pairs); i += 2 {
		settings["berth:"+pairs[i]] = pairs[i+1]
	}
	return settings
}

// asPulumi writes a value as Pulumi hands it to a program.
func asPulumi(t *testing.T, value any) string {
	t.Helper()
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

func newKey(t testing.TB) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block))
}

func TestLoadFillsInDefaults(t *testing.T) {
	cfg, err := Load(with("aliases", "[]", "zone", "", "tags", "{}"), allSecret)
	require.NoError(t, err)
	assert.Equal(t, "example.com", cfg.Zone)
	assert.Equal(t, "eu-central-1a", cfg.AvailabilityZone)
	assert.Equal(t, letsEncryptStaging, cfg.ACME.StagingDirectory)
	assert.Equal(t, []string{"app.example.com"}, cfg.Names())

	cfg, err = Load(with("repository", "git@github.com:you/app.git", "deployKey", newKey(t)), allSecret)
	require.NoError(t, err)
	assert.Equal(t, knownHosts["github.com"], cfg.RepositoryHostKey)

	cfg, err = Load(with("acmeDirectory", "https://ca.example.com/dir"), allSecret)
	require.NoError(t, err)
	assert.Equal(t, cfg.ACME.Directory, cfg.ACME.StagingDirectory)
}

func TestLoadRefuses(t *testing.T) {
	for _, test := range []struct {
		setting, value, path, reason, mend string
	}{
		{"domain", "", "domain", "required", "pulumi config set berth:domain app.example.com"},
		{"domain", "https://app.example.com/", "domain", "not a URL", "pulumi config set berth:domain app.example.com"},
		{"domain", "App.Example.com.", "domain", "lower case", "pulumi config set berth:domain app.example.com"},
		{"domain", "*.example.com", "domain", "wildcard", "pulumi config set berth:domain example.com"},
		{"domain", "a_b.example.com", "domain", "DNS name", "pulumi config set berth:domain"},
		{"domain", "192.0.2.1", "domain", "not an address", "pulumi config set berth:domain"},
		{"domain", strings.Repeat("a.", 130) + "com", "domain", "253", "pulumi config set berth:domain"},
		{"aliases", `["app.example.com"]`, "aliases[0]", "there already", "pulumi config rm --path 'berth:aliases[0]'"},
		{"aliases", `["www.other.org"]`, "", "", ""},
		{"aliases", `"www"`, "aliases", "a list", "pulumi config set --path"},
		{"zone", "other.org", "domain", "outside the zone", "pulumi config set berth:zone example.com"},
		{"zone", "-.org", "zone", "DNS name", "pulumi config set berth:zone"},
		{"createZone", "maybe", "createZone", "true or false", "pulumi config set berth:createZone true"},
		{"operatorCidrs", "[]", "operatorCidrs", "required", "pulumi config set --path 'berth:operatorCidrs[0]'"},
		{"operatorCidrs", `["0.0.0.0/0"]`, "operatorCidrs[0]", "never open to everyone", "pulumi config set --path"},
		{"operatorCidrs", `["::/0"]`, "operatorCidrs[0]", "never open to everyone", "pulumi config set --path"},
		{"operatorCidrs", `["10.0.0.0/7"]`, "operatorCidrs[0]", "most of the internet", "pulumi config set --path"},
		{"operatorCidrs", `["203.0.113.7"]`, "operatorCidrs[0]", "CIDR", "203.0.113.7/32"},
		{"operatorCidrs", `["203.0.113.7/24"]`, "operatorCidrs[0]", "203.0.113.0/24", "203.0.113.0/24"},
		{"operatorCidrs", `["203.0.113.7/32","203.0.113.7/32"]`, "operatorCidrs[1]", "there already", "pulumi config rm"},
		{"region", "Frankfurt", "region", "region's code", "pulumi config set berth:region"},
		{"availabilityZone", "us-east-1a", "availabilityZone", "zone of the region", "eu-central-1a"},
		{"instanceType", "m5.large", "instanceType", "t3 and t3a", "t3.micro"},
		{"instanceType", "t4g.small", "instanceType", "ARM", "t3.small"},
		{"ami", "ami-1", "ami", "image's id", "pulumi config rm"},
		{"volumeSize", "4", "volumeSize", "8 to 16384", "pulumi config set berth:volumeSize 20"},
		{"volumeSize", "20GB", "volumeSize", "whole number", "pulumi config set berth:volumeSize 20"},
		{"subnetId", "subnet-x", "subnetId", "subnet's id", "pulumi config rm"},
		{"vpcCidr", "8.8.0.0/16", "vpcCidr", "private", "10.20.0.0/16"},
		{"vpcCidr", "10.0.0.0/8", "vpcCidr", "/16 to /24", "10.20.0.0/16"},
		{"protect", "1", "protect", "true or false", "pulumi config set berth:protect true"},
		{"tags", `{"aws:x":"y"}`, `tags["aws:x"]`, "reserved", "pulumi config rm"},
		{"tags", `{"Name":"y"}`, "tags.Name", "reserved", "pulumi config rm"},
		{"repository", "", "repository", "required", "pulumi config set berth:repository"},
		{"repository", "http://example.com/a.git", "repository", "https", "pulumi config set berth:repository"},
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
		{"composeFile", "../compose.yaml", "composeFile", "lead out", "compose.yaml"},
		{"composeFile", "/etc/compose.yaml", "composeFile", "lead out", "compose.yaml"},
		{"composeFile", "a/../../compose.yaml", "composeFile", "lead out", "compose.yaml"},
		{"composeFile", "compose.json", "composeFile", ".yaml", "compose.yaml"},
		{"routes", "[]", "routes", "at least one", "pulumi config set --path 'berth:routes[0].path' /"},
		{"routes", `[{"path":"/api/","service":"api","port":80}]`, "routes", "begins at /", "pulumi config set"},
		{"routes", `[{"path":"/","service":"web","port":0}]`, "routes[0].port", "1 to 65535", "pulumi config set --path 'berth:routes[0].port' 8000"},
		{"routes", `[{"path":"/","service":"web","port":65536}]`, "routes[0].port", "1 to 65535", "pulumi config set"},
		{"routes", `[{"path":"/","service":"$(id)","port":80}]`, "routes[0].service", "service", "pulumi config set"},
		{"routes", `[{"path":"/;}","service":"web","port":80}]`, "routes[0].path", "begins with /", "pulumi config set"},
		{"routes", `[{"path":"/","service":"web","prot":80}]`, "routes", "{path, service, port}", "pulumi config set"},
		{"routes", `[{"path":"/","service":"web","port":80},{"path":"/.well-known/acme-challenge/","service":"web","port":80}]`, "routes[1].path", "authority", "pulumi config set"},
		{"environment", `{"1A":"x"}`, `environment["1A"]`, "begin with a digit", "pulumi config rm"},
		{"environment", `{"A":"x\ny"}`, "environment.A", "one line", "pulumi config set"},
		{"secrets", `{"A":""}`, "secrets.A", "missing", "pulumi config set --secret --path 'berth:secrets.A'"},
		{"acmeEmail", "", "acmeEmail", "required", "pulumi config set berth:acmeEmail"},
		{"acmeEmail", "you at example", "acmeEmail", "e-mail", "pulumi config set berth:acmeEmail"},
		{"acmeDirectory", "http://ca.example.com", "acmeDirectory", "https", "pulumi config set berth:acmeDirectory"},
		{"acmeRoots", "nonsense", "acmeRoots", "PEM", "pulumi config set berth:acmeRoots"},
		{"volumesize", "20", "volumesize", "nearest is volumeSize", "pulumi config rm"},
	} {
		if test.reason == "" {
			continue
		}
		t.Run(test.setting+" "+test.value[:min(len(test.value), 40)], func(t *testing.T) {
			_, err := Load(with(test.setting, test.value), allSecret)
			require.Error(t, err)
			assert.Contains(t, err.Error(), "berth:"+test.path)
			assert.Contains(t, err.Error(), test.reason)
			assert.Contains(t, err.Error(), test.mend)
		})
	}
}

func TestLoadTellsEverythingAtOnce(t *testing.T) {
	_, err := Load(map[string]string{"berth:volumeSize": "4", "berth:instanceType": "m5.large", "aws:region": "x"}, allSecret)
	var problems *Problems
	require.ErrorAs(t, err, &problems)
	var settings []string
	for _, problem := range problems.List {
		settings = append(settings, problem.Setting)
	}
	assert.ElementsMatch(t, []string{"berth:domain", "berth:operatorCidrs", "berth:instanceType", "berth:volumeSize", "berth:repository", "berth:routes", "berth:acmeEmail"}, settings)
}

func TestSecretsAreStoredEncryptedAndNeverShown(t *testing.T) {
	const canary = "canary-5b1f"
	settings := with("secrets", `{"A":"`+canary+`\n"}`, "deployKey", canary, "sshPrivateKey", canary, "secretss", canary)
	_, err := Load(settings, func(string) bool { return false })
	require.Error(t, err)
	assert.NotContains(t, err.Error(), canary)
	for _, key := range secretKeys {
		assert.Contains(t, err.Error(), "berth:"+key+": it is stored in plain text")
	}
	_, err = Load(with("secrets", `{"A":"x"}`, "environment", `{"A":"x"}`), allSecret)
	assert.ErrorContains(t, err, "in the environment too")
}

// TestMendingCommandsAreSafe runs no hostile value when an operator pastes a command.
func TestMendingCommandsAreSafe(t *testing.T) {
	for _, hostile := range []string{"$(touch pwned)", "`touch pwned`", "'; touch pwned; '", "a\ntouch pwned"} {
		_, err := Load(with("domain", hostile, "region", hostile, "tags", `{"`+strings.ReplaceAll(hostile, "\n", `\n`)+`":"`+strings.Repeat("x", 300)+`"}`), allSecret)
		var problems *Problems
		require.ErrorAs(t, err, &problems)
		folder := t.TempDir()
		for _, problem := range problems.List {
			command := exec.Command("sh", "-c", "pulumi() { :; }; "+problem.Mend)
			command.Dir = folder
			output, err := command.CombinedOutput()
			require.NoErrorf(t, err, "%s: %s", problem.Mend, output)
		}
		_, err = exec.Command("ls", folder+"/pwned").Output()
		assert.Error(t, err, hostile)
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "app.example.com", "$(id)", "`id`", "a\nb", "\x00", "../../x", "☃.example.com", `["x"]`, `{"a":"b"}`, "\x1b[31m", "99999999999999999999",
		`[{"path":"/","service":"web","port":80}]`, "-----BEGIN CERTIFICATE-----", "git@github.com:a/b", "null", strings.Repeat("a", 1<<20),
	} {
		for _, key := range []string{"domain", "routes", "repository", "secrets", "tags", "composeFile", "unknown" + seed[:min(3, len(seed))]} {
			f.Add(key, seed)
		}
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		cfg, err := Load(with(key, value), allSecret)
		if err != nil {
			assert.Nil(t, cfg)
			assert.Equal(t, -1, strings.IndexFunc(err.Error(), func(r rune) bool { return r != '\n' && unicode.IsControl(r) }), "%q", err.Error())
			for line := range strings.Lines(err.Error()) {
				assert.Less(t, len(line), 2000)
			}
			return
		}
		for _, text := range append(cfg.Names(), cfg.Zone, cfg.Ref, cfg.ComposeFile, cfg.Repository, cfg.Region, cfg.ACME.Email, cfg.ACME.Directory) {
			assert.Equal(t, -1, strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune("\"'`$;|&<>\\", r) }), "%q", text)
		}
		for name, text := range mapsOf(cfg) {
			assert.NotContains(t, text, "\n", name)
		}
	})
}

func mapsOf(cfg *Config) map[string]string {
	all := maps.Clone(cfg.Environment)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, cfg.Secrets)
	return all
}
