package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	iampolicies "berth/docs/iam"
)

// diagnosed is the doctor's whole output on a bench.
func (b *bench) diagnosed(args ...string) (string, int) {
	b.t.Helper()
	// begin sets them for the process.
	b.t.Setenv("TMPDIR", b.t.TempDir())
	b.t.Setenv("BERTH_CACHE", "")
	var out bytes.Buffer
	code, err := diagnose(b.t.Context(), append([]string{"--project", b.project, "--settings", b.folder, "--resolver", b.resolver}, args...), &out)
	require.NoError(b.t, err)
	return out.String(), code
}

func TestAllIsWell(t *testing.T) {
	b := newBench(t)
	text, code := b.diagnosed()
	assert.Equal(t, 0, code, text)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var names []string
	for _, line := range lines {
		assert.True(t, strings.HasPrefix(line, "ok       "), line)
		names = append(names, strings.Fields(line)[1])
	}
	assert.Equal(t, []string{"pulumi", "go", "git", "ssh", "state", "settings", "keys", "credentials", "permissions", "region", "addresses", "vcpus", "network", "certificate", "zone", "names", "repository", "compose", "cost", "all"}, names)
}

func TestTheCodeIsTheWorstVerdicts(t *testing.T) {
	b := newBench(t)
	b.nameServers = []string{"ns-1.example.net."}
	text, code := b.diagnosed()
	assert.Equal(t, 1, code)
	assert.Contains(t, text, "warning  all          1 warning: pulumi up can begin")
	b.set("routes", "nonsense")
	text, code = b.diagnosed("--stack", "production")
	assert.Equal(t, 2, code)
	assert.Contains(t, text, "fails    settings     one setting of stack production is wrong")
	assert.Contains(t, text, "\n                      - berth:routes is \"nonsense\": a service")
	assert.Contains(t, text, "warning  compose      skipped, because berth:routes is wrong (see settings)")
	assert.Regexp(t, `(?m)^ok +repository`, text)
}

func TestJSON(t *testing.T) {
	b := newBench(t)
	b.answers["ec2:DescribeAddresses"] = addresses("", "", "", "", "")
	text, code := b.diagnosed("--json")
	assert.Equal(t, 2, code)
	var report struct {
		Stack, Verdict, Reason string
		Severity               int
		Checks                 []struct{ Name, Verdict, Reason, Fix string }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &report), text)
	assert.Equal(t, "production", report.Stack)
	assert.Equal(t, 2, report.Severity)
	assert.Equal(t, "fails", report.Verdict)
	assert.Len(t, report.Checks, len((&doctor{}).checks()))
	at := slices.IndexFunc(report.Checks, func(c struct{ Name, Verdict, Reason, Fix string }) bool { return c.Name == "addresses" })
	assert.Equal(t, "fails", report.Checks[at].Verdict)
	assert.Contains(t, report.Checks[at].Fix, "aws service-quotas request-service-quota-increase")
}

func TestNonsenseOnTheCommandLine(t *testing.T) {
	for _, args := range [][]string{{"--unknown"}, {"production"}, {"--settings", t.TempDir()}} {
		code, err := diagnose(t.Context(), args, &bytes.Buffer{})
		assert.Equal(t, 2, code)
		assert.Error(t, err)
	}
}

const canary = "canary-5b1f"

