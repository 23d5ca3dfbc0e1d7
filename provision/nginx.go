package provision

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"text/template"

	"berth/infra"
	"berth/internal/config"
)

//go:embed nginx/site.conf.tmpl
var siteText string

var siteTemplate = template.Must(template.New("site.conf").Funcs(template.FuncMap{"vendor": isVendor}).Parse(siteText))

// isVendor says whether the server knows the networks of a proxy by its name.
func isVendor(proxy string) bool { return slices.Contains(config.Vendors, proxy) }

// realIPHeader is where nginx reads what proxies saw. Cloudflare's own header holds one address and cannot be sent through it, but
// any other proxy would pass on what a visitor sent.
func realIPHeader(proxies []string) string {
	if slices.Equal(proxies, []string{"cloudflare"}) {
		return "CF-Connecting-IP"
	}
	return "X-Forwarded-For"
}

// network is where the load balancer in front of several servers is: the stack's own network, which has no other hosts, "" in a subnet
// that it did not make. With one server, too: on the way from several back to one, the load balancer still sends requests while the
// names move, and nothing but a load balancer's security group opens its port.
func network(cfg *config.Config) string {
	if cfg.SubnetID != "" || !cfg.VPCCIDR.IsValid() {
		return ""
	}
	return cfg.VPCCIDR.String()
}

// keepAlive is how long in seconds nginx keeps idle connections, 0 for nginx's default: a request of a load balancer on one that nginx has just
// ended would fail, so that the load balancer has to end it first. With one server it is the same: from one to several nginx is not
// reloaded, which would end visitors' idle connections. Where connections run short, nginx ends idle ones.
func keepAlive(cfg *config.Config) int {
	if network(cfg) == "" {
		return 0
	}
	return infra.Idle(cfg) + 10
}

// bodySpace in MiB is the file system that request bodies wait on; scripts/edge/spool.sh makes it, and half of it is in
// scripts/release/routes.jq.
const bodySpace = 1024

// bodies are how many request bodies of a kind an address may send at a time.
type bodies struct {
	Name   string
	AtOnce int
}

// share gives each kind its part of the space, by the largest body that it may hold.
func share(maxBody int) []bodies {
	return []bodies{{"small", bodySpace / 8}, {"medium", bodySpace / 8 / 10}, {"large", bodySpace / 2 / maxBody}}
}

// site renders nginx's configuration of the edge, and what every server of the site has in common. The names are DNS names by
// validation, so nothing in them means anything to nginx.
func site(cfg *config.Config) (edge, server string, err error) {
	values := struct {
		*config.Config
		Bodies       []bodies
		RealIPHeader string
		Network      string
		KeepAlive    int
	}{cfg, share(cfg.MaxBody), realIPHeader(cfg.TrustedProxies), network(cfg), keepAlive(cfg)}
	var texts [2]bytes.Buffer
	for i, name := range []string{"site.conf", "site"} {
		if err := siteTemplate.ExecuteTemplate(&texts[i], name, values); err != nil {
			return "", "", fmt.Errorf("render nginx's configuration: %w", err)
		}
	}
	return texts[0].String(), texts[1].String(), nil
}

// hosts are the names of the site to release/hosts.jq: those that routes without a host are for, the further ones, and those that
// redirect.
func hosts(cfg *config.Config) settings {
	redirects := append([]string{}, slices.Sorted(maps.Keys(cfg.Redirects))...)
	further := slices.DeleteFunc(cfg.Names(), func(name string) bool { return slices.Contains(redirects, name) || slices.Contains(cfg.Common(), name) })
	return settings{"names": cfg.Common(), "hosts": further, "redirects": redirects}
}
