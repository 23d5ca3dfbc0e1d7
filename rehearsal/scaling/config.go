package scaling

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"berth/rehearsal/aws"
)

//go:embed haproxy.cfg.tmpl
var configText string

var configTemplate = template.Must(template.New("haproxy.cfg.tmpl").Parse(configText))

// anySuffix ends the name of the backend that takes a target group's requests when it has no healthy target.
const anySuffix = ".any"

// settings are what the configuration is made of.
type settings struct {
	Folder    string
	Idle      int
	Listeners []listener
	Backends  []backendSettings
}

type listener struct {
	Port         int
	Scheme       string
	Certificates []string
	Rules        []rule
	Actions      []action
}

// rule is a condition in HAProxy's syntax, and the number of its action.
type rule struct {
	Number    int
	Condition string
}

// action is one of forward, redirect and fixed-response.
type action struct {
	Number   int
	Backend  string
	Any      bool
	Status   string
	Location string
	Kind     string
	Body     string
}

type backendSettings struct {
	Name                   string
	Sticky                 bool
	CookieLife             int
	Check                  check
	TLS                    bool
	Servers, Any, Draining []server
}

type check struct {
	Path, Matcher, Port string
	TLS                 bool
	Interval, Timeout   int
	Good, Bad           int
}

type server struct {
	Name, Address string
	Port          int
}

// backend is the name of a target group's backend.
func backend(group *aws.Resource) string { return cmp.Or(aws.Text(group.Outputs, "name"), group.ID) }

// configure writes the load balancer's configuration for the account and its targets.
func (e *Engine) configure(account *aws.Account) (string, error) {
	balancer := account.OfType(aws.LoadBalancerType)[0]
	all := settings{Folder: inside, Idle: numberOr(balancer.Outputs, "idleTimeout", 60)}
	for _, group := range account.OfType(aws.TargetGroupType) {
		one, err := e.backendOf(group)
		if err != nil {
			return "", err
		}
		all.Backends = append(all.Backends, one)
	}
	for _, resource := range account.OfType(aws.ListenerType) {
		if aws.Text(resource.Outputs, "loadBalancerArn") != balancer.ID {
			continue
		}
		one, err := e.listenerOf(account, resource)
		if err != nil {
			return "", err
		}
		all.Listeners = append(all.Listeners, one)
	}
	var out strings.Builder
	err := configTemplate.Execute(&out, all)
	return out.String(), err
}

// safe is what of the account is written into the configuration as it is.
var safe = regexp.MustCompile(`^[A-Za-z0-9:/._?&=,%+~#@!*{}()$-]*$`)

func checked(texts ...string) error {
	for _, text := range texts {
		if !safe.MatchString(text) {
			return fmt.Errorf("configure the load balancer: it has %q, which the rehearsal does not write into HAProxy's configuration", text)
		}
	}
	return nil
}

func (e *Engine) backendOf(group *aws.Resource) (backendSettings, error) {
	health, sticky := aws.Object(group.Outputs, "healthCheck"), aws.Object(group.Outputs, "stickiness")
	one := backendSettings{
		Name: backend(group), TLS: aws.Text(group.Outputs, "protocol") == "HTTPS",
		Sticky: sticky != nil && (aws.Truth(sticky, "enabled") || sticky["enabled"] == nil), CookieLife: numberOr(sticky, "cookieDuration", 86400),
		Check: check{
			Path: textOr(health, "path", "/"), Matcher: textOr(health, "matcher", "200"), Port: textOr(health, "port", "traffic-port"),
			TLS: textOr(health, "protocol", "HTTP") == "HTTPS", Interval: numberOr(health, "interval", 30), Timeout: numberOr(health, "timeout", 5),
			Good: numberOr(health, "healthyThreshold", 5), Bad: numberOr(health, "unhealthyThreshold", 2),
		},
	}
	if err := checked(one.Name, one.Check.Path, one.Check.Matcher, one.Check.Port); err != nil {
		return one, err
	}
	for _, key := range slices.SortedFunc(maps.Keys(e.targets), func(a, b targetKey) int { return cmp.Compare(a.instance, b.instance) }) {
		known := e.targets[key]
		target := server{key.instance, known.address, known.port}
		switch {
		case key.group != group.ID:
		case known.state == stateDraining:
			one.Draining = append(one.Draining, target)
		default:
			one.Servers = append(one.Servers, target)
			if known.state != stateInitial {
				one.Any = append(one.Any, target)
			}
		}
	}
	return one, nil
}

