package infra

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/docs/iam"
	"berth/internal/config"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

const (
	mockVPCIPv6   = "2001:db8:12:3400::/56"
	mockSharedIP6 = "2001:db8:ffff::5"
	mockAMI       = "ami-0123456789abcdef0"
	mockElasticIP = "198.51.100.7"
	mockBalancer  = "site-1234567.eu-central-1.elb.amazonaws.com"
	mockDatabase  = "berth-1234567.c0123456789a.eu-central-1.rds.amazonaws.com"
	mockZoneID    = "Z0123456789ABCDEFGHIJ"
	mockAccount   = "111122223333"
)

// cloud answers for the providers and remembers what was declared to them.
type cloud struct {
	subnetIPv6 string            // of the subnet that exists already
	parameter  map[string]string // what the image's parameter holds
	failing    string            // token of the call that AWS refuses
	boundary   string            // the account's permissions boundary, "" where it has none
	zones      []string          // that the account has
	state      map[string]any    // of the stack's resources, by URN; nil for a stack without one. The engine's is in rehearsal/aws
	preview    bool              // whether nothing is made, so that nothing AWS would add is known

	mu       sync.Mutex
	declared []pulumi.MockResourceArgs
	asked    []pulumi.MockCallArgs
	private  map[string]string // private keys made, by resource name
}

func newCloud() *cloud {
	return &cloud{
		subnetIPv6: "2001:db8:ffff::/64",
		boundary:   iam.Boundary,
		parameter:  map[string]string{"insecureValue": mockAMI, "value": mockAMI},
		zones:      []string{"eu-central-1c", "eu-central-1a", "eu-central-1b"},
		private:    map[string]string{},
	}
}

// validations are what Certificate Manager asks for of a certificate's names, in an order of its own.
func validations(certificate resource.PropertyMap) resource.PropertyValue {
	names := append([]resource.PropertyValue{certificate["domainName"]}, certificate["subjectAlternativeNames"].ArrayValue()...)
	options := []resource.PropertyValue{}
	for _, name := range slices.Backward(names) {
		options = append(options, resource.NewProperty(resource.PropertyMap{
			"domainName": name, "resourceRecordType": resource.NewProperty("CNAME"),
			"resourceRecordName":  resource.NewProperty("_token." + name.StringValue() + "."),
			"resourceRecordValue": resource.NewProperty("_answer-for-" + name.StringValue() + ".acm-validations.aws."),
		}))
	}
	return resource.NewProperty(options)
}

// NewResource records the declaration, and answers with the inputs and what AWS would add to them.
func (c *cloud) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.declared = append(c.declared, args)
	// Pulumi's mocks cannot carry an unknown secret, so a preview of theirs has the keys.
	if c.preview && args.TypeToken != "tls:index/privateKey:PrivateKey" {
		return "", args.Inputs, nil
	}

	state := args.Inputs.Copy()
	text := func(key resource.PropertyKey, value string) { state[key] = resource.NewProperty(value) }
	switch args.TypeToken {
	case "aws:ec2/vpc:Vpc":
		text("ipv6CidrBlock", mockVPCIPv6)
	case "aws:ec2/eip:Eip":
		text("publicIp", mockElasticIP)
		text("allocationId", "eipalloc-0123456789abcdef0")
	case "aws:ec2/instance:Instance":
		if state.HasValue("ipv6AddressCount") {
			state["ipv6Addresses"] = resource.NewProperty([]resource.PropertyValue{resource.NewProperty(mockSharedIP6)})
		}
		text("primaryNetworkInterfaceId", "eni-of-"+args.Name)
	case "aws:iam/role:Role", "aws:iam/instanceProfile:InstanceProfile":
		text("name", args.Name+"-1234567")
	case "aws:iam/policy:Policy":
		text("arn", "arn:aws:iam::"+mockAccount+":policy/"+args.Name)
	case "aws:s3/bucketV2:BucketV2":
		text("bucket", args.Name+"-1234567")
		text("arn", "arn:aws:s3:::"+args.Name+"-1234567")
	case "aws:sns/topic:Topic", "aws:cloudwatch/metricAlarm:MetricAlarm":
		text("arn", "arn:of:"+args.Name)
	case "aws:lb/loadBalancer:LoadBalancer":
		text("arn", "arn:of:"+args.Name)
		text("arnSuffix", "suffix-of:"+args.Name)
		text("dnsName", mockBalancer)
		text("zoneId", "Z-OF-THE-BALANCER")
	case "aws:lb/targetGroup:TargetGroup":
		text("arn", "arn:of:"+args.Name)
		text("arnSuffix", "suffix-of:"+args.Name+"-targets")
	case "aws:lb/listener:Listener":
		text("arn", "arn:of:"+args.Name)
	case "aws:autoscaling/group:Group":
		text("arn", "arn:of:"+args.Name)
		text("name", args.Name+"-1234567")
	case "aws:rds/subnetGroup:SubnetGroup":
		text("name", args.Name+"-1234567")
	case "aws:rds/instance:Instance":
		text("address", mockDatabase)
		state["port"] = resource.NewProperty(5432.0)
	case "aws:acm/certificate:Certificate":
		text("arn", "arn:of:"+args.Name)
		state["domainValidationOptions"] = validations(state)
	case "aws:route53/record:Record":
		text("fqdn", args.Inputs["name"].StringValue())
	case "aws:route53/zone:Zone":
		text("zoneId", mockZoneID)
		state["nameServers"] = resource.NewProperty([]resource.PropertyValue{resource.NewProperty("ns-1.example.net")})
	case "tls:index/privateKey:PrivateKey":
		private, public, err := newKey()
		if err != nil {
			return "", nil, err
		}
		c.private[args.Name] = private
		state["privateKeyOpenssh"] = resource.MakeSecret(resource.NewProperty(private))
		text("publicKeyOpenssh", public+"\n")
	}
	return args.Name + "-id", state, nil
}

