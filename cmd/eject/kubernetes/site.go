package kubernetes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"berth/internal/config"
)

// aliases gives services the further names by which others know them.
func (m *maker) aliases() error {
	taken := map[string]string{}
	for service, label := range m.called {
		taken[label] = service
	}
	for _, name := range m.services() {
		definition := m.file(name).Services[name]
		var all []string
		networks, _ := definition["networks"].(object)
		for _, network := range sorted(networks) {
			settings, _ := networks[network].(object)
			all = append(all, texts(settings["aliases"])...)
		}
		all = append(all, text(definition["container_name"]))
		for other := range m.called {
			for _, link := range texts(m.file(other).Services[other]["links"]) {
				if linked, as, ok := strings.Cut(link, ":"); ok && linked == name {
					all = append(all, as)
				}
			}
		}
		slices.Sort(all)
		for _, alias := range slices.Compact(all) {
			if alias == "" || alias == name {
				continue
			}
			label, err := m.named("service", alias)
			switch of, there := taken[label]; {
			case err != nil || label != alias:
				m.note(name, "others know it as %s, too, which is no name of a Service: have them use %s", alias, m.called[name])
			case there && of != name:
				m.note(name, "others know it as %s, too, which is the name of service %s", alias, of)
			case !there:
				taken[label] = name
				m.add(m.called[name], headless(label, m.called[name]))
			}
		}
		if m.called[name] != name {
			m.note(name, "its Service is called %s, since Kubernetes takes no such name: where others reach it as %s, name %s", m.called[name], name, m.called[name])
		}
	}
	return nil
}

// ingress routes the site's paths to its services.
func (m *maker) ingress() error {
	prefix := networkingv1.PathTypePrefix
	routed := map[string][]int32{}
	paths := map[string][]networkingv1.HTTPIngressPath{}
	hosts := m.Config.Names()
	site := *m.Config
	site.Routes = nil
	for _, one := range m.Routes {
		site.Routes = append(site.Routes, config.Route{Host: one.Host, Path: one.Path})
	}
	for i, one := range m.Routes {
		label, ok := m.called[one.Service]
		if !ok {
			return fmt.Errorf("the route %s names service %s, which is not in the plan, so nothing was written", one.Path, one.Service)
		}
		port := bounded(one.Port)
		if !slices.Contains(routed[label], port) {
			routed[label] = append(routed[label], port)
		}
		for _, host := range hosts {
			// A route without a host is for the domain and its aliases.
			if !site.Leads(&site.Routes[i], host) || one.Host == "" && !slices.Contains(site.Common(), host) {
				continue
			}
			paths[host] = append(paths[host], networkingv1.HTTPIngressPath{
				Path: cmp.Or(strings.TrimRight(one.Path, "/"), "/"), PathType: &prefix,
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: label + "-http", Port: networkingv1.ServiceBackendPort{Number: port}}},
			})
		}
		if one.StripPrefix {
			m.note("", "route %s: stripPrefix takes %s off the path before the service sees it; an Ingress has no such field, so set your controller's annotation for it, or write an HTTPRoute with URLRewrite", one.Path, one.Path)
		}
	}
	for _, label := range sorted(routed) {
		// No service of the app may have the name.
		if _, err := m.named("service", label+" http"); err != nil {
			return err
		}
		made := &corev1.Service{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta(label + "-http"), Spec: corev1.ServiceSpec{Selector: labels(label)}}
		for _, port := range slices.Sorted(slices.Values(routed[label])) {
			made.Spec.Ports = append(made.Spec.Ports, corev1.ServicePort{Name: fmt.Sprintf("http-%d", port), Port: port, TargetPort: intstr.FromInt32(port)})
		}
		m.add(label, made)
	}
	made := &networkingv1.Ingress{
		TypeMeta: metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "Ingress"}, ObjectMeta: metav1.ObjectMeta{Name: "site"},
		Spec: networkingv1.IngressSpec{TLS: []networkingv1.IngressTLS{{Hosts: hosts, SecretName: "site-tls"}}},
	}
	for _, host := range hosts {
		if len(paths[host]) == 0 {
			continue
		}
		made.Spec.Rules = append(made.Spec.Rules, networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths[host]}}})
	}
	m.add("ingress", made)
	return nil
}
