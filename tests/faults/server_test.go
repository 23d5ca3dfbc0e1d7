package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

// Types of what somebody takes away by hand.
const (
	instance    = "aws:ec2/instance:Instance"
	address     = "aws:ec2/eip:Eip"
	association = "aws:ec2/eipAssociation:EipAssociation"
	volume      = "aws:ebs/volume:Volume"
	attachment  = "aws:ec2/volumeAttachment:VolumeAttachment"
)

const byHand = "Manual changes in AWS's console"

func id(r *harness.Rehearsal, typ string) string { return r.Account().Only(typ).ID }

// TestTheServerIsTouched makes manual changes in AWS's console, on the server and on what hangs on it, and meets a new server
// with what the world has in store for one.
func TestTheServerIsTouched(t *testing.T) {
	r := harness.New(t, "berth-faults")
	r.Run("up")
	s := site(t, r)
	const row = "kept while the server was touched"
	s.Write(row)
	t.Run("a hard reset", func(t *testing.T) { hardReset(t, r.In(t), s.In(t), row) })
	t.Run("a reboot", func(t *testing.T) { reboot(t, r.In(t), s.In(t), row) })
	t.Run("a library is updated", func(t *testing.T) { libraryUpdated(t, r.In(t), s.In(t), row) })
	t.Run("a release before Docker is up", func(t *testing.T) { early(t, r.In(t), s.In(t), row) })
	for _, f := range []fault{
		{name: "stopped by hand", row: "The server is stopped by hand", away: true, args: []string{"--set", "environment.GREETING=stopped"},
			breaks: func(r *harness.Rehearsal) {
				r.Console("change", instance, id(r, instance), `{"instanceState": "stopped"}`)
			},
			says: []string{"does not answer over SSH, for 4m0s", "see how it is and start it (docs/runbook/server-gone.md)"},
			fixes: func(r *harness.Rehearsal) {
				r.Console("change", instance, id(r, instance), `{"instanceState": "running"}`)
			}},
		{name: "its address is taken away", row: "The server's address is taken away by hand", away: true, found: true,
			breaks: func(r *harness.Rehearsal) { r.Console("remove", association, id(r, association)) }, says: []string{"EipAssociation elastic-ip delete"}},
		{name: "it is given another address", row: "The server is given another address by hand", away: true, found: true,
			breaks: func(r *harness.Rehearsal) {
				other := r.Console("make", address, `{"domain": "vpc"}`)
				r.T().Cleanup(func() { r.Console("remove", address, other) })
				r.Console("make", association, fmt.Sprintf(`{"allocationId": %q, "instanceId": %q}`, other, id(r, instance)))
			},
			says: []string{"EipAssociation elastic-ip delete"}},
	} {
		f.against(t, r, s, byHand, row)
	}
	fault{name: "no server of its size", row: "AWS has no server of the size to give (InsufficientInstanceCapacity), when one is replaced", away: true, args: []string{"--set", "ami=" + harness.OtherAMI},
		breaks: refuse(1, "operation error EC2: RunInstances, https response error StatusCode: 500, RequestID: 0, api error InsufficientInstanceCapacity: We currently do not have sufficient t3.micro capacity in the Availability Zone you requested (eu-central-1a)."),
		says:   []string{"pulumi config set berth:instanceType t3a.micro", "until there is a server there is no site, and volume, address and certificate are kept for it"},
		fixes:  func(r *harness.Rehearsal) { r.Run("up", "--set", "instanceType=t3a.micro") }}.against(t, r, s, world, row)
	t.Run("taken away, and the package mirror is down for the next", func(t *testing.T) { mirrorDown(t, r.In(t), s.In(t), row) })
	t.Run("the volume is taken from it as it runs", func(t *testing.T) { volumeTaken(t, r.In(t), s.In(t), row) })
	t.Run("the volume is given to another server", func(t *testing.T) { volumeGiven(t, r.In(t), s.In(t), row) })
}

// answers waits for the site and looks for the row.
func answers(t *testing.T, s *harness.Site, row string) {
	t.Helper()
	s.Client.CloseIdleConnections()
	require.Eventually(t, func() bool { return greeting(s) != "" }, 2*time.Minute, 50*time.Millisecond)
	assert.Contains(t, s.Notes(), row)
}

// whole is what a server has to have, as text: what it mounts, what runs, what is scheduled.
const whole = `systemctl is-system-running; systemctl is-active nginx docker berth-firewall berth-slots ssh data.mount
findmnt --noheadings --output TARGET,FSTYPE /data
sudo docker ps --format '{{.Label "com.docker.compose.project"}} {{.Label "com.docker.compose.service"}} {{.State}}' | sort
systemctl list-timers --all --no-legend | grep -o '[a-z-]*\.timer' | sort
sudo nft list table inet berth | grep -c drop
readlink /run/berth-edge/current
cat /proc/sys/net/ipv4/tcp_tw_reuse /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait`

