package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

const (
	state = "State"
	rule  = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	alarm = "aws:cloudwatch/metricAlarm:MetricAlarm"
)

// lose has Pulumi forget the stack, while AWS has all of it.
const lose = "pulumi stack rm --yes --force --preserve-config rehearsal"

// TestTheStateAndTheAccountDiffer changes the account behind Pulumi's back, and takes Pulumi's memory away: docs/state.md says
// what to do, and is run unchanged.
func TestTheStateAndTheAccountDiffer(t *testing.T) {
	r := harness.New(t, "berth-faults")
	r.Run("up", "--set", "alarmEmail=ops@example.test")
	s := site(t, r)
	const row = "kept while Pulumi knew nothing"
	s.Write(row)
	before := endState(r)
	t.Run("changed by hand", func(t *testing.T) { changedByHand(t, r.In(t), s.In(t), row) })
	t.Run("opened by hand", func(t *testing.T) { openedByHand(t, r.In(t)) })
	t.Run("two updates at once", func(t *testing.T) { twoUpdates(t, r.In(t), s.In(t)) })
	p := open(t, r, "state.md")
	t.Run("the state is lost, and there is a copy", func(t *testing.T) {
		r := r.In(t)
		watched := watch(s.In(t))
		p.run(r, "pulumi stack init", "pulumi stack export --file state.json\n"+lose)
		asked, failed := watched()
		assert.Positive(t, asked)
		assert.Zero(t, failed)
		converged(t, r, before, "")
		report.Add(t, state, "The state is lost, and there is a copy: docs/state.md, as it stands", "everything is known again; no request failed")
	})
	t.Run("the state is lost, and there is no copy", func(t *testing.T) {
		r, s := r.In(t), s.In(t)
		zone := id(r, "aws:route53/zone:Zone")
		names := []string{"vol-0123456789abcdef0", id(r, volume), "eipalloc-0123456789abcdef0", id(r, address), "i-0123456789abcdef0", id(r, instance), "Z0123456789ABCDEFGHIJ", zone}
		publicIP, certificate := r.Account().Only(address).Output("publicIp"), serial(t, r)
		p.run(r, "aws ec2 describe-instances", "", names...)
		p.run(r, "pulumi stack init", lose, names...)
		p.run(r, "aws ec2 terminate-instances", "", names...)
		clearAway(r)
		p.run(r, "pulumi up", "", names...)
		require.NoError(t, os.Remove(filepath.Join(r.Dir, "known_hosts")), "what the driver knows of the server is the old one's")
		answers(t, s, row)
		assert.Equal(t, publicIP, r.Account().Only(address).Output("publicIp"))
		assert.Equal(t, certificate, serial(t, r))
		converged(t, r, before, row)
		report.Add(t, state, "The state is lost, and there is no copy: docs/state.md, as it stands", "a new server has the volume, the address, the names and the certificate; no site until then")
	})
	t.Run("the page's last blocks", func(t *testing.T) {
		r := r.In(t)
		gone := r.Account().All(record)[0]
		r.Console("remove", record, gone.ID)
		assert.Contains(t, p.run(r, "pulumi preview --refresh", ""), gone.Output("name"))
		p.run(r, "pulumi refresh", "")
		assert.Contains(t, r.Account().Inventory(), record+" "+gone.ID)
		assert.Empty(t, p.blocks)
	})
}

// twoUpdates has two operators update one stack, by Pulumi's own command: the second comes while the first makes an alarm again.
func twoUpdates(t *testing.T, r *harness.Rehearsal, s *harness.Site) {
	r.Console("remove", alarm, r.Account().All(alarm)[0].ID)
	r.InjectFaults(harness.Fault{Operation: "create", Kind: "late", Seconds: 10})
	watched := watch(s)
	said, err := r.Try("shell", "--", "bash", "-c", `set -eu
pulumi up --yes --skip-preview --refresh >first.log 2>&1 & first=$!
until grep --quiet Updating first.log; do kill -0 "$first"; sleep 0.1; done
pulumi up --yes --skip-preview && echo "the second is not refused"
wait "$first" && cat first.log`)
	require.NoError(t, err, said)
	assert.NotContains(t, said, "the second is not refused")
	assert.Contains(t, said, "the stack is currently locked by 1 lock(s)", "docs/runbook/interrupted.md is about this sentence")
	assert.Contains(t, said, "1 created")
	asked, failed := watched()
	assert.Positive(t, asked)
	assert.Zero(t, failed)
	report.Add(t, state, "Two updates at once, by Pulumi's own command", "the second is refused, the first goes through; no request failed")
}

