package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSettings(t *testing.T) {
	b := newBench(t)
	assert.Equal(t, finding{Reason: "stack production: app.example.com, from https://github.com/you/app.git, in eu-central-1"}, b.look((*doctor).readable))

	b.set("operatorCidrs", "203.0.113.7/32")
	found := b.look((*doctor).readable)
	assert.Equal(t, warning, found.Verdict)
	assert.Contains(t, found.Reason, "a network for documentation")

	b.set("volumeSize", "1", "routes", "nonsense")
	found = b.look((*doctor).readable)
	assert.Equal(t, fails, found.Verdict)
	assert.Equal(t, "2 settings of stack production are wrong; each is listed with the command that fixes it", found.Reason)
	require.Len(t, found.Details, 2)
	assert.Contains(t, found.Details[0], "berth:volumeSize is \"1\"")
	assert.Contains(t, found.Details[0], "Fix: pulumi config set berth:volumeSize 20")

	b.set("routes", "web:80")
	assert.Contains(t, b.look((*doctor).readable).Reason, "one setting of stack production is wrong")
	assert.Contains(t, b.look((*doctor).cost).Reason, "skipped, because berth:volumeSize is wrong")
	assert.Equal(t, ok, b.look((*doctor).repository).Verdict, "what is valid is checked")

	b.chosen = "you/berth/live"
	b.set("volumeSize", "20", "operatorCidrs", "198.51.100.7/32")
	assert.Contains(t, b.look((*doctor).readable).Reason, "stack live: ")
}
