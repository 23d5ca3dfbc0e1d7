package aws

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/autoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/dlm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ebs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/infra"
	"berth/internal/config"
	"berth/rehearsal/provider"
	"berth/rehearsal/tls"
)

// standIns answer Pulumi's mocks: every resource goes through Check and Create, as in an update, without an engine.
type standIns struct {
	account *Provider
	tls     pulumirpc.ResourceProviderServer

	lock sync.Mutex
	// declared are the types of AWS, and refused what Check says.
	declared map[string]bool
	refused  []string
}

func (s *standIns) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	var server pulumirpc.ResourceProviderServer = s.account
	switch {
	case !args.Custom || strings.HasPrefix(args.TypeToken, "pulumi:"):
		return args.Name, args.Inputs, nil
	case strings.HasPrefix(args.TypeToken, "tls:"):
		server = s.tls
	default:
		s.declared[args.TypeToken] = true
	}
	news, err := provider.Marshal("news", args.Inputs)
	if err != nil {
		return "", nil, err
	}
	checked, err := server.Check(context.Background(), &pulumirpc.CheckRequest{Urn: at(args.TypeToken, args.Name), News: news})
	if err != nil {
		return "", nil, err
	}
	for _, failure := range checked.GetFailures() {
		s.refused = append(s.refused, args.TypeToken+": "+failure.GetReason())
	}
	made, err := server.Create(context.Background(), &pulumirpc.CreateRequest{Urn: at(args.TypeToken, args.Name), Properties: checked.GetInputs()})
	if err != nil {
		return "", nil, fmt.Errorf("%s %s: %w", args.TypeToken, args.Name, err)
	}
	outputs, err := provider.Unmarshal("outputs", made.GetProperties())
	return made.GetId(), outputs, err
}

func (s *standIns) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	if args.Token == "pulumi:pulumi:readStackOutputs" {
		return resource.PropertyMap{}, nil // The engine's; the stack has no state yet.
	}
	given, err := provider.Marshal("args", args.Args)
	if err != nil {
		return nil, err
	}
	answer, err := s.account.Invoke(context.Background(), &pulumirpc.InvokeRequest{Tok: args.Token, Args: given})
	if err != nil {
		return nil, err
	}
	return provider.Unmarshal("answer", answer.GetReturn())
}

// sites are the shapes that a stack can have: what each setting declares, and what it leaves out.
func sites() map[string]func(*config.Config, *fixture) {
	return map[string]func(*config.Config, *fixture){
		"with everything": func(*config.Config, *fixture) {},
		"with nothing more": func(cfg *config.Config, _ *fixture) {
			cfg.AlarmEmail, cfg.SnapshotsKept, cfg.DumpBucket, cfg.Protect = "", 0, false, false
		},
		"in the health checks' region": func(cfg *config.Config, f *fixture) {
			cfg.Region, cfg.AvailabilityZone = "us-east-1", "us-east-1a"
			f.p.configured[""] = settings{region: cfg.Region, defaultTags: f.p.configured[""].defaultTags}
		},
		"with a zone of its own": func(cfg *config.Config, _ *fixture) { cfg.CreateZone, cfg.Zone = true, cfg.Domain },
		"in a subnet that exists": func(cfg *config.Config, f *fixture) {
			f.network()
			require.NoError(f.t, f.update(subnetType, "subnet", properties{"vpcId": f.ids["vpc"], "cidrBlock": "10.20.0.0/24", "availabilityZone": "eu-central-1a", "ipv6CidrBlock": "2001:db8:be00:100::/64"}))
			cfg.SubnetID = f.ids["subnet"]
		},
		"from a snapshot": func(cfg *config.Config, f *fixture) {
			f.make(volumeType, "old", properties{"availabilityZone": "eu-central-1a", "size": 20.0, "type": "gp3", "encrypted": true})
			snapshot, err := TakeSnapshot(f.t.Context(), f.dir, nil, f.ids["old"])
			require.NoError(f.t, err)
			cfg.VolumeSnapshot = snapshot
		},
		"with several servers": func(cfg *config.Config, _ *fixture) {
			cfg.Servers, cfg.Aliases = config.Servers{Min: 2, Max: 4, CPU: 60, First: true}, []string{"www.app.example.test"}
		},
		"with a fixed number of servers, the first one for its data alone": func(cfg *config.Config, _ *fixture) {
			cfg.Servers, cfg.InstanceType = config.Servers{Min: 3, Max: 3, CPU: 60, Sticky: true, AccessLogs: 30}, "c7i.large"
		},
		"with a database in RDS": func(cfg *config.Config, _ *fixture) {
			cfg.RDS, cfg.RDSPassword = &config.RDS{Version: "17", Class: "db.t4g.micro", SizeGB: 20, User: "app", Database: "app"}, "not-a-secret"
		},
		"with many names and another authority": func(cfg *config.Config, _ *fixture) {
			cfg.Aliases, cfg.ACME.Directory, cfg.AMI = []string{"www.app.example.test", "example.test"}, "https://acme.example.test/directory", OtherAMI
			cfg.Routes = []config.Route{{Health: "/health"}}
			cfg.OperatorCIDRs = append(cfg.OperatorCIDRs, netip.MustParsePrefix("2001:db8:7::/48"))
		},
	}
}

