package aws

import (
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/provider"
)

// diff asks what a change does. The state is what AWS made of the old inputs.
func (f *fixture) diff(typ string, olds, news, state properties) *pulumirpc.DiffResponse {
	f.t.Helper()
	request := &pulumirpc.DiffRequest{Urn: at(typ, "x")}
	var err error
	request.OldInputs, err = provider.Marshal("olds", resource.NewPropertyMapFromMap(olds))
	require.NoError(f.t, err)
	request.News, err = provider.Marshal("news", resource.NewPropertyMapFromMap(news))
	require.NoError(f.t, err)
	request.Olds, err = provider.Marshal("state", resource.NewPropertyMapFromMap(state))
	require.NoError(f.t, err)
	diff, err := f.p.Diff(f.t.Context(), request)
	require.NoError(f.t, err)
	return diff
}

// some is a value of an attribute's shape, and another one for another number.
func some(a *attribute, number int) any {
	shape, items := a.shape()
	word := []string{"one", "other"}[number]
	switch shape {
	case aText:
		return word
	case aBool:
		return number == 0
	case aWhole, aNumber:
		return float64(number)
	case aMap:
		return properties{"key": word}
	case aList:
		if items == anObject {
			return []any{inside(a.Block, number)}
		}
		return []any{word}
	default:
		return inside(a.Block, number)
	}
}

func inside(block schema, number int) properties {
	values := properties{}
	for name, attribute := range block {
		values[name] = some(attribute, number)
	}
	return values
}

// Every input of the table, changed, added and left out: what replaces, what is updated, and what is no change.
func TestDiffFollowsTheTable(t *testing.T) {
	f := newFixture(t)
	count := 0
	for typ, s := range schemas {
		for name, input := range s {
			if name == "userDataReplaceOnChange" {
				continue // It is not a change, but says what others are.
			}
			count++
			before, after := properties{name: some(input, 0)}, properties{name: some(input, 1)}
			replaced := input.Replaces || len(marked(input.Block, "", func(a *attribute) bool { return a.Replaces })) > 0
			changed := f.diff(typ, before, after, nil)
			assert.Equal(t, []string{name}, changed.GetDiffs(), "%s.%s", typ, name)
			assert.Equal(t, replaced, len(changed.GetReplaces()) > 0, "%s.%s changed", typ, name)
			added := f.diff(typ, properties{}, after, nil)
			assert.Equal(t, replaced, len(added.GetReplaces()) > 0, "%s.%s added", typ, name)
			left := f.diff(typ, before, properties{}, before)
			quiet := input.Computed || name == "creditSpecification" || name == "accessLogs"
			assert.Equal(t, !quiet, len(left.GetDiffs()) > 0, "%s.%s left out", typ, name)
			assert.Equal(t, pulumirpc.DiffResponse_DIFF_NONE, f.diff(typ, after, after, nil).GetChanges(), "%s.%s kept", typ, name)
			if input.Computed {
				assert.Equal(t, pulumirpc.DiffResponse_DIFF_NONE, f.diff(typ, properties{}, after, after).GetChanges(), "%s.%s is what AWS filled in", typ, name)
			}
		}
	}
	assert.Greater(t, count, 150)
}

func TestDiffNamesPaths(t *testing.T) {
	f := newFixture(t)
	const (
		update, replace = pulumirpc.PropertyDiff_UPDATE, pulumirpc.PropertyDiff_UPDATE_REPLACE
		add, remove     = pulumirpc.PropertyDiff_ADD, pulumirpc.PropertyDiff_DELETE
	)
	schedule := func(count float64) properties {
		return properties{"policyDetails": properties{"schedules": []any{properties{"name": "daily", "retainRule": properties{"count": count}}}}}
	}
	for _, test := range []struct {
		typ        string
		olds, news properties
		want       map[string]pulumirpc.PropertyDiff_Kind
	}{
		{subnetType, properties{"ipv6CidrBlock": "a"}, properties{"ipv6CidrBlock": "b"}, map[string]pulumirpc.PropertyDiff_Kind{"ipv6CidrBlock": update}},
		{recordType, properties{"type": "A"}, properties{"type": "AAAA"}, map[string]pulumirpc.PropertyDiff_Kind{"type": update}},
		{recordType, properties{"setIdentifier": "a"}, properties{"setIdentifier": "b"}, map[string]pulumirpc.PropertyDiff_Kind{"setIdentifier": update}},
		{instanceType, properties{"ipv6AddressCount": 1.0}, properties{"ipv6AddressCount": 2.0}, map[string]pulumirpc.PropertyDiff_Kind{"ipv6AddressCount": replace}},
		{instanceType, properties{"rootBlockDevice": properties{"encrypted": false, "volumeSize": 8.0, "tags": properties{"a": "b"}}}, properties{"rootBlockDevice": properties{"encrypted": true, "volumeSize": 9.0}},
			map[string]pulumirpc.PropertyDiff_Kind{"rootBlockDevice.encrypted": replace, "rootBlockDevice.tags": remove}},
		{instanceType, properties{"metadataOptions": properties{"httpTokens": "optional"}}, properties{"metadataOptions": properties{"httpTokens": "required"}}, map[string]pulumirpc.PropertyDiff_Kind{"metadataOptions.httpTokens": update}},
		{instanceType, properties{"userData": "a"}, properties{"userData": "b"}, map[string]pulumirpc.PropertyDiff_Kind{"userData": update}},
		{instanceType, properties{"userData": "a", "userDataReplaceOnChange": true}, properties{"userData": "b", "userDataReplaceOnChange": true}, map[string]pulumirpc.PropertyDiff_Kind{"userData": replace}},
		{lifecycleType, schedule(7), schedule(8), map[string]pulumirpc.PropertyDiff_Kind{"policyDetails.schedules[0].retainRule.count": update}},
		{vpcType, properties{"tags": properties{"a": "1", "b": "1", "berth:data-of": "1"}}, properties{"tags": properties{"b": "2", "c": "1", "berth:data-of": "2"}},
			map[string]pulumirpc.PropertyDiff_Kind{"tags.a": remove, "tags.b": update, "tags.c": add, `tags["berth:data-of"]`: update}},
		{instanceType, properties{"vpcSecurityGroupIds": []any{"a", "b"}}, properties{"vpcSecurityGroupIds": []any{"b", "a"}}, map[string]pulumirpc.PropertyDiff_Kind{}},
		{instanceType, properties{"ipv6Addresses": []any{"a", "b"}}, properties{"ipv6Addresses": []any{"b", "a"}}, map[string]pulumirpc.PropertyDiff_Kind{"ipv6Addresses": replace}},
	} {
		detail := map[string]pulumirpc.PropertyDiff_Kind{}
		for path, diff := range f.diff(test.typ, test.olds, test.news, nil).GetDetailedDiff() {
			detail[path] = diff.GetKind()
		}
		if test.typ == instanceType && test.want["rootBlockDevice.encrypted"] != 0 {
			test.want["rootBlockDevice.volumeSize"] = update
		}
		assert.Equal(t, test.want, detail)
	}
}

