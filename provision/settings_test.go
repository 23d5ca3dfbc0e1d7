package provision

import (
	"encoding/json"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/internal/config"
	"berth/internal/release"
	"berth/internal/release/compose"
	"berth/internal/release/git"
	"berth/provision/scripts"
)

// hostile values mean something to a shell, to Compose's env files or to a terminal.
var hostile = []string{
	`$(touch pwned)`, "`touch pwned`", `'; touch pwned; '`, `"; touch pwned; "`, `$HOME`, `${X:-y}`, `a # b`, `back\slash`,
	`ends with \`, `'quoted'`, `\'`, `"`, ` spaced `, "tab\there", `ü☃`, `!history`, `%s`, `$$`, "\x1b[31m",
}

// read has lib.sh read text as a script does by line, and returns the variables, or what was said. It runs in a folder of its own.
func read(t *testing.T, text, line string) (values map[string]string, said string) {
	t.Helper()
	lib, err := filepath.Abs("scripts/lib.sh")
	require.NoError(t, err)
	bash := exec.CommandContext(t.Context(), "bash", "-c", `set -euo pipefail; source "$1"; shift; step_settings "$@"; for name in "$@"; do name=${name%%:*}; printf '%s\0%s\0' "$name" "${!name}"; done`,
		"test", lib)
	bash.Args = append(bash.Args, strings.Fields(line)...)
	bash.Dir, bash.Stdin = t.TempDir(), strings.NewReader(text)
	output, err := bash.CombinedOutput()
	assert.NoFileExists(t, filepath.Join(bash.Dir, "pwned"))
	if err != nil {
		return nil, string(output)
	}
	values = map[string]string{}
	parts := strings.Split(string(output), "\x00")
	for i := 0; i+1 < len(parts); i += 2 {
		values[parts[i]] = parts[i+1]
	}
	return values, ""
}

func TestSettingsAreNothingButValues(t *testing.T) {
	for _, value := range append(hostile, "two\nlines", "ends with lines\n\n", "", strings.Repeat("x", 200_000)) {
		text, err := settings{"VALUE": value, "OTHER": "x", "PATH": "/nowhere", "IN": settings{"VALUE": value}}.text()
		require.NoError(t, err)
		values, said := read(t, text, "VALUE OTHER IN:object")
		require.Empty(t, said)
		assert.Equal(t, value, values["VALUE"])
		assert.Equal(t, "x", values["OTHER"], "and what is not asked for is not set")
		values, said = read(t, values["IN"], "VALUE")
		require.Empty(t, said)
		assert.Equal(t, value, values["VALUE"], "what a step leaves for the scripts")
	}
}

// TestSettingsThatAreNoSettings: a file that is not what it has to be ends the script, and none of its values is said.
func TestSettingsThatAreNoSettings(t *testing.T) {
	for name, test := range map[string]struct{ text, line, says string }{
		"nothing":               {``, "A", "not one JSON object"},
		"zeros":                 {strings.Repeat("\x00", 4096), "A", "cannot be used"},
		"half of it":            {`{"A":"canary`, "A", "reads no JSON"},
		"shell code":            {"A=canary\ntouch pwned\n", "A", "reads no JSON"},
		"something behind it":   {`{"A":"canary"} x`, "A", "reads no JSON"},
		"two of them":           {`{"A":"canary"}{"A":"canary"}`, "A", "not one JSON object"},
		"a list":                {`["canary"]`, "A", "not one JSON object"},
		"a text":                {`"canary"`, "A", "not one JSON object"},
		"null":                  {`null`, "A", "not one JSON object"},
		"without it":            {`{"B":"canary"}`, "A", "it has no A"},
		"without the second":    {`{"A":"canary"}`, "A B", "it has no B"},
		"null for it":           {`{"A":null}`, "A", "its A is not a string"},
		"a number":              {`{"A":1}`, "A", "its A is not a string"},
		"a list for it":         {`{"A":["canary"]}`, "A", "its A is not a string"},
		"an object for it":      {`{"A":{"canary":1}}`, "A", "its A is not a string"},
		"true":                  {`{"A":true}`, "A", "its A is not a string"},
		"a NUL":                 {`{"A":"can\u0000ary"}`, "A", "its A is not a string"},
		"a NUL alone":           {`{"A":"\u0000"}`, "A", "its A is not a string"},
		"a number in words":     {`{"A":"1"}`, "A:number", "its A is not a number"},
		"code for a number":     {`{"A":"a[$(touch pwned)]"}`, "A:number", "its A is not a number"},
		"below zero":            {`{"A":-1}`, "A:number", "its A is not a number"},
		"half of a number":      {`{"A":1.5}`, "A:number", "its A is not a number"},
		"a number without end":  {`{"A":1e999}`, "A:number", "its A is not a number"},
		"yes":                   {`{"A":"yes"}`, "A:boolean", "its A is not a boolean"},
		"no object":             {`{"A":"{}"}`, "A:object", "its A is not a object"},
		"a list, not an object": {`{"A":[]}`, "A:object", "its A is not a object"},
	} {
		values, said := read(t, test.text, test.line)
		assert.Nil(t, values, name)
		assert.Contains(t, said, test.says, name)
		assert.Contains(t, said, "the settings in /dev/stdin cannot be used", name)
		assert.Contains(t, said, "Fix: run 'pulumi up' again", name)
		assert.NotContains(t, said, "canary", name)
	}
}

