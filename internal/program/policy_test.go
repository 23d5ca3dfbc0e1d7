package program

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// actions are those of a policy's statements, which may write one as a text.
func actions(t *testing.T, document string) (all []string) {
	t.Helper()
	var policy struct {
		Statement []struct{ Action any }
	}
	require.NoError(t, json.Unmarshal([]byte(document), &policy))
	for _, statement := range policy.Statement {
		switch action := statement.Action.(type) {
		case string:
			all = append(all, action)
		case []any:
			for _, one := range action {
				all = append(all, one.(string))
			}
		}
	}
	return all
}

func TestNoPolicyAllowsEverything(t *testing.T) {
	r := run(t, settings("berth:alarmEmail", "you@example.com", "berth:dumpBucket", "true"))
	policies := 0
	for name, args := range r.declared {
		for _, key := range []string{"policy", "assumeRolePolicy"} {
			document := args.Inputs[resource.PropertyKey(key)]
			if !strings.HasPrefix(args.TypeToken, "aws:") || !document.IsString() {
				continue
			}
			policies++
			require.NotEmpty(t, actions(t, document.StringValue()), name)
			for _, action := range actions(t, document.StringValue()) {
				assert.NotEqual(t, "*", action, name)
				if !strings.Contains(document.StringValue(), `"Deny"`) {
					assert.NotContains(t, action, "*", name)
				}
			}
		}
		assert.NotContains(t, args.TypeToken, "iam/rolePolicyAttachment", "managed policies allow more than Berth needs")
	}
	assert.Equal(t, 6, policies, "two roles, three permissions, a bucket")
}

func TestEveryAlarmDoesSomething(t *testing.T) {
	alarms := 0
	for name, args := range run(t, settings("berth:alarmEmail", "you@example.com")).declared {
		if args.TypeToken != "aws:cloudwatch/metricAlarm:MetricAlarm" {
			continue
		}
		alarms++
		for _, key := range []string{"alarmActions", "okActions"} {
			assert.NotEmpty(t, args.Inputs[resource.PropertyKey(key)].ArrayValue(), name)
		}
		assert.NotEmpty(t, args.Inputs["alarmDescription"].StringValue(), name)
	}
	assert.Equal(t, 12, alarms)
}

// TestWhatAStackHasByDefault: who sets none of it pays for nothing but the snapshots.
func TestWhatAStackHasByDefault(t *testing.T) {
	r := run(t, settings())
	none := run(t, settings("berth:snapshotsKept", "0"))
	var more []string
	for name, args := range r.declared {
		assert.NotContains(t, args.TypeToken, "aws:sns/")
		assert.NotContains(t, args.TypeToken, "aws:cloudwatch/")
		assert.NotContains(t, args.TypeToken, "aws:s3/")
		assert.NotContains(t, args.TypeToken, "aws:route53/healthCheck")
		assert.NotEqual(t, "berth:infra:Monitoring", args.TypeToken)
		if _, ok := none.declared[name]; !ok {
			more = append(more, name)
		}
	}
	assert.ElementsMatch(t, []string{
		"aws:iam/role:Role berth-snapshots", "aws:iam/rolePolicy:RolePolicy berth-snapshots", "aws:dlm/lifecyclePolicy:LifecyclePolicy snapshots",
	}, more)
}
