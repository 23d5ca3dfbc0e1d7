package faults

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

const world = "The world fails"

// Errors of AWS's as its provider passes them on.
const (
	internal     = "operation error Route 53: ChangeResourceRecordSets, exceeded maximum number of attempts, 25, https response error StatusCode: 500, RequestID: 0, InternalFailure: We encountered an internal error. Please try again."
	throttled    = "operation error Route 53: ChangeResourceRecordSets, exceeded maximum number of attempts, 25, https response error StatusCode: 400, RequestID: 0, api error Throttling: Rate exceeded"
	unfound      = "operation error Route 53: GetChange, https response error StatusCode: 404, RequestID: 0, NoSuchChange: A change with the specified change ID does not exist."
	unauthorized = "operation error Route 53: ChangeResourceRecordSets, https response error StatusCode: 403, RequestID: 0, api error AccessDenied: User: arn:aws:iam::123456789012:user/operator is not authorized to perform: route53:ChangeResourceRecordSets"
	skewed       = "operation error Route 53: ChangeResourceRecordSets, https response error StatusCode: 403, RequestID: 0, api error SignatureDoesNotMatch: Signature expired: 20261123T000000Z is now earlier than 20261124T000000Z"
)

// copied gives the rehearsal a copy of the sample app, to which a test may commit.
func copied(t *testing.T, r *harness.Rehearsal) {
	t.Helper()
	sample := r.App
	r.App = filepath.Join(t.TempDir(), "app")
	require.NoError(t, os.CopyFS(r.App, os.DirFS(sample)))
}

// TestTheWorldFails breaks what Berth depends on, one thing at a time.
func TestTheWorldFails(t *testing.T) {
	r := harness.New(t, "berth-faults")
	copied(t, r)
	firstUp(t, r)
	s := site(t, r)
	const row = "kept while the world failed"
	s.Write(row)
	// alias is a change that AWS has to be asked for.
	alias := func(name string) []string { return []string{"--set", "aliases[1]=" + name + ".example.test"} }
	for _, f := range []fault{
		{name: "AWS fails once", args: alias("once"), row: "AWS fails once (500, after the provider's own 25 tries)",
			breaks: refuse(1, internal), says: []string{"InternalFailure", "AWS itself failed: wait some minutes", "then run 'pulumi up' again, which goes on where this ended"}},
		{name: "AWS fails always", args: alias("always"), row: "AWS fails always (500)", breaks: refuse(-1, internal), says: []string{"AWS itself failed"}, fixes: undisturbed},
		{name: "AWS throttles", args: alias("throttled"), row: "AWS throttles until the provider gives up",
			breaks: refuse(1, throttled), says: []string{"Throttling: Rate exceeded", "AWS is asked too much at once, by this or by others in the account: wait a minute"}},
		{name: "AWS is eventually consistent", args: alias("consistent"), row: "AWS does not find what it just made",
			breaks: refuse(1, unfound), says: []string{"NoSuchChange", "created a moment ago is found in a minute"}},
		{name: "AWS refuses the credentials", args: alias("denied"), row: "AWS does not allow it (AccessDenied)",
			breaks: refuse(-1, unauthorized), says: []string{"route53:ChangeResourceRecordSets", "give them what docs/iam/deployer.json lists"}, fixes: undisturbed},
		{name: "AWS refuses the signature", args: alias("skewed"), row: "The operator's clock is a day behind: AWS refuses the signature",
			breaks: refuse(-1, skewed), says: []string{"its clock is wrong (date --utc): set it (sudo timedatectl set-ntp true)"}, fixes: undisturbed},
		{name: "AWS answers slowly", args: alias("slow"), heals: true, row: "AWS answers after 15 s", breaks: func(r *harness.Rehearsal) {
			r.InjectFaults(harness.Fault{Operation: "create", Kind: "late", Seconds: 15})
		}},
		{name: "the git host is down at the preview", row: "The git host does not answer the preview",
			breaks: func(r *harness.Rehearsal) { networkOf(r, "git", harness.GitHost, false) },
			says:   []string{"ask ssh://git@" + r.Address(harness.GitHost) + "/srv/app.git for \"main\"", "try it by hand: git ls-remote"},
			fixes:  func(r *harness.Rehearsal) { networkOf(r, "git", harness.GitHost, true) }},
		{name: "the git host is down at the release", row: "The git host does not answer the server, in the release step",
			breaks: func(r *harness.Rehearsal) {
				r.Commit(map[string]string{"web/release": "while the git host is down"})
				unreachable(r, "ip daddr "+r.Address(harness.GitHost)+" drop")
			},
			says:  []string{"the git host of ssh://git@" + r.Address(harness.GitHost) + "/srv/app.git does not answer from the server [git-host-not-answering]; when it does, run 'pulumi up' again", "the site is served by"},
			fixes: reachable},
		{name: "the volume is another stack's", args: []string{"--set", "environment.GREETING=foreign"}, row: "The volume belongs to another stack",
			breaks: func(r *harness.Rehearsal) { r.SSH("echo someone-else | sudo tee /data/stack") },
			says:   []string{"this server's data belongs to stack someone-else", "pulumi stack select someone-else", "sudo rm /data/stack"},
			fixes:  func(r *harness.Rehearsal) { r.SSH("sudo rm /data/stack") }},
	} {
		f.against(t, r, s, world, row)
	}
	t.Run("two commands on one rehearsal", func(t *testing.T) {
		r := r.In(t)
		r.InjectFaults(harness.Fault{Operation: "create", Kind: "late", Seconds: 10})
		first := r.Start(append([]string{"up"}, alias("first")...)...)
		// The second comes while the first runs, and holds what it holds from its first second on.
		first.Await(func(output string) string { return regexp.MustCompile("Updating").FindString(output) })
		output, err := r.Try("up")
		require.Error(t, err)
		assert.Contains(t, output, "another command is running on this rehearsal; wait for it, or end it")
		output, err = first.Wait()
		require.NoError(t, err, output)
	})
}

