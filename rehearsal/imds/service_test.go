package imds

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var example = Instance{
	ID: "i-0123456789abcdef0", Type: "t3.micro", AMI: "ami-0123456789abcdef0", Account: "123456789012",
	Region: "eu-central-1", AvailabilityZone: "eu-central-1a", PrivateIPv4: "10.20.0.4", PublicIPv4: "198.51.100.16",
	IPv6: []string{"2001:db8::10", "2001:db8::11"}, MAC: "02:42:0a:14:00:04", InterfaceID: "eni-1",
	SubnetID: "subnet-1", VPCID: "vpc-1", SubnetIPv4: "10.20.0.0/24", SubnetIPv6: "2001:db8::/64", VPCIPv4: "10.20.0.0/16",
	SecurityGroups: []string{"web"}, SecurityGroupIDs: []string{"sg-1"},
	Role: "host", Profile: "arn:aws:iam::123456789012:instance-profile/host",
	PublicKeys: map[string]string{"operator": "ssh-ed25519 AAAA operator"},
	Tags:       map[string]string{"Name": "berth"}, InstanceMetadataTags: true, UserData: "#cloud-config\n",
}

const (
	metaData   = "/latest/meta-data/"
	interface0 = metaData + "network/interfaces/macs/02:42:0a:14:00:04/"
)

// fixture is a service with a clock of the test's own.
type fixture struct {
	*Service
	t     *testing.T
	file  string
	clock time.Time
}

func start(t *testing.T, instance Instance) *fixture {
	t.Helper()
	f := &fixture{t: t, file: filepath.Join(t.TempDir(), "instance.json"), clock: time.Unix(1_000_000, 0)}
	require.NoError(t, Write(f.file, instance))
	f.Service = newService(f.file, func() time.Time { return f.clock })
	return f
}

func (f *fixture) ask(method, path string, headers map[string]string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, nil)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	f.ServeHTTP(recorder, request)
	return recorder
}

// get asks with a fresh token.
func (f *fixture) get(path string) *httptest.ResponseRecorder {
	return f.ask(http.MethodGet, path, map[string]string{tokenHeader: f.tokens.issue(60)})
}

func TestTokenRules(t *testing.T) {
	f := start(t, example)
	for name, test := range map[string]struct {
		method  string
		headers map[string]string
		status  int
	}{
		"shortest life":               {http.MethodPut, map[string]string{ttlHeader: "1"}, http.StatusOK},
		"longest life":                {http.MethodPut, map[string]string{ttlHeader: "21600"}, http.StatusOK},
		"no time at all":              {http.MethodPut, map[string]string{ttlHeader: "0"}, http.StatusBadRequest},
		"too long":                    {http.MethodPut, map[string]string{ttlHeader: "21601"}, http.StatusBadRequest},
		"not a number":                {http.MethodPut, map[string]string{ttlHeader: "1h"}, http.StatusBadRequest},
		"no life given":               {http.MethodPut, nil, http.StatusBadRequest},
		"by GET":                      {http.MethodGet, map[string]string{ttlHeader: "60"}, http.StatusMethodNotAllowed},
		"by POST":                     {http.MethodPost, map[string]string{ttlHeader: "60"}, http.StatusMethodNotAllowed},
		"through a proxy":             {http.MethodPut, map[string]string{ttlHeader: "60", "X-Forwarded-For": "10.0.0.1"}, http.StatusForbidden},
		"through a proxy that is shy": {http.MethodPut, map[string]string{ttlHeader: "60", "X-Forwarded-For": ""}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.ask(test.method, "/latest/api/token", test.headers)
			assert.Equal(t, test.status, got.Code)
			if test.status == http.StatusOK {
				assert.Equal(t, test.headers[ttlHeader], got.Header().Get(ttlHeader))
				assert.NotEmpty(t, got.Body.String())
			}
		})
	}
}

func TestMetadataNeedsALivingToken(t *testing.T) {
	f := start(t, example)
	status := func(headers map[string]string) int {
		return f.ask(http.MethodGet, metaData+"instance-id", headers).Code
	}
	assert.Equal(t, http.StatusUnauthorized, status(nil), "version 1 is off")
	assert.Equal(t, http.StatusUnauthorized, status(map[string]string{tokenHeader: ""}))
	assert.Equal(t, http.StatusUnauthorized, status(map[string]string{tokenHeader: "made-up"}))

	token := f.ask(http.MethodPut, "/latest/api/token", map[string]string{ttlHeader: "60"}).Body.String()
	own := map[string]string{tokenHeader: token}
	assert.Equal(t, http.StatusOK, status(own))
	f.clock = f.clock.Add(59 * time.Second)
	assert.Equal(t, http.StatusOK, status(own))
	f.clock = f.clock.Add(time.Second)
	assert.Equal(t, http.StatusUnauthorized, status(own), "expired")

	f.tokens.issue(60)
	assert.Len(t, f.tokens.ends, 1, "expired tokens are forgotten")
	assert.Equal(t, http.StatusMethodNotAllowed, f.ask(http.MethodPut, metaData+"instance-id", own).Code)
}

