package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/net/dns/dnsmessage"
)

// cloud answers as AWS does: what an account has that is as it should be, but for what a test says otherwise.
type cloud struct {
	// answers are bodies, by operation; one that begins with ! is an error's code.
	answers map[string]string
	// denied are the actions that a simulation denies.
	denied []string

	lock  sync.Mutex
	asked []string
	forms map[string][]url.Values
}

const (
	account1 = "123456789012"
	spaceEC2 = ` xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"`
	ownTags  = `<tagSet><item><key>ManagedBy</key><value>berth</value></item><item><key>Project</key><value>berth</value></item><item><key>Stack</key><value>production</value></item></tagSet>`
)

// good are the answers of an account that is as it should be, and in which nothing is.
func good() map[string]string {
	return map[string]string{
		"sts:GetCallerIdentity":             `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::` + account1 + `:user/you</Arn><Account>` + account1 + `</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`,
		"ec2:DescribeRegions":               `<DescribeRegionsResponse` + spaceEC2 + `><regionInfo><item><regionName>eu-central-1</regionName><optInStatus>opt-in-not-required</optInStatus></item></regionInfo></DescribeRegionsResponse>`,
		"ec2:DescribeAvailabilityZones":     `<DescribeAvailabilityZonesResponse` + spaceEC2 + `><availabilityZoneInfo><item><zoneName>eu-central-1a</zoneName></item></availabilityZoneInfo></DescribeAvailabilityZonesResponse>`,
		"ec2:DescribeInstanceTypeOfferings": offerings("eu-central-1a", "eu-central-1b"),
		"ec2:DescribeInstanceTypes":         `<DescribeInstanceTypesResponse` + spaceEC2 + `><instanceTypeSet><item><instanceType>t3.micro</instanceType><vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo></item></instanceTypeSet></DescribeInstanceTypesResponse>`,
		"ec2:DescribeAddresses":             addresses(),
		"ec2:DescribeInstances":             `<DescribeInstancesResponse` + spaceEC2 + `><reservationSet></reservationSet></DescribeInstancesResponse>`,
		"ec2:DescribeVpcs":                  `<DescribeVpcsResponse` + spaceEC2 + `><vpcSet><item><vpcId>vpc-1</vpcId><isDefault>true</isDefault></item></vpcSet></DescribeVpcsResponse>`,
		"route53:ListHostedZones":           hostedZones("Z1"),
		"route53:GetHostedZone":             `<GetHostedZoneResponse><HostedZone><Id>/hostedzone/Z1</Id><Name>example.com.</Name></HostedZone><DelegationSet><NameServers><NameServer>ns-1.example.net</NameServer><NameServer>ns-2.example.org</NameServer></NameServers></DelegationSet></GetHostedZoneResponse>`,
		"route53:ListResourceRecordSets":    records(),
		"route53:ListTagsForResource":       `<ListTagsForResourceResponse><ResourceTagSet><ResourceType>hostedzone</ResourceType><ResourceId>Z1</ResourceId><Tags></Tags></ResourceTagSet></ListTagsForResourceResponse>`,
		"servicequotas:GetServiceQuota":     `{"Quota":{"Value":5}}`,
		"pricing:GetProducts":               price("0.0120"),
	}
}

func offerings(zones ...string) string {
	items := ""
	for _, zone := range zones {
		items += `<item><instanceType>t3.micro</instanceType><location>` + zone + `</location></item>`
	}
	return `<DescribeInstanceTypeOfferingsResponse` + spaceEC2 + `><instanceTypeOfferingSet>` + items + `</instanceTypeOfferingSet></DescribeInstanceTypeOfferingsResponse>`
}

// addresses are Elastic IP addresses with these tags.
func addresses(tags ...string) string {
	items := ""
	for i, set := range tags {
		items += fmt.Sprintf(`<item><publicIp>192.0.2.%d</publicIp>%s</item>`, i+1, set)
	}
	return `<DescribeAddressesResponse` + spaceEC2 + `><addressesSet>` + items + `</addressesSet></DescribeAddressesResponse>`
}

func hostedZones(ids ...string) string {
	items := `<HostedZone><Id>/hostedzone/Z9</Id><Name>example.com.</Name><CallerReference>x</CallerReference><Config><PrivateZone>true</PrivateZone></Config></HostedZone>`
	for _, id := range ids {
		items += `<HostedZone><Id>/hostedzone/` + id + `</Id><Name>example.com.</Name><CallerReference>x</CallerReference><Config><PrivateZone>false</PrivateZone></Config></HostedZone>`
	}
	return `<ListHostedZonesResponse><HostedZones>` + items + `</HostedZones><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesResponse>`
}

