package scaling

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
)

const (
	siteARN      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/site/1"
	challengeARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/challenge/1"
	balancerARN  = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/site/1"
	groupARN     = "arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:1:autoScalingGroupName/web"
)

// fixture is an engine on an account with the first server and a group, at a time of its own.
type fixture struct {
	*Engine
	t   *testing.T
	now time.Time
	// stopped are instances whose hosts do not run, used what their processors do.
	stopped map[string]bool
	used    float64
	// fails is what the world's next change ends with.
	fails error
	// config is what the load balancer has, status what it tells.
	config string
	status map[Server]Status
	// counted are the requests that it tells of.
	counted map[Counter]Requests
}

func (f *fixture) Converge(context.Context, *aws.Account) error { return f.fails }

func (f *fixture) RunningHosts(context.Context) (map[string]bool, error) {
	found := map[string]bool{}
	for _, instance := range f.account().OfType(instanceType) {
		found[instance.ID] = !f.stopped[instance.ID]
	}
	return found, nil
}

func (f *fixture) Usage(_ context.Context, instances []string) (map[string]float64, error) {
	used := map[string]float64{}
	for _, id := range instances {
		used[id] = f.used
	}
	return used, nil
}

func (f *fixture) Issue(string, []string) (string, error) { return "site.pem", nil }

func (f *fixture) Apply(config string) error {
	f.config = config
	return nil
}

func (f *fixture) Servers() (map[Server]Status, map[Counter]Requests, error) {
	return f.status, f.counted, nil
}

func (f *fixture) account() *aws.Account {
	account, err := aws.Read(f.Dir)
	require.NoError(f.t, err)
	return account
}

func (f *fixture) change(run func(*aws.Account)) {
	require.NoError(f.t, aws.Change(f.Dir, func(account *aws.Account) error {
		run(account)
		return nil
	}))
}

func (f *fixture) step(after time.Duration) {
	f.now = f.now.Add(after)
	require.NoError(f.t, f.Step(f.t.Context()))
}

// group are the states of the group's instances, in the order of their launch.
func (f *fixture) group() (ids, states []string) {
	account := f.account()
	for _, instance := range account.Instances(account.Resources[aws.GroupType+"::web"]) {
		ids, states = append(ids, instance.ID), append(states, aws.Text(instance.Outputs, "lifecycleState"))
	}
	return ids, states
}

// healthy has the load balancer find targets healthy, and no other one.
func (f *fixture) healthy(ids ...string) {
	f.status = map[Server]Status{}
	for key := range f.targets {
		f.status[Server{"site", key.instance}] = Status{Up: slices.Contains(ids, key.instance)}
	}
}

func (f *fixture) join(id string) {
	f.change(func(account *aws.Account) {
		enter(account.Resources[instanceType+"::"+id], inService, f.now)
	})
}

