package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCost(t *testing.T) {
	b := newBench(t)
	b.answers["pricing:GetProducts"] = "!AccessDeniedException"
	assert.Equal(t, finding{Reason: "about 16 USD a month: t3.micro 8.76, 28 GB of gp3 2.67, IPv4 address 3.65, hosted zone 0.50; on top, snapshots 0.054 a GB that they hold and traffic beyond 100 GB 0.09 a GB (Berth's own list; AWS's does not answer)"}, b.look((*doctor).cost))
	b.answers["pricing:GetProducts"] = price("0.0200")
	found := b.look((*doctor).cost)
	assert.Equal(t, ok, found.Verdict)
	assert.Contains(t, found.Reason, "t3.micro 14.60")
	assert.Contains(t, found.Reason, "(AWS's list of today; docs/costs.md has older prices)")
	b.set("instanceType", "m7i.large")
	assert.Contains(t, b.look((*doctor).cost).Reason, "m7i.large 14.60")
	b.set("instanceType", "t3.micro")
	b.set("region", "us-west-2")
	assert.NotContains(t, b.look((*doctor).cost).Reason, "older", "Berth's list is another region's")
	b.answers["pricing:GetProducts"] = `{"PriceList":[]}`
	assert.Contains(t, b.look((*doctor).cost).Reason, "at the prices of eu-central-1")
}

func TestPricesAreCompared(t *testing.T) {
	assert.False(t, differs(0.0952, 0.0952000001))
	assert.True(t, differs(0.0952, 0.0960))
}