// Call answers the look-ups.
func (c *cloud) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch args.Token {
	case "pulumi:pulumi:readStackOutputs":
		if c.state == nil {
			return resource.PropertyMap{}, nil
		}
		return resource.NewPropertyMapFromMap(map[string]any{"outputs": map[string]any{"berth": "1"}}), nil
	case "pulumi:pulumi:readStackResourceOutputs":
		return resource.NewPropertyMapFromMap(map[string]any{"outputs": c.state}), nil
	}
	c.asked = append(c.asked, args)

	if args.Token == c.failing {
		return nil, errors.New("refused by AWS")
	}
	answer := resource.PropertyMap{}
	text := func(key resource.PropertyKey, value string) { answer[key] = resource.NewProperty(value) }
	switch args.Token {
	case "aws:ssm/getParameter:getParameter":
		if args.Args["name"].StringValue() != "/aws/service/debian/release/13/latest/amd64" {
			return nil, errors.New("ParameterNotFound")
		}
		for key, value := range c.parameter {
			text(resource.PropertyKey(key), value)
		}
	case "aws:index/getCallerIdentity:getCallerIdentity":
		text("accountId", mockAccount)
	case "aws:iam/getPolicy:getPolicy":
		if c.boundary == "" {
			return nil, errors.New("reading IAM Policy (" + args.Args["arn"].StringValue() + "): couldn't find resource")
		}
		text("policy", c.boundary)
	case "aws:ec2/getSubnet:getSubnet":
		text("id", args.Args["id"].StringValue())
		text("vpcId", "vpc-shared")
		text("availabilityZone", "eu-central-1c")
		text("ipv6CidrBlock", c.subnetIPv6)
	case "aws:route53/getZone:getZone":
		if args.Args["privateZone"].BoolValue() {
			return nil, errors.New("the site's zone is public")
		}
		text("name", args.Args["name"].StringValue())
		text("zoneId", mockZoneID)
	case "aws:index/getAvailabilityZones:getAvailabilityZones":
		names := []resource.PropertyValue{}
		for _, zone := range c.zones {
			names = append(names, resource.NewProperty(zone))
		}
		answer["names"] = resource.NewProperty(names)
	case "aws:vpc/getSecurityGroupRules:getSecurityGroupRules":
		answer["ids"] = resource.NewProperty([]resource.PropertyValue{resource.NewProperty("http-ipv4-id"), resource.NewProperty("sgr-by-hand")})
	case "aws:vpc/getSecurityGroupRule:getSecurityGroupRule":
		text("securityGroupRuleId", args.Args["securityGroupRuleId"].StringValue())
	default:
		return nil, errors.New("unexpected call " + args.Token)
	}
	return answer, nil
}