func newFixture(t *testing.T, least, most int) *fixture {
	f := &fixture{t: t, now: time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC), stopped: map[string]bool{}}
	f.Engine = &Engine{Dir: t.TempDir(), World: f, Balancer: f, Period: time.Minute, Metrics: t.TempDir(), Say: io.Discard, Now: func() time.Time { return f.now }}
	f.change(func(account *aws.Account) {
		put := func(typ, id string, outputs map[string]any) {
			account.Resources[typ+"::"+id] = &aws.Resource{Type: typ, ID: id, Inputs: outputs, Outputs: outputs, Created: f.now}
		}
		put("aws:ec2/vpc:Vpc", "vpc-1", map[string]any{"cidrBlock": "10.20.0.0/16", "ipv6CidrBlock": "2001:db8:be00:100::/56"})
		for i, zone := range []string{"a", "b"} {
			put("aws:ec2/subnet:Subnet", "subnet-"+zone, map[string]any{"vpcId": "vpc-1", "availabilityZone": "eu-central-1" + zone,
				"cidrBlock": "10.20." + string(rune('0'+i)) + ".0/24", "ipv6CidrBlock": "2001:db8:be00:10" + string(rune('0'+i)) + "::/64"})
		}
		put("aws:ec2/securityGroup:SecurityGroup", "sg-1", map[string]any{"vpcId": "vpc-1"})
		put(instanceType, "i-first", map[string]any{"privateIp": "10.20.0.4", "subnetId": "subnet-a", "instanceType": "t3.micro", "tagsAll": map[string]any{"Name": "first"}, "ipv6Addresses": []any{"2001:db8:be00:100::a1b2"}})
		template := map[string]any{"name": "web", "imageId": aws.AMI, "instanceType": "t3.micro", "vpcSecurityGroupIds": []any{"sg-1"},
			"userData": base64.StdEncoding.EncodeToString([]byte("#cloud-config")), "defaultVersion": 1.0, "latestVersion": 1.0}
		put(aws.LaunchTemplateType, "lt-1", template)
		account.Resources[aws.LaunchTemplateType+"::lt-1"].Versions = []map[string]any{template}
		put(aws.GroupType, "web", map[string]any{
			"arn": groupARN, "name": "web", "minSize": float64(least), "maxSize": float64(most), "launchTemplate": map[string]any{"id": "lt-1", "version": "$Latest"},
			"vpcZoneIdentifiers": []any{"subnet-a", "subnet-b"}, "targetGroupArns": []any{siteARN}, "healthCheckType": "ELB", "healthCheckGracePeriod": 60.0, "enabledMetrics": []any{"GroupInServiceInstances"},
			"initialLifecycleHooks": []any{map[string]any{"name": "berth-join", "lifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "heartbeatTimeout": 900.0, "defaultResult": "ABANDON"}},
			"tags":                  []any{map[string]any{"key": "ManagedBy", "value": "berth", "propagateAtLaunch": true}},
		})
		put(aws.ScalingPolicyType, "cpu", map[string]any{"autoscalingGroupName": "web", "targetTrackingConfiguration": map[string]any{"targetValue": 60.0}})
		put(aws.LoadBalancerType, balancerARN, map[string]any{"arnSuffix": "app/site/1", "subnets": []any{"subnet-a", "subnet-b"}, "idleTimeout": 60.0})
		check := map[string]any{"path": "/.berth/ready", "protocol": "HTTPS", "matcher": "200", "interval": 5.0, "timeout": 2.0, "healthyThreshold": 2.0, "unhealthyThreshold": 2.0}
		put(aws.TargetGroupType, siteARN, map[string]any{"arnSuffix": "targetgroup/site/1", "name": "site", "protocol": "HTTPS", "port": 8443.0, "deregistrationDelay": 30.0, "healthCheck": check})
		put(aws.TargetGroupType, challengeARN, map[string]any{"arnSuffix": "targetgroup/challenge/1", "name": "challenge", "protocol": "HTTP", "port": 80.0})
		put(aws.TargetAttachmentType, "a-1", map[string]any{"targetGroupArn": challengeARN, "targetId": "i-first"})
		put(aws.TargetAttachmentType, "a-2", map[string]any{"targetGroupArn": siteARN, "targetId": "i-first"})
		put(aws.CertificateType, "arn:certificate", map[string]any{"domainName": "app.example.test"})
		put(aws.ListenerType, "l-443", map[string]any{"loadBalancerArn": balancerARN, "port": 443.0, "protocol": "HTTPS", "certificateArn": "arn:certificate",
			"defaultActions": []any{map[string]any{"type": "forward", "targetGroupArn": siteARN}}})
		put(aws.ListenerType, "l-80", map[string]any{"loadBalancerArn": balancerARN, "port": 80.0, "protocol": "HTTP",
			"defaultActions": []any{map[string]any{"type": "redirect", "redirect": map[string]any{"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}}}})
		put(aws.ListenerRuleType, "rule-1", map[string]any{"listenerArn": "l-80", "priority": 1.0,
			"conditions": []any{map[string]any{"pathPattern": map[string]any{"values": []any{"/.well-known/acme-challenge/*"}}}},
			"actions":    []any{map[string]any{"type": "forward", "targetGroupArn": challengeARN}}})
	})
	return f
}

func TestAGroupIsFilledAcrossItsSubnets(t *testing.T) {
	f := newFixture(t, 3, 4)
	f.step(0)
	ids, states := f.group()
	assert.Equal(t, []string{waiting, waiting, waiting}, states)
	subnets := map[string]int{}
	for _, id := range ids {
		subnets[aws.Text(f.account().Resources[instanceType+"::"+id].Outputs, "subnetId")]++
	}
	assert.Equal(t, map[string]int{"subnet-a": 2, "subnet-b": 1}, subnets)
	f.step(time.Second)
	again, _ := f.group()
	assert.Equal(t, ids, again, "what is as it should be stays")
	assert.NotContains(t, f.config, ids[0], "before it is in service it is no target")
	assert.Contains(t, f.config, "server i-first 10.20.0.4:8443 check check-ssl verify none ssl verify none")
}

func TestAFailedLaunchLeavesNothing(t *testing.T) {
	f := newFixture(t, 1, 1)
	f.fails = errors.New("no host")
	require.ErrorContains(t, f.Step(t.Context()), "no host")
	ids, _ := f.group()
	assert.Empty(t, ids)
	f.fails = nil
	f.step(time.Second)
	ids, _ = f.group()
	assert.Empty(t, ids, "not at once again")
	f.step(again)
	ids, _ = f.group()
	assert.Len(t, ids, 1)
}

func TestAServerThatNobodyCompletesIsReplaced(t *testing.T) {
	f := newFixture(t, 1, 1)
	f.step(0)
	first, _ := f.group()
	f.step(899 * time.Second)
	ids, states := f.group()
	assert.Equal(t, []string{waiting}, states)
	assert.Equal(t, first, ids)
	f.step(time.Second)
	_, states = f.group()
	assert.Equal(t, []string{terminating, waiting}, states)
	f.step(time.Second)
	ids, states = f.group()
	assert.Equal(t, []string{waiting}, states)
	assert.NotEqual(t, first, ids)
}

func TestWhatIsUnhealthyIsReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(f *fixture, id string)
		// after is how long it takes.
		after time.Duration
		drain bool
	}{
		"its host is gone": {func(f *fixture, id string) { f.stopped[id] = true }, awayFor, false},
		"somebody said so": {func(f *fixture, id string) {
			f.change(func(a *aws.Account) { a.Resources[instanceType+"::"+id].Outputs["healthStatus"] = "Unhealthy" })
		}, 0, true},
		"its health checks fail": {func(f *fixture, _ string) { f.healthy("i-first") }, 0, true},
		"they fail at once":      {func(f *fixture, id string) { f.stopped[id] = true; f.healthy("i-first") }, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 1, 1)
			f.step(0)
			ids, _ := f.group()
			f.join(ids[0])
			f.step(time.Second)
			f.healthy("i-first", ids[0])
			f.step(2 * time.Minute)
			_, states := f.group()
			require.Equal(t, []string{inService}, states)
			c.breaks(f, ids[0])
			f.step(time.Second)
			if c.after > 0 {
				_, states = f.group()
				assert.Equal(t, []string{inService}, states, "a host that reboots is away for a moment")
				f.step(c.after)
			}
			_, states = f.group()
			assert.Equal(t, []string{terminating, waiting}, states)
			state := aws.Text(f.account().Resources[instanceType+"::"+ids[0]].Outputs, "instanceState")
			assert.Equal(t, f.stopped[ids[0]], state == "stopped", "a host that is gone is not started again")
			f.step(time.Second)
			now, _ := f.group()
			assert.Equal(t, c.drain, slices.Contains(now, ids[0]))
		})
	}
}

func TestANewServerHasItsGracePeriod(t *testing.T) {
	f := newFixture(t, 1, 1)
	f.step(0)
	ids, _ := f.group()
	f.join(ids[0])
	f.step(time.Second)
	f.healthy("i-first")
	f.step(50 * time.Second)
	_, states := f.group()
	assert.Equal(t, []string{inService}, states)
	f.step(10 * time.Second)
	_, states = f.group()
	assert.Equal(t, []string{terminating, waiting}, states)
}

// TestDraining: a target that goes gets no new requests, and its instance ends when its last connection does, or after the delay.
func TestDraining(t *testing.T) {
	for name, c := range map[string]struct{ connections, delay int }{"its last request ends": {0, 2}, "the delay is over": {1, 30}} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 1, 1)
			f.step(0)
			ids, _ := f.group()
			f.join(ids[0])
			f.step(time.Second)
			f.healthy("i-first", ids[0])
			f.change(func(a *aws.Account) {
				a.Resources[aws.GroupType+"::web"].Outputs["minSize"], a.Resources[aws.GroupType+"::web"].Outputs["maxSize"] = 0.0, 0.0
			})
			f.step(time.Second)
			f.step(time.Second)
			assert.Contains(t, f.config, "server "+ids[0]+" 10.20.0.5:8443 disabled")
			f.status[Server{"site", ids[0]}] = Status{Up: true, Connections: c.connections}
			f.step(time.Duration(c.delay-1) * time.Second)
			now, states := f.group()
			assert.Equal(t, ids, now)
			assert.Equal(t, []string{terminating}, states)
			f.step(time.Second)
			now, _ = f.group()
			assert.Empty(t, now)
			f.step(time.Second)
			assert.NotContains(t, f.config, ids[0])
		})
	}
}

