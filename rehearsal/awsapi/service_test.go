package awsapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
)

type properties = map[string]any

// hosts are machines that note what was done to them.
type hosts struct {
	down bool
	done []string
}

func (h *hosts) Running(context.Context, string) bool { return !h.down }

func (h *hosts) StartHost(_ context.Context, id string) error {
	h.down, h.done = false, append(h.done, "start "+id)
	return nil
}

func (h *hosts) RebootHost(_ context.Context, id string) error {
	h.done = append(h.done, "reboot "+id)
	return nil
}

const instanceID = "i-0123456789abcdef0"

// newAccount keeps a small account in a folder: a server with its address, a snapshot, a zone.
func newAccount(t *testing.T) string {
	t.Helper()
	own := properties{"ManagedBy": "berth", "Stack": "rehearsal"}
	account := aws.Account{Number: "123456789012", Resources: map[string]*aws.Resource{}}
	for _, one := range []*aws.Resource{
		{Type: instanceType, ID: instanceID, Outputs: properties{"arn": "arn:aws:ec2:eu-central-1:123456789012:instance/" + instanceID, "tagsAll": own, "instanceType": "t3.small", "availabilityZone": "eu-central-1a", "publicIp": "198.51.100.16"}},
		{Type: instanceType, ID: "i-0aaaaaaaaaaaaaaaa", Outputs: properties{"arn": "arn:aws:ec2:us-east-1:123456789012:instance/i-0aaaaaaaaaaaaaaaa", "instanceType": "t3.small"}},
		{Type: addressType, ID: "eipalloc-1", Outputs: properties{"arn": "arn:aws:ec2:eu-central-1:123456789012:elastic-ip/eipalloc-1", "publicIp": "198.51.100.16", "tagsAll": own}},
		{Type: associationType, ID: "eipassoc-1", Outputs: properties{"allocationId": "eipalloc-1", "instanceId": instanceID}},
		{Type: snapshotType, ID: "snap-1", Outputs: properties{"volumeId": "vol-1", "volumeSize": 20.0, "encrypted": true, "tagsAll": own}},
		{Type: vpcType, ID: "vpc-1", Outputs: properties{"cidrBlock": "10.20.0.0/16"}},
		{Type: subnetType, ID: "subnet-1", Outputs: properties{"vpcId": "vpc-1"}},
		{Type: zoneType, ID: "Z1", Outputs: properties{"name": "example.test", "nameServers": []any{"ns-1.example.net", "ns-2.example.net"}, "primaryNameServer": "ns-1.example.net", "tagsAll": own}},
		{Type: recordType, ID: "Z1_app.example.test_A", Outputs: properties{"zoneId": "Z1", "name": "app.example.test", "type": "A", "ttl": 300.0, "records": []any{"198.51.100.16"}}},
	} {
		one.Created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		account.Resources[one.Type+"::"+one.ID] = one
	}
	dir := t.TempDir()
	text, err := json.Marshal(account)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "aws.json"), text, 0o600))
	return dir
}

// asker asks a service as AWS's clients do.
type asker struct {
	t       *testing.T
	service *Service
	key     string
}

func newAsker(t *testing.T, dir string, machines Machines) *asker {
	return &asker{t, New(dir, machines), AccessKey}
}

func (a *asker) send(request *http.Request, service, region string) (int, string) {
	a.t.Helper()
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+a.key+"/20260102/"+region+"/"+service+"/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64))
	recorder := httptest.NewRecorder()
	a.service.ServeHTTP(recorder, request)
	text, err := io.ReadAll(recorder.Body)
	require.NoError(a.t, err)
	return recorder.Code, string(text)
}

// query asks over the Query protocol: the action, then names and values.
func (a *asker) query(service, action string, pairs ...string) (int, string) {
	a.t.Helper()
	form := url.Values{"Action": {action}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return a.send(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode())), service, "eu-central-1")
}

func (a *asker) get(path string) (int, string) {
	a.t.Helper()
	return a.send(httptest.NewRequest(http.MethodGet, path, nil), "route53", "us-east-1")
}

func (a *asker) json(service, target, region, body string) (int, string) {
	a.t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	request.Header.Set("X-Amz-Target", target)
	return a.send(request, service, region)
}

func TestWhoIsWho(t *testing.T) {
	a := newAsker(t, newAccount(t), nil)
	status, text := a.query("sts", "GetCallerIdentity")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, text, "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/operator</Arn>")

	a.key = "AKIASOMEBODYELSE2345"
	status, text = a.query("sts", "GetCallerIdentity")
	assert.Equal(t, http.StatusForbidden, status)
	assert.Contains(t, text, "<Code>InvalidClientTokenId</Code>")
	recorder := httptest.NewRecorder()
	a.service.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/", nil))
	assert.Equal(t, http.StatusForbidden, recorder.Code, "it is not signed")
}