// Everything that the program declares, in every shape, passes the real provider's Check and is made: a property or a type
// that the table lacks fails here.
func TestTheTableHasWhatBerthDeclares(t *testing.T) {
	declared := map[string]bool{}
	for name, shape := range sites() {
		t.Run(name, func(t *testing.T) {
			f, cfg := newFixture(t), watchedSite()
			_, err := EnsureZone(f.dir, cfg.Zone)
			require.NoError(t, err)
			cfg.Tags = map[string]string{"Team": "web"}
			shape(cfg, f)
			stands := &standIns{account: f.p, tls: tls.New(), declared: declared}
			err = pulumi.RunErr(func(ctx *pulumi.Context) error {
				env, err := infra.New(ctx, cfg)
				if err != nil {
					return err
				}
				if env.Servers != nil {
					err = env.Servers.Start(ctx, nil)
				}
				return errors.Join(err, env.PointNames(ctx, cfg, nil))
			}, pulumi.WithMocks("berth", "test", stands))
			require.NoError(t, err)
			assert.Empty(t, stands.refused)
			for typ := range stands.declared {
				assert.NotEmpty(t, schemas[typ], typ)
			}
		})
	}
	for _, typ := range newed(t) {
		assert.NotEmpty(t, schemas[typ], "%s: the table lacks it", typ)
		assert.True(t, declared[typ], "%s: no shape here declares it", typ)
	}
}

// newed are the types of AWS that the program's source makes: ec2.NewVpc(…) is "aws:ec2/vpc:Vpc".
func newed(t *testing.T) []string {
	t.Helper()
	ofSeveral := registered(t, "../../infra/elb/*.go")
	files, err := filepath.Glob("../../infra/*.go")
	require.NoError(t, err)
	var types []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, 0)
		require.NoError(t, err)
		packages := map[string]string{}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			for _, from := range []string{"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/", "berth/infra/"} {
				if name, ok := strings.CutPrefix(path, from); ok {
					packages[name] = name
				}
			}
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
				from, _ := selector.X.(*ast.Ident)
				if token := ofSeveral[selector.Sel.Name]; from != nil && from.Name == "elb" && token != "" {
					types = append(types, token)
				} else if name, makes := strings.CutPrefix(selector.Sel.Name, "New"); makes && from != nil && packages[from.Name] != "" {
					types = append(types, "aws:"+from.Name+"/"+strings.ToLower(name[:1])+name[1:]+":"+name)
				}
			}
			return true
		})
	}
	slices.Sort(types)
	types = slices.Compact(types)
	require.Greater(t, len(types), 25)
	return types
}

// registered are the types that a package's functions register, by the functions' names: infra/elb has those of three packages.
func registered(t *testing.T, pattern string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	found := map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, declared := range parsed.Decls {
			function, ok := declared.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function.Body, func(node ast.Node) bool {
				if literal, ok := node.(*ast.BasicLit); ok && strings.HasPrefix(literal.Value, `"aws:`) {
					found[function.Name.Name] = strings.Trim(literal.Value, `"`)
				}
				return true
			})
		}
	}
	require.NotEmpty(t, found)
	return found
}

