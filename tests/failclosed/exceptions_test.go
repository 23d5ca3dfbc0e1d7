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
	{"deploy.sh*web servers", "python3", "*", "where AWS does not say which servers there are, those that are known take part"},
	{"deploy.sh*web servers", "mktemp", "*", "as of python3"},
	{"deploy.sh maintenance on with web servers", "curl", "*", "as of python3"},
	{"deploy.sh maintenance on with web servers", "cat", "*", "as of python3: curl's stand-in and the request to AWS are read with it"},
	{"deploy.sh maintenance on with web servers", "rm", "fail", "a folder below /run stays"},
	{"follow.sh state", "df", "*", "a server whose disk cannot be measured serves all the same, and its figures are not known"},
	{"follow.sh restart", "perl", "*", "the log alone is cut, the service has restarted, and the code is that of a cut pipe"},
	{"follow.sh switch", "docker", "silent", "where only its exit code is asked: whether Docker answers"},
	{"servers.sh status", "ssh", "*", "that a server does not answer is what it shows"},
	{"servers.sh status", "timeout", "fail", "as of ssh"},
	{"servers.sh status", "install", "fail", "the folder is there"},
	{"servers.sh status", "rm", "fail", "a folder below /run stays"},
	{"servers.sh watch, a round", "readlink", "*", "it is said, nothing is done, and the next round asks again"},
	{"servers.sh watch, a round", "ssh", "fail", "what a server that has joined does not answer is the load balancer's to judge, and the health check's"},
	{"servers.sh watch, a round", "timeout", "fail", "as of ssh"},
	{"servers.sh watch, a round", "true", "fail", "as of ssh, which it is asked by"},
	{"servers.sh watch, a round", "flock", "fail", "1 is its word for a lock that somebody holds: the next round asks again"},
	{"deploy.sh, the same*", "xargs", "silent", "what it starts runs already"},
	{"servers.sh watch, a round", "rm", "fail", "a folder below /run stays"},
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