// TestNoSecretIsPrinted puts canaries wherever there is a secret, and has everything that is asked tell them again.
func TestNoSecretIsPrinted(t *testing.T) {
	key := newKey(t)
	secretLines := []string{canary, strings.Split(key, "\n")[1], strings.Split(key, "\n")[2]}
	for name, spoil := range map[string]func(b *bench){
		"all is well": func(*bench) {},
		"settings are wrong": func(b *bench) {
			b.set("!secrets", `{"A":"`+canary+`\n","B":{"`+canary+`-x":1}}`, "!deployKey", canary, "!registries", `{"r.example.com":"`+canary+`"}`, "environment", `{"URL":"postgres://you:`+canary+`@db\n"}`)
		},
		"secrets in plain text": func(b *bench) { b.set("secrets", `{"A":"`+canary+`"}`, "deployKey", key, "sshPrivateKey", key) },
		"pulumi refuses":        func(b *bench) { b.pulumiHas("refuses", "error: what about "+canary+"\n"+key) },
		"pulumi tells":          func(b *bench) { b.tool("pulumi", "echo '"+canary+"' >&2; exit 1") },
		"AWS tells": func(b *bench) {
			for operation := range b.answers {
				b.answers[operation] = "!Said" + canary
			}
		},
		"the git host tells": func(b *bench) {
			b.set("repository", "ssh://git@git.example.com/app.git", "repositoryHostKey", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl")
			b.tool("ssh", `echo "denied: `+canary+`" >&2; cat "$TEST_KEY" >&2; exit 255`)
		},
		"the compose file tells": func(b *bench) {
			b.app("services: {web: {image: example.com/web, ports: ['${A}']}}\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.set("!secrets", `{"A":"`+canary+`","B":"`+canary+`"}`, "!deployKey", key, "!sshPrivateKey", key, "!registries", `{"r.example.com":"you:`+canary+`"}`)
			file := filepath.Join(t.TempDir(), "key")
			require.NoError(t, os.WriteFile(file, []byte(key), 0o600))
			for variable, value := range map[string]string{"AWS_SECRET_ACCESS_KEY": canary, "AWS_SESSION_TOKEN": canary, "PULUMI_CONFIG_PASSPHRASE": canary, "TEST_KEY": file} {
				t.Setenv(variable, value)
			}
			spoil(b)
			for _, args := range [][]string{nil, {"--json"}} {
				text, _ := b.diagnosed(args...)
				for _, secret := range secretLines {
					assert.NotContains(t, text, secret)
				}
				assert.NotContains(t, text, "\x1b")
			}
		})
	}
}

// TestItChangesNothing: neither in the account, nor on the machine, be there what may in the way.
func TestItChangesNothing(t *testing.T) {
	b := newBench(t)
	b.set("createZone", "true", "!deployKey", newKey(t))
	b.answers["servicequotas:GetServiceQuota"] = "!NoSuchResourceException"
	b.answers["servicequotas:GetAWSDefaultServiceQuota"] = `{"Quota":{"Value":7}}`
	before := tree(t, b.folder)
	temporary := t.TempDir()
	b.t.Setenv("TMPDIR", temporary)
	var out bytes.Buffer
	_, err := diagnose(t.Context(), []string{"--project", b.project, "--settings", b.folder, "--resolver", b.resolver}, &out)
	require.NoError(t, err)
	assert.Equal(t, before, tree(t, b.folder))
	assert.Empty(t, tree(t, temporary))

	reads := regexp.MustCompile(`^[a-z0-9]+:(Describe|List|Get|Simulate)[A-Za-z]+$`)
	slices.Sort(b.asked)
	asked := slices.Compact(b.asked)
	for _, operation := range asked {
		assert.Regexp(t, reads, operation)
	}

	// What is asked is what docs/iam lets a deployer who may ask the doctor's questions, too.
	var deployers, doctors []string
	for _, name := range iampolicies.Roles["deployer"] {
		if name == "deployer-servers.json" || name == "deployer-rds.json" {
			continue // A deployer of one server, without a database in RDS, has no use for it.
		}
		for _, one := range policyOf(t, "../../docs/iam/"+name) {
			deployers = append(deployers, one.Action...)
		}
	}
	for _, one := range policyOf(t, "../../docs/iam/doctor.json") {
		doctors = append(doctors, one.Action...)
		for _, action := range one.Action {
			assert.Contains(t, asked, action, "doctor.json allows what is not requested")
			assert.NotContains(t, deployers, action, "the deployer is allowed it already")
		}
	}
	for _, operation := range asked {
		assert.Contains(t, append(append([]string{"sts:GetCallerIdentity"}, deployers...), doctors...), operation)
	}
}

// tree lists the files of a folder with their content.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		content := ""
		if entry.Type().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = string(text)
		}
		files[path] = content
		return nil
	}))
	return files
}
