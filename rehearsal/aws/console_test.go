package aws

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConsole(t *testing.T) {
	f := newFixture(t).server()
	console, err := OpenConsole(f.dir, f.world)
	require.NoError(t, err)
	ctx := t.Context()

	id, err := console.Make(ctx, ingressType, properties{"securityGroupId": f.ids["group"], "ipProtocol": "tcp", "fromPort": 22.0, "toPort": 22.0, "cidrIpv4": "0.0.0.0/0"})
	require.NoError(t, err)
	assert.Contains(t, Text(f.account().get(ingressType, id).Outputs, "arn"), ":eu-central-1:")
	require.NoError(t, console.Remove(ctx, ingressType, id))
	assert.Nil(t, f.account().get(ingressType, id))

	followed := f.world.followed
	require.NoError(t, console.Change(ctx, instanceType, f.ids["server"], properties{"instanceType": "t3.small"}))
	require.NoError(t, console.Change(ctx, instanceType, f.ids["server"], properties{"instanceState": "stopped"}))
	assert.Greater(t, f.world.followed, followed, "the world follows")
	server := f.get(instanceType, "server")
	assert.Equal(t, "t3.small", server.Inputs["instanceType"], "a refresh finds it")
	assert.Equal(t, "stopped", server.Outputs["instanceState"])
	assert.NotContains(t, server.Inputs, "instanceState")

	require.ErrorContains(t, console.Change(ctx, instanceType, f.ids["server"], properties{"instanceType": "m4.large"}), "InvalidParameterValue", "AWS's rules hold")
	require.Error(t, console.Change(ctx, instanceType, "i-none", properties{}))
	_, err = console.Make(ctx, "aws:x/y:Z", nil)
	require.Error(t, err)
}