// firstUp makes everything, against quotas of a new account that are used up and what else meets a first update.
func firstUp(t *testing.T, r *harness.Rehearsal) {
	const ec2 = "operation error EC2: %s, https response error StatusCode: 400, RequestID: 0, api error "
	met := []struct{ row, resource, said, says string }{
		{"The account has no VPC left (VpcLimitExceeded)", "vpc", ec2 + "VpcLimitExceeded: The maximum number of VPCs has been reached.", "--quota-code L-F678F1CE"},
		{"The account has no Elastic IP left (AddressLimitExceeded)", "elastic-ip", ec2 + "AddressLimitExceeded: The maximum number of addresses has been reached.", "release one that nothing uses (aws ec2 describe-addresses --region eu-central-1"},
		{"The account may run no more servers (VcpuLimitExceeded)", "server", ec2 + "VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 0 allows", "--quota-code L-1216C47A"},
		{"AWS has no server of the size to give (InsufficientInstanceCapacity)", "server", ec2 + "InsufficientInstanceCapacity: We currently do not have sufficient t3.micro capacity in the Availability Zone you requested (eu-central-1a).",
			"AWS has no t3.micro to give in eu-central-1a now: take another size or family for the time being (pulumi config set berth:instanceType t3a.micro)"},
		{"AWS does not allow it (UnauthorizedOperation)", "data", ec2 + "UnauthorizedOperation: You are not authorized to perform this operation.", "give them what docs/iam/deployer.json lists"},
	}
	for _, one := range met {
		r.InjectFaults(harness.Fault{Operation: "create", Name: one.resource, Kind: "refuse", Error: one.said})
		output, err := r.Try("up")
		require.Error(t, err, one.row)
		require.Contains(t, output, one.says)
		require.Contains(t, output, "then run 'pulumi up' again, which goes on where this ended")
	}
	r.Run("up")
	for _, one := range met {
		report.Add(t, world, one.row+", at a first update", "said what to do; a later update went through")
	}
}
