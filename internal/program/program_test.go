package program

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/docs/iam"
)

const (
	canary = "canary-7d3a"
	prints = `ssl-manager.sh: certificate issued by "placeholder", valid until 2036-01-01T00:00:00Z
ssl-manager.sh: certificate issued by "An Authority", valid until 2027-02-03T04:05:06Z`
)

// commit is one of the app, which TestMain makes.
var commit string

const address = "https://github.com/you/app.git"

// TestMain puts a copy of the app's repository where a preview keeps it, so that none of these tests asks the network.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "berth-program-")
	if err == nil {
		err = errors.Join(os.Setenv("BERTH_CACHE", folder), makeApp(folder))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

func makeApp(folder string) error {
	app := filepath.Join(folder, "app")
	copied := filepath.Join(folder, "repositories", fmt.Sprintf("%x", sha256.Sum256([]byte(address)))[:16])
	if err := os.MkdirAll(app, 0o700); err != nil {
		return err
	}
	compose := "services:\n  web:\n    image: nginx:1.28\n    environment: [\"TOKEN=${TOKEN}\"]\n"
	if err := errors.Join(os.WriteFile(filepath.Join(app, "compose.yaml"), []byte(compose), 0o600),
		os.WriteFile(filepath.Join(app, ".env.example"), []byte("TOKEN=\n"), 0o600)); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch", "main"}, {"add", "."},
		{"-c", "user.name=T", "-c", "user.email=t@example.test", "commit", "--quiet", "--message", "first"},
		{"clone", "--quiet", "--bare", ".", copied},
	} {
		if output, err := exec.Command("git", append([]string{"-C", app}, args...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("git %v: %w: %s", args, err, output)
		}
	}
	output, err := exec.Command("git", "-C", app, "rev-parse", "HEAD").Output()
	commit = strings.TrimSpace(string(output))
	return err
}

// recorder replaces the engine and every provider, and remembers what is declared.
type recorder struct {
	lock     sync.Mutex
	declared map[string]pulumi.MockResourceArgs
	order    []string
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.declared[args.TypeToken+" "+args.Name] = args
	r.order = append(r.order, args.TypeToken+" "+args.Name)
	state := args.Inputs.Copy()
	set := func(key resource.PropertyKey, value string) { state[key] = resource.NewStringProperty(value) }
	switch args.TypeToken {
	case "aws:ec2/vpc:Vpc":
		set("ipv6CidrBlock", "2001:db8:12:3400::/56")
	case "aws:ec2/eip:Eip":
		set("publicIp", "198.51.100.7")
	case "tls:index/privateKey:PrivateKey":
		set("privateKeyOpenssh", "private half of "+args.Name)
		set("publicKeyOpenssh", "ssh-ed25519 AAAA"+args.Name+"\n")
	case "command:remote:Command":
		set("stdout", prints)
	case "aws:lb/loadBalancer:LoadBalancer":
		set("arn", "arn:of:"+args.Name)
		set("dnsName", "site.elb.example.net")
		set("zoneId", "Z2")
	case "aws:autoscaling/group:Group":
		set("arn", "arn:of:"+args.Name)
		set("name", args.Name)
	case "aws:acm/certificate:Certificate":
		set("arn", "arn:of:"+args.Name)
		state["domainValidationOptions"] = resource.NewPropertyValue([]any{map[string]any{
			"domainName": args.Inputs["domainName"].StringValue(), "resourceRecordName": "_token.app.example.com.", "resourceRecordType": "CNAME", "resourceRecordValue": "_answer.acm-validations.aws.",
		}})
	case "aws:route53/record:Record":
		set("fqdn", args.Inputs["name"].StringValue())
	case "aws:sns/topic:Topic", "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:s3/bucketV2:BucketV2", "aws:lb/targetGroup:TargetGroup", "aws:lb/listener:Listener":
		set("arn", "arn:of:"+args.Name)
	}
	return args.Name + "-id", state, nil
}

func (r *recorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return resource.NewPropertyMapFromMap(map[string]any{"id": "Z1", "zoneId": "Z1", "value": "ami-0123456789abcdef0", "insecureValue": "ami-0123456789abcdef0",
		"accountId": "111122223333", "policy": iam.Boundary, "names": []any{"us-east-1a", "us-east-1b", "eu-central-1a", "eu-central-1b"}}), nil
}

func settings(pairs ...string) map[string]string {
	all := map[string]string{
		"berth:domain": "app.example.com", "berth:operatorCidrs": `["203.0.113.7/32"]`, "berth:acmeEmail": "you@example.com",
		"berth:repository": address, "berth:ref": commit,
		"berth:routes":  `[{"path":"/","service":"web","port":80}]`,
		"berth:secrets": `{"TOKEN":"` + canary + `"}`,
	}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

func run(t *testing.T, settings map[string]string) *recorder {
	t.Helper()
	r := &recorder{declared: map[string]pulumi.MockResourceArgs{}}
	err := pulumi.RunErr(Run(settings), pulumi.WithMocks("berth", "test", r), func(info *pulumi.RunInfo) {
		info.ConfigSecretKeys = []string{"berth:secrets"}
	})
	require.NoError(t, err)
	return r
}

// A later job releases the commit that the preview showed: the preview writes it to a file, an update writes none.
func TestAPreviewHandsOnTheCommit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app-commit")
	t.Setenv("BERTH_COMMIT_FILE", file)
	try := func(dryRun bool) error {
		r := &recorder{declared: map[string]pulumi.MockResourceArgs{}}
		return pulumi.RunErr(Run(settings()), pulumi.WithMocks("berth", "test", r), func(info *pulumi.RunInfo) {
			info.ConfigSecretKeys, info.DryRun = []string{"berth:secrets"}, dryRun
		})
	}
	require.NoError(t, try(false))
	assert.NoFileExists(t, file)
	require.NoError(t, try(true))
	t.Cleanup(func() { // Otherwise this process goes on with the commit that it has shown.
		kept, err := filepath.Glob(filepath.Join(os.Getenv("BERTH_CACHE"), "repositories", "*", "shown-*"))
		require.NoError(t, err)
		for _, file := range kept {
			require.NoError(t, os.Remove(file))
		}
	})
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, commit+"\n", string(written))
	t.Setenv("BERTH_COMMIT_FILE", t.TempDir())
	require.ErrorContains(t, try(true), "write the commit to the file that BERTH_COMMIT_FILE names")
}