// TestScriptsSayWhichSettingsAreGone, and how they are written again.
func TestScriptsSayWhichSettingsAreGone(t *testing.T) {
	r := newRebooted(t)
	for name, step := range map[string]string{"release": "release", "certificate": "edge", "operations": "operations"} {
		for _, text := range []string{"", "{}", "DOMAIN=x\n"} {
			r.write("etc/"+name+".json", text)
			if text == "" {
				require.NoError(t, exec.CommandContext(t.Context(), "rm", filepath.Join(r.dir, "etc", name+".json")).Run())
			}
			said, err := r.source("lib.sh", `load_settings `+name+` DOMAIN; echo "goes on"`)
			require.Error(t, err, said)
			assert.Contains(t, said, "the settings in "+filepath.Join(r.dir, "etc", name+".json"))
			assert.Contains(t, said, "[^ ]*Command::"+step+"')", "a step that has run does not run again")
			assert.NotContains(t, said, "goes on")
		}
	}
}

// asked are the lines by which scripts ask for their settings.
var asked = regexp.MustCompile(`(?m)^ *(step_settings|load_settings (\w+)) ([A-Z][\w: ]*)$`)

// TestSettingsNestWithoutLoss reads what goes to each step as the step does, and what the step leaves as the scripts do.
func TestSettingsNestWithoutLoss(t *testing.T) {
	cfg := &config.Config{
		Domain: "app.example.com", Aliases: []string{"www.example.com"}, Repository: "ssh://git@git.example.com:2222/a.git", RepositoryHostKey: "ssh-ed25519 AAAA", DeployKey: "key\nof lines\n",
		ComposeFiles: []string{"deploy/my compose.yaml"}, Routes: []config.Route{{Path: "/", Service: "web", Port: 80}, {Path: "/api/", Service: "api", Port: 8000}},
		Environment: map[string]string{"B": hostile[0]}, Secrets: map[string]string{"A": "it's"}, KeepReleases: 3, HealthyWithin: 60, AlarmEmail: "a@example.com", Region: "eu-central-1",
		Migration: &config.Migration{Service: "api", Command: "echo \"it's\" $HOME <&>"}, Registries: map[string]string{"registry.example.com": "you:pass:word", "docker.io": "a:b"},
		ACME: config.ACME{EABKey: "geheim", EABKeyID: "1"}, MaxBody: 100, RestoreDrill: 5,
		Servers: config.Servers{Min: 3, Max: 3}, VPCCIDR: netip.MustParsePrefix("10.0.0.0/16"), OperatorCIDRs: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/48")},
		Jobs: []config.Job{{Name: "nightly", Service: "api", Command: hostile[0] + " \"it's\" <&>", Schedule: "@daily", Calendars: []string{"*-*-* 00:00:00 UTC"}, Timeout: 60}},
	}
	planned, err := release.Settings(cfg)
	require.NoError(t, err)
	released, err := releaseSettings(cfg, "production", Release{Commit: "abc", App: planned, Plan: `{"version":2}`, Variables: compose.Environment(cfg.Variables()), KnownHosts: git.KnownHosts(cfg)})
	require.NoError(t, err)
	edge, err := edgeSettings(cfg, "192.0.2.7")
	require.NoError(t, err)
	operations, err := operationsSettings(cfg, "dumps")
	require.NoError(t, err)
	servers, err := serversSettings(cfg, firstOfSeveral{group: "web-1", targetGroup: "arn:site", balancer: "site.elb.example.com", fleetKey: "key\nof lines\n", webHostKey: "ssh-ed25519 AAAA", server: "i-1", edge: edge, sources: "abc"})
	require.NoError(t, err)
	given := map[string]map[string]string{}
	for step, text := range map[string]string{"release": released, "edge": edge, "operations": operations, "servers": servers} {
		script, err := scripts.Read("steps/" + step + ".sh")
		require.NoError(t, err)
		line := asked.FindStringSubmatch(script)
		require.NotNil(t, line, step)
		values, said := read(t, text, line[3])
		require.Empty(t, said, step)
		given[step] = values
	}
	assert.Equal(t, "A=\"it's\"\nB='$(touch pwned)'\n", given["release"]["APP_ENVIRONMENT"])
	assert.Equal(t, "key\nof lines", given["release"]["DEPLOY_KEY"])
	assert.Equal(t, "[git.example.com]:2222 ssh-ed25519 AAAA", given["release"]["KNOWN_HOSTS"])
	assert.Equal(t, "production", given["release"]["STACK"])
	assert.JSONEq(t, `{"auths":{"https://index.docker.io/v1/":{"auth":"YTpi"},"registry.example.com":{"auth":"eW91OnBhc3M6d29yZA=="}}}`, given["release"]["REGISTRIES"])
	assert.Equal(t, "eab-kid = 1\neab-hmac-key = geheim", given["edge"]["ACCOUNT_BINDING"])
	nginx, server, err := site(cfg)
	require.NoError(t, err)
	assert.Equal(t, nginx, given["edge"]["NGINX"])
	assert.Equal(t, server, given["edge"]["NGINX_SERVER"])
	assert.JSONEq(t, `{"names":["app.example.com","www.example.com"],"hosts":[],"redirects":[]}`, given["edge"]["HOSTNAMES"])

	files, count := map[string]string{"release": given["release"]["RELEASE"], "certificate": given["edge"]["CERTIFICATE"], "operations": given["operations"]["OPERATIONS"],
		"jobs": `{"JOBS":` + given["operations"]["JOBS"] + `}`, "servers": servers}, 0
	assert.Equal(t, "key\nof lines", given["servers"]["FLEET_KEY"])
	assert.Equal(t, "2", given["servers"]["MIN"], "beside the first")
	assert.JSONEq(t, `["198.51.100.0/24","2001:db8::/48"]`, given["servers"]["OPERATORS"])
	var web map[string]any
	require.NoError(t, json.Unmarshal([]byte(given["servers"]["EDGE"]), &web))
	assert.Equal(t, nginx, web["NGINX"], "web servers have the same")
	assert.Empty(t, web["ACCOUNT_BINDING"], "and ask for no certificate")
	other, err := edgeSettings(cfg, "192.0.2.8")
	require.NoError(t, err)
	again, err := serversSettings(cfg, firstOfSeveral{group: "web-1", targetGroup: "arn:site", balancer: "site.elb.example.com", fleetKey: "key\nof lines\n", webHostKey: "ssh-ed25519 AAAA", server: "i-1", edge: other, sources: "abc"})
	require.NoError(t, err)
	assert.NotEqual(t, servers, again, "other settings of nginx, which web servers have, too, run the step again")
	found := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS("."), "scripts", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, line := range asked.FindAllStringSubmatch(string(text), -1) {
			if line[2] == "" {
				continue
			}
			values, said := read(t, files[line[2]], line[3])
			assert.Empty(t, said, path)
			for name, value := range values {
				found[name] = value
			}
			count++
		}
		return err
	}))
	assert.Equal(t, 14, count, "every script that reads some")
	var app map[string]any
	require.NoError(t, json.Unmarshal([]byte(found["APP"]), &app))
	assert.Equal(t, map[string]any{"service": "api", "command": "echo \"it's\" $HOME <&>"}, app["migration"])
	delete(found, "APP")
	var jobs []config.Job
	require.NoError(t, json.Unmarshal([]byte(found["JOBS"]), &jobs))
	assert.Equal(t, cfg.Jobs, jobs)
	delete(found, "JOBS")
	assert.Equal(t, map[string]string{
		"DOMAIN": "app.example.com", "REPOSITORY": "ssh://git@git.example.com:2222/a.git", "COMMIT": "abc", "COMPOSE_FILE": "deploy/my compose.yaml", "STRATEGY": "",
		"HEALTHY_WITHIN": "60", "DRAIN_WITHIN": "0", "KEEP": "3", "NAMES": "app.example.com www.example.com", "ADDRESS": "192.0.2.7", "EMAIL": "", "DIRECTORY": "",
		"STAGING_DIRECTORY": "", "PROFILE": "", "REGION": "eu-central-1", "MONITORED": "true", "BUCKET": "dumps", "DRILL_DAYS": "5",
		"GROUP": "web-1", "TARGET_GROUP": "arn:site", "REACH": "100.64.20.0/24", "NETWORK": "10.0.0.0/16", "FIRST": "false",
	}, found)
}

