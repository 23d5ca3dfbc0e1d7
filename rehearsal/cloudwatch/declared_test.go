package cloudwatch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/docs/iam"
	"berth/infra"
	"berth/internal/config"
	"berth/provision/scripts"
	"berth/rehearsal/aws"
)

// program is the real one's declarations.
type program struct {
	lock     sync.Mutex
	declared []pulumi.MockResourceArgs
}

func (p *program) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.declared = append(p.declared, args)
	return args.Name + "-id", outputs(args), nil
}

// outputs are what AWS makes of a declaration, as far as it matters here.
func outputs(args pulumi.MockResourceArgs) resource.PropertyMap {
	state := args.Inputs.Copy()
	switch args.TypeToken {
	case "aws:ec2/vpc:Vpc":
		state["ipv6CidrBlock"] = resource.NewProperty("2001:db8:12:3400::/56")
	case "aws:iam/role:Role":
		state["name"] = resource.NewProperty(args.Name)
	case "aws:lb/loadBalancer:LoadBalancer", "aws:lb/targetGroup:TargetGroup":
		state["arnSuffix"] = resource.NewProperty("suffix-of:" + args.Name)
	case "aws:acm/certificate:Certificate":
		state["domainValidationOptions"] = resource.NewProperty([]resource.PropertyValue{resource.NewProperty(resource.PropertyMap{
			"domainName": args.Inputs["domainName"], "resourceRecordName": resource.NewProperty("_token"), "resourceRecordValue": resource.NewProperty("_answer"),
		})})
	case "aws:autoscaling/group:Group":
		state["name"] = resource.NewProperty(args.Name)
	case aws.AlarmType:
		region := "eu-central-1"
		if strings.Contains(args.Provider, "::aws-us-east-1::") {
			region = "us-east-1"
		}
		state["arn"] = resource.NewProperty("arn:aws:cloudwatch:" + region + ":123456789012:alarm:" + args.Name)
		state["actionsEnabled"] = resource.NewProperty(true)
	}
	return state
}

func (p *program) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	if args.Token == "pulumi:pulumi:readStackOutputs" {
		return resource.PropertyMap{}, nil // The stack has no state yet.
	}
	switch args.Token {
	case "aws:index/getCallerIdentity:getCallerIdentity":
		return resource.PropertyMap{"accountId": resource.NewProperty("123456789012")}, nil
	case "aws:index/getAvailabilityZones:getAvailabilityZones":
		return resource.NewPropertyMapFromMap(map[string]any{"names": []any{"eu-central-1a", "eu-central-1b"}}), nil
	case "aws:route53/getZone:getZone":
		return resource.NewPropertyMapFromMap(map[string]any{"zoneId": "Z1", "name": "example.com"}), nil
	case "aws:iam/getPolicy:getPolicy":
		return resource.PropertyMap{"policy": resource.NewProperty(iam.Boundary)}, nil
	}
	return nil, fmt.Errorf("unexpected call %s", args.Token)
}

// declare declares a monitored stack of the domain, with one server; grow one with three.
func declare(t *testing.T, domain string) *program {
	t.Helper()
	return run(t, domain, config.Servers{Min: 1, Max: 1})
}

func grow(t *testing.T, domain string) *program {
	t.Helper()
	return run(t, domain, config.Servers{Min: 3, Max: 3, CPU: 60, First: true})
}

func run(t *testing.T, domain string, servers config.Servers) *program {
	t.Helper()
	cfg := &config.Config{
		Domain: domain, Zone: "example.com", AlarmEmail: "you@example.test",
		OperatorCIDRs: []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32")}, VPCCIDR: netip.MustParsePrefix("10.20.0.0/16"),
		Region: "eu-central-1", AvailabilityZone: "eu-central-1a", InstanceType: "t3.micro", AMI: "ami-0123456789abcdef0", VolumeSize: 20,
		Servers: servers,
	}
	p := &program{}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := infra.New(ctx, cfg)
		return err
	}, pulumi.WithMocks("berth", "production", p)))
	return p
}

// onto puts the declared alarms, and what the server may do, into the account of a service.
func (p *program) onto(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.account.Resources = map[string]*aws.Resource{}
	boundary := iam.BoundaryARN("123456789012")
	f.put("aws:iam/policy:Policy", boundary, map[string]any{"arn": boundary, "policy": iam.Boundary})
	for _, args := range p.declared {
		if slices.Contains([]string{aws.AlarmType, aws.DashboardType, "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"}, args.TypeToken) {
			f.put(args.TypeToken, args.Name, outputs(args).Mappable())
		}
	}
	f.save()
	return f
}

// checks is what the server's health check found: figures by check, and the worst severity.
type checks map[string]int