// of are the resources of a type, such as "ebs/volume:Volume", as declared.
func (c *cloud) of(kind string) []pulumi.MockResourceArgs {
	var found []pulumi.MockResourceArgs
	for _, args := range c.declared {
		if args.TypeToken == "aws:"+kind {
			found = append(found, args)
		}
	}
	return found
}

// only is the one resource of a type, and fails the test where there is none or another.
func (c *cloud) only(t *testing.T, kind string) pulumi.MockResourceArgs {
	t.Helper()
	found := c.of(kind)
	require.Len(t, found, 1, kind)
	return found[0]
}

// named is the one resource of a type with a logical name.
func (c *cloud) named(t *testing.T, kind, name string) pulumi.MockResourceArgs {
	t.Helper()
	found := slices.DeleteFunc(c.of(kind), func(args pulumi.MockResourceArgs) bool { return args.Name != name })
	require.Len(t, found, 1, kind+" "+name)
	return found[0]
}

// dependsOn tells whether a resource waits for the named one of a type.
func dependsOn(args pulumi.MockResourceArgs, kind, name string) bool {
	return slices.ContainsFunc(args.RegisterRPC.GetDependencies(), func(urn string) bool {
		return strings.HasSuffix(urn, "$aws:"+kind+"::"+name)
	})
}

// production is the configuration the tests begin from.
func production() *config.Config {
	cfg := &config.Config{
		Domain:           "app.example.com",
		Aliases:          []string{"www.app.example.com"},
		Zone:             "example.com",
		OperatorCIDRs:    []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32"), netip.MustParsePrefix("2001:db8:7::/48")},
		Region:           "eu-central-1",
		AvailabilityZone: "eu-central-1a",
		InstanceType:     "t3.micro",
		VolumeSize:       20,
		VPCCIDR:          netip.MustParsePrefix("10.20.0.0/16"),
		Protect:          true,
		SnapshotsKept:    7,
		Tags:             map[string]string{"Team": "web"},
	}
	cfg.ACME.Directory = "https://acme-v02.api.letsencrypt.org/directory"
	return cfg
}

// run declares the environment of cfg and lets look see it. Outputs are read with read, by look.
func (c *cloud) run(cfg *config.Config, look func(env *Environment)) error {
	return pulumi.RunErr(func(ctx *pulumi.Context) error {
		env, err := New(ctx, cfg)
		if err == nil && look != nil {
			look(env)
		}
		return err
	}, pulumi.WithMocks("berth", "production", c), func(info *pulumi.RunInfo) { info.DryRun = c.preview })
}

// declare runs the default cloud, and hands back what was declared to it.
func declare(t *testing.T, change func(cfg *config.Config), look func(env *Environment)) *cloud {
	t.Helper()
	cfg, c := production(), newCloud()
	if change != nil {
		change(cfg)
	}
	require.NoError(t, c.run(cfg, look))
	return c
}

// read waits for an output and puts its value into target. It is for use while the program runs: the engine's side does
// not wait for outputs that no resource uses.
func read[T any](t *testing.T, output pulumi.Output, target *T) {
	t.Helper()
	resolved := make(chan T, 1)
	pulumi.All(output).ApplyT(func(values []any) error {
		resolved <- values[0].(T)
		return nil
	})
	select {
	case *target = <-resolved:
	case <-time.After(10 * time.Second):
		assert.Fail(t, "an output has no value")
	}
}

func newKey() (private, public string, err error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", err
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		return "", "", err
	}
	half, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", "", err
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(half))), nil
}

// text is a declared string, whether secret or not, and "" where nothing was declared.
func text(args pulumi.MockResourceArgs, path ...string) string {
	value := input(args, path...)
	if !value.IsString() {
		return ""
	}
	return value.StringValue()
}

// input is a declared value behind its secrecy, and null where nothing was declared.
func input(args pulumi.MockResourceArgs, path ...string) resource.PropertyValue {
	value := resource.NewProperty(args.Inputs)
	for _, key := range path {
		if value.IsSecret() {
			value = value.SecretValue().Element
		}
		if !value.IsObject() {
			return resource.NewNullProperty()
		}
		value = value.ObjectValue()[resource.PropertyKey(key)]
	}
	if value.IsSecret() {
		value = value.SecretValue().Element
	}
	return value
}
