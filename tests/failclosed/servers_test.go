package failclosed

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// round is one of servers.sh watch, which ends when what it began has, and fails where the next one has something to try again.
var round = []string{"/usr/bin/bash", "-c", `text=$(</opt/berth/servers.sh)
eval "${text%main*}"
need_root
umask 077
load_settings release DOMAIN HEALTHY_WITHIN:number DRAIN_WITHIN:number KEEP:number
install -d -m 0700 "$SOCKETS" "$SERVERS"
web_settings
look
for id in "${!ATTENDING[@]}"; do
  while kill -0 "${ATTENDING[$id]}" 2>/dev/null; do /real/bin/sleep 0.05; done
done
reap
[ "${#FAILURES[@]}" -eq 0 ] && [[ $SAID != *"asked again in"* ]]`, "/opt/berth/servers.sh"}

// follow is a command of a web server, with the names of releases instead of ONE and TWO.
func follow(arguments ...string) []string {
	return append([]string{"/usr/bin/bash", "-c", `arguments=()
for one; do
  one=${one/#ONE/$(</world/one)}
  arguments+=("${one/#TWO/$(</world/two)}")
done
exec /usr/bin/bash /opt/berth/follow.sh "${arguments[@]}"`, "follow.sh"}, arguments...)
}

// serversRuns are those with several servers. "alone" was one server and is to be the first of several, "joining" has two web servers
// that wait, "several" has them serve the first release and is asked for another, and in "several, two" that serves. "web" is a web
// server with the first release, "web, ready" has the second beside it, and "web, switched" has it serve.
var serversRuns = []run{
	{"deploy.sh, with web servers", script("deploy.sh"), "several", nil, true},
	{"deploy.sh, the same with web servers", script("deploy.sh"), "several, two", nil, true},
	{"deploy.sh rollback with web servers", script("deploy.sh", "rollback"), "several, two", nil, true},
	{"deploy.sh restart web on web servers", script("deploy.sh", "restart", "web"), "several, two", nil, true},
	{"deploy.sh maintenance on with web servers", script("deploy.sh", "maintenance", "on"), "several", nil, false},
	{"steps/servers.sh, the first time", script("step.sh", "servers", "600"), "alone", settings("servers"), false},
	{"steps/servers.sh", script("step.sh", "servers", "600"), "several", settings("servers"), false},
	{"servers.sh watch, a round with new servers", round, "joining", nil, false},
	{"servers.sh watch, a round", round, "several", nil, false},
	{"servers.sh status", script("servers.sh", "status"), "several", nil, false},
	{"servers.sh await", script("servers.sh", "await", "2", "60"), "several", nil, false},
	{"servers.sh rules", script("servers.sh", "rules"), "several", nil, false},
	{"servers.sh leave", script("servers.sh", "leave"), "several", nil, false},
	{"follow.sh enlist", follow("enlist"), "web", nil, false},
	{"follow.sh state", follow("state"), "web", nil, false},
	{"follow.sh prepare", follow("prepare", "TWO"), "web", settings("sent"), false},
	{"follow.sh switch", follow("switch", "TWO"), "web, ready", nil, false},
	{"follow.sh settle", follow("settle", "TWO", "TWO", "ONE"), "web, switched", nil, false},
	{"follow.sh back, before the switch", follow("back", "ONE", "TWO"), "web, ready", nil, false},
	{"follow.sh back", follow("back", "ONE", "TWO"), "web, switched", nil, false},
	{"follow.sh restart", follow("restart", "web"), "web", nil, false},
	{"follow.sh maintenance on", follow("maintenance", "on"), "web", nil, false},
}

