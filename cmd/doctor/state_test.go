package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestState(t *testing.T) {
	b := newBench(t)
	assert.Equal(t, finding{Reason: "kept in file://~/berth-state?metadata=skip"}, b.look((*doctor).state))
	b.pulumiHas("whoami", `{"url":"s3://bucket?region=eu-central-1"}`)
	assert.Equal(t, ok, b.look((*doctor).state).Verdict)
	b.pulumiHas("whoami", `{"url":"file://~/berth-state"}`)
	found := b.look((*doctor).state)
	assert.Equal(t, warning, found.Verdict)
	assert.Equal(t, "pulumi login 'file://~/berth-state?metadata=skip'", found.Fix)
	b.pulumiHas("whoami", `{"url":"postgres://you:canary-5b1f@db/pulumi"}`)
	assert.NotContains(t, b.look((*doctor).state).Reason, "canary-5b1f")
}