func TestWhatTheOperatorMay(t *testing.T) {
	dir := newAccount(t)
	a := newAsker(t, dir, nil)
	ask := func(action string) string {
		_, text := a.query("iam", "SimulatePrincipalPolicy", "PolicySourceArn", "arn:aws:iam::123456789012:user/operator", "ActionNames.member.1", action,
			"ContextEntries.member.1.ContextKeyName", "ec2:InstanceType", "ContextEntries.member.1.ContextKeyValues.member.1", "t3.micro", "ContextEntries.member.1.ContextKeyType", "string")
		return text
	}
	assert.Contains(t, ask("ec2:RunInstances"), "<EvalDecision>allowed</EvalDecision>", "there is no policy")
	require.NoError(t, os.WriteFile(filepath.Join(dir, PolicyFile), []byte(`{"Statement":[{"Effect":"Allow","Action":["iam:Simulate*","route53:ListHostedZones"],"Resource":"*"},
		{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*","Condition":{"StringLike":{"ec2:InstanceType":"t3.*"}}}]}`), 0o600))
	assert.Contains(t, ask("ec2:RunInstances"), "<EvalDecision>allowed</EvalDecision>")
	assert.Contains(t, ask("ec2:CreateVpc"), "<EvalDecision>implicitDeny</EvalDecision>")
	status, text := a.query("ec2", "DescribeVpcs")
	assert.Equal(t, http.StatusForbidden, status)
	assert.Contains(t, text, "<Response><Errors><Error><Code>UnauthorizedOperation</Code>")
	_, text = a.get("/2013-04-01/hostedzone/Z1")
	assert.Contains(t, text, "is not authorized to perform: route53:GetHostedZone on resource: arn:aws:route53:::hostedzone/Z1")
	status, _ = a.get("/2013-04-01/hostedzone")
	assert.Equal(t, http.StatusOK, status)
}

func TestInstancesAreTheRegionsOwn(t *testing.T) {
	machines := &hosts{}
	a := newAsker(t, newAccount(t), machines)
	_, text := a.query("ec2", "DescribeInstances", "Filter.1.Name", "tag:Stack", "Filter.1.Value.1", "rehearsal", "Filter.2.Name", "instance-state-name", "Filter.2.Value.1", "running")
	assert.Contains(t, text, instanceID)
	assert.NotContains(t, text, "i-0aaaaaaaaaaaaaaaa")
	assert.Contains(t, text, "<cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>")

	machines.down = true
	_, text = a.query("ec2", "DescribeInstances")
	assert.Contains(t, text, "<instanceState><code>80</code><name>stopped</name></instanceState>")
	_, text = a.query("ec2", "DescribeInstanceStatus")
	assert.NotContains(t, text, instanceID)
	_, text = a.query("ec2", "DescribeInstanceStatus", "IncludeAllInstances", "true")
	assert.Contains(t, text, instanceID)
	_, text = a.query("ec2", "StartInstances", "InstanceId.1", instanceID)
	assert.Contains(t, text, "<previousState><code>80</code><name>stopped</name></previousState><currentState><code>16</code><name>running</name></currentState>")
	_, text = a.query("ec2", "RebootInstances", "InstanceId.1", instanceID)
	assert.Contains(t, text, "<return>true</return>")
	assert.Equal(t, []string{"start " + instanceID, "reboot " + instanceID}, machines.done)
}

// TestWhatAWSDoesNotHaveIsRefused: a command that only looks right would fail on the night it is needed.
func TestWhatAWSDoesNotHaveIsRefused(t *testing.T) {
	a := newAsker(t, newAccount(t), nil)
	for _, test := range []struct {
		code, action string
		pairs        []string
	}{
		{"InvalidParameterValue", "DescribeInstanceStatus", []string{"Filter.1.Name", "tag:Stack", "Filter.1.Value.1", "x"}},
		{"InvalidParameterValue", "DescribeInstances", []string{"Filter.1.Name", "state", "Filter.1.Value.1", "x"}},
		{"InvalidInstanceID.NotFound", "RebootInstances", []string{"InstanceId.1", "i-0"}},
		{"InvalidSnapshot.NotFound", "DescribeSnapshots", []string{"SnapshotId.1", "snap-0"}},
		{"InvalidUserID.Malformed", "DescribeSnapshots", []string{"Owner.1", "amazon"}},
		{"InvalidSubnetID.NotFound", "DescribeSubnets", []string{"SubnetId.1", "subnet-0"}},
		{"InvalidParameterValue", "DescribeRegions", []string{"RegionName.1", "eu-nowhere-1"}},
		{"InvalidParameterValue", "DescribeAvailabilityZones", []string{"ZoneName.1", "eu-central-1z"}},
		{"InvalidInstanceType", "DescribeInstanceTypes", []string{"InstanceType.1", "m4.large"}},
		{"InvalidAction", "RunInstances", nil},
	} {
		status, text := a.query("ec2", test.action, test.pairs...)
		assert.Equal(t, http.StatusBadRequest, status, test.action)
		assert.Contains(t, text, "<Code>"+test.code+"</Code>", test.action)
	}
}

