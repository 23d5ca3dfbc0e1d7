package harness

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/stretchr/testify/require"
)

// Health is the verdict of each of the health check's checks.
func (r *Rehearsal) Health() map[string]string {
	r.t.Helper()
	// Its exit code is the worst verdict's.
	output, _ := r.TrySSH("sudo /opt/berth/health-check.sh --json", "")
	var health struct {
		Checks []struct{ Name, Verdict, Reason string }
	}
	require.NoError(r.t, json.Unmarshal([]byte(output), &health), output)
	verdicts := map[string]string{}
	for _, check := range health.Checks {
		verdicts[check.Name] = check.Verdict
		if check.Verdict != "ok" {
			r.t.Logf("%s %s: %s", check.Verdict, check.Name, check.Reason)
		}
	}
	return verdicts
}

// Mails are what CloudWatch's alarms would have sent: "subject to address".
func (r *Rehearsal) Mails() []string {
	r.t.Helper()
	var mails []string
	sent, err := os.ReadFile(filepath.Join(r.Dir, "cloudwatch", "notifications.jsonl"))
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(r.t, err)
	}
	for line := range strings.Lines(string(sent)) {
		var mail struct{ Subject, Endpoint string }
		require.NoError(r.t, json.Unmarshal([]byte(line), &mail))
		mails = append(mails, mail.Subject+" to "+mail.Endpoint)
	}
	return mails
}

// LoadApp copies the load app, with the sample app's database, so that a test can commit to it, has it released from now on, and
// gives the rehearsal's arguments for its one service.
func (r *Rehearsal) LoadApp() []string {
	r.t.Helper()
	r.App = filepath.Join(r.t.TempDir(), "app")
	require.NoError(r.t, os.CopyFS(r.App, os.DirFS(filepath.Join(r.Project, "tests", "apps", "load"))))
	require.NoError(r.t, os.CopyFS(filepath.Join(r.App, "db"), os.DirFS(filepath.Join(r.Project, "tests", "sample-app", "db"))))
	var settings []string
	for _, setting := range []string{
		"routes[0].service=web", "routes[0].port=8000", "routes[0].health=/healthz", "routes[1].path=/count", "routes[1].service=web", "routes[1].port=8000",
		"migration.service=web", "migration.command=python3 migrate.py", "drainWithin=15", "healthyWithin=20",
	} {
		settings = append(settings, "--set", setting)
	}
	return settings
}

// HelloApp builds the hello app, which answers a thousand requests with little of the processor, and has it released from now on.
func (r *Rehearsal) HelloApp() {
	r.t.Helper()
	hello := filepath.Join(r.Project, "tests", "apps", "hello")
	r.App = filepath.Join(r.t.TempDir(), "hello")
	require.NoError(r.t, os.CopyFS(r.App, os.DirFS(hello)))
	build := exec.CommandContext(r.t.Context(), "go", "build", "-o", filepath.Join(r.App, "hello"), ".")
	build.Dir, build.Env = hello, append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoErrorf(r.t, err, "%s", output)
	require.NoError(r.t, os.Remove(filepath.Join(r.App, "main.go")))
}

// Commit changes files of the app; the next up commits them.
func (r *Rehearsal) Commit(files map[string]string) {
	r.t.Helper()
	for name, content := range files {
		require.NoError(r.t, os.WriteFile(filepath.Join(r.App, name), []byte(content), 0o644))
	}
}

// Replan leaves on the host the plan of the last commit, whose app is the same as that of the plan which is there, but for committed
// files and the value of GREETING.
func (r *Rehearsal) Replan(greeting string) {
	r.t.Helper()
	text := r.SSH("sudo cat /etc/berth/plan.json")
	var plan struct {
		Commit string
		Trees  []struct{ Path, Hash string }
	}
	require.NoError(r.t, json.Unmarshal([]byte(text), &plan))
	for _, tree := range plan.Trees {
		if tree.Hash == "" {
			continue
		}
		at := strings.TrimPrefix(strings.TrimPrefix(tree.Path, "@SOURCE@"), "/")
		hash, err := exec.CommandContext(r.t.Context(), "git", "--git-dir", filepath.Join(r.Dir, "repository", "app.git"), "rev-parse", "main:"+at).Output()
		require.NoError(r.t, err)
		text = strings.ReplaceAll(text, tree.Hash, strings.TrimSpace(string(hash)))
	}
	text = strings.ReplaceAll(text, plan.Commit, r.Named("LAST"))
	text = regexp.MustCompile(`"GREETING":"[^"]*"`).ReplaceAllLiteralString(text, `"GREETING":"`+greeting+`"`)
	r.SSHInput("sudo sh -c 'umask 077; cat >/etc/berth/plan.json'", text+"\n")
}

// Named puts the first and the last commit of the app's repository in place of FIRST and LAST.
func (r *Rehearsal) Named(text string) string {
	r.t.Helper()
	for name, revision := range map[string][]string{"FIRST": {"--max-parents=0", "main"}, "LAST": {"--max-count=1", "main"}} {
		sha, err := exec.CommandContext(r.t.Context(), "git", append([]string{"--git-dir", filepath.Join(r.Dir, "repository", "app.git"), "rev-list"}, revision...)...).Output()
		require.NoError(r.t, err)
		text = strings.ReplaceAll(text, name, strings.TrimSpace(string(sha)))
	}
	return text
}