func TestWhatIsTheSameThoughItDiffers(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct {
		typ, property string
		old, now      any
		same          bool
	}{
		{permissionType, "policy", `{"Statement":[{"Effect":"Allow","Action":["b","a"],"Resource":"*"}]}`, `{"Statement": {"Action": ["a", "b"], "Resource": ["*"], "Effect": "Allow"}}`, true},
		{permissionType, "policy", `{"Statement":[{"Effect":"Allow","Action":"a"}]}`, `{"Statement":[{"Effect":"Deny","Action":"a"}]}`, false},
		{permissionType, "policy", `{"Statement":[{"Effect":"Allow","Action":"a"}]}`, `{"Statement":[{"Effect":"Allow","Action":["a","b"]}]}`, false},
		{roleType, "assumeRolePolicy", `{"a":1}`, "{ \"a\": 1 }\n", true},
		{bucketPolicyType, "policy", `{"a":1}`, `{"a":2}`, false},
		{DashboardType, "dashboardBody", `{"widgets":[{"x":1},{"x":2}]}`, `{ "widgets": [{"x":1},{"x":2}] }`, true},
		{DashboardType, "dashboardBody", `{"widgets":[{"x":1},{"x":2}]}`, `{"widgets":[{"x":2},{"x":1}]}`, false},
		{recordType, "name", "app.example.test", "App.example.test.", true},
		{zoneType, "name", "example.test.", "example.test", true},
		{recordType, "name", "app.example.test", "app.example.tes", false},
		{healthCheckType, "type", "HTTPS", "https", true},
		{routeType, "destinationIpv6CidrBlock", "::/0", "0::/0", true},
		{routeType, "destinationIpv6CidrBlock", "::/0", "::/1", false},
		{instanceType, "creditSpecification", properties{"cpuCredits": "unlimited"}, properties{}, true},
		{instanceType, "creditSpecification", properties{"cpuCredits": "unlimited"}, properties{"cpuCredits": "standard"}, false},
	} {
		diff := f.diff(test.typ, properties{test.property: test.old}, properties{test.property: test.now}, nil)
		assert.Equal(t, test.same, diff.GetChanges() == pulumirpc.DiffResponse_DIFF_NONE, "%s %v %v", test.property, test.old, test.now)
	}
}

// A changed tag of the provider is a change of every resource that has tags, in place, and reaches the account.
func TestChangedDefaultTags(t *testing.T) {
	f := newFixture(t)
	f.configure(properties{"ManagedBy": "berth", "Team": "web"})
	own := properties{"cidrBlock": "10.20.0.0/16", "tags": properties{"Name": "app"}}
	before, _ := f.check(vpcType, own, nil)
	f.make(vpcType, "vpc", before)
	assert.Equal(t, properties{"ManagedBy": "berth", "Team": "web", "Name": "app"}, f.get(vpcType, "vpc").Outputs["tagsAll"])

	f.configure(properties{"ManagedBy": "berth", "Team": "ops", "Cost": "1"})
	after, _ := f.check(vpcType, own, before)
	diff := f.diff(vpcType, before, after, nil)
	assert.Equal(t, []string{"tagsAll"}, diff.GetDiffs())
	assert.Empty(t, diff.GetReplaces())
	assert.Equal(t, []string{"tagsAll.Cost", "tagsAll.Team"}, slices.Sorted(maps.Keys(diff.GetDetailedDiff())))
	require.NoError(t, f.update(vpcType, "vpc", after))
	assert.Equal(t, properties{"ManagedBy": "berth", "Team": "ops", "Cost": "1", "Name": "app"}, f.get(vpcType, "vpc").Outputs["tagsAll"])
	assert.Equal(t, f.get(vpcType, "vpc").Outputs["tagsAll"], f.get(vpcType, "vpc").Inputs["tagsAll"], "a refresh finds them")

	for typ, s := range schemas {
		inputs, _ := f.check(typ, properties{}, nil)
		assert.Equal(t, s.taggable(), inputs["tagsAll"] != nil, typ)
		// A group of servers has a list of tags, which the provider's default tags do not reach.
		assert.Equal(t, s["tags"] != nil && typ != GroupType, s.taggable(), typ)
	}
}