// body is what the server sends for them: the script's own words.
func body(t *testing.T, domain string, found checks) string {
	t.Helper()
	var results strings.Builder
	for name, value := range found {
		if name != "worst" {
			fmt.Fprintf(&results, "{\"name\": %q, \"value\": %d}\n", name, value)
		}
	}
	script, err := scripts.Read("health/push.sh")
	require.NoError(t, err)
	bash := exec.CommandContext(t.Context(), "bash", "-euc", script+"\nmetrics")
	bash.Env = append(os.Environ(), "DOMAIN="+domain, "RESULTS="+results.String(), "WORST="+strconv.Itoa(found["worst"]))
	output, err := bash.CombinedOutput()
	require.NoErrorf(t, err, "%s", output)
	return strings.TrimSpace(string(output))
}

// healthy is a server with nothing to say.
func healthy() checks {
	return checks{"memory": 40, "disk": 30, "swap": 0, "containers": 0, "certificate": 90, "backup": 3, "worst": 0}
}

// pushes sends what was found, now, and what EC2 and Route 53 say of themselves.
func (f *fixture) pushes(domain string, found checks, seen map[string]float64) {
	f.t.Helper()
	form, err := url.ParseQuery(body(f.t, domain, found))
	require.NoError(f.t, err)
	var changes []string
	for key := range form {
		changes = append(changes, key, form.Get(key))
	}
	code, answer := f.serve(f.request(changes...))
	require.Equal(f.t, http.StatusOK, code, answer)
	var points []Datapoint
	for metric, value := range seen {
		point := Datapoint{Region: "eu-central-1", Namespace: "AWS/EC2", Metric: metric, Dimensions: map[string]string{"InstanceId": "server-id"}, Time: f.now, Value: value}
		switch metric {
		case "HealthCheckStatus":
			point.Region, point.Namespace, point.Dimensions = "us-east-1", "AWS/Route53", map[string]string{"HealthCheckId": "site-id"}
		case "UnHealthyHostCount", "HealthyHostCount":
			point.Namespace, point.Dimensions = "AWS/ApplicationELB", map[string]string{"LoadBalancer": "suffix-of:site", "TargetGroup": "suffix-of:site"}
		case "HTTPCode_ELB_5XX_Count":
			point.Namespace, point.Dimensions = "AWS/ApplicationELB", map[string]string{"LoadBalancer": "suffix-of:site"}
		case "GroupInServiceInstances":
			point.Namespace, point.Dimensions = "AWS/AutoScaling", map[string]string{"AutoScalingGroupName": "web-berth-production"}
		}
		points = append(points, point)
	}
	require.NoError(f.t, f.service.store(points, f.now))
	require.NoError(f.t, f.service.Evaluate())
}

// TestEveryDeclaredAlarmRisesAtItsFigureAndIsOver goes through what each alarm is for: the last figure that is well, the
// first that is not, and for how many minutes.
func TestEveryDeclaredAlarmRisesAtItsFigureAndIsOver(t *testing.T) {
	rows := map[string]struct {
		check, seen string // of the server's own, or of what AWS sees
		well, ill   float64
		periods     int
	}{
		"processor":         {seen: "CPUUtilization", well: 80, ill: 81, periods: 3},
		"processor credits": {seen: "CPUCreditBalance", well: 20, ill: 19, periods: 2},
		"machine":           {seen: "StatusCheckFailed_System", well: 0, ill: 1, periods: 2},
		"system":            {seen: "StatusCheckFailed_Instance", well: 0, ill: 1, periods: 3},
		"site":              {seen: "HealthCheckStatus", well: 1, ill: 0, periods: 1},
		"memory":            {check: "memory", well: 80, ill: 81, periods: 5},
		"disk":              {check: "disk", well: 80, ill: 81, periods: 1},
		"swap":              {check: "swap", well: 50, ill: 51, periods: 5},
		"containers":        {check: "containers", well: 0, ill: 1, periods: 3},
		"certificate":       {check: "certificate", well: 17, ill: 16, periods: 1},
		"backup":            {check: "backup", well: 26, ill: 27, periods: 1},
		"health":            {check: "worst", well: 1, ill: 2, periods: 2},

		"unhealthy server":     {seen: "UnHealthyHostCount", well: 0, ill: 1, periods: 10},
		"no healthy server":    {seen: "HealthyHostCount", well: 1, ill: 0, periods: 2},
		"load balancer errors": {seen: "HTTPCode_ELB_5XX_Count", well: 20, ill: 21, periods: 1},
		"missing servers":      {seen: "GroupInServiceInstances", well: 2, ill: 1, periods: 4},
		"web server memory":    {check: "web-memory", well: 80, ill: 81, periods: 5},
		"web server disk":      {check: "web-disk", well: 80, ill: 81, periods: 1},
	}
	const domain = "app.example.com"
	p := grow(t, domain)
	declared := p.onto(t).account.OfType(aws.AlarmType)
	require.Len(t, declared, len(rows), "every alarm has a row here")
	require.Len(t, declare(t, domain).onto(t).account.OfType(aws.AlarmType), len(rows)-6, "six are of several servers")
	for _, resource := range declared {
		name := resource.ID
		t.Run(name, func(t *testing.T) {
			row, known := rows[name]
			require.True(t, known)
			f := p.onto(t)
			says := func(figure float64) string {
				found, seen := healthy(), map[string]float64{"CPUCreditBalance": 100, "HealthCheckStatus": 1, "HealthyHostCount": 2, "GroupInServiceInstances": 2}
				if row.check != "" {
					found[row.check] = int(figure)
				} else {
					seen[row.seen] = figure
				}
				f.pushes(domain, found, seen)
				f.now = f.now.Add(time.Minute)
				return f.state(name).State
			}
			for range 5 {
				says(row.well)
			}
			require.Equal(t, stateOK, f.state(name).State)
			for range row.periods - 1 {
				require.Equal(t, stateOK, says(row.ill), "it waits for %d minutes", row.periods)
			}
			require.Equal(t, stateAlarm, says(row.ill), f.state(name).Reason)
			for other, state := range f.states() {
				if other != name {
					assert.Equalf(t, stateOK, state.State, "%s: %s", other, state.Reason)
				}
			}
			assert.Equal(t, stateOK, says(row.well), f.state(name).Reason)
		})
	}
}