func TestTheStepsAreThoseOfTheManualInOrder(t *testing.T) {
	r := run(t, settings())
	waits := map[string][]string{}
	for name, args := range r.declared {
		step, ok := strings.CutPrefix(name, "command:remote:Command ")
		if !ok {
			continue
		}
		waits[step] = nil
		for _, urn := range args.RegisterRPC.GetDependencies() {
			if _, on, ok := strings.Cut(urn, "command:remote:Command::"); ok {
				waits[step] = append(waits[step], on)
			}
		}
	}
	assert.Equal(t, map[string][]string{
		"first-boot": nil, "scripts": {"first-boot"}, "volume": {"scripts"}, "packages": {"volume"}, "firewall": {"packages"}, "edge": {"firewall"},
		"release": {"edge"}, "operations": {"release"}, "certificate": {"edge"},
	}, waits, "the certificate is asked for while the release is made")
}

func TestEveryStepIsPinnedLimitedAndFreeOfSecrets(t *testing.T) {
	r := run(t, settings())
	for name, args := range r.declared {
		if args.TypeToken != "command:remote:Command" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			connection := args.Inputs["connection"]
			for connection.IsSecret() {
				connection = connection.SecretValue().Element
			}
			assert.Equal(t, "ssh-ed25519 AAAAhost-key", connection.ObjectValue()["hostKey"].StringValue(), "the host key is pinned")
			assert.Equal(t, "admin", connection.ObjectValue()["user"].StringValue())
			assert.True(t, connection.ObjectValue().ContainsSecrets() || args.Inputs["connection"].IsSecret(), "the client key is a secret")
			create := args.Inputs["create"].StringValue()
			assert.NotContains(t, create, canary)
			assert.True(t, strings.Contains(create, "timeout ") || strings.HasPrefix(create, "sudo -n /opt/berth/step.sh "), "limited in time: %s", create)
			assert.False(t, args.Inputs["addPreviousOutputInEnv"].BoolValue())
			triggers := args.Inputs["triggers"].ArrayValue()
			assert.Equal(t, "server-id", triggers[0].StringValue(), "a new server runs it again")
			assert.NotContains(t, args.Inputs, resource.PropertyKey("delete"), "destroy opens no connection")
			if stdin := args.Inputs["stdin"]; stdin.IsString() {
				assert.NotContains(t, stdin.StringValue(), canary, "a secret has to be marked as one")
			}
		})
	}
	release := r.declared["command:remote:Command release"].Inputs["stdin"]
	require.True(t, release.IsSecret())
	assert.Contains(t, release.SecretValue().Element.StringValue(), canary)
}

func TestAChangedVariableConcernsTheReleaseStepAlone(t *testing.T) {
	before, after := run(t, settings()), run(t, settings("berth:environment", `{"LOG_LEVEL":"debug"}`))
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(before.declared)) {
		if !before.declared[name].Inputs.DeepEquals(after.declared[name].Inputs) {
			changed = append(changed, name)
		}
	}
	assert.Equal(t, []string{"command:remote:Command release"}, changed)
}

func TestProtectionStandsOnEverything(t *testing.T) {
	r := run(t, settings("berth:alarmEmail", "you@example.com", "berth:dumpBucket", "true"))
	guard := r.declared["berth:program:Protection "+unprotect]
	require.NotNil(t, guard.RegisterRPC)
	assert.True(t, guard.RegisterRPC.GetProtect())
	dependencies := strings.Join(guard.RegisterRPC.GetDependencies(), "\n")
	for name, args := range r.declared {
		if args.Custom && !strings.HasPrefix(args.TypeToken, "pulumi:providers:") {
			assert.Contains(t, dependencies, args.TypeToken+"::"+args.Name, name)
		}
	}
	assert.False(t, run(t, settings("berth:protect", "false")).declared["berth:program:Protection "+unprotect].RegisterRPC.GetProtect())
}