// arguments are the SDK's of every type in the table.
var arguments = map[string]any{
	vpcType: ec2.VpcArgs{}, gatewayType: ec2.InternetGatewayArgs{}, subnetType: ec2.SubnetArgs{}, tableType: ec2.RouteTableArgs{},
	routeType: ec2.RouteArgs{}, tableUseType: ec2.RouteTableAssociationArgs{}, securityGroupType: ec2.SecurityGroupArgs{},
	ingressType: vpc.SecurityGroupIngressRuleArgs{}, egressType: vpc.SecurityGroupEgressRuleArgs{}, instanceType: ec2.InstanceArgs{},
	addressType: ec2.EipArgs{}, associationType: ec2.EipAssociationArgs{}, volumeType: ebs.VolumeArgs{}, attachmentType: ec2.VolumeAttachmentArgs{},
	roleType: iam.RoleArgs{}, profileType: iam.InstanceProfileArgs{}, permissionType: iam.RolePolicyArgs{}, zoneType: route53.ZoneArgs{},
	recordType: route53.RecordArgs{}, healthCheckType: route53.HealthCheckArgs{}, TopicType: sns.TopicArgs{}, SubscriptionType: sns.TopicSubscriptionArgs{},
	AlarmType: cloudwatch.MetricAlarmArgs{}, DashboardType: cloudwatch.DashboardArgs{}, lifecycleType: dlm.LifecyclePolicyArgs{},
	BucketType: s3.BucketV2Args{}, bucketAccessType: s3.BucketPublicAccessBlockArgs{}, bucketVersioningType: s3.BucketVersioningV2Args{},
	bucketEncryptionType: s3.BucketServerSideEncryptionConfigurationV2Args{}, bucketLifecycleType: s3.BucketLifecycleConfigurationV2Args{},
	bucketPolicyType: s3.BucketPolicyArgs{}, policyType: iam.PolicyArgs{}, tagType: ec2.TagArgs{},
	LaunchTemplateType: ec2.LaunchTemplateArgs{}, GroupType: autoscaling.GroupArgs{}, ScalingPolicyType: autoscaling.PolicyArgs{},
	LoadBalancerType: lb.LoadBalancerArgs{}, TargetGroupType: lb.TargetGroupArgs{}, ListenerType: lb.ListenerArgs{}, ListenerRuleType: lb.ListenerRuleArgs{},
	TargetAttachmentType: lb.TargetGroupAttachmentArgs{}, databaseSubnetsType: rds.SubnetGroupArgs{}, DatabaseType: rds.InstanceArgs{}, CertificateType: acm.CertificateArgs{}, certificateValidationType: acm.CertificateValidationArgs{},
}

// The table and the SDK come from two versions of one provider: they have to agree on names, types and what is required.
func TestTheTableAndTheSDKAgree(t *testing.T) {
	for typ, s := range schemas {
		args, ok := arguments[typ].(interface{ ElementType() reflect.Type })
		require.True(t, ok, typ)
		require.NoError(t, agree(s, args.ElementType()), typ)
	}
}

func agree(s schema, kind reflect.Type) error {
	kind = target(kind)
	fields := map[string]reflect.Type{}
	for i := range kind.NumField() {
		name, _, _ := strings.Cut(kind.Field(i).Tag.Get("pulumi"), ",")
		fields[name] = kind.Field(i).Type
	}
	var wrong []error
	for name, input := range s {
		field, ok := fields[name]
		if !ok {
			if name != "tagsAll" { // No program sets it.
				wrong = append(wrong, fmt.Errorf("%s: the SDK lacks it", name))
			}
			continue
		}
		required := !slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface}, field.Kind())
		if list := field.Kind() == reflect.Slice || field.Kind() == reflect.Interface; !list && required != (input.Required && !input.Autonamed) {
			wrong = append(wrong, fmt.Errorf("%s: required by one alone", name))
		}
		shape, items := input.shape()
		want := map[string]reflect.Kind{aText: reflect.String, aBool: reflect.Bool, aWhole: reflect.Int, aNumber: reflect.Float64, aMap: reflect.Map, aList: reflect.Slice, anObject: reflect.Struct}
		switch field = target(field); {
		case field.Kind() == reflect.Interface: // A document: text, or what becomes text.
		case field.Kind() != want[shape]:
			wrong = append(wrong, fmt.Errorf("%s: %s here, %s in the SDK", name, shape, field))
		case shape == anObject:
			wrong = append(wrong, agree(input.Block, field))
		case items == anObject:
			wrong = append(wrong, agree(input.Block, field.Elem()))
		}
	}
	return errors.Join(wrong...)
}

func target(kind reflect.Type) reflect.Type {
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	return kind
}