// TestTheVolumesSettingsAreExact: they are read before there is a jq, by one pattern.
func TestTheVolumesSettingsAreExact(t *testing.T) {
	good, err := volumeSettings("vol-0123456789abcdef0", 20)
	require.NoError(t, err)
	lib, err := filepath.Abs("scripts/lib.sh")
	require.NoError(t, err)
	script, err := scripts.Read("steps/volume.sh")
	require.NoError(t, err)
	script = strings.NewReplacer("source /opt/berth/lib.sh", `source "`+lib+`"`, "\nmain \"$@\"\n", "\necho \"$VOLUME_ID|$VOLUME_SIZE\"\n").Replace(script)
	run := func(text string) (string, error) {
		bash := exec.CommandContext(t.Context(), "bash", "-c", script)
		bash.Dir, bash.Stdin = t.TempDir(), strings.NewReader(text)
		output, err := bash.CombinedOutput()
		assert.NoFileExists(t, filepath.Join(bash.Dir, "pwned"))
		return string(output), err
	}
	said, err := run(good)
	require.NoError(t, err, said)
	assert.Equal(t, "vol-0123456789abcdef0|20\n", said)
	for _, bad := range []string{
		"", "{}", "touch pwned", good + good, good + "\x00", good + " touch pwned", "x" + good, strings.Replace(good, "20", `"20"`, 1), strings.Replace(good, "20", "a[$(touch pwned)]", 1),
		strings.Replace(good, "20", "020", 1), strings.Replace(good, "20", "-1", 1), strings.Replace(good, "vol-", "$(touch pwned)", 1), strings.Replace(good, "vol-0", "vol-0\x00", 1),
	} {
		said, err := run(bad)
		require.Error(t, err, "%q: %s", bad, said)
		assert.Contains(t, said, "are not the volume's, so nothing was done [server-settings-invalid]. Fix: run 'pulumi up' again")
	}
}

