package aws

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"berth/rehearsal/provider"
)

// Diff tells what a change does: nothing, an update in place, or a replacement. Each changed input is named by its path.
func (p *Provider) Diff(ctx context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	name, kind, err := kindOf(request.GetUrn())
	if err != nil {
		return nil, err
	}
	state, err1 := provider.Unmarshal("state", request.GetOlds())
	olds, err2 := provider.Unmarshal("olds", request.GetOldInputs())
	news, err3 := provider.Unmarshal("news", request.GetNews())
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if err := p.compares(ctx, request, olds, news); err != nil {
		return nil, err
	}
	d := differ{typ: string(name.Type()), answer: &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true, DetailedDiff: map[string]*pulumirpc.PropertyDiff{},
	}}
	if flag := news["userDataReplaceOnChange"]; flag.IsBool() && flag.BoolValue() {
		d.forced = []string{"userData", "userDataBase64"}
	}
	for key, attribute := range kind.schema {
		// What was left out before has the value that AWS filled in.
		if _, had := olds[resource.PropertyKey(key)]; !had && attribute.Computed && state.HasValue(resource.PropertyKey(key)) {
			olds[resource.PropertyKey(key)] = state[resource.PropertyKey(key)]
		}
	}
	d.block(kind.schema, nil, "", olds, news)
	slices.Sort(d.answer.Diffs)
	slices.Sort(d.answer.Replaces)
	return d.answer, nil
}

// differ collects what differs.
type differ struct {
	typ    string
	forced []string
	answer *pulumirpc.DiffResponse
}

func (d *differ) block(s schema, path resource.PropertyPath, rule string, olds, news resource.PropertyMap) {
	for _, name := range s.names() {
		before, had := olds[resource.PropertyKey(name)]
		after, has := news[resource.PropertyKey(name)]
		d.attribute(s[name], append(slices.Clone(path), name), rule+name, before, had, after, has)
	}
}

func (d *differ) attribute(a *attribute, path resource.PropertyPath, rule string, before resource.PropertyValue, had bool, after resource.PropertyValue, has bool) {
	before, after = plain(before), plain(after)
	if !had && !has || !has && a.Computed || had && has && before.DeepEquals(after) {
		return
	}
	if same, ok := equivalent[d.typ][rule]; ok && !unknown(after) && same(before, after) {
		return
	}
	shape, items := a.shape()
	switch {
	case !had || !has || unknown(after):
		d.changed(path, had, has, a.replaced(after))
	case shape == anObject:
		d.block(a.Block, path, rule+".", before.ObjectValue(), after.ObjectValue())
	case shape == aMap:
		olds, news := before.ObjectValue(), after.ObjectValue()
		keys := append(olds.StableKeys(), news.StableKeys()...)
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			old, had := olds[key]
			now, has := news[key]
			d.attribute(&attribute{Type: "TypeString", Replaces: a.Replaces}, append(slices.Clone(path), string(key)), rule, old, had, now, has)
		}
	case shape == aList && a.unordered() && sameItems(before.ArrayValue(), after.ArrayValue()):
	case shape == aList && items == anObject && len(before.ArrayValue()) == len(after.ArrayValue()):
		for i, old := range before.ArrayValue() {
			item := &attribute{Type: "TypeList", MaxItems: 1, Block: a.Block, Replaces: a.Replaces}
			d.attribute(item, append(slices.Clone(path), i), rule, old, true, after.ArrayValue()[i], true)
		}
	default:
		d.changed(path, true, true, a.Replaces || slices.Contains(d.forced, rule))
	}
}

// replaced says whether a value that comes or goes as a whole makes a new resource.
func (a *attribute) replaced(value resource.PropertyValue) bool {
	if a.Replaces || !value.IsObject() {
		return a.Replaces
	}
	for key, inside := range value.ObjectValue() {
		if block := a.Block[string(key)]; block != nil && block.replaced(plain(inside)) {
			return true
		}
	}
	return false
}

// changed notes one change: by path in detail, by the input that it is in otherwise.
func (d *differ) changed(path resource.PropertyPath, had, has, replace bool) {
	kinds := [2]pulumirpc.PropertyDiff_Kind{pulumirpc.PropertyDiff_UPDATE, pulumirpc.PropertyDiff_UPDATE_REPLACE}
	if !had {
		kinds = [2]pulumirpc.PropertyDiff_Kind{pulumirpc.PropertyDiff_ADD, pulumirpc.PropertyDiff_ADD_REPLACE}
	} else if !has {
		kinds = [2]pulumirpc.PropertyDiff_Kind{pulumirpc.PropertyDiff_DELETE, pulumirpc.PropertyDiff_DELETE_REPLACE}
	}
	kind, top := kinds[0], path[0].(string)
	if replace {
		kind = kinds[1]
		if !slices.Contains(d.answer.Replaces, top) {
			d.answer.Replaces = append(d.answer.Replaces, top)
		}
	}
	if !slices.Contains(d.answer.Diffs, top) {
		d.answer.Diffs = append(d.answer.Diffs, top)
	}
	d.answer.Changes = pulumirpc.DiffResponse_DIFF_SOME
	d.answer.DetailedDiff[path.String()] = &pulumirpc.PropertyDiff{Kind: kind, InputDiff: true}
}