// records are those of the site's name: type, value, type, value, …
func records(pairs ...string) string {
	items := ""
	for i := 0; i < len(pairs); i += 2 {
		items += `<ResourceRecordSet><Name>app.example.com.</Name><Type>` + pairs[i] + `</Type><TTL>300</TTL><ResourceRecords><ResourceRecord><Value>` + pairs[i+1] + `</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>`
	}
	items += `<ResourceRecordSet><Name>later.example.com.</Name><Type>A</Type><TTL>300</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.9</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>`
	return `<ListResourceRecordSetsResponse><ResourceRecordSets>` + items + `</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>300</MaxItems></ListResourceRecordSetsResponse>`
}

func price(usd string) string {
	product, err := json.Marshal(map[string]any{"terms": map[string]any{"OnDemand": map[string]any{"a": map[string]any{"priceDimensions": map[string]any{"b": map[string]any{"pricePerUnit": map[string]string{"USD": usd}}}}}}})
	if err != nil {
		panic(err)
	}
	list, err := json.Marshal(map[string]any{"FormatVersion": "aws_v1", "PriceList": []string{string(product)}})
	if err != nil {
		panic(err)
	}
	return string(list)
}

// scope finds the service in a signature.
var scope = regexp.MustCompile(`Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request`)

func (c *cloud) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body) // What cannot be read is answered as it is.
	form, _ := url.ParseQuery(string(body))
	service := "none"
	if found := scope.FindStringSubmatch(request.Header.Get("Authorization")); found != nil {
		service = found[1]
	}
	name := form.Get("Action")
	if _, after, ok := strings.Cut(request.Header.Get("X-Amz-Target"), "."); ok {
		name = after
	}
	if service == "route53" {
		name = map[bool]string{true: "GetHostedZone", false: "ListHostedZones"}[strings.HasPrefix(request.URL.Path, "/2013-04-01/hostedzone/")]
		if strings.HasSuffix(request.URL.Path, "/rrset") {
			name = "ListResourceRecordSets"
		}
		if strings.Contains(request.URL.Path, "/tags/") {
			name = "ListTagsForResource"
		}
	}
	operation := service + ":" + name
	c.lock.Lock()
	c.asked = append(c.asked, operation)
	if c.forms == nil {
		c.forms = map[string][]url.Values{}
	}
	c.forms[operation] = append(c.forms[operation], form)
	answer := c.answers[operation]
	c.lock.Unlock()
	if operation == "iam:SimulatePrincipalPolicy" && answer == "" {
		answer = c.simulate(form)
	}
	response.Header().Set("Content-Type", "text/xml")
	if strings.HasPrefix(answer, "{") || service == "servicequotas" || service == "pricing" {
		response.Header().Set("Content-Type", "application/x-amz-json-1.1")
	}
	if code, failed := strings.CutPrefix(answer, "!"); failed || answer == "" {
		code = first(code, "InvalidAction")
		response.Header().Set("X-Amzn-Errortype", code)
		response.WriteHeader(http.StatusBadRequest)
		switch service {
		case "ec2":
			answer = `<Response><Errors><Error><Code>` + code + `</Code><Message>said so</Message></Error></Errors></Response>`
		case "servicequotas", "pricing":
			answer = `{"__type":"` + code + `","message":"said so"}`
		default:
			answer = `<ErrorResponse><Error><Code>` + code + `</Code><Message>said so</Message></Error></ErrorResponse>`
		}
	}
	_, _ = io.WriteString(response, answer)
}

func (c *cloud) simulate(form url.Values) string {
	results := ""
	for i := 1; form.Has(fmt.Sprintf("ActionNames.member.%d", i)); i++ {
		action, decision := form.Get(fmt.Sprintf("ActionNames.member.%d", i)), "allowed"
		if slices.Contains(c.denied, action) {
			decision = "implicitDeny"
		}
		results += `<member><EvalActionName>` + action + `</EvalActionName><EvalDecision>` + decision + `</EvalDecision></member>`
	}
	return `<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>` + results + `</EvaluationResults><IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>`
}

// setting is one as pulumi config --json has it.
type setting struct {
	Value  string `json:"value"`
	Secret bool   `json:"secret"`
}

// bench is a doctor with a stand-in for everything that it checks.
type bench struct {
	*doctor
	t *testing.T
	*cloud
	settings map[string]setting
	// tools is a folder of commands that comes before the machine's.
	tools string
	// nameServers are what the resolver says; nil for an unknown name.
	nameServers []string
}