func TestInventory(t *testing.T) {
	a := newAsker(t, newAccount(t), nil)
	for action, want := range map[string]string{
		"DescribeAddresses": "<publicIp>198.51.100.16</publicIp><domain>vpc</domain><tagSet><item><key>ManagedBy</key><value>berth</value></item>",
		"DescribeSnapshots": "<snapshotId>snap-1</snapshotId><volumeId>vol-1</volumeId><status>completed</status><startTime>2026-01-02T03:04:05.000Z</startTime>",
		"DescribeSubnets":   "<subnetId>subnet-1</subnetId><state>available</state><vpcId>vpc-1</vpcId>",
		"DescribeVpcs":      "<vpcId>vpc-1</vpcId>",
		"DescribeRegions":   "<regionName>eu-central-1</regionName>",
	} {
		status, text := a.query("ec2", action)
		assert.Equal(t, http.StatusOK, status, action)
		assert.Contains(t, text, want)
	}
	_, text := a.query("ec2", "DescribeRegions")
	assert.NotContains(t, text, "eu-south-2")
	_, text = a.query("ec2", "DescribeRegions", "AllRegions", "true", "RegionName.1", "eu-south-2")
	assert.Contains(t, text, "<optInStatus>not-opted-in</optInStatus>")
	_, text = a.query("ec2", "DescribeInstanceTypeOfferings", "LocationType", "availability-zone", "Filter.1.Name", "instance-type", "Filter.1.Value.1", "t3.micro")
	assert.Equal(t, 3, strings.Count(text, "<location>"))
	_, text = a.query("ec2", "DescribeInstanceTypes", "InstanceType.1", "t3.2xlarge")
	assert.Contains(t, text, "<defaultVCpus>8</defaultVCpus>")
	_, text = a.query("ec2", "DescribeAvailabilityZones", "ZoneName.1", "eu-central-1b")
	assert.Equal(t, 1, strings.Count(text, "<zoneName>"))
}

func TestNames(t *testing.T) {
	a := newAsker(t, newAccount(t), nil)
	_, text := a.get("/2013-04-01/hostedzone")
	assert.Contains(t, text, "<Id>/hostedzone/Z1</Id><Name>example.test.</Name>")
	_, text = a.get("/2013-04-01/hostedzone/Z1")
	assert.Contains(t, text, "<DelegationSet><NameServers><NameServer>ns-1.example.net</NameServer><NameServer>ns-2.example.net</NameServer>")
	_, text = a.get("/2013-04-01/hostedzone/Z1/rrset?name=app.example.test")
	assert.Contains(t, text, "<Name>app.example.test.</Name><Type>A</Type><TTL>300</TTL><ResourceRecords><ResourceRecord><Value>198.51.100.16</Value>")
	assert.NotContains(t, text, "SOA", "it lies before that name")
	_, text = a.get("/2013-04-01/testdnsanswer?hostedzoneid=Z1&recordname=app.example.test&recordtype=A")
	assert.Contains(t, text, "<RecordDataEntry>198.51.100.16</RecordDataEntry></RecordData><ResponseCode>NOERROR</ResponseCode>")
	_, text = a.get("/2013-04-01/testdnsanswer?hostedzoneid=Z1&recordname=x.example.test&recordtype=A")
	assert.Contains(t, text, "NXDOMAIN")
	_, text = a.get("/2013-04-01/tags/hostedzone/Z1")
	assert.Contains(t, text, "<Tag><Key>Stack</Key><Value>rehearsal</Value></Tag>")
	status, text := a.get("/2013-04-01/hostedzone/Z2")
	assert.Equal(t, http.StatusNotFound, status)
	assert.Contains(t, text, "<Code>NoSuchHostedZone</Code>")
}

func TestQuotasAndPrices(t *testing.T) {
	a := newAsker(t, newAccount(t), nil)
	_, text := a.json("servicequotas", "ServiceQuotasV20190624.GetServiceQuota", "eu-central-1", `{"ServiceCode":"ec2","QuotaCode":"L-0263D0A3"}`)
	assert.Contains(t, text, `"Value":5`)
	status, text := a.json("servicequotas", "ServiceQuotasV20190624.GetServiceQuota", "eu-central-1", `{"ServiceCode":"ec2","QuotaCode":"L-0"}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, text, "NoSuchResourceException")
	const server = `{"ServiceCode":"AmazonEC2","Filters":[{"Type":"TERM_MATCH","Field":"instanceType","Value":"t3.micro"},{"Type":"TERM_MATCH","Field":"regionCode","Value":"eu-central-1"}]}`
	_, text = a.json("pricing", "AWSPriceListService.GetProducts", "us-east-1", server)
	assert.Contains(t, text, `\"pricePerUnit\":{\"USD\":\"0.0120000000\"}`)
	_, text = a.json("pricing", "AWSPriceListService.GetProducts", "us-east-1", strings.Replace(server, "t3.micro", "g4dn.xlarge", 1))
	assert.Contains(t, text, `"PriceList":[]`)
	status, _ = a.json("pricing", "AWSPriceListService.GetProducts", "eu-west-1", server)
	assert.Equal(t, http.StatusBadRequest, status)
}
