package scaling

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
)

const mayAll = `{"Statement":[{"Effect":"Allow","Action":["autoscaling:DescribeAutoScalingGroups","ec2:DescribeInstances"],"Resource":["*"]},
	{"Effect":"Allow","Action":["autoscaling:CompleteLifecycleAction","autoscaling:SetInstanceHealth"],"Resource":["` + groupARN + `"]},
	{"Effect":"Allow","Action":["elasticloadbalancing:DeregisterTargets"],"Resource":["` + siteARN + `"]}]}`

// allow gives the first server's role a policy.
func (f *fixture) allow(policy string) {
	f.change(func(a *aws.Account) {
		a.Resources["aws:iam/role:Role::host"] = &aws.Resource{Type: "aws:iam/role:Role", ID: "host", Outputs: map[string]any{}}
		a.Resources["aws:iam/rolePolicy:RolePolicy::host:servers"] = &aws.Resource{Type: "aws:iam/rolePolicy:RolePolicy", ID: "host:servers", Outputs: map[string]any{"role": "host", "policy": policy}}
	})
}

// ask asks a service, signed as curl does it unless the header is another one.
func (f *fixture) ask(service, query string, header map[string]string) (status int, body string) {
	form, err := url.ParseQuery(query)
	require.NoError(f.t, err)
	form.Set("Version", versions[service])
	request := httptest.NewRequest(http.MethodPost, "https://"+service+".eu-central-1.amazonaws.com/", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Amz-Date", f.now.Format("20060102T150405Z"))
	request.Header.Set("X-Amz-Security-Token", "token")
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=ASIAABCDEFGHIJKLMNOP/%s/eu-central-1/%s/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=%s",
		f.now.Format("20060102"), service, strings.Repeat("0a", 32)))
	for key, value := range header {
		request.Header.Set(key, value)
	}
	response := httptest.NewRecorder()
	f.ServeHTTP(response, request)
	return response.Code, response.Body.String()
}

func TestTheLifeOfAServerByTheAPI(t *testing.T) {
	f := newFixture(t, 1, 1)
	f.allow(mayAll)
	f.step(0)
	ids, _ := f.group()
	ask := func(service, query string) string {
		status, body := f.ask(service, query, nil)
		assert.Equal(t, http.StatusOK, status, body)
		return body
	}
	body := ask("autoscaling", "Action=DescribeAutoScalingGroups&AutoScalingGroupNames.member.1=web")
	assert.Contains(t, body, `<DescribeAutoScalingGroupsResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><DescribeAutoScalingGroupsResult><AutoScalingGroups><member><AutoScalingGroupName>web<`)
	assert.Contains(t, body, "<InstanceId>"+ids[0]+"</InstanceId><InstanceType>t3.micro</InstanceType><AvailabilityZone>eu-central-1a</AvailabilityZone><LifecycleState>Pending:Wait</LifecycleState><HealthStatus>Healthy</HealthStatus>")
	assert.Contains(t, body, "<DesiredCapacity>1</DesiredCapacity>")
	assert.NotContains(t, ask("autoscaling", "Action=DescribeAutoScalingGroups&AutoScalingGroupNames.member.1=other"), "<member>")

	body = ask("ec2", "Action=DescribeInstances&InstanceId.1="+ids[0])
	assert.Contains(t, body, "<privateIpAddress>10.20.0.5</privateIpAddress>")
	assert.Contains(t, body, "<item><key>aws:autoscaling:groupName</key><value>web</value></item>")
	assert.NotContains(t, body, "i-first")
	assert.Contains(t, ask("ec2", "Action=DescribeInstances&Filter.1.Name=tag:Name&Filter.1.Value.1=first"), "<ipv6Address>2001:db8:be00:100::a1b2</ipv6Address>")

	web := targetKey{siteARN, ids[0]}
	assert.NotContains(t, f.targets, web)
	ask("autoscaling", "Action=CompleteLifecycleAction&AutoScalingGroupName=web&LifecycleHookName=berth-join&LifecycleActionResult=CONTINUE&InstanceId="+ids[0])
	_, states := f.group()
	assert.Equal(t, []string{inService}, states)
	f.step(time.Second)
	assert.Equal(t, stateInitial, f.targets[web].state)
	f.healthy("i-first", ids[0])
	f.step(time.Second)
	for _, id := range []string{"i-first", ids[0]} {
		assert.Equal(t, stateHealthy, f.targets[targetKey{siteARN, id}].state)
	}

	ask("elasticloadbalancing", "Action=DeregisterTargets&TargetGroupArn="+url.QueryEscape(siteARN)+"&Targets.member.1.Id="+ids[0])
	f.step(time.Second)
	assert.Equal(t, stateDraining, f.targets[web].state)
	ask("autoscaling", "Action=SetInstanceHealth&HealthStatus=Unhealthy&InstanceId="+ids[0])
	f.step(time.Second)
	_, states = f.group()
	assert.Equal(t, []string{inService}, states, "within the grace period it is ignored")
	ask("autoscaling", "Action=SetInstanceHealth&HealthStatus=Unhealthy&ShouldRespectGracePeriod=false&InstanceId="+ids[0])
	f.step(time.Second)
	_, states = f.group()
	assert.Equal(t, []string{terminating, waiting}, states)
}

