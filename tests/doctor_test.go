package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// doctor has the doctor and AWS's own command check a rehearsal's account, with no more rights than docs/iam gives.
func doctor(t *testing.T, s scene) {
	r := s.r
	// The Makefile's folder of programs is the one below its cache.
	command := "make --silent --no-print-directory -C " + r.Project + " doctor CACHE=" + filepath.Dir(r.Bin)
	defer func() {
		require.NoError(t, os.RemoveAll(filepath.Join(r.Dir, "aws", "operator.json")))
		// The next shell begins with the settings that the rehearsal has.
		require.NoError(t, os.RemoveAll(filepath.Join(r.Dir, "operator")))
	}()
	t.Run("the doctor finds that nothing blocks it, by AWS's own answers", func(t *testing.T) {
		r := r.In(t)
		allow(t, r, nil)
		text, err := r.Try("shell", "--", "bash", "-euc", command+"; "+command+" JSON=yes >report.json; aws ec2 describe-instances --filters Name=tag:Stack,Values=rehearsal --query 'Reservations[].Instances[].InstanceId' --output text")
		require.NoError(t, err, text)
		lines := regexp.MustCompile(`(?m)^(ok|warning|fails) +(\w+) +(.*)$`).FindAllStringSubmatch(text, -1)
		require.Greater(t, len(lines), 15, text)
		for _, line := range lines {
			assert.Equal(t, "ok", line[1], line[0])
		}
		assert.Equal(t, "nothing blocks pulumi up", lines[len(lines)-1][3])
		assert.Regexp(t, `(?m)^ok +zone +example\.test is Z\w+, and 198\.51\.100\.2:53 knows its 4 name servers$`, text)
		assert.Regexp(t, `(?m)^ok +addresses +1 of 5 Elastic IP addresses in use, this stack's among them$`, text)
		assert.Regexp(t, `(?m)^ok +repository +ssh://git@198\.51\.100\.4/srv/app\.git: main is [0-9a-f]{12}, read with the deploy key$`, text)
		assert.Contains(t, text, r.Account().Only("aws:ec2/instance:Instance").ID, "what the aws command says")
		var report struct {
			Verdict string
			Checks  []struct{ Name string }
		}
		require.NoError(t, json.Unmarshal([]byte(r.File("operator/report.json")), &report))
		assert.Equal(t, "ok", report.Verdict)
		assert.Len(t, report.Checks, len(lines)-1)
		assert.NotContains(t, text+r.File("operator/report.json"), r.File("database-password"))
		assert.NotContains(t, text+r.File("operator/report.json"), strings.Split(r.File("git/deploy_key"), "\n")[2])
	})
	t.Run("the doctor says what is broken, and its fix works", func(t *testing.T) {
		r := r.In(t)
		allow(t, r, []string{"ec2:RunInstances"})
		text, err := r.Try("shell", "--", "bash", "-euc", `ssh-keygen -q -t ed25519 -N '' -f another_key && pulumi config set --secret berth:deployKey <another_key
pulumi config set berth:volumeSize 4
BERTH_RESOLVER=127.0.0.1:1 `+command)
		require.Error(t, err, text)
		for _, sentence := range []string{
			`fails    permissions  these credentials may not ec2:RunInstances, which an update needs [permissions-missing]. Fix: attach the policies of docs/iam`,
			`fails    settings     one setting of stack rehearsal is wrong`,
			`- berth:volumeSize is "4": it has to be a whole number of GiB, 8 to 16384 [number-out-of-range]. Fix: pulumi config set berth:volumeSize 20`,
			`Permission denied (publickey)`,
			`warning  zone         whether the zone example.test is delegated is unknown, as the name server 127.0.0.1:1 does not answer`,
			`warning  compose      skipped, because the repository does not answer (see repository)`,
			`fails    all          3 checks fail, `,
		} {
			assert.Contains(t, text, sentence)
		}
		fix := regexp.MustCompile(`berth:volumeSize is .* Fix: (.*)`).FindStringSubmatch(text)
		require.NotNil(t, fix)
		deployKey := filepath.Join(r.Dir, "git", "deploy_key")
		allow(t, r, nil)
		text, err = r.Try("shell", "--", "bash", "-euc", fix[1]+"; pulumi config set --secret berth:deployKey <"+deployKey+"; rm another_key; "+command+"; AWS_ACCESS_KEY_ID=AKIASOMEBODYELSE2345 "+command)
		require.Error(t, err, text)
		fixed, others, _ := strings.Cut(text, "nothing blocks pulumi up")
		assert.NotRegexp(t, `(?m)^(warning|fails)`, fixed)
		assert.Contains(t, others, "fails    credentials  AWS does not know the credentials")
		assert.Contains(t, others, "warning  region       skipped, because AWS does not know who asks")
	})
}

// allow gives the operator of a rehearsal the policies of docs/iam, less some actions.
func allow(t *testing.T, r *harness.Rehearsal, less []string) {
	t.Helper()
	var whole struct{ Statement []map[string]any }
	for _, name := range []string{"deployer.json", "deployer-identity.json", "deployer-monitoring.json", "doctor.json"} {
		text, err := os.ReadFile(filepath.Join(r.Project, "docs", "iam", name))
		require.NoError(t, err)
		var policy struct{ Statement []map[string]any }
		require.NoError(t, json.Unmarshal([]byte(strings.NewReplacer("111122223333", "123456789012", "app.example.com", harness.Domain).Replace(string(text))), &policy))
		whole.Statement = append(whole.Statement, policy.Statement...)
	}
	if len(less) > 0 {
		whole.Statement = append(whole.Statement, map[string]any{"Effect": "Deny", "Action": less, "Resource": "*"})
	}
	text, err := json.Marshal(whole)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, "aws", "operator.json"), text, 0o600))
}
