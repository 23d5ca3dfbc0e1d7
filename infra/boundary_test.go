package infra

import (
	"testing"

	"berth/docs/iam"
	"berth/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const mockBoundary = "arn:aws:iam::" + mockAccount + ":policy/berth-boundary"

func everything(cfg *config.Config) {
	watched(cfg)
	cfg.DumpBucket = true
}

func TestEveryRoleHasTheBoundary(t *testing.T) {
	for name, boundary := range map[string]string{"the account's": iam.Boundary, "one of this update's": ""} {
		t.Run(name, func(t *testing.T) {
			cfg, c := production(), newCloud()
			everything(cfg)
			c.boundary = boundary
			require.NoError(t, c.run(cfg, nil))
			require.Len(t, c.of("iam/role:Role"), 2)
			for _, role := range c.of("iam/role:Role") {
				assert.Equal(t, mockBoundary, text(role, "permissionsBoundary"), role.Name)
				assert.Equal(t, []string{"assumeRolePolicy"}, role.RegisterRPC.GetReplaceOnChanges(), "no trust policy is updated")
			}
		})
	}
}

func TestTheAccountsBoundaryIsUsedAsItIs(t *testing.T) {
	assert.Empty(t, declare(t, nil, nil).of("iam/policy:Policy"))
}

// An operator with an administrator's credentials needs no set-up: the first update makes the boundary.
func TestAMissingBoundaryIsMadeOnceAndStays(t *testing.T) {
	cfg, c := production(), newCloud()
	c.boundary = ""
	require.NoError(t, c.run(cfg, nil))
	made := c.only(t, "iam/policy:Policy")
	assert.Equal(t, "berth-boundary", text(made, "name"), "the name that docs/iam has")
	assert.JSONEq(t, iam.Boundary, text(made, "policy"))
	assert.True(t, made.RegisterRPC.GetRetainOnDelete(), "other stacks' roles have it, too")
	assert.Subset(t, made.RegisterRPC.GetIgnoreChanges(), []string{"policy", "description"}, "a deployer may not change it")
}

func TestABoundaryThatCannotBeReadIsNoBoundary(t *testing.T) {
	for token, says := range map[string]string{
		"aws:iam/getPolicy:getPolicy":                   "look up the permissions boundary " + mockBoundary + ": refused by AWS",
		"aws:index/getCallerIdentity:getCallerIdentity": "look up the account's number: refused by AWS",
	} {
		cfg, c := production(), newCloud()
		c.failing = token
		require.ErrorContains(t, c.run(cfg, nil), says)
		assert.Empty(t, c.of("iam/role:Role"), "no role without one")
	}
}