func sameItems(olds, news []resource.PropertyValue) bool {
	rest := slices.Clone(news)
	for _, old := range olds {
		at := slices.IndexFunc(rest, func(now resource.PropertyValue) bool { return plain(now).DeepEquals(plain(old)) })
		if at < 0 {
			return false
		}
		rest = slices.Delete(rest, at, at+1)
	}
	return len(rest) == 0
}

// equivalent says which two values of an input are the same to the provider, though they differ. An absent one is null.
var equivalent = map[string]map[string]func(old, now resource.PropertyValue) bool{
	roleType:         {"assumeRolePolicy": samePolicy},
	permissionType:   {"policy": samePolicy},
	policyType:       {"policy": samePolicy},
	bucketPolicyType: {"policy": samePolicy},
	DashboardType:    {"dashboardBody": sameJSON},
	recordType:       {"name": texts(sameName), "aliases.name": texts(sameName)},
	zoneType:         {"name": texts(sameName)},
	healthCheckType:  {"type": texts(strings.EqualFold)},
	routeType:        {"destinationIpv6CidrBlock": texts(samePrefix)},
	instanceType: {
		// The provider looks for a network interface of one's own, which the table does not have.
		"sourceDestCheck": func(resource.PropertyValue, resource.PropertyValue) bool { return false },
		"userData":        func(old, now resource.PropertyValue) bool { return textOf(old) == textOf(now) },
		// What is left out stays as it is.
		"creditSpecification":            func(_, now resource.PropertyValue) bool { return now.IsNull() },
		"creditSpecification.cpuCredits": func(_, now resource.PropertyValue) bool { return textOf(now) == "" },
	},
	LaunchTemplateType: {
		"blockDeviceMappings.ebs.deleteOnTermination": texts(sameBool), "blockDeviceMappings.ebs.encrypted": texts(sameBool), "ebsOptimized": texts(sameBool),
		"networkInterfaces.associatePublicIpAddress": texts(sameBool), "networkInterfaces.deleteOnTermination": texts(sameBool),
		"creditSpecification": func(_, now resource.PropertyValue) bool { return now.IsNull() },
	},
	// Other types of load balancers, targets and actions ignore these; the rehearsal has none of them.
	LoadBalancerType: {
		"clientKeepAlive": never, "desyncMitigationMode": never, "dropInvalidHeaderFields": never, "enableHttp2": never, "enableXffClientPort": never,
		"idleTimeout": never, "preserveHostHeader": never, "xffHeaderProcessingMode": never, "accessLogs.bucket": never, "accessLogs.prefix": never,
		// What is left out stays as it is.
		"accessLogs": func(_, now resource.PropertyValue) bool { return now.IsNull() },
	},
	TargetGroupType: {
		"healthCheck.port": never, "healthCheck.protocol": texts(strings.EqualFold), "port": never, "protocol": never, "vpcId": never,
		"protocolVersion": texts(strings.EqualFold), "stickiness": never, "stickiness.cookieDuration": never,
	},
	ListenerType: {
		"protocol":                     texts(strings.EqualFold),
		"defaultActions.fixedResponse": never, "defaultActions.redirect": never, "defaultActions.targetGroupArn": never,
	},
	// The suppressed difference is that of storage with autoscaling, which the table does not have.
	DatabaseType:     {"allocatedStorage": never, "engine": texts(strings.EqualFold)},
	ListenerRuleType: {"actions.fixedResponse": never, "actions.redirect": never, "actions.targetGroupArn": never},
}

func never(resource.PropertyValue, resource.PropertyValue) bool { return false }

// sameBool compares booleans that are texts.
func sameBool(old, now string) bool {
	before, err1 := strconv.ParseBool(old)
	after, err2 := strconv.ParseBool(now)
	return err1 == nil && err2 == nil && before == after
}

func textOf(value resource.PropertyValue) string {
	if value.IsString() {
		return value.StringValue()
	}
	return ""
}

func texts(same func(old, now string) bool) func(old, now resource.PropertyValue) bool {
	return func(old, now resource.PropertyValue) bool { return same(textOf(old), textOf(now)) }
}

func sameName(old, now string) bool {
	return strings.EqualFold(strings.TrimSuffix(old, "."), strings.TrimSuffix(now, "."))
}

func samePrefix(old, now string) bool {
	before, err1 := netip.ParsePrefix(old)
	after, err2 := netip.ParsePrefix(now)
	return err1 == nil && err2 == nil && before == after
}

func sameJSON(old, now resource.PropertyValue) bool { return sameDocument(old, now, false) }

// samePolicy is sameJSON for IAM's documents, where the order of a list means nothing, and a text is a list of one.
func samePolicy(old, now resource.PropertyValue) bool { return sameDocument(old, now, true) }

func sameDocument(old, now resource.PropertyValue, policy bool) bool {
	var values [2]string
	for i, document := range []resource.PropertyValue{old, now} {
		var value any
		if json.Unmarshal([]byte(textOf(document)), &value) != nil {
			return false
		}
		if policy {
			value = normal(value)
		}
		values[i] = inJSON(value)
	}
	return values[0] == values[1]
}

func normal(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, inside := range value {
			value[key] = normal(inside)
		}
	case []any:
		for i, item := range value {
			value[i] = normal(item)
		}
		slices.SortFunc(value, func(a, b any) int { return strings.Compare(inJSON(a), inJSON(b)) })
		if len(value) == 1 {
			return value[0]
		}
	}
	return value
}

func inJSON(value any) string {
	text, _ := json.Marshal(value) // It was read from JSON.
	return string(text)
}