func TestScalingInEndsTheOldestOfTheFullestSubnet(t *testing.T) {
	f := newFixture(t, 3, 3)
	f.step(0)
	ids, _ := f.group()
	for _, id := range ids {
		f.join(id)
	}
	f.change(func(a *aws.Account) {
		a.Resources[aws.GroupType+"::web"].Outputs["minSize"], a.Resources[aws.GroupType+"::web"].Outputs["maxSize"] = 2.0, 2.0
	})
	f.step(time.Second)
	_, states := f.group()
	assert.Equal(t, []string{terminating, inService, inService}, states)
}

func TestTargetTracking(t *testing.T) {
	f := newFixture(t, 1, 3)
	f.step(0)
	ids, _ := f.group()
	f.join(ids[0])
	minutes := func(count int, percentOfOne float64) {
		f.used = percentOfOne
		for range count {
			require.NoError(t, f.Measure(t.Context()))
			f.now = f.now.Add(time.Minute)
			require.NoError(t, f.Track())
		}
	}
	size := func() int { return desired(f.account().Resources[aws.GroupType+"::web"]) }
	require.NoError(t, f.Track())
	minutes(2, 1000)
	assert.Equal(t, 1, size())
	minutes(1, 0)
	minutes(2, 1000)
	assert.Equal(t, 1, size(), "three in a row")
	minutes(1, 1000)
	assert.Equal(t, 3, size(), "as many as the use asks for, at most the group's maximum")
	f.step(time.Second)
	minutes(20, 0)
	assert.Equal(t, 3, size(), "servers that have not joined yet are waited for")
	ids, _ = f.group()
	for _, id := range ids {
		f.join(id)
	}
	minutes(14, 0)
	assert.Equal(t, 3, size())
	minutes(1, 0)
	assert.Equal(t, 2, size(), "one at a time")
}

