package kubernetes

import (
	"cmp"
	"strings"

	"al.essio.dev/pkg/shellescape"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probes are a service's health check: until it is well once it counts as starting, and while it is not it gets no requests. Docker
// restarts nothing because it is unhealthy, so nothing is a liveness probe.
func (m *maker) probes(p *pod) error {
	check, _ := p.take("healthcheck").(object)
	handler := m.handler(p, check)
	ports := map[int]route{}
	for _, route := range m.Routes {
		if route.Service == p.name {
			if _, there := ports[route.Port]; !there || route.Health != "" {
				ports[route.Port] = route
			}
		}
	}
	for _, port := range sorted(ports) {
		p.container.Ports = append(p.container.Ports, corev1.ContainerPort{ContainerPort: bounded(port)})
	}
	if handler == nil && len(ports) > 0 {
		port := sorted(ports)[0]
		if asked := ports[port]; asked.Health != "" {
			path := asked.Health
			if asked.StripPrefix {
				path = "/" + strings.TrimLeft(strings.TrimPrefix(path, strings.TrimRight(asked.Path, "/")), "/")
			}
			// An app may answer its own names alone, and the kubelet asks by the pod's address.
			handler = &corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: path, Port: intstr.FromInt32(bounded(port)), HTTPHeaders: []corev1.HTTPHeader{{Name: "Host", Value: cmp.Or(asked.Host, m.Config.Domain)}},
			}}
		} else {
			handler = &corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(bounded(port))}}
			m.note(p.name, "it has no health check, so a pod counts as ready when its port answers; give it one")
		}
	}
	if handler == nil {
		return nil
	}
	// Docker's defaults are 30 s, 30 s and 3.
	interval, timeout, retries := atLeast(check["interval"], 30), atLeast(check["timeout"], 30), int32(3)
	if count := m.number(check["retries"]); count > 0 {
		retries = bounded(count)
	}
	start, _ := seconds(check["start_period"])
	p.container.ReadinessProbe = &corev1.Probe{ProbeHandler: *handler, PeriodSeconds: interval, TimeoutSeconds: timeout, FailureThreshold: retries}
	// What becomes healthy in its time on a server does here.
	within := max(start, int64(m.Config.HealthyWithin), int64(interval)*int64(retries))
	p.container.StartupProbe = &corev1.Probe{ProbeHandler: *handler, PeriodSeconds: 1, TimeoutSeconds: timeout, FailureThreshold: bounded(max(within, 1))}
	return nil
}

// handler is what a health check runs, nil for none.
func (m *maker) handler(p *pod, check object) *corev1.ProbeHandler {
	test := texts(check["test"])
	if check["disable"] == true || len(test) < 2 {
		return nil
	}
	words := test[1:]
	switch {
	case test[0] == "CMD-SHELL":
		words = []string{"/bin/sh", "-c", inShell(test[1])}
	case len(references(strings.Join(words, " "))) > 0:
		// Kubernetes fills nothing into a probe's command: a shell does.
		var quoted []string
		for _, word := range words {
			quoted = append(quoted, filledIn(word))
		}
		words = []string{"/bin/sh", "-c", strings.Join(quoted, " ")}
	}
	m.helpers(p, test)
	if strings.Contains(strings.Join(words, " "), helper("")) {
		m.note(p.name, "its health check takes a secret, which a shell fills in from a variable: the image needs /bin/sh, and within '…' nothing is filled in")
	}
	return &corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: words}}
}

// filledIn is a word for a shell, with secrets from variables.
func filledIn(word string) string {
	names := references(word)
	if len(names) == 0 {
		return shellescape.Quote(word)
	}
	before, after, _ := strings.Cut(word, Placeholder(names[0]))
	all := `"${` + helper(names[0]) + `}"`
	if before != "" {
		all = shellescape.Quote(before) + all
	}
	if after != "" {
		all += filledIn(after)
	}
	return all
}