// TestWhatCannotBeReleasedIsFoundBeforeAnythingIsTouched and all of it at once.
func TestWhatCannotBeReleasedIsFoundBeforeAnythingIsTouched(t *testing.T) {
	r := &recorder{declared: map[string]pulumi.MockResourceArgs{}}
	err := pulumi.RunErr(Run(settings("berth:secrets", `{"OTHER":"x"}`, "berth:routes", `[{"path":"/","service":"wbe","port":80}]`)),
		pulumi.WithMocks("berth", "test", r), func(info *pulumi.RunInfo) { info.ConfigSecretKeys = []string{"berth:secrets"} })
	require.ErrorContains(t, err, "pulumi config set --secret --path berth:secrets.TOKEN")
	require.ErrorContains(t, err, "route / names service wbe, which the compose file does not have [route-to-unknown-service]; it has: web")
	assert.Empty(t, r.declared)
}

func TestWrongSettingsDeclareNothing(t *testing.T) {
	r := &recorder{declared: map[string]pulumi.MockResourceArgs{}}
	err := pulumi.RunErr(Run(settings("berth:volumeSize", "4", "berth:domain", "")), pulumi.WithMocks("berth", "test", r))
	require.ErrorContains(t, err, "berth:volumeSize")
	require.ErrorContains(t, err, "berth:domain")
	assert.Empty(t, r.declared)
}

// TestSeveralServersAreDeclared with all that protects the stack.
func TestSeveralServersAreDeclared(t *testing.T) {
	r := run(t, settings("berth:servers", `{"min":2,"max":4,"cpu":70}`))
	group := r.declared["aws:autoscaling/group:Group web"].Inputs
	assert.Equal(t, []float64{1, 3}, []float64{group["minSize"].NumberValue(), group["maxSize"].NumberValue()})
	assert.Contains(t, r.declared, "aws:autoscaling/policy:Policy cpu")
	follows := func(name, before string) {
		assert.Contains(t, strings.Join(r.declared[name].RegisterRPC.GetDependencies(), "\n"), before, name)
	}
	follows("command:remote:Command release", "command:remote:Command::servers")
	follows("aws:autoscaling/group:Group web", "command:remote:Command::operations")
	follows("aws:autoscaling/group:Group web", "command:remote:Command::servers")
	// Its servers are reached until the last of them has gone.
	follows("aws:autoscaling/group:Group web", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule::web")
	follows("command:remote:Command joined", "aws:autoscaling/group:Group::web")
	// On the way back to one server, what answers goes after the wait, which goes after the names have moved.
	for _, before := range []string{"command:remote:Command::joined", "aws:lb/listener:Listener::https", "aws:lb/listener:Listener::http", "aws:autoscaling/group:Group::web", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule::web"} {
		follows("command:remote:Command names-forgotten", before)
	}
	for _, kind := range []string{"a", "aaaa"} {
		// The names move when servers answer, and the authority asks for them afterwards.
		follows("aws:route53/record:Record "+kind+"-app.example.com", "command:remote:Command::names-forgotten")
		follows("command:remote:Command certificate", "aws:route53/record:Record::"+kind+"-app.example.com")
	}
	guard := strings.Join(r.declared["berth:program:Protection "+unprotect].RegisterRPC.GetDependencies(), "\n")
	for _, name := range []string{"aws:autoscaling/group:Group::web", "aws:lb/loadBalancer:LoadBalancer::site", "aws:route53/record:Record::validation-app.example.com"} {
		assert.Contains(t, guard, name)
	}
}

// TestAReleaseWaitsForTheDatabase: with the release, the password may be another one.
func TestAReleaseWaitsForTheDatabase(t *testing.T) {
	r := &recorder{declared: map[string]pulumi.MockResourceArgs{}}
	require.NoError(t, pulumi.RunErr(Run(settings("berth:rds", "postgres", "berth:rdsPassword", canary)), pulumi.WithMocks("berth", "test", r), func(info *pulumi.RunInfo) {
		info.ConfigSecretKeys = []string{"berth:secrets", "berth:rdsPassword"}
	}))
	assert.True(t, r.declared["aws:rds/instance:Instance database"].Inputs["password"].IsSecret())
	assert.Contains(t, strings.Join(r.declared["command:remote:Command release"].RegisterRPC.GetDependencies(), "\n"), "aws:rds/instance:Instance::database")
	assert.NotContains(t, strings.Join(r.declared["command:remote:Command docker"].RegisterRPC.GetDependencies(), "\n"), "aws:rds/instance:Instance::database")
	guard := strings.Join(r.declared["berth:program:Protection "+unprotect].RegisterRPC.GetDependencies(), "\n")
	assert.Contains(t, guard, "aws:rds/instance:Instance::database")
}

func TestParseCertificateTakesTheLastLine(t *testing.T) {
	issuer, expiry := parseCertificate(prints)
	assert.Equal(t, "An Authority", issuer)
	assert.Equal(t, "2027-02-03T04:05:06Z", expiry)
	issuer, _ = parseCertificate("nothing of the kind")
	assert.Equal(t, "unknown", issuer)
}
