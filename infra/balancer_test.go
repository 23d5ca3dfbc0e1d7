package infra

import (
	"strings"
	"testing"

	"berth/internal/config"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheLoadBalancer(t *testing.T) {
	balancer := grow(t, nil, nil).only(t, "lb/loadBalancer:LoadBalancer")
	assert.Equal(t, map[string]any{
		"loadBalancerType": "application", "internal": false, "ipAddressType": "dualstack", "idleTimeout": 65.0, "dropInvalidHeaderFields": true, "accessLogs": map[string]any{"bucket": "", "enabled": false},
		"securityGroups": []any{"balancer-security-group-id"}, "subnets": []any{"subnet-id", "subnet-2-id"}, "tags": map[string]any{"Name": "app.example.com"},
	}, balancer.Inputs.Mappable())
	assert.True(t, dependsOn(balancer, "ec2/route:Route", "internet-ipv6"), "AWS refuses one without a way to the Internet")
}

func TestTheLoadBalancersPorts(t *testing.T) {
	c := grow(t, nil, nil)
	tags := map[string]any{"Name": "app.example.com"}
	assert.Equal(t, map[string]any{
		"loadBalancerArn": "arn:of:site", "protocol": "HTTPS", "port": 443.0, "certificateArn": "arn:of:site", "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
		"defaultActions": []any{map[string]any{"type": "forward", "targetGroupArn": "arn:of:site"}}, "tags": tags,
	}, c.named(t, "lb/listener:Listener", "https").Inputs.Mappable())
	assert.Equal(t, map[string]any{
		"loadBalancerArn": "arn:of:site", "protocol": "HTTP", "port": 80.0, "tags": tags,
		"defaultActions": []any{map[string]any{"type": "redirect", "redirect": map[string]any{"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}}},
	}, c.named(t, "lb/listener:Listener", "http").Inputs.Mappable())
	assert.Equal(t, map[string]any{
		"listenerArn": "arn:of:http", "priority": 1.0, "tags": tags,
		"conditions": []any{map[string]any{"pathPattern": map[string]any{"values": []any{"/.well-known/acme-challenge/*"}}}},
		"actions":    []any{map[string]any{"type": "forward", "targetGroupArn": "arn:of:challenge"}},
	}, c.named(t, "lb/listenerRule:ListenerRule", "challenge").Inputs.Mappable())
}

func TestTheTargetGroups(t *testing.T) {
	ready := map[string]any{"protocol": "HTTPS", "port": "8443", "path": "/.berth/ready", "matcher": "200", "interval": 5.0, "timeout": 2.0, "healthyThreshold": 2.0, "unhealthyThreshold": 2.0}
	for _, test := range []struct {
		name, protocol string
		port, drain    float64
	}{{"site", "HTTPS", 8443, 30}, {"challenge", "HTTP", 80, 0}} {
		group := grow(t, nil, nil).named(t, "lb/targetGroup:TargetGroup", test.name)
		assert.Equal(t, map[string]any{
			"vpcId": "vpc-id", "targetType": "instance", "protocol": test.protocol, "port": test.port, "deregistrationDelay": test.drain, "healthCheck": ready,
			"stickiness": map[string]any{"enabled": false, "type": "lb_cookie"}, "tags": map[string]any{"Name": "app.example.com"},
		}, group.Inputs.Mappable(), test.name)
	}
	sticky := grow(t, func(cfg *config.Config) { cfg.Servers.Sticky = true }, nil)
	assert.True(t, input(sticky.named(t, "lb/targetGroup:TargetGroup", "site"), "stickiness", "enabled").BoolValue())
}

// TestWhatTheFirstServerTakes: challenges always, requests unless it is kept free of them.
func TestWhatTheFirstServerTakes(t *testing.T) {
	for first, want := range map[bool]map[string]string{
		true: {"site": "arn:of:site", "challenge": "arn:of:challenge"}, false: {"challenge": "arn:of:challenge"},
	} {
		taken := map[string]string{}
		for _, args := range grow(t, func(cfg *config.Config) { cfg.Servers.First = first }, nil).of("lb/targetGroupAttachment:TargetGroupAttachment") {
			taken[args.Name] = text(args, "targetGroupArn")
			assert.Equal(t, "server-id", text(args, "targetId"))
		}
		assert.Equal(t, want, taken)
	}
}

func TestTheLoadBalancerIsMorePatientThanNginx(t *testing.T) {
	for _, test := range []struct{ timeout, route, want int }{{60, 0, 65}, {10, 0, 65}, {60, 600, 605}, {4000, 0, 4000}} {
		cfg := production()
		cfg.Timeout, cfg.Routes = test.timeout, []config.Route{{Path: "/", Timeout: test.route}}
		assert.Equal(t, test.want, Idle(cfg))
	}
}

func TestTheCertificateIsOfAllNamesAndIssuedBeforeItIsShown(t *testing.T) {
	c := grow(t, func(cfg *config.Config) { cfg.Redirects = map[string]string{"old.example.com": "app.example.com"} }, nil)
	certificate := c.only(t, "acm/certificate:Certificate")
	assert.Equal(t, "DNS", text(certificate, "validationMethod"))
	assert.Equal(t, "app.example.com", text(certificate, "domainName"))
	assert.Equal(t, []any{"www.app.example.com", "old.example.com"}, input(certificate, "subjectAlternativeNames").Mappable())
	assert.True(t, dependsOn(certificate, "route53/record:Record", "caa-app.example.com"), "Amazon's authority has to be allowed first")
	validation := c.only(t, "acm/certificateValidation:CertificateValidation")
	assert.Equal(t, "arn:of:site", text(validation, "certificateArn"))
	assert.Equal(t, "30m", validation.RegisterRPC.GetCustomTimeouts().GetCreate(), "where nothing delegates to the zone it would never end")
	var names []any
	for _, name := range []string{"app.example.com", "www.app.example.com", "old.example.com"} {
		record := c.named(t, "route53/record:Record", "validation-"+name)
		assert.Equal(t, "CNAME", text(record, "type"))
		assert.Equal(t, "_token."+name+".", text(record, "name"))
		assert.Equal(t, []any{"_answer-for-" + name + ".acm-validations.aws."}, input(record, "records").Mappable())
		assert.Equal(t, mockZoneID, text(record, "zoneId"))
		names = append(names, "_token."+name+".")
	}
	assert.Equal(t, names, input(validation, "validationRecordFqdns").Mappable())
	_, err := validationOf(nil, "app.example.com", "resourceRecordName")
	require.ErrorContains(t, err, "pulumi refresh")
}

// TestNamesPointToTheLoadBalancerWhenServersAnswer: the records of one server, changed in place.
func TestNamesPointToTheLoadBalancerWhenServersAnswer(t *testing.T) {
	urns := map[string]string{}
	for _, record := range declare(t, nil, nil).of("route53/record:Record") {
		urns[record.Name] = record.RegisterRPC.GetParent()
	}
	c := grow(t, nil, nil)
	for _, record := range c.of("route53/record:Record") {
		if strings.HasPrefix(record.Name, "validation-") {
			continue
		}
		require.Contains(t, urns, record.Name)
		assert.Equal(t, urns[record.Name], record.RegisterRPC.GetParent(), "the same resource")
		delete(urns, record.Name)
		if strings.HasPrefix(record.Name, "caa-") {
			assert.Equal(t, []any{`0 issue "letsencrypt.org"`, `0 issue "amazon.com"`}, input(record, "records").Mappable())
			continue
		}
		assert.Equal(t, []any{map[string]any{"name": mockBalancer, "zoneId": "Z-OF-THE-BALANCER", "evaluateTargetHealth": false}}, input(record, "aliases").Mappable())
		assert.NotContains(t, record.Inputs, "ttl")
		assert.NotContains(t, record.Inputs, "records")
		assert.True(t, dependsOn(record, "ec2/volumeAttachment:VolumeAttachment", "data"), "after what it is to wait for")
	}
	assert.Empty(t, urns, "every name keeps its records")
}

// TestAccessLogs go to a private bucket, where each ends by its age alone.
func TestAccessLogs(t *testing.T) {
	c := grow(t, func(cfg *config.Config) { cfg.Servers.AccessLogs = 30 }, nil)
	bucket := c.only(t, "s3/bucketV2:BucketV2")
	assert.Equal(t, map[string]any{"bucket": "berth-access-logs-1234567", "enabled": true}, c.only(t, "lb/loadBalancer:LoadBalancer").Inputs.Mappable()["accessLogs"])
	assert.True(t, dependsOn(c.only(t, "lb/loadBalancer:LoadBalancer"), "s3/bucketPolicy:BucketPolicy", accessLogs), "AWS tries it at once")
	parts := c.of("s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
	parts = append(parts, c.of("s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2")...)
	parts = append(parts, c.of("s3/bucketPolicy:BucketPolicy")...)
	require.Len(t, parts, 3)
	for _, part := range append(parts, bucket) {
		assert.True(t, part.RegisterRPC.GetRetainOnDelete(), part.TypeToken)
	}
	assert.Equal(t, map[string]any{"days": 30.0}, parts[1].Inputs.Mappable()["rules"].([]any)[0].(map[string]any)["expiration"])
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","Principal":"*","Action":["s3:*"],"Resource":["arn:aws:s3:::berth-access-logs-1234567","arn:aws:s3:::berth-access-logs-1234567/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}},
		{"Effect":"Allow","Principal":{"Service":"logdelivery.elasticloadbalancing.amazonaws.com"},"Action":["s3:PutObject"],"Resource":["arn:aws:s3:::berth-access-logs-1234567/AWSLogs/111122223333/*"],
		 "Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/*"}}}]}`, text(parts[2], "policy"))
	assert.Empty(t, grow(t, nil, nil).of("s3/bucketV2:BucketV2"))
}
