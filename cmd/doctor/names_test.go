package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNames(t *testing.T) {
	b := newBench(t)
	assert.Equal(t, finding{Reason: "app.example.com: free"}, b.look((*doctor).names))
	b.answers["route53:ListResourceRecordSets"] = records("TXT", "x")
	assert.Equal(t, ok, b.look((*doctor).names).Verdict, "what Berth makes none of is no matter")
	b.answers["route53:ListResourceRecordSets"] = records("A", "192.0.2.1")
	found := b.look((*doctor).names)
	assert.Equal(t, fails, found.Verdict)
	assert.Equal(t, "app.example.com is taken (A 192.0.2.1), and Route 53 makes no record where there is one", found.Reason)

	b.answers["ec2:DescribeAddresses"] = addresses(ownTags)
	assert.Equal(t, ok, b.look((*doctor).names).Verdict, "it is the stack's own")
	b.answers["route53:ListResourceRecordSets"] = records("CNAME", "elsewhere.example.org")
	found = b.look((*doctor).names)
	assert.Equal(t, warning, found.Verdict)
	assert.Equal(t, "pulumi refresh && pulumi up", found.Fix)
}