func (e *Engine) listenerOf(account *aws.Account, resource *aws.Resource) (listener, error) {
	one := listener{Port: aws.Number(resource.Outputs, "port"), Scheme: strings.ToLower(textOr(resource.Outputs, "protocol", "HTTP"))}
	if arn := aws.Text(resource.Outputs, "certificateArn"); arn != "" {
		certificate := account.Resources[aws.CertificateType+"::"+arn]
		if certificate == nil {
			return one, fmt.Errorf("configure listener %d: its certificate %s is gone", one.Port, arn)
		}
		names := append([]string{aws.Text(certificate.Outputs, "domainName")}, aws.Texts(certificate.Outputs, "subjectAlternativeNames")...)
		slices.Sort(names[1:])
		file, err := e.World.Issue(certificate.ID, slices.Compact(names))
		if err != nil {
			return one, err
		}
		one.Certificates = append(one.Certificates, file)
	}
	rules := slices.DeleteFunc(account.OfType(aws.ListenerRuleType), func(r *aws.Resource) bool { return aws.Text(r.Outputs, "listenerArn") != resource.ID })
	slices.SortFunc(rules, func(a, b *aws.Resource) int {
		return aws.Number(a.Outputs, "priority") - aws.Number(b.Outputs, "priority")
	})
	for i, resource := range rules {
		condition, err := conditionOf(resource)
		if err != nil {
			return one, err
		}
		made, err := e.actionOf(account, one, i+1, aws.Objects(resource.Outputs, "actions"))
		if err != nil {
			return one, err
		}
		one.Rules, one.Actions = append(one.Rules, rule{i + 1, condition}), append(one.Actions, made)
	}
	made, err := e.actionOf(account, one, 0, aws.Objects(resource.Outputs, "defaultActions"))
	one.Actions = append(one.Actions, made)
	return one, err
}

// conditionOf writes a rule's conditions, all of which have to hold, as HAProxy's.
func conditionOf(resource *aws.Resource) (string, error) {
	var all []string
	for _, condition := range aws.Objects(resource.Outputs, "conditions") {
		paths, hosts := aws.Texts(aws.Object(condition, "pathPattern"), "values"), aws.Texts(aws.Object(condition, "hostHeader"), "values")
		switch {
		case len(paths) > 0:
			all = append(all, "{ path -m reg "+patterns(paths)+" }")
		case len(hosts) > 0:
			all = append(all, "{ req.hdr(host),host_only -m reg -i "+patterns(hosts)+" }")
		default:
			return "", fmt.Errorf("rule %s has a condition that the rehearsal does not know: path patterns and host headers", resource.ID)
		}
		if err := checked(append(paths, hosts...)...); err != nil {
			return "", err
		}
	}
	return strings.Join(all, " "), nil
}

// patterns writes AWS's wildcards as regular expressions, in quotes of HAProxy's that leave everything as it is.
func patterns(wildcards []string) string {
	var all []string
	for _, wildcard := range wildcards {
		all = append(all, "'^"+strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(wildcard))+"$'")
	}
	return strings.Join(all, " ")
}

func (e *Engine) actionOf(account *aws.Account, of listener, number int, actions []map[string]any) (action, error) {
	made := action{Number: number}
	if len(actions) == 0 {
		return made, fmt.Errorf("listener %d has a rule without an action", of.Port)
	}
	last := actions[len(actions)-1]
	switch kind := aws.Text(last, "type"); kind {
	case "forward":
		group := account.Resources[aws.TargetGroupType+"::"+aws.Text(last, "targetGroupArn")]
		if group == nil {
			return made, fmt.Errorf("listener %d forwards to the target group %q, which is gone", of.Port, aws.Text(last, "targetGroupArn"))
		}
		one, err := e.backendOf(group)
		made.Backend, made.Any = one.Name, len(one.Any) > 0
		return made, err
	case "redirect":
		redirect := aws.Object(last, "redirect")
		fill := strings.NewReplacer("#{protocol}", of.Scheme, "#{port}", strconv.Itoa(of.Port), "#{host}", "%[req.hdr(host),host_only]")
		query := textOr(redirect, "query", "#{query}")
		path := textOr(redirect, "path", "/#{path}")
		if query != "#{query}" || path != "/#{path}" {
			return made, fmt.Errorf("listener %d redirects to another path or query, which the rehearsal does not know", of.Port)
		}
		made.Status = strings.TrimPrefix(aws.Text(redirect, "statusCode"), "HTTP_")
		// AWS writes the port also where it is the protocol's own.
		made.Location = fill.Replace(strings.ToLower(textOr(redirect, "protocol", "#{protocol}"))+"://"+textOr(redirect, "host", "#{host}")+":"+textOr(redirect, "port", "#{port}")) + "%[pathq]"
		return made, checked(made.Status, strings.ReplaceAll(strings.ReplaceAll(made.Location, "[", ""), "]", ""))
	case "fixed-response":
		fixed := aws.Object(last, "fixedResponse")
		made.Status, made.Kind, made.Body = aws.Text(fixed, "statusCode"), aws.Text(fixed, "contentType"), aws.Text(fixed, "messageBody")
		return made, checked(made.Status, made.Kind, strings.ReplaceAll(made.Body, " ", ""))
	default:
		return made, fmt.Errorf("listener %d has an action %q, which the rehearsal does not know", of.Port, kind)
	}
}
