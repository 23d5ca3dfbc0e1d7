package tests

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// scene is a standing rehearsal with the sample app, and the site as a visitor has it.
type scene struct {
	r       *harness.Rehearsal
	site    *harness.Site
	account *harness.Account
	address string
	// output is what the first update printed.
	output string
}

// in is the scene for a part of the test.
func (s scene) in(t *testing.T) scene {
	s.r, s.site = s.r.In(t), s.site.In(t)
	return s
}

// kept is a row that every part has to leave in the database.
const kept = "kept through everything"

// TestFromNothingToHTTPSAndBack is the main job, whole, in the order in which a person would do it. Each part also runs alone, on a
// rehearsal that runs: make test-one TEST=the_browser.
func TestFromNothingToHTTPSAndBack(t *testing.T) {
	r := harness.New(t, "berth-test")
	s := scene{r: r, output: r.Run("up")}
	require.Contains(t, s.output, "https://"+harness.Domain+"/ answers 200")
	s.account = r.Account()
	s.address = s.account.Only("aws:ec2/eip:Eip").Output("publicIp")
	s.site = harness.NewSite(t, s.address, r.File("root.pem"))
	if !slices.Contains(s.site.Notes(), kept) {
		s.site.Write(kept)
	}

	for _, part := range []struct {
		name string
		run  func(*testing.T, scene)
		// long parts are for make test-all.
		long bool
	}{
		{name: "the page answers over HTTPS, on every name, and HTTP redirects there", run: pageAnswers},
		{name: "the page answers over IPv6 too", run: pageOverIPv6},
		{name: "the host is the instance that was asked for", run: hostAsAsked},
		{name: "nothing of Berth's stays in memory beside Docker and nginx", run: residentProcesses},
		{name: "a row written through the API can be read back", run: rowReadBack},
		{name: "the browser shows the row behind a padlock", run: browserShowsRow},
		{name: "what the security group closes is closed", run: closedPorts},
		{name: "containers do not reach the instance's metadata, root on the host does", run: metadataIsRoots},
		{name: "secrets stay where they belong", run: secretsStay},
		{name: "the doctor", run: doctor, long: true},
		{name: "attackers get nothing but sane answers", run: attackersQuick},
		{name: "a second up changes nothing and opens no connection", run: secondUp},
		{name: "refresh and preview find nothing to do", run: refreshAndPreview},
		{name: "a changed variable runs the release step alone, and is gone back on with the database", run: changedVariable},
		{name: "commands run in the app by hand", run: commandsByHand},
		{name: "a site and a route have limits of their own", run: ownLimits, long: true},
		{name: "a route asks for a password, which stays where it belongs", run: passwordsAsked, long: true},
		{name: "the networks of a proxy are refreshed, and stay where they cannot be", run: trustedProxies, long: true},
		{name: "directives of nginx's own are checked before they are taken", run: ownDirectives, long: true},
		{name: "the maintenance page is served and nothing else, but for the authority", run: maintenancePage},
		{name: "an image built elsewhere is pulled by digest with the stack's credentials", run: imageByDigest, long: true},
		{name: "another stack's release does not go out on this server", run: anotherStacksRelease, long: true},
		{name: "a killed update is resumed", run: killedUpdate, long: true},
		{name: "a replaced instance serves the same data with the same certificate", run: replacedInstance},
		{name: "a bigger volume grows with its file system", run: biggerVolume, long: true},
		{name: "renewal by the timer's unit replaces the certificate and nginx serves it", run: renewalByTimer},
		{name: "the certificate's state is reported, and one command returns to the placeholder", run: certificateState, long: true},
		{name: "an authority that refused is not asked again at once", run: refusedAuthority},
		{name: "the health check says how everything is, and finds what is wrong", run: healthCheck},
		{name: "no weak cipher, on neither port", run: noWeakCipher, long: true},
		{name: "a full disk is mailed and leaves the site up, and the space comes back", run: fullDisk, long: true},
		{name: "every alarm on the server uses a metric that the server sends", run: alarmsHaveMetrics, long: true},
		{name: "a stopped container and a night without a dump are mailed, and that they are over", run: stoppedContainerMailed, long: true},
		{name: "renewal is tried twice a day, not by all servers at once", run: renewalTimer},
		{name: "a certificate of 90 days is renewed by fraction of its life", run: renewedInTime(90, 65, 68), long: true},
		{name: "a certificate of 45 days is renewed by fraction of its life", run: renewedInTime(45, 65, 68), long: true},
		{name: "a certificate of 6 days is renewed by fraction of its life", run: renewedInTime(6, 48, 52), long: true},
		{name: "the authority is not asked while DNS or HTTP is wrong", run: wrongDNSOrHTTP, long: true},
		{name: "a renewal that fails leaves the old certificate, is mailed when it is late, and is made up for", run: failingRenewal, long: true},
		{name: "a site that is left with the placeholder is mailed", run: placeholderMailed, long: true},
		{name: "another name or another kind of certificate asks for another, and so does the way back", run: anotherName, long: true},
		{name: "a second host, a name that redirects and a route without its prefix", run: manyNames},
		{name: "a dump is copied off site, by a server that may add and nothing else", run: dumpOffSite, long: true},
		{name: "the state fits a terminal and a browser", run: statusPage, long: true},
		{name: "the runbook's commands on the server run", run: runbookOnServer, long: true},
		{name: "a snapshot comes back on a new server", run: snapshotComesBack, long: true},
		{name: "with protection on, destroy refuses and says how to go on", run: protection, long: true},
		{name: "destroy leaves the final snapshot and the account's boundary, and nothing else", run: destroyed},
	} {
		t.Run(part.name, func(t *testing.T) {
			if part.long {
				harness.Long(t)
			}
			part.run(t, s.in(t))
		})
	}
}
