package infra

import (
	"testing"

	"berth/internal/config"

	"github.com/stretchr/testify/assert"
)

func TestAddressStandsBeforeTheServer(t *testing.T) {
	var publicIP string
	c := declare(t, nil, func(env *Environment) { read(t, env.Address.PublicIP, &publicIP) })
	eip := c.only(t, "ec2/eip:Eip")
	assert.Equal(t, "vpc", text(eip, "domain"))
	assert.NotContains(t, eip.Inputs, "instance", "the association is a resource of its own")
	assert.True(t, dependsOn(eip, "ec2/internetGateway:InternetGateway", "internet-gateway"))
	assert.False(t, dependsOn(eip, "ec2/instance:Instance", "server"))
	assert.Equal(t, mockElasticIP, publicIP)
}

func TestAddressInExistingSubnetWaitsForNothing(t *testing.T) {
	c := declare(t, func(cfg *config.Config) { cfg.SubnetID = "subnet-shared" }, nil)
	assert.Empty(t, c.only(t, "ec2/eip:Eip").RegisterRPC.GetDependencies())
}