func TestTheConfiguration(t *testing.T) {
	f := newFixture(t, 0, 0)
	f.step(0)
	for _, line := range []string{
		"bind :443 ssl crt /var/lib/balancer/certificates/site.pem alpn h2,http/1.1",
		`http-request set-var(txn.rule) int(1) if !{ var(txn.rule) -m found } { path -m reg '^/\.well-known/acme-challenge/.*$' }`,
		`http-request redirect code 301 location "https://%[req.hdr(host),host_only]:443%[pathq]" if { var(txn.rule) -m int 0 }`,
		"use_backend challenge if { var(txn.rule) -m int 1 }",
		"default-server inter 5s fastinter 5s downinter 5s rise 2 fall 2",
		"server i-first 10.20.0.4:80 check no-check-ssl\n",
	} {
		assert.Contains(t, f.config, line)
	}
	assert.NotContains(t, f.config, "use_backend site.any", "a target that is only new gets nothing")
	f.healthy()
	f.step(11 * time.Second)
	assert.Contains(t, f.config, "use_backend site.any if { var(txn.rule) -m int 0 } { nbsrv(site) eq 0 }", "where all are unhealthy, all get requests")
	f.change(func(a *aws.Account) {
		aws.Object(a.Resources[aws.TargetGroupType+"::"+siteARN].Outputs, "healthCheck")["path"] = "/\n    server evil 1.2.3.4:80"
	})
	require.ErrorContains(t, f.Step(t.Context()), "does not write into HAProxy's configuration")
	assert.False(t, strings.Contains(f.config, "evil"))
}