// TestNothingButBerthsOwnCodeIsRun: a script of the server sources files of /opt/berth by their names, and nothing else, by whatever
// way a shell has for it.
func TestNothingButBerthsOwnCodeIsRun(t *testing.T) {
	// Of jq's dot, which is most often its input, the shell's is recognised by a file name.
	ways := regexp.MustCompile("(?m)(?:^|[;&|({`]|\\b(?:then|do|else|command|builtin|exec)) *(?:(?:source|eval)(?: +|$)|\\. +[\"']?(?:[/~]\\S|\\.\\.?/|\\$|<\\())[^\n;&|)]*")
	own := regexp.MustCompile(`^source /opt/berth/([a-z/-]+\.sh)$`)
	sources := func(text string) (others []string, count int) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			// It is a shell in the app's own container that runs a job's command, which no process's arguments are to show.
			line = strings.Replace(line, `'job=$BERTH_JOB; unset BERTH_JOB; eval "$job"'`, "", 1)
			for _, found := range ways.FindAllString(line, -1) {
				name := own.FindStringSubmatch(strings.TrimSpace(found))
				if name == nil {
					others = append(others, strings.TrimSpace(found))
				} else if _, err := scripts.Read(name[1]); err != nil {
					others = append(others, err.Error())
				}
				count++
			}
		}
		return others, count
	}
	all := 0
	require.NoError(t, fs.WalkDir(os.DirFS("."), "scripts", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".sh") {
			return err
		}
		text, err := os.ReadFile(path)
		others, count := sources(string(text))
		assert.Empty(t, others, path)
		all += count
		return err
	}))
	assert.Greater(t, all, 40)
	for _, other := range []string{
		"source /dev/stdin", "  source \"$BERTH_ETC/$1.env\"", ". /etc/berth/x.env", "[ ! -e x ] || source x", "eval \"$x\"", "if true; then . ./x; fi", "(source /data/x)", "x=$(. ./x)", "{ eval x; }",
		"source <(cat /data/x)", "command . ~/x", "builtin eval x", "source /opt/berth/../../data/x.sh", "source /opt/berth/$1.sh", "source /opt/berth/absent.sh",
	} {
		others, _ := sources(other + "\n")
		assert.Len(t, others, 1, other)
	}
}