// newBench is one on which everything is as it should be. Its repository is in a folder, which only a test may name.
func newBench(t *testing.T) *bench {
	t.Helper()
	// The sum of all of Berth's files, which the Makefile sets: Go's cache of results knows no file above this module,
	// and at every variable that a test asks for.
	_ = os.Getenv("BERTH_SOURCES")
	b := &bench{doctor: &doctor{}, t: t, cloud: &cloud{answers: good()}, tools: t.TempDir(), nameServers: []string{"ns-2.example.org.", "NS-1.example.net."}}
	server := httptest.NewServer(b.cloud)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "test-secret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "us-west-2",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"TMPDIR": t.TempDir(), "BERTH_CACHE": t.TempDir(), "PULUMI_HOME": b.tools, "PULUMI_DEBUG_LANGUAGES": "", "PULUMI_CONFIG_PASSPHRASE": "", "PATH": b.tools + ":" + os.Getenv("PATH"),
	} {
		t.Setenv(name, value)
	}
	project, err := filepath.Abs("../..")
	require.NoError(t, err)
	b.project, b.folder, b.resolver = project, t.TempDir(), b.serveDNS()
	b.write("Pulumi.yaml", "name: berth\nruntime: go\n")
	b.tool("pulumi", `case "$*" in
version*) echo v`+b.required(needsSDK)+` ;;
"stack --show-name"*) [ ! -e "$0.none" ] || { echo "error: no stack selected; please use pulumi stack select" >&2; exit 255; }; echo production ;;
whoami*) cat "$0.whoami" ;;
config*) [ ! -e "$0.refuses" ] || { cat "$0.refuses" >&2; exit 255; }; cat "$0.config" ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac`)
	b.tool("pulumi-language-go", "exit 1")
	b.pulumiHas("whoami", `{"user":"you","url":"file://~/berth-state?metadata=skip"}`)
	b.settings = map[string]setting{
		"berth:domain": {Value: "app.example.com"}, "berth:operatorCidrs": {Value: `["198.51.100.7/32"]`}, "berth:repository": {Value: "https://github.com/you/app.git"},
		"berth:routes": {Value: "web:80"}, "berth:acmeEmail": {Value: "you@example.com"},
	}
	b.set()
	b.app("services: {web: {image: example.com/web, ports: [80], healthcheck: {test: [CMD, 'true']}, restart: unless-stopped}}\n")
	return b
}

// app has the repository of the settings hold a compose file; git itself is pointed to it.
func (b *bench) app(compose string) {
	b.t.Helper()
	origin := b.t.TempDir()
	git := func(args ...string) {
		b.t.Helper()
		output, err := run(b.t.Context(), origin, nil, "git", append([]string{"-c", "user.name=T", "-c", "user.email=t@example.com"}, args...)...)
		require.NoError(b.t, err, output)
	}
	git("init", "--quiet", "--initial-branch=main")
	git("config", "uploadpack.allowFilter", "true")
	require.NoError(b.t, os.WriteFile(filepath.Join(origin, "compose.yaml"), []byte(compose), 0o600))
	git("add", "--all")
	git("commit", "--quiet", "--message", "first")
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "url.file://" + origin + ".insteadOf", "GIT_CONFIG_VALUE_0": "https://github.com/you/app.git", "TEST_ORIGIN": origin,
	} {
		b.t.Setenv(name, value)
	}
}

// set changes settings: name, value, name, value, …; one that begins with ! is a secret.
func (b *bench) set(pairs ...string) {
	b.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		name, secret := strings.CutPrefix(pairs[i], "!")
		b.settings["berth:"+name] = setting{pairs[i+1], secret}
	}
	text, err := json.Marshal(b.settings)
	require.NoError(b.t, err)
	b.pulumiHas("config", string(text))
}

// pulumiHas leaves what the pulumi command answers.
func (b *bench) pulumiHas(of, text string) {
	b.t.Helper()
	require.NoError(b.t, os.WriteFile(filepath.Join(b.tools, "pulumi."+of), []byte(text), 0o600))
}

func (b *bench) tool(name, script string) {
	b.t.Helper()
	require.NoError(b.t, os.WriteFile(filepath.Join(b.tools, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	require.NoError(b.t, os.WriteFile(filepath.Join(b.folder, name), []byte(text), 0o600))
}

// serveDNS answers every question for name servers with those of the bench.
func (b *bench) serveDNS() string {
	b.t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = socket.Close() })
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(packet)
			if err != nil {
				return
			}
			var question dnsmessage.Message
			if question.Unpack(packet[:n]) != nil || len(question.Questions) != 1 {
				continue
			}
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: question.ID, Response: true, RCode: dnsmessage.RCodeNameError}, Questions: question.Questions}
			for _, name := range b.nameServers {
				answer.RCode = dnsmessage.RCodeSuccess
				answer.Answers = append(answer.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: question.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 60},
					Body:   &dnsmessage.NSResource{NS: dnsmessage.MustNewName(name)},
				})
			}
			if text, err := answer.Pack(); err == nil {
				_, _ = socket.WriteTo(text, from)
			}
		}
	}()
	return socket.LocalAddr().String()
}

// look makes one check, with facts of its own.
func (b *bench) look(check func(*doctor, context.Context) finding) finding {
	b.t.Helper()
	fresh := &doctor{chosen: b.chosen, resolver: b.resolver, project: b.project, folder: b.folder}
	b.t.Setenv("BERTH_CACHE", b.t.TempDir())
	return check(fresh, b.t.Context())
}

func newKey(t *testing.T) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block))
}