func TestAnAbandonedServerIsReplaced(t *testing.T) {
	f := newFixture(t, 1, 1)
	f.allow(mayAll)
	f.step(0)
	ids, _ := f.group()
	status, body := f.ask("autoscaling", "Action=CompleteLifecycleAction&AutoScalingGroupName=web&LifecycleHookName=berth-join&LifecycleActionResult=ABANDON&InstanceId="+ids[0], nil)
	require.Equal(t, http.StatusOK, status, body)
	f.step(time.Second)
	f.step(time.Second)
	now, states := f.group()
	assert.Equal(t, []string{waiting}, states)
	assert.NotEqual(t, ids, now)
}

func TestRefusals(t *testing.T) {
	f := newFixture(t, 1, 1)
	f.allow(mayAll)
	f.step(0)
	ids, _ := f.group()
	f.join(ids[0])
	for _, c := range []struct {
		service, query string
		header         map[string]string
		status         int
		says           string
	}{
		{"autoscaling", "Action=DescribeAutoScalingGroups", map[string]string{"Authorization": ""}, 403, "<Code>MissingAuthenticationToken</Code>"},
		{"autoscaling", "Action=DescribeAutoScalingGroups", map[string]string{"X-Amz-Security-Token": ""}, 403, "<Code>InvalidClientTokenId</Code>"},
		{"autoscaling", "Action=DescribeAutoScalingGroups", map[string]string{"X-Amz-Date": "20261123T030000Z"}, 400, "<Code>IncompleteSignature</Code>"},
		{"autoscaling", "Action=DeleteAutoScalingGroup", nil, 400, "<Code>InvalidAction</Code>"},
		{"autoscaling", "Action=SetInstanceHealth&InstanceId=i-first&HealthStatus=Unhealthy", nil, 400, "is not part of an Auto Scaling group"},
		{"autoscaling", "Action=SetInstanceHealth&InstanceId=" + ids[0] + "&HealthStatus=Ill", nil, 400, "Health status is not valid"},
		{"autoscaling", "Action=CompleteLifecycleAction&AutoScalingGroupName=web&LifecycleHookName=berth-join&LifecycleActionResult=CONTINUE&InstanceId=" + ids[0], nil, 400, "No active Lifecycle Action found"},
		{"autoscaling", "Action=CompleteLifecycleAction&AutoScalingGroupName=web&LifecycleHookName=x&LifecycleActionResult=CONTINUE&InstanceId=" + ids[0], nil, 400, "No lifecycle hook found"},
		{"elasticloadbalancing", "Action=DeregisterTargets&TargetGroupArn=x&Targets.member.1.Id=i-first", nil, 400, "<Code>TargetGroupNotFound</Code>"},
		{"elasticloadbalancing", "Action=DeregisterTargets&Targets.member.1.Id=i-first&TargetGroupArn=" + url.QueryEscape(challengeARN), nil, 403, "<Code>AccessDenied</Code>"},
		{"ec2", "Action=DescribeInstances&InstanceId.1=i-none", nil, 400, "<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code>"},
		{"ec2", "Action=DescribeInstances&Filter.1.Name=color&Filter.1.Value.1=red", nil, 400, "<Code>InvalidParameterValue</Code>"},
	} {
		status, body := f.ask(c.service, c.query, c.header)
		assert.Equal(t, c.status, status, c.query)
		assert.Contains(t, body, c.says, c.query)
	}
	f.allow(`{"Statement":[]}`)
	status, body := f.ask("ec2", "Action=DescribeInstances", nil)
	assert.Equal(t, http.StatusForbidden, status)
	assert.Contains(t, body, "<Code>UnauthorizedOperation</Code>")
}
