package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
	"berth/tests/report"
)

const (
	noCertificate = "No certificate is available"
	record        = "aws:route53/record:Record"
)

// TestTheAuthorityFails goes through what keeps a site from its certificate. It goes on with the one that it has, says what to
// do, and gets the new one once that is done.
func TestTheAuthorityFails(t *testing.T) {
	r := harness.New(t, "berth-faults")
	t.Run("the zone is not delegated yet", func(t *testing.T) { undelegated(t, r.In(t)) })
	s := site(t, r)
	const row = "kept while no certificate was available"
	s.Write(row)
	refuser := filepath.Join(t.TempDir(), "refuser")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", refuser, "berth/tests/faults/refuser")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	docker(t, "cp", refuser, r.Name+"-acme:/usr/local/bin/refuser")

	for i, test := range []withoutCertificate{
		{name: "it is down", row: "The authority is down",
			breaks: func(r *harness.Rehearsal) { networkOf(r, "acme", harness.AuthorityHost, false) },
			says:   []string{"the staging authority cannot be reached; the real one was not asked; it, or the way to it, is away for the moment: nothing has to be done, it is retried automatically; the next try: "},
			fixes:  func(r *harness.Rehearsal) { networkOf(r, "acme", harness.AuthorityHost, true) }},
		{name: "it is in trouble", row: "The authority answers 500",
			breaks: refuses("500", "", "serverInternal", "Error creating new order"), says: []string{"the staging authority cannot be reached", "it is retried automatically"}, fixes: accepts},
		{name: "it knows no nonce", row: "The authority does not know the nonces that it gave",
			breaks: refuses("400", "", "badNonce", "JWS has an invalid anti-replay nonce"), says: []string{"the staging authority cannot be reached", "it is retried automatically"}, fixes: accepts},
		{name: "it refuses", row: "The authority refuses a name", again: generateNow,
			breaks: refuses("403", "", "rejectedIdentifier", "The server will not issue certificates for the identifier"),
			says:   []string{"the staging authority refused", "it signs for no such name (The server will not issue certificates for the identifier): take another (berth:domain, berth:aliases), or another authority"}, fixes: accepts},
		{name: "it is at its limit", row: "The authority's limit is reached (429 with Retry-After)", again: generateNow,
			breaks: refuses("429", "7200", "rateLimited", "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s"),
			says:   []string{"the CA's rate limit was reached (too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s): it is asked again from ", "not sooner, and the site goes on with what it has"},
			fixes: func(r *harness.Rehearsal) {
				accepts(r)
				orders := r.Orders()
				assert.Contains(r.T(), r.Renew(false), "the CA's rate limit was reached, so it is asked again from ")
				assert.Equal(r.T(), orders, r.Orders(), "it was not asked")
			}},
		{name: "another server answers it", row: "The authority's challenge gets a wrong answer, from another server in front", again: generateNow,
			breaks: func(r *harness.Rehearsal) {
				r.SSH("sudo systemd-run --quiet --collect --unit other python3 -m http.server 8099")
				inNetworkOf(r, "nft", `table inet other { chain in { type nat hook prerouting priority -110; iifname "eth*" tcp dport 80 redirect to :8099; }; }`)
			},
			says: []string{"the staging authority refused", "it did not find this server behind the names (", "see which other server, proxy or IPv6 address answers for them on port 80 from outside (docs/runbook/dns.md); after the fix: sudo /opt/berth/ssl-manager.sh generate --now"},
			fixes: func(r *harness.Rehearsal) {
				inNetworkOf(r, "nft", "delete table inet other")
				r.SSH("sudo systemctl stop other")
			}},
		{name: "a name points elsewhere", row: "A name points to a wrong address",
			breaks: func(r *harness.Rehearsal) {
				for _, one := range r.Account().All(record) {
					if one.Output("name") == "www."+harness.Domain && one.Output("type") == "A" {
						r.Console("change", record, one.ID, `{"records": ["192.0.2.1"]}`)
					}
				}
			},
			says: []string{"www." + harness.Domain + " does not resolve to " + r.Address(harness.ServerHost) + " (it resolves to: 192.0.2.1); point it there"},
			fixes: func(r *harness.Rehearsal) {
				r.Run("refresh")
				r.Run("up")
			}},
		{name: "the server's clock is a day behind", row: "The server's clock is a day behind: certbot's, openssl's, curl's and the scripts' (what else runs has this machine's)",
			breaks: clock("-1d"), says: []string{"its own certificate is not valid for this server: the clock here (", "is wrong, so set it (sudo timedatectl set-ntp true)"}, fixes: clock("")},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.against(t, r.In(t), s.In(t), fmt.Sprintf("certificate-%d.example.test", i), row)
		})
	}
	t.Run("the server's clock is a day ahead", func(t *testing.T) {
		r := r.In(t)
		clock("+1d")(r)
		r.Run("up", "--set", "aliases[1]=ahead.example.test")
		assert.Contains(t, served(t, r, "ahead.example.test"), "ahead.example.test")
		clock("")(r)
		report.Add(t, noCertificate, "The server's clock is a day ahead, of the same programs", "continues automatically")
	})
}

