package failclosed

import (
	"path"
	"strings"
)

// exceptions are where a command that fails, or prints nothing, is no failure of its script; patterns as of path.Match.
var exceptions = []struct{ run, command, mode, reason string }{
	{"*", "timeout", "silent", "it prints nothing of its own, and what it was to run is asked again, or was to print"},
	{"ssl-manager.sh check", "rm", "fail", "a folder below /tmp stays"},
	{"ssl-manager.sh *", "systemctl", "*", "it only tells when the next look is, and then that there is none"},
	{"ssl-manager.sh generate", "grep", "silent", "it asks whether a name resolves to this server: a wrong yes costs a try with the authority"},
	{"ssl-manager.sh generate", "stat", "fail", "certbot's log is not there before its first run"},
	{"status.sh*", "*", "*", "it reads alone, and shows on its page what the checks found, the command that failed among it; health-check.sh has runs of its own"},
	{"*", "cmp", "fail", "1 is its word for files that differ: what is the same is written once more"},
	{"*", "pgrep", "fail", "1 is its word for no such process"},
	{"steps:release.sh", "systemctl", "fail", "as of deploy.sh"},
	{"deploy.sh*", "systemctl", "fail", "the health check is started at the end, and otherwise in the next minute"},
	{"steps:edge.sh", "grep", "silent", "its exit code is asked, not what it prints"},
	{"health-check.sh*", "rm", "fail", "a folder below /tmp stays"},
	{"health-check.sh*", "flock", "fail", "1 is its word for a lock that somebody holds: a job is then said to be at work"},
	{"deploy.sh jobs", "flock", "fail", "1 is its word for a lock that somebody holds: a job is then said to be at work"},
	{"deploy.sh jobs", "systemctl", "*", "it only tells when the next run is"},
	{"deploy.sh job", "perl", "*", "what the container prints reaches nobody, and the job is done"},
	{"deploy.sh job*", "systemctl", "*", "it only tells when the next run is"},
	{"deploy.sh job", "systemd-cat", "*", "the journal's copy of what a person sees"},
	{"deploy.sh job", "tee", "*", "what the container prints reaches nobody, and the job is done"},
	{"deploy.sh job", "systemd-analyze", "*", "it only tells whether another run was due meanwhile"},
	{"log-monitor.sh view", "tail", "silent", "a log that is empty prints nothing, too"},
	{"steps:certificate.sh", "*", "*", "an update does not fail because no certificate is available: it says why, the site stays on the one it has, and the next try is scheduled; ssl-manager.sh has runs of its own"},
	{"steps:packages.sh", "dpkg-query", "*", "what is not known to be installed is installed, and apt passes over what is"},
	{"first-boot.sh", "timeout", "*", "it is the wait itself"},
}

// excuse says why it is none, and which exception says so.
func excuse(run, command, mode string) (reason, excuse string) {
	// A * of path.Match stops at a slash.
	run = strings.ReplaceAll(run, "/", ":")
	for _, e := range exceptions {
		named := true
		for pattern, name := range map[string]string{"r " + e.run: "r " + run, "c " + e.command: "c " + command, "m " + e.mode: "m " + mode} {
			matched, err := path.Match(pattern, name)
			named = named && matched && err == nil
		}
		if named {
			return e.reason, e.run + ", " + e.command + ", " + e.mode
		}
	}
	return "", ""
}