// hardReset cuts the power while everything runs, and waits until everything is as it was.
func hardReset(t *testing.T, r *harness.Rehearsal, s *harness.Site, row string) {
	before := r.SSH(whole)
	for _, part := range []string{"running", "/data", "berth-health.timer", "berth-dump.timer", "berth-certificate.timer", "logrotate.timer", "api running", "db running"} {
		require.Contains(t, before, part)
	}
	began := time.Now()
	powerCut(t, host(t, r))
	answers(t, s, row)
	answered := time.Since(began)
	require.Eventually(t, func() bool {
		after, err := r.TrySSH(whole, "")
		return err == nil && strings.TrimSpace(after) == before
	}, 2*time.Minute, 200*time.Millisecond, "everything is as it was")
	all := time.Since(began)
	assert.Equal(t, "ok", r.Health()["containers"])
	report.Add(t, "Reboot", "From a hard reset to the first answer, nothing done by hand", answered.Round(time.Second).String())
	report.Add(t, "Reboot", "Until containers, nginx, firewall, timers and mounts are as they were", all.Round(time.Second).String())
}

// reboot shuts the server down as AWS or a security update does, with a container that takes longer to end than Docker gives by
// default, and with kept ones that must not come back.
func reboot(t *testing.T, r *harness.Rehearsal, s *harness.Site, row string) {
	r.SSH(`sudo docker run --detach --name slow --restart unless-stopped --stop-signal SIGUSR1 --stop-timeout 60 --volume /data/slow:/slow debian:13-slim \
  bash -c 'trap "sleep 15; date >>/slow/finished; exit 0" USR1; touch /slow/up; while :; do sleep 0.1; done'
timeout 60 bash -c 'until sudo test -e /data/slow/up; do sleep 0.1; done'; sudo rm /data/slow/up`)
	before := r.SSH(whole)
	require.Contains(t, before, "db running")
	began := time.Now()
	docker(t, "restart", "--time", "240", host(t, r))
	answers(t, s, row)
	require.Eventually(t, func() bool {
		after, err := r.TrySSH(whole, "")
		return err == nil && strings.TrimSpace(after) == before
	}, 2*time.Minute, 200*time.Millisecond, "everything is as it was, and no more")
	report.Add(t, "Reboot", "An orderly reboot with a container that takes 15 s to end, until everything is as it was", time.Since(began).Round(time.Second).String())
	assert.Equal(t, "1", r.SSH("sudo cat /data/slow/finished | wc -l"), "it ended in its own time")
	assert.NotContains(t, r.SSH(`db=$(sudo docker ps --quiet --filter label=com.docker.compose.service=db); sudo docker logs --since "$(sudo docker inspect --format '{{.State.StartedAt}}' "$db")" "$db" 2>&1`), "not properly shut down")
	r.SSH("sudo docker rm --force --volumes slow && sudo rm -r /data/slow")
}

// libraryUpdated replaces the files of libraries as an update does, and has needrestart run as apt does at its end, with
// requests all the time.
func libraryUpdated(t *testing.T, r *harness.Rehearsal, s *harness.Site, row string) {
	said := r.SSHInput("sudo bash", `set -euo pipefail
for name in libssl.so.3 libc.so.6; do
  library=$(readlink -f "/lib/x86_64-linux-gnu/$name")
  cp -p "$library" "$library.new"
  mv "$library.new" "$library"
done
outdated() { grep -c 'lib\(ssl\|c\)\.so.*(deleted)' "/proc/$1/maps" || true; }
nginx=$(cat /run/nginx.pid)
ssh=$(systemctl show --property MainPID --value ssh)
docker=$(systemctl show --property MainPID --value docker)
echo "before: $(($(outdated "$nginx") > 0)) $(($(outdated "$ssh") > 0))"
(until [ -e /run/updated ]; do curl --silent --output /dev/null --max-time 5 --header 'Host: `+harness.Domain+`' http://127.0.0.1/ || echo failed; done) >/run/asked &
DEBIAN_FRONTEND=noninteractive needrestart </dev/null >/dev/null
touch /run/updated
wait
echo "after: $(outdated "$(cat /run/nginx.pid)") $(outdated "$(systemctl show --property MainPID --value ssh)")"
[ "$docker" = "$(systemctl show --property MainPID --value docker)" ] && echo "docker stays"
[ "$(cat /run/nginx.pid)" = "$(systemctl show --property MainPID --value nginx)" ] && systemctl is-active nginx
echo "failed requests: $(wc -l </run/asked)"
rm -f /run/updated /run/asked`)
	for _, line := range []string{"before: 1 1", "after: 0 0", "docker stays", "active", "failed requests: 0"} {
		assert.Contains(t, said, line)
	}
	answers(t, s, row)
	report.Add(t, "Reboot", "A library that nginx and sshd use is updated", "both run with it, no request fails")
}

