package provision

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// loud is what an app may print, call itself, or have in a commit's subject: each kind of what moves a terminal, hides or turns
// text. seen is what a person gets of it.
const (
	loud = "<a\x1b]0;title\x07\x1b]52;c;YQ==\x1b\\\x1b[2J\x1b[31m\x1b(B\rb\b\x7f\x00\u009b2J\u0085\u202e\u2066\u200f\u2028é☃\x9b\xff>"
	seen = "<ab2Jé☃>"
)

var unseen = regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f-\x{9f}\x{61c}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}]`)

// TestWhatOthersWroteIsPlainText: wherever it enters, and whoever reads it.
func TestWhatOthersWroteIsPlainText(t *testing.T) {
	r := newRebooted(t)
	r.write("loud", loud)
	r.write("data/releases/abc/released.json", `{"id":"abc","commit":"abc","served":"2026-01-01T00:00:00Z"}`)
	const docker = `LOUD=$(tr -d '\0' <"$DIR/loud")
case "$1" in
  logs) cat "$DIR/loud"; echo ;;
  inspect) case "$*" in *--format*) echo web ;; *) jq -n --arg loud "$LOUD" '[{State: {Status: "running", Health: {Status: "unhealthy", Log: [{Output: $loud, ExitCode: 1}]}}, RestartCount: 0, HostConfig: {RestartPolicy: {Name: "always"}}, Config: {Labels: {"com.docker.compose.service": "web"}}}]' ;; esac ;;
  ps) echo HEAD; case "$*" in *State*) echo "app web running Up $LOUD" ;; *Status*) printf 'web\t%s\n' "$LOUD" ;; *release-abc*) echo id ;; esac ;;
  *) : ;;
esac`
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "bin", "docker"), []byte("#!/bin/bash\n"+docker+"\n"), 0o755))
	r.write("data/releases/abc/plan.json", `{"stores":[],"stateful":[],"stateless":["web"],"routes":[],"databases":[],"once":[]}`)
	const known = `load_settings() { DOMAIN=example.com; }; there() { true; }; server_checks() { :; }; check_certificate() { :; }; check_dumps() { :; }; check_drill() { :; }; site_answers() { true; }; push_metrics() { :; }; nginx() { :; }
