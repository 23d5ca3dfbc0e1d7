package provision

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestABrokenCertificateIsReplaced: half a file, as a power cut leaves it, is no reason never to renew; an openssl that does not
// work is no reason to ask for another.
func TestABrokenCertificateIsReplaced(t *testing.T) {
	r := newRebooted(t)
	folder := filepath.Join(r.dir, "letsencrypt", "live", "berth")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	file := filepath.Join(folder, "fullchain.pem")
	output, err := exec.CommandContext(t.Context(), "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90",
		"-subj", "/CN=test", "-addext", "subjectAltName=DNS:example.com", "-keyout", filepath.Join(folder, "privkey.pem"), "-out", file).CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	one := string(text)
	const renew = `NAMES=example.com; as_set() { true; }; generate() { echo "asks for another"; }; renew`
	for name, test := range map[string]struct{ text, says string }{
		"whole":                  {one + one, "renewal is due on"},
		"empty":                  {"", "asks for another"},
		"half of the first":      {one[:len(one)/2], "asks for another"},
		"without its last line":  {one[:strings.LastIndex(one, "-----END")], "asks for another"},
		"half of the second":     {one + one[:len(one)/2], "asks for another"},
		"zeros":                  {strings.Repeat("\x00", 4096), "asks for another"},
		"no certificate":         {"something\n", "asks for another"},
		"zeros within the first": {one[:60] + strings.Repeat("\x00", len(one)-60), "asks for another"},
	} {
		require.NoError(t, os.WriteFile(file, []byte(test.text), 0o600))
		said, err := r.source("ssl-manager.sh", renew)
		require.NoErrorf(t, err, "%s: %s", name, said)
		assert.Contains(t, said, test.says, name)
	}
	require.NoError(t, os.WriteFile(file, text, 0o600))
	for _, openssl := range []string{"exit 1", "exit 0"} {
		require.NoError(t, os.WriteFile(filepath.Join(r.dir, "bin", "openssl"), []byte("#!/bin/bash\n"+openssl+"\n"), 0o755))
		said, err := r.source("ssl-manager.sh", renew)
		require.Error(t, err, said)
		assert.NotContains(t, said, "asks for another")
		assert.Contains(t, said, "nothing is done on a guess")
	}
}

// TestHealthIsToldWithoutDocker: the check says so, makes the others, and the status page stands.
func TestHealthIsToldWithoutDocker(t *testing.T) {
	r := newRebooted(t)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "bin", "docker"), []byte("#!/bin/bash\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n"), 0o755))
	const known = `load_settings() { DOMAIN=example.com MONITORED=true; }; `
	const checks = known + `there() { true; }; server_checks() { result root 0 "fine" 12; }; check_certificate() { result certificate 0 "fine" 60; }; check_dumps() { result backup 0 "fine" 1; }; check_drill() { :; }
site_answers() { true; }; push_metrics() { metrics; }; `
	said, err := r.source("health-check.sh", checks+"main --json")
	require.Error(t, err)
	assert.NotContains(t, said, "the health check itself ended")
	page, err := os.ReadFile(filepath.Join(r.dir, "run", "health.json"))
	require.NoError(t, err)
	assert.Contains(t, said, string(page))
	for _, name := range []string{"release", "site", "certificate", "backup", "root"} {
		assert.Contains(t, string(page), `"name": "`+name+`",`+"\n"+`      "severity": 0`)
	}
	assert.Contains(t, string(page), `"name": "containers",`+"\n"+`      "severity": 2`)
	assert.Contains(t, string(page), "Docker does not answer")
	assert.Contains(t, string(page), "look with: systemctl status docker")
	said, err = r.source("health-check.sh", checks+"main --push")
	require.Error(t, err)
	assert.Contains(t, said, "MetricName=UnhealthyContainers&MetricData.member.1.Unit=Count&MetricData.member.1.Value=1&")

	said, err = r.source("status.sh", known+`checks() { cat "$DIR/run/health.json"; }; main`)
	require.NoError(t, err, said)
	assert.Contains(t, said, "SERVICES")
	assert.Contains(t, strings.Join(strings.Fields(said), " "), "critical containers Docker does not answer")
}

// TestAReadOnlyFileSystemIsNoLostVolume: what the kernel does after an error has another remedy than a volume that was taken away.
func TestAReadOnlyFileSystemIsNoLostVolume(t *testing.T) {
	const repair, reboot = `Nothing on it was changed. Look with: sudo dmesg \[volume-turned-read-only\]. Fix: first keep .*create-snapshot --volume-id vol-0123; .*sudo e2fsck -f /dev/some`, "was taken from this server .* reboot: sudo systemctl reboot"
	for name, test := range map[string]struct{ options, device, alive, says string }{
		"an error":              {"ro,noatime,nodev", "259:1", "false", repair},
		"an error, newer Linux": {"rw,noatime,nodev,emergency_ro", "259:1", "false", repair},
		"taken away":            {"rw,noatime,nodev", "259:1", "false", reboot},
		"taken away, noticed":   {"ro,noatime,nodev", "259:2", "false", reboot},
		"as it should be":       {"rw,noatime,nodev,errors=remount-ro", "259:1", "true", "^goes on\n$"},
	} {
		said, err := newRebooted(t).source("steps/volume.sh", `alive() { `+test.alive+`; }; findmnt() { echo "`+test.options+`"; }
mountpoint() { case $1 in --fs-devno) echo 259:1 ;; --devno) echo "`+test.device+`" ;; esac; }
refuse_lost /dev/some; echo "goes on"`)
		assert.Equal(t, test.alive == "true", err == nil, name)
		assert.Regexp(t, test.says, said, name)
	}
}

// TestNginxIsReplacedOnceAtATime: it heeds no second replacement while the process before still drains.
func TestNginxIsReplacedOnceAtATime(t *testing.T) {
	sleeping := func() *exec.Cmd {
		process := exec.CommandContext(t.Context(), "sleep", "600")
		require.NoError(t, process.Start())
		return process
	}
	r := newRebooted(t)
	before, now := sleeping(), sleeping()
	r.write("nginx.pid", fmt.Sprintln(now.Process.Pid))
	r.write("nginx.pid.oldbin", fmt.Sprintln(before.Process.Pid))
	const replace = "nginx() { :; }; main"
	said, err := r.source("edge/replace-nginx.sh", replace)
	require.NoError(t, err, said)
	assert.Contains(t, said, "still ends what it has begun")
	require.NoError(t, now.Process.Signal(syscall.Signal(0)), "it was not told anything")
	require.NoError(t, before.Process.Kill())
	require.Error(t, before.Wait())

	script := filepath.Join(r.dir, "scripts", "edge", "replace-nginx.sh")
	text, err := os.ReadFile(script)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(script, []byte(strings.Replace(string(text), "WITHIN=30", "WITHIN=0", 1)), 0o600))
	said, err = r.source("edge/replace-nginx.sh", replace)
	require.Error(t, err, "a process that is not nginx is not replaced")
	assert.Contains(t, said, "was not replaced within 0 seconds")
	require.Error(t, now.Wait())
	status, ok := now.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	assert.Equal(t, syscall.SIGUSR2, status.Signal(), "what another server left is no process")
}