func TestPaths(t *testing.T) {
	f := start(t, example)
	for path, want := range map[string]string{
		"/":                                             strings.Join(versions, "\n"),
		"/latest":                                       "dynamic\nmeta-data\nuser-data",
		"/latest/":                                      "dynamic\nmeta-data\nuser-data",
		"/latest/user-data":                             "#cloud-config\n",
		"/latest/dynamic/instance-identity":             "document",
		"/1.0/meta-data/instance-id":                    example.ID,
		"/2009-04-04/meta-data/instance-id":             example.ID,
		"/2021-03-23/meta-data/instance-id":             example.ID,
		metaData + "ami-id":                             example.AMI,
		metaData + "instance-id":                        example.ID,
		metaData + "instance-type":                      "t3.micro",
		metaData + "local-ipv4":                         "10.20.0.4",
		metaData + "public-ipv4":                        "198.51.100.16",
		metaData + "ipv6":                               "2001:db8::10",
		metaData + "mac":                                example.MAC,
		metaData + "hostname":                           "ip-10-20-0-4.eu-central-1.compute.internal",
		metaData + "local-hostname":                     "ip-10-20-0-4.eu-central-1.compute.internal",
		metaData + "public-hostname":                    "ec2-198-51-100-16.eu-central-1.compute.amazonaws.com",
		metaData + "placement":                          "availability-zone\nregion",
		metaData + "placement/region":                   "eu-central-1",
		metaData + "security-groups":                    "web",
		metaData + "network":                            "interfaces/",
		metaData + "network/interfaces/macs/":           example.MAC + "/",
		interface0 + "device-number":                    "0",
		interface0 + "ipv6s":                            "2001:db8::10\n2001:db8::11",
		interface0 + "ipv4-associations/198.51.100.16":  "10.20.0.4",
		interface0 + "subnet-id":                        "subnet-1",
		interface0 + "subnet-ipv4-cidr-block":           "10.20.0.0/24",
		interface0 + "security-group-ids":               "sg-1",
		interface0 + "vpc-id":                           "vpc-1",
		metaData + "public-keys/":                       "0=operator",
		metaData + "public-keys/0/":                     "openssh-key",
		metaData + "public-keys/0/openssh-key":          "ssh-ed25519 AAAA operator",
		metaData + "tags/instance/":                     "Name",
		metaData + "tags/instance/Name":                 "berth",
		metaData + "iam/":                               "info\nsecurity-credentials/",
		metaData + "iam/security-credentials/":          "host",
		metaData + "network/interfaces/macs/00:00:00/":  "",
		metaData + "instance-id/x":                      "",
		metaData + "nonsense":                           "",
		"/1999-01-01/meta-data/instance-id":             "",
		"/latest/meta-dat":                              "",
		metaData + "iam/security-credentials/other":     "",
		"/latest/dynamic/instance-identity/document/no": "",
	} {
		t.Run(path, func(t *testing.T) {
			got := f.get(path)
			if want == "" {
				assert.Equal(t, http.StatusNotFound, got.Code)
				return
			}
			assert.Equal(t, http.StatusOK, got.Code)
			assert.Equal(t, want, got.Body.String())
			assert.Equal(t, "text/plain", got.Header().Get("Content-Type"))
		})
	}
	var document map[string]any
	require.NoError(t, json.Unmarshal(f.get("/latest/dynamic/instance-identity/document").Body.Bytes(), &document))
	assert.Equal(t, "123456789012", document["accountId"])
	assert.Equal(t, "x86_64", document["architecture"])
}