// withoutCertificate is something that keeps the site from another certificate.
type withoutCertificate struct {
	name, row string
	// breaks does the damage before a name is added, for which the update asks, and says it has to say; fixes fixes it.
	breaks func(r *harness.Rehearsal)
	says   []string
	fixes  func(r *harness.Rehearsal)
	// again is the command that the sentence names; where it names none, the timer's next look gets the certificate.
	again string
}

const generateNow = "sudo /opt/berth/ssl-manager.sh generate --now"

func (w withoutCertificate) against(t *testing.T, r *harness.Rehearsal, s *harness.Site, name, row string) {
	before, watched := serial(t, r), watch(s)
	w.breaks(r)
	output, err := r.Try("up", "--set", "aliases[1]="+name)
	if err != nil {
		// Pulumi's part went through. A rehearsal then asks its authority for the root to trust.
		require.Contains(t, output, "fetch the authority's root", output)
	}
	for _, sentence := range append(w.says, "the site stays on the certificate it has; the next try is scheduled") {
		assert.Contains(t, output, sentence)
	}
	assert.Equal(t, before, serial(t, r), "the site goes on with what it has")
	w.fixes(r)
	how := "the next look got the new one"
	if w.again == "" {
		r.Renew(true)
	} else {
		r.SSH(w.again)
		how = "`" + w.again[len("sudo /opt/berth/"):] + "` got the new one"
	}
	require.Eventually(t, func() bool { return slices.Contains(served(t, r, name), name) }, 20*time.Second, 100*time.Millisecond, "the new name is served")
	asked, failed := watched()
	assert.Positive(t, asked)
	assert.Zero(t, failed, "of %d requests", asked)
	assert.Contains(t, s.Notes(), row)
	assert.Contains(t, r.Run("up"), "SSH connections opened: 0")
	report.Add(t, noCertificate, w.row, "said what to do; the site went on with the certificate it had; "+how)
}

// undelegated makes everything while the parent of the site's zone does not know its name servers.
func undelegated(t *testing.T, r *harness.Rehearsal) {
	r.Run("preview") // The zone is there from now on.
	const zone = "aws:route53/zone:Zone"
	r.Console("change", zone, id(r, zone), `{"undelegated": true}`)
	output, err := r.Try("up")
	require.Error(t, err, "a rehearsal wants a certificate that it can trust")
	require.Contains(t, output, "does not resolve to "+r.Address(harness.ServerHost)+" (it resolves to: ); point it there, or delegate the zone to the name servers that")
	require.Contains(t, output, "the site answers with a self-signed certificate")
	require.Contains(t, output, "the server tries again twice a day, or at once: sudo /opt/berth/ssl-manager.sh generate")
	r.Console("change", zone, id(r, zone), `{"undelegated": false}`)
	r.Renew(true)
	r.Run("up")
	report.Add(t, noCertificate, "The zone is not delegated yet, at a first update", "said what to do; the site went on with the placeholder; the next look got the certificate")
}