`
	places := map[string]struct{ script, line, has string }{
		"logs":                        {"log-monitor.sh", `log_file() { cat "$DIR/loud"; echo; }; view`, "web | " + seen},
		"nginx's log":                 {"log-monitor.sh", `log_file() { cat "$DIR/loud"; echo; }; view nginx`, "nginx | " + seen},
		"certbot's log":               {"log-monitor.sh", `log_file() { cat "$DIR/loud"; echo; }; view certbot`, "certbot | " + seen},
		"a health check":              {"health-check.sh", known + `(main) || true`, "web is unhealthy: "},
		"a health check, JSON":        {"health-check.sh", known + `(main --json) || true`, "web is unhealthy: "},
		"what a release waited for":   {"deploy.sh", `show_failure release-abc "$(states release-abc abc)"`, seen},
		"a failed release's reason":   {"deploy.sh", `ACTION=deploy; audit failed start "$(tr -d '\0' <"$DIR/loud")"; history; cat "$AUDIT" | jq -r .action`, "deploy"},
		"what is running":             {"deploy.sh", `status`, "web"},
		"a sentence":                  {"lib.sh", `say "it is $(tr -d '\0' <"$DIR/loud")"; [ "$SAID" = "it is ` + seen + `" ]`, "it is " + seen},
		"a sentence of two lines":     {"lib.sh", `say $'one\ndeploy.sh: two'`, ": one deploy.sh: two\n"},
		"the last lines of something": {"lib.sh", `show web <"$DIR/loud"`, seen},
		"the status page":             {"status.sh", known + `checks() { jq -n --arg loud "$(tr -d '\0' <"$DIR/loud")" '{time: "2026-01-01T00:00:00Z", severity: 0, checks: [{name: "x", severity: 1, verdict: "warning", reason: $loud}]}'; }; main`, "é☃"},
		"the status page, HTML":       {"status.sh", known + `checks() { jq -n --arg loud "$(tr -d '\0' <"$DIR/loud")" '{time: "2026-01-01T00:00:00Z", severity: 0, checks: [{name: "x", severity: 1, verdict: "warning", reason: $loud}]}'; }; main --html`, "é☃"},
		"the status page, JSON":       {"status.sh", known + `checks() { jq -n --arg loud "$(tr -d '\0' <"$DIR/loud")" '{time: "2026-01-01T00:00:00Z", severity: 0, checks: [{name: "x", severity: 1, verdict: "warning", reason: $loud}]}'; }; main --json`, "é☃"},
	}
	through := 0
	for name, test := range places {
		said, err := r.source(test.script, test.line)
		if name != "what a release waited for" {
			assert.NoError(t, err, "%s: %s", name, said)
		}
		assert.Contains(t, said, test.has, name)
		assert.NotRegexp(t, unseen, said, name)
		assert.NotContains(t, said, "\\u001b", name)
		if unseen.MatchString(said) {
			through++
		}
	}
	t.Logf("%d characters in %d places: %d got through", len(unseen.FindAllString(loud, -1)), len(places), through)
}

// TestALogIsPlainText: what a step, or a release by hand, prints into its log, and what is shown of it.
func TestALogIsPlainText(t *testing.T) {
	r := newRebooted(t)
	r.write("loud", loud)
	r.write("scripts/steps/own.sh", "set -euo pipefail\nsource "+filepath.Join(r.dir, "scripts", "lib.sh")+"\ncat \"$DIR/loud\"; echo; cat \"$DIR/loud\" >&2; echo; say done; exit \"$CODE\"\n")
	step := filepath.Join(r.dir, "scripts", "step.sh")
	text, err := os.ReadFile(step)
	require.NoError(t, err)
	text = []byte(strings.NewReplacer("/run/berth-step-", filepath.Join(r.dir, "step-")).Replace(string(text)))
	require.NoError(t, os.WriteFile(step, text, 0o600))
	for _, code := range []string{"0", "3"} {
		bash := exec.CommandContext(t.Context(), "bash", "-c", step+` own 60`)
		bash.Args = []string{"bash", step, "own", "60"}
		bash.Env = append(os.Environ(), "DIR="+r.dir, "CODE="+code, "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"))
		output, err := bash.CombinedOutput()
		assert.Equal(t, code == "0", err == nil, string(output))
		log, err := os.ReadFile(filepath.Join(r.dir, "log", "own.log"))
		require.NoError(t, err)
		assert.Contains(t, string(log), seen+"\n"+seen+"\nown.sh: done\n")
		assert.NotRegexp(t, unseen, string(log))
		assert.NotRegexp(t, unseen, string(output))
		assert.Equal(t, code == "3", strings.Contains(string(output), seen), "the last lines of the log: %s", output)
		require.NoError(t, os.RemoveAll(filepath.Join(r.dir, "log")))
	}
	said, err := r.source("deploy.sh", `(log_by_hand; cat "$DIR/loud"; echo; cat "$DIR/loud" >&2; echo; say "by hand"; await 20 logged); cat "$LOG"`)
	require.NoError(t, err, said)
	assert.Contains(t, said, seen+"\n"+seen+"\nbash: by hand\n")
	assert.NotRegexp(t, unseen, said)
}

// TestADamagedRecordIsNoCode: what the volume remembers of an authority's refusal is numbers, or nothing is done.
func TestADamagedRecordIsNoCode(t *testing.T) {
	for _, record := range []string{"a[$(touch $DIR/pwned)]\n1\nexample.com\n0\n", "1\na[$(touch $DIR/pwned)]\nexample.com\n0\n", "1\n1\nexample.com\na[$(touch $DIR/pwned)]\n", "1\n0\nexample.com\n0\n", "09\n1\nexample.com\n0\n"} {
		r := newRebooted(t)
		r.write("data/tls/refused", record)
		for _, line := range []string{"pausing", "limited", "refused 1"} {
			said, err := r.source("ssl-manager.sh", "NAMES=example.com; "+line)
			require.Error(t, err, "%q: %s", record, said)
			assert.Contains(t, said, "Fix: sudo rm "+filepath.Join(r.data, "tls", "refused"))
			assert.NoFileExists(t, filepath.Join(r.dir, "pwned"))
		}
		said, err := r.source("ssl-manager.sh", "NAMES=other.example.com; refused 1; pausing")
		require.NoError(t, err, said)
		assert.Contains(t, said, "the authority refused before")
	}
}

// TestARefusalIsOfWhatWasAsked: who asks otherwise is not held back by it.
func TestARefusalIsOfWhatWasAsked(t *testing.T) {
	r := newRebooted(t)
	r.write("etc/account-binding.ini", "eab-kid = 1\n")
	const asked = "NAMES=example.com; DIRECTORY=https://a.example; PROFILE=x; "
	said, err := r.source("ssl-manager.sh", asked+"UNTIL=0; refused 1; pausing")
	require.NoError(t, err, said)
	for name, line := range map[string]string{
		"other names": "NAMES=other.example.com", "another authority": "DIRECTORY=https://b.example", "another profile": "PROFILE=",
		"another binding": "echo eab-kid = 2 >$BERTH_ETC/account-binding.ini", "no binding": "rm $BERTH_ETC/account-binding.ini",
	} {
		r.write("etc/account-binding.ini", "eab-kid = 1\n")
		said, err := r.source("ssl-manager.sh", asked+line+"; if pausing; then echo held back; fi")
		require.NoError(t, err, said)
		assert.NotContains(t, said, "held back", name)
	}
	r.write("etc/account-binding.ini", "eab-kid = 1\n")
	said, err = r.source("ssl-manager.sh", asked+"pausing")
	require.NoError(t, err, said)
}