// changedByHand makes manual changes in AWS's console. A preview that refreshes says all of it, and an update puts it right.
func changedByHand(t *testing.T, r *harness.Rehearsal, s *harness.Site, row string) {
	account := r.Account()
	inventory := account.Inventory()
	var ssh *harness.Resource
	for _, one := range account.All(rule) {
		if one.Outputs["fromPort"] == 22.0 {
			ssh = one
		}
	}
	gone, silent := account.All(record)[0], account.All(alarm)[0]
	r.Console("change", rule, ssh.ID, `{"cidrIpv4": "0.0.0.0/0"}`)
	r.Console("remove", record, gone.ID)
	r.Console("change", instance, id(r, instance), `{"instanceType": "t3.small"}`)
	r.Console("remove", alarm, silent.ID)
	changes := []struct{ what, shown string }{
		{"A rule of the firewall is opened to the world", "SecurityGroupIngressRule ssh-from-" + r.Address(harness.OperatorHost) + "-32"},
		{"A record is deleted", "Record " + strings.ToLower(gone.Output("type")) + "-" + gone.Output("name")},
		{"The server is made another size", "Instance server"},
		{"An alarm is deleted", "MetricAlarm "},
	}
	preview := r.Run("shell", "--", "pulumi", "preview", "--refresh")
	for _, change := range changes {
		assert.Contains(t, preview, change.shown)
	}
	refreshed := r.Run("refresh")
	for _, change := range changes {
		assert.Contains(t, refreshed, change.shown)
	}
	r.Run("up")
	answers(t, s, row)
	account = r.Account()
	assert.Equal(t, r.Address(harness.OperatorHost)+"/32", account.Resources[rule+"::"+ssh.ID].Inputs["cidrIpv4"])
	assert.Equal(t, "t3.micro", account.Only(instance).Inputs["instanceType"])
	assert.Len(t, account.Inventory(), len(inventory), "what was taken away is back")
	assert.Contains(t, account.Inventory(), record+" "+gone.ID)
	for _, change := range changes {
		report.Add(t, state, change.what+" by hand", "found by `pulumi preview --refresh`, put right by `pulumi refresh` and `pulumi up`")
	}
}

// openedByHand has somebody add a rule to the firewall, which no refresh finds: Pulumi knows its own alone.
func openedByHand(t *testing.T, r *harness.Rehearsal) {
	group := id(r, "aws:ec2/securityGroup:SecurityGroup")
	open := r.Console("make", rule, fmt.Sprintf(`{"securityGroupId": %q, "ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432, "cidrIpv4": "0.0.0.0/0"}`, group))
	said := "a rule that Pulumi does not manage opens tcp 5432 from 0.0.0.0/0; if it is not needed: aws ec2 revoke-security-group-ingress --group-id " + group + " --security-group-rule-ids " + open
	assert.Contains(t, r.Run("preview"), said)
	assert.Contains(t, r.Run("up"), said)
	r.Console("remove", rule, open)
	assert.NotContains(t, r.Run("preview"), "a rule that Pulumi does not manage")
	report.Add(t, state, "A rule that is open to the world is added to the firewall by hand", "found by `pulumi preview` and `pulumi up`, which say the command that takes it away")
}

// clearAway takes away in the console the resources of a forgotten stack, except for what outlives a server.
func clearAway(r *harness.Rehearsal) {
	r.T().Helper()
	kept := []string{volume, address, record, "aws:route53/zone:Zone", "aws:ebs/snapshot:Snapshot", "aws:iam/policy:Policy"}
	for range 10 {
		left := 0
		for _, one := range r.Account().Resources {
			if slices.Contains(kept, one.Type) {
				continue
			}
			left++
			// Some wait for others.
			_, _ = r.Try("console", "remove", one.Type, one.ID)
		}
		if left == 0 {
			return
		}
	}
	require.Fail(r.T(), "not all went", strings.Join(r.Account().Inventory(), "\n"))
}
