package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestZone(t *testing.T) {
	b := newBench(t)
	assert.Equal(t, finding{Reason: "example.com is Z1, and " + b.resolver + " knows its 2 name servers"}, b.look((*doctor).zone))

	b.nameServers = []string{"ns-1.example.net."}
	found := b.look((*doctor).zone)
	assert.Equal(t, warning, found.Verdict)
	assert.Contains(t, found.Reason, "is delegated to ns-1.example.net, and the account's zone Z1 has ns-1.example.net, ns-2.example.org")

	b.nameServers = []string{"ns.elsewhere.org."}
	found = b.look((*doctor).zone)
	assert.Equal(t, fails, found.Verdict)
	assert.Equal(t, "the zone example.com is delegated elsewhere, to ns.elsewhere.org, and not to the account's zone Z1", found.Reason)
	assert.Equal(t, "enter ns-1.example.net, ns-2.example.org at your registrar", found.Fix)

	b.nameServers = nil
	found = b.look((*doctor).zone)
	assert.Equal(t, fails, found.Verdict)
	assert.Contains(t, found.Reason, "the world does not know it")

	// Nothing listens on port 1 (tcpmux).
	b.resolver = "127.0.0.1:1"
	found = b.look((*doctor).zone)
	assert.Equal(t, warning, found.Verdict)
	assert.Contains(t, found.Reason, "as the name server 127.0.0.1:1 does not answer")
}

func TestTheAccountsZones(t *testing.T) {
	b := newBench(t)
	b.answers["route53:ListHostedZones"] = hostedZones("Z1", "Z2")
	assert.Equal(t, "the account has 2 public hosted zones example.com, and Berth cannot know which one is meant", b.look((*doctor).zone).Reason)
	b.answers["route53:ListHostedZones"] = hostedZones()
	assert.Equal(t, finding{ID: "hosted-zone-missing", Verdict: fails, Reason: "the account has no public hosted zone example.com", Fix: "pulumi config set berth:createZone true"}, b.look((*doctor).zone))
	assert.Contains(t, b.look((*doctor).names).Reason, "the zone is missing")
	b.answers["route53:ListHostedZones"] = "!AccessDenied"
	assert.Contains(t, b.look((*doctor).zone).Reason, "as the credentials may not ask it (route53:ListHostedZones)")
}

func TestAZoneOfItsOwn(t *testing.T) {
	b := newBench(t)
	b.set("createZone", "true")
	assert.Equal(t, finding{ID: "hosted-zone-exists", Verdict: fails, Reason: "the account has a zone example.com already, Z1, and berth:createZone would make another of the same name", Fix: "pulumi config set berth:createZone false"}, b.look((*doctor).zone))
	b.answers["route53:ListTagsForResource"] = strings.Replace(good()["route53:ListTagsForResource"], "<Tags></Tags>",
		"<Tags><Tag><Key>ManagedBy</Key><Value>berth</Value></Tag><Tag><Key>Project</Key><Value>berth</Value></Tag><Tag><Key>Stack</Key><Value>production</Value></Tag></Tags>", 1)
	assert.Equal(t, ok, b.look((*doctor).zone).Verdict)
	b.nameServers = nil
	assert.Contains(t, b.look((*doctor).zone).Fix, "pulumi stack output nameServers")
	b.answers["route53:ListHostedZones"] = hostedZones()
	found := b.look((*doctor).zone)
	assert.Equal(t, warning, found.Verdict)
	assert.Contains(t, found.Reason, "pulumi up makes the zone example.com")
	assert.Equal(t, "they are free, as the zone is new", b.look((*doctor).names).Reason)
}
