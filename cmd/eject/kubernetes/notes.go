package kubernetes

import (
	"fmt"
	"slices"
	"strings"

	"berth/internal/config"
)

// aboutTheApp notes what carries over of no app.
func (m *maker) aboutTheApp() {
	if len(m.SQLite) > 0 {
		for _, one := range m.SQLite {
			m.note(one.Service, "its dumps of SQLite files are not restored by a Job: docs/kubernetes.md says how")
		}
	}
	m.aboutTheEdge()
	m.note("", "edge limits, headers, the maintenance page, request bodies (berth:maxBody %d MiB) and draining are nginx's on a server: set your Ingress controller's", m.Config.MaxBody)
	m.note("", "a release is `kubectl apply --kustomize .` with new image tags; a rolling update replaces the switch, and `kubectl rollout undo` the rollback. No dump is taken before, and the migration runs when you create its Job")
	m.note("", "nothing dumps the databases, drills a restore, or watches the site: choose backups and monitoring for the cluster")
	m.note("", "a claim is empty at first; Docker filled a new named volume with what the image has there")
}

// aboutTheEdge notes what nginx did at a server's edge because a setting says so. What kept visitors out comes first.
func (m *maker) aboutTheEdge() {
	site := m.Config
	if len(site.Auth) > 0 {
		m.note("", "**berth:auth asks for a password on every route that has no auth: false. An Ingress does not: the site is open until your controller asks**")
	}
	if site.OnlyTrustedProxies {
		m.note("", "**berth:onlyTrustedProxies refuses everybody but the proxies. An Ingress does not: the site is open until your controller, or a firewall, does**")
	}
	for _, route := range site.Routes {
		at := route.Host + route.Path
		if len(route.AllowFrom) > 0 {
			m.note("", "**route %s lets in %s alone. An Ingress does not: it is open until your controller refuses the others**", at, strings.Join(route.AllowFrom, ", "))
		}
		if route.RateLimit != nil {
			m.note("", "route %s has a rate limit: set your controller's", at)
		}
		if route.Protocol == config.ProtocolGRPC {
			m.note("", "route %s speaks gRPC: tell your controller so, for example with an annotation for the backend's protocol", at)
		}
		if route.MaxBody > 0 || route.Timeout > 0 || route.Buffering != nil {
			m.note("", "route %s has maxBody, timeout or buffering of its own: set your controller's", at)
		}
	}
	for _, from := range sorted(site.Redirects) {
		m.note("", "%s redirects to %s by 308: have your controller do so", from, site.Redirects[from])
	}
	for _, setting := range []struct {
		name string
		used bool
	}{{"trustedProxies", len(site.TrustedProxies) > 0}, {"http3", site.HTTP3}, {"nginx", site.Nginx != ""}} {
		if setting.used {
			m.note("", "berth:%s is nginx's: find what your controller has instead", setting.name)
		}
	}
}

// notesFile says what is left to do, and what does not carry over.
func (m *maker) notesFile() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# %s on Kubernetes\n", m.Config.Domain)
	line("Written by `make eject` from the plan of commit %.12s. Read docs/kubernetes.md of Berth for what each object is made from.\n", m.Commit)
	line("## Before the first apply\n")
	if images := m.images(); len(images) > 0 {
		line("Build and push these images, and name your registry in `kustomization.yaml`:\n")
		built := m.built()
		for _, image := range images {
			var of []string
			for _, service := range sorted(built) {
				if registry+"/"+m.called[built[service]] == image["name"] {
					of = append(of, service)
				}
			}
			line("- `%s:%s` (service %s)", image["name"], image["newTag"], strings.Join(of, ", "))
		}
		line("")
	}
	if len(m.keys) > 0 {
		line("Create these Secrets; no value is written here. For each, put `KEY=VALUE` lines into a file that only you can read, run")
		line("`kubectl create secret generic NAME --from-env-file=FILE`, and remove the file. A key `file` is a whole file: `--from-file=file=PATH`.\n")
		line("| Secret | key | its value is |\n|---|---|---|")
		for _, secret := range sorted(m.keys) {
			for _, key := range sorted(m.keys[secret]) {
				line("| `%s` | `%s` | %s |", secret, key, m.keys[secret][key])
			}
		}
		line("")
	}
	if len(m.Config.Registries) > 0 {
		line("Create the Secret `registries` with the credentials of berth:registries: `kubectl create secret docker-registry registries …`.\n")
	}
	line("Certificates: the Ingress takes the Secret `site-tls`; cert-manager makes it when the Ingress has the annotation")
	line("`cert-manager.io/cluster-issuer`. Then: `kubectl apply --kustomize .`\n")
	if names := sorted(m.byHand); len(names) > 0 {
		line("## Created by hand, in `by-hand/`\n")
		line("A Job runs once, so none is in the kustomization. Run one with `kubectl create -f`, and delete it before the next time.\n")
		for _, name := range names {
			line("- `%s`", name)
		}
		if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "restore-") }) {
			line("\nA `restore-…` Job waits for the dump in its container `await-dump`. Copy the newest one from /data/dumps or the bucket, and say so:\n")
			line("    kubectl cp FILE POD:/dumps/ -c await-dump && kubectl exec POD -c await-dump -- sh -c 'echo >/dumps/.ready'")
		}
		line("")
	}
	line("## What does not carry over\n")
	for _, service := range sorted(m.notes) {
		if service == "" {
			line("For the whole app:\n")
		} else {
			line("Service `%s`:\n", service)
		}
		for _, said := range m.notes[service] {
			line("- %s", said)
		}
		line("")
	}
	return strings.TrimSpace(b.String()) + "\n"
}