func (f *fixture) states() map[string]State {
	states, err := f.service.States()
	require.NoError(f.t, err)
	return states
}

// sent are the names of the metrics that a server sends for what it found.
func sent(t *testing.T, found checks) (names []string) {
	form, err := url.ParseQuery(body(t, "app.example.com", found))
	require.NoError(t, err)
	for i := 1; form.Has(fmt.Sprintf("MetricData.member.%d.MetricName", i)); i++ {
		names = append(names, form.Get(fmt.Sprintf("MetricData.member.%d.MetricName", i)))
	}
	return names
}

// TestWhatIsShownAndWatchedIsWhatTheServerSends holds the two sides of every metric's name against each other, both ways:
// a metric costs money, so none is sent that is not used.
func TestWhatIsShownAndWatchedIsWhatTheServerSends(t *testing.T) {
	watched, shown := watchedAndShown(t, declare(t, "app.example.com"))
	names := sent(t, healthy())
	require.NotEmpty(t, names)
	assert.ElementsMatch(t, names, watched)
	assert.ElementsMatch(t, names, shown)

	watched, shown = watchedAndShown(t, grow(t, "app.example.com"))
	found := healthy()
	found["web-memory"], found["web-disk"], found["web-swap"] = 40, 30, 0
	names = sent(t, found)
	assert.ElementsMatch(t, names, shown)
	// A web server that swaps is short of memory, and of that there is an alarm.
	assert.ElementsMatch(t, names, append(watched, "WebSwapUsed"))
}

// watchedAndShown are the server's own metrics that alarms are on, and those that the dashboard shows.
func watchedAndShown(t *testing.T, p *program) (watched, shown []string) {
	t.Helper()
	for _, args := range p.declared {
		switch args.TypeToken {
		case aws.AlarmType:
			if args.Inputs["namespace"].StringValue() == infra.MetricNamespace {
				watched = append(watched, args.Inputs["metricName"].StringValue())
			}
		case "aws:cloudwatch/dashboard:Dashboard":
			var board struct {
				Widgets []struct{ Properties struct{ Metrics [][]any } }
			}
			require.NoError(t, json.Unmarshal([]byte(args.Inputs["dashboardBody"].StringValue()), &board))
			for _, widget := range board.Widgets {
				for _, metric := range widget.Properties.Metrics {
					if metric[0] == infra.MetricNamespace {
						shown = append(shown, metric[1].(string))
						assert.Equal(t, []any{infra.MetricDimension, "app.example.com"}, metric[2:4])
					}
				}
			}
		}
	}
	return watched, shown
}

// Two stacks of one name are in one account when their projects or backends differ.
func TestStacksOfOneNameDoNotShareMetrics(t *testing.T) {
	f := declare(t, "app.example.com").onto(t)
	other := healthy()
	other["disk"] = 99
	f.pushes("app.example.com", healthy(), nil)
	f.pushes("shop.example.com", other, nil)
	assert.Equal(t, stateOK, f.state("disk").State)
	f.pushes("app.example.com", other, nil)
	assert.Equal(t, stateAlarm, f.state("disk").State)
}

// TestASilentServerRaisesOneAlarm: seven mails for one server that went away would be six too many.
func TestASilentServerRaisesOneAlarm(t *testing.T) {
	f := declare(t, "app.example.com").onto(t)
	for range 5 {
		f.pushes("app.example.com", healthy(), nil)
		f.now = f.now.Add(time.Minute)
	}
	f.now = f.now.Add(10 * time.Minute)
	require.NoError(t, f.service.Evaluate())
	var raised []string
	for name, state := range f.states() {
		if state.State == stateAlarm {
			raised = append(raised, name)
		}
	}
	slices.Sort(raised)
	assert.Equal(t, []string{"memory"}, raised)
}