// cloud-init walks every listing and gives up on all metadata where a listed name does not answer.
func TestEveryListedNameAnswers(t *testing.T) {
	bare := Instance{ID: "i-1", MAC: example.MAC, PrivateIPv4: "10.0.0.4"}
	for name, instance := range map[string]Instance{"full": example, "bare": bare} {
		t.Run(name, func(t *testing.T) {
			f, leaves := start(t, instance), 0
			var walk func(folder string)
			walk = func(folder string) {
				listing := f.get(folder)
				require.Equal(t, http.StatusOK, listing.Code, folder)
				for _, line := range strings.Split(listing.Body.String(), "\n") {
					if index, _, named := strings.Cut(line, "="); named {
						line = index + "/"
					}
					if strings.HasSuffix(line, "/") {
						walk(folder + line)
						continue
					}
					leaves++
					assert.Equal(t, http.StatusOK, f.get(folder+line).Code, folder+line)
				}
			}
			walk("/2021-03-23/meta-data/")
			walk("/2021-03-23/dynamic/")
			assert.Greater(t, leaves, 10)
		})
	}
}

func TestTheFileIsReadAnewAndWhatIsAbsentIsNotFound(t *testing.T) {
	f := start(t, example)
	bare := example
	bare.PublicIPv4, bare.IPv6, bare.UserData, bare.Role, bare.PublicKeys, bare.InstanceMetadataTags = "", nil, "", "", nil, false
	require.NoError(t, Write(f.file, bare))
	for _, path := range []string{
		"/latest/user-data", metaData + "public-ipv4", metaData + "public-hostname", metaData + "ipv6", interface0 + "public-ipv4s",
		interface0 + "ipv6s", metaData + "iam/info", metaData + "iam/", metaData + "public-keys/", metaData + "tags/instance/",
	} {
		assert.Equal(t, http.StatusNotFound, f.get(path).Code, path)
	}
	assert.Equal(t, "dynamic\nmeta-data", f.get("/latest/").Body.String())
	require.NoError(t, os.Remove(f.file))
	assert.Equal(t, http.StatusInternalServerError, f.get(metaData+"instance-id").Code)
}

func TestCredentialsStayUntilTheyExpireOrTheRoleChanges(t *testing.T) {
	f := start(t, example)
	first := f.get(metaData + "iam/security-credentials/host").Body.String()
	var document map[string]string
	require.NoError(t, json.Unmarshal([]byte(first), &document))
	assert.Regexp(t, `^ASIA[A-Z2-7]{16}$`, document["AccessKeyId"])
	assert.Len(t, document["SecretAccessKey"], 40)
	assert.Equal(t, stamp(f.clock.Add(credentialsLife)), document["Expiration"])

	f.clock = f.clock.Add(credentialsLife - time.Second)
	assert.Equal(t, first, f.get(metaData+"iam/security-credentials/host").Body.String())
	f.clock = f.clock.Add(time.Second)
	second := f.get(metaData + "iam/security-credentials/host").Body.String()
	assert.NotEqual(t, first, second)

	other := example
	other.Role = "other"
	require.NoError(t, Write(f.file, other))
	assert.NotEqual(t, second, f.get(metaData+"iam/security-credentials/other").Body.String())
}

func TestTheDescriptionIsPrivateAndWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "instance.json")
	require.NoError(t, Write(file, example))
	got, err := Read(file)
	require.NoError(t, err)
	assert.Equal(t, example, got)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	_, err = Read(file)
	assert.ErrorContains(t, err, file)
}

// Readers never see half a description while it is rewritten; run with -race this also guards the shared state.
func TestManyClientsAtOnce(t *testing.T) {
	f := start(t, example)
	server := httptest.NewServer(f)
	defer server.Close()
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for range 20 {
				request := must(http.NewRequest(http.MethodPut, server.URL+"/latest/api/token", nil))
				request.Header.Set(ttlHeader, "60")
				token := read(t, request)
				request = must(http.NewRequest(http.MethodGet, server.URL+metaData+"iam/security-credentials/host", nil))
				request.Header.Set(tokenHeader, token)
				assert.Contains(t, read(t, request), "AccessKeyId")
			}
		})
	}
	for range 50 {
		require.NoError(t, Write(f.file, example))
	}
	clients.Wait()
}

func must(request *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return request
}

// read gives the body of a good answer. It is for goroutines, where a test must not be ended.
func read(t *testing.T, request *http.Request) string {
	response, err := http.DefaultClient.Do(request)
	if !assert.NoError(t, err) {
		return ""
	}
	defer func() { _ = response.Body.Close() }() // Read to its end; closing cannot lose anything.
	assert.Equal(t, http.StatusOK, response.StatusCode)
	var body bytes.Buffer
	_, err = body.ReadFrom(response.Body)
	assert.NoError(t, err)
	return body.String()
}