// severalStates are those of several servers. release puts the settings of a commit, 0 or 1, there.
func severalStates(t *testing.T, stand, folder string, all map[string]world, release func(world, int)) {
	t.Helper()
	did := func(w world, input string, command ...string) {
		t.Helper()
		said, code := w.run(t.Context(), stand, "", "", input, command...)
		require.Zerof(t, code, "%s: %s", command, said)
	}
	spread := func(w world, commit int) {
		t.Helper()
		release(w, commit)
		text, err := os.ReadFile(w.of("etc/berth/plan.json"))
		require.NoError(t, err)
		plan := string(text)
		for old, now := range map[string]string{
			"  \"alone\": [\n    \"web\"\n  ],": "  \"alone\": [],",
			"\"spread\": []":                    "\"spread\": [\"web\"]",
			"      \"for\": [],\n      \"names\": [\n        \"web\"\n      ],\n      \"persistent\": false,\n      \"service\": \"web\"": `"for":["web"],"names":["db"],"persistent":true,"service":"db"`,
		} {
			require.Contains(t, plan, old)
			plan = strings.Replace(plan, old, now, 1)
		}
		w.put(t, "etc/berth/plan.json", plan)
	}

	alone := all["new"].copied(t, made(t, folder, "alone"))
	alone.put(t, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\ndocker-registry:x:999:999::/:/bin/false\n")
	alone.put(t, "etc/group", "root:x:0:\ndocker-registry:x:999:\n")
	alone.put(t, "var/log/berth/servers.log", "a line\n")
	settings := func(w world, servers int) {
		w.put(t, "world/settings/servers", fmt.Sprintf(`{"GROUP":"web-1","TARGET_GROUP":"arn:site","REGION":"eu-central-1","REACH":"100.64.20.0/24","NETWORK":"10.20.0.0/16","OPERATORS":["203.0.113.7/32"],"FLEET_KEY":"a key","WEB_HOST_KEY":"ssh-ed25519 AAAA","MIN":%d,"FIRST":true,"BALANCER":"site.elb.example.com","EDGE":{}}`, servers))
	}
	group, instances := "", ""
	for address, id := range webServers {
		group += "<member><InstanceId>" + id + "</InstanceId><HealthStatus>Healthy</HealthStatus><LifecycleState>STATE</LifecycleState></member>"
		instances += "<item><instancesSet><item><instanceId>" + id + "</instanceId><privateIpAddress>" + address + "</privateIpAddress></item></instancesSet></item>"
	}
	answers := func(w world, state string) {
		w.put(t, "world/group.xml", "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member><AutoScalingGroupName>web-1</AutoScalingGroupName><Instances>"+
			strings.ReplaceAll(group, "STATE", state)+"</Instances></member></AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>")
		w.put(t, "world/instances.xml", "<DescribeInstancesResponse><reservationSet>"+instances+"</reservationSet></DescribeInstancesResponse>")
	}
	settings(alone, 0)
	spread(alone, 0)
	did(alone, "", script("deploy.sh")...)
	one := serving(t, alone)
	all["alone"] = alone

	joining := alone.copied(t, made(t, folder, "joining"))
	text, err := os.ReadFile(alone.of("world/settings/servers"))
	require.NoError(t, err)
	did(joining, string(text), script("step.sh", "servers", "600")...)
	answers(joining, "Pending:Wait")
	for address := range webServers {
		joining.put(t, "world/web/"+address, "- -\n")
	}
	all["joining"] = joining

	several := joining.copied(t, made(t, folder, "several"))
	did(several, "", round...)
	for address := range webServers {
		text, err := os.ReadFile(several.of("world/web", address))
		require.NoError(t, err)
		require.Equal(t, one+" -\n", string(text))
	}
	require.Len(t, several.lines("world/aws"), 2, "each server's wait is ended")
	require.NoError(t, os.Remove(several.of("world/aws")))
	sent, err := os.ReadFile(several.of("world/sent"))
	require.NoError(t, err)
	answers(several, "InService")
	settings(several, 2)
	spread(several, 1)
	several.put(t, "world/kept", one+"\n")
	all["several"] = several

	two := several.copied(t, made(t, folder, "several-two"))
	did(two, "", script("deploy.sh")...)
	two.put(t, "world/kept", one+"\n"+serving(t, two)+"\n")
	all["several, two"] = two

	web := all["new"].copied(t, made(t, folder, "web"))
	for _, file := range []string{"plan.json", "release.json", "app.env", "deploy_key", "operations.json", "jobs.json", "certificate.json"} {
		require.NoError(t, os.Remove(web.of("etc/berth", file)))
	}
	require.NoError(t, os.RemoveAll(web.of("data/docker/volumes")))
	registry, err := os.ReadFile(two.of("world/registry"))
	require.NoError(t, err)
	web.put(t, "world/registry", string(registry))
	web.put(t, "world/one", one+"\n")
	web.put(t, "world/two", serving(t, two)+"\n")
	did(web, "", follow("enlist")...)
	did(web, string(sent), follow("prepare", "ONE")...)
	did(web, "", follow("switch", "ONE")...)
	did(web, "", follow("settle", "ONE", "ONE")...)
	sent, err = os.ReadFile(two.of("world/sent"))
	require.NoError(t, err)
	web.put(t, "world/settings/sent", string(sent))
	web.put(t, "world/kept", one+"\n")
	all["web"] = web

	ready := web.copied(t, made(t, folder, "web-ready"))
	did(ready, string(sent), follow("prepare", "TWO")...)
	all["web, ready"] = ready

	switched := ready.copied(t, made(t, folder, "web-switched"))
	did(switched, "", follow("switch", "TWO")...)
	all["web, switched"] = switched
}