// early asks for a release before Docker is up, as after a boot.
func early(t *testing.T, r *harness.Rehearsal, s *harness.Site, row string) {
	said := r.SSH(`sudo systemctl stop docker.socket docker.service
sudo /opt/berth/deploy.sh >/tmp/early 2>&1 & release=$!
timeout 60 bash -c 'until grep -s "waiting for Docker" /tmp/early; do sleep 0.1; done'
sudo systemctl start docker.socket docker.service
wait "$release"; cat /tmp/early`)
	assert.Contains(t, said, "serves already")
	answers(t, s, row)
	report.Add(t, "Reboot", "A release asked for before Docker is up", "waits for it, and goes through")
}

// mirrorDown has the server gone, and Debian's archive silent when the next one asks for packages.
func mirrorDown(t *testing.T, r *harness.Rehearsal, s *harness.Site, row string) {
	r.Console("remove", instance, id(r, instance))
	assert.Contains(t, r.Run("refresh"), "Instance server delete")
	up := r.Start("up")
	// Its network is there before its first step.
	require.NotEmpty(t, up.Await(func(output string) string {
		if strings.Contains(output, "command:remote:Command first-boot creating") {
			return output
		}
		return ""
	}))
	unreachable(r, "ip daddr != { 127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, "+r.Internet().String()+" } tcp dport { 80, 443 } reject")
	output, err := up.Wait()
	require.Error(t, err, output)
	require.Contains(t, output, "Debian's archive does not answer")
	require.Contains(t, output, "after the fix, run 'pulumi up' again")
	reachable(r)
	r.Run("up")
	answers(t, s, row)
	report.Add(t, byHand, "The server is taken away by hand", "found by `pulumi refresh`, put right by `pulumi up`; no site until then")
	report.Add(t, world, "The package mirror is down for a new server", "said what to do; the next update went through; no site until then")
}

// volumeTaken detaches the volume by force from the server that runs on it.
func volumeTaken(t *testing.T, r *harness.Rehearsal, s *harness.Site, row string) {
	r.Console("remove", attachment, id(r, attachment))
	output, err := r.TrySSH("sudo /opt/berth/health-check.sh", "")
	require.Error(t, err)
	assert.Regexp(t, `critical +disk +/data is not there, or takes nothing: its volume was taken away, or failed; give it back: pulumi refresh, pulumi up`, output)
	assert.Contains(t, r.Run("refresh"), "VolumeAttachment data delete")
	output, err = r.Try("up")
	require.Error(t, err, output)
	require.Contains(t, output, "so reboot: sudo systemctl reboot")
	require.Contains(t, output, "after the fix, run 'pulumi up' again")
	// A container does not restart after a reboot without a restart policy.
	docker(t, "stop", "--time", "60", host(t, r))
	docker(t, "start", host(t, r))
	r.Run("up")
	answers(t, s, row)
	report.Add(t, byHand, "The volume is taken from the running server by force", "said what to do (a reboot); the next update went through; no site until then")
}

// volumeGiven stops the server, attaches its volume to another one, and starts it again without.
func volumeGiven(t *testing.T, r *harness.Rehearsal, s *harness.Site, row string) {
	server := r.Account().Only(instance)
	r.Console("change", instance, server.ID, `{"instanceState": "stopped"}`)
	r.Console("remove", attachment, id(r, attachment))
	other := r.Console("make", instance, fmt.Sprintf(`{"ami": %q, "instanceType": "t3.micro", "subnetId": %q, "userData": "#cloud-config\n"}`, harness.OtherAMI, server.Output("subnetId")))
	given := r.Console("make", attachment, fmt.Sprintf(`{"volumeId": %q, "instanceId": %q, "deviceName": "/dev/sdf"}`, id(r, volume), other))
	r.Console("change", instance, server.ID, `{"instanceState": "running"}`)
	assert.Contains(t, r.Run("refresh"), "VolumeAttachment data delete")
	output, err := r.Try("up")
	require.Error(t, err, output)
	require.Contains(t, output, "the volume is attached to another server, which was a manual change: detach it there (aws ec2 detach-volume --region eu-central-1")
	r.Console("remove", attachment, given)
	r.Console("remove", instance, other)
	// Once the boot has given up on the volume, its step alone brings back what waited for it: Docker, the way to the release
	// that serves, nginx.
	r.SSH("systemctl is-system-running --wait || true")
	output = r.Run("up")
	require.Contains(t, output, "command:remote:Command volume")
	require.NotContains(t, output, "command:remote:Command release")
	answers(t, s, row)
	report.Add(t, byHand, "The volume is attached to another server by hand", "said what to do; the next update went through; no site until then")
}
