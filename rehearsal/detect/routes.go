package detect

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"berth/internal/config"
	"berth/internal/release"
	"berth/internal/release/compose"
)

// service is where a service answers.
type service struct {
	name  string
	words []string
	// order is its place in the compose file.
	order int
	// port is the one it answers on, host the one that it is published on, 0 for none.
	port, host int
	// ownTLS says that it publishes 443 beside another port, and is a kind of proxy that forwards to the app's other services.
	ownTLS bool
}

var (
	// exposed is a port that a Dockerfile says its image answers on.
	exposed = regexp.MustCompile(`(?im)^\s*EXPOSE\s+(\d+)`)
	// traefikPort is a label by which a service says to Traefik where it answers.
	traefikPort = regexp.MustCompile(`^traefik\.http\.services\.[^.]+\.loadbalancer\.server\.port$`)

	notLetters = regexp.MustCompile(`[^a-z0-9]+`)

	// frontends are words of the names of what visitors see, the likeliest first; apis those of what it asks.
	frontends = []string{"proxy", "nginx", "caddy", "traefik", "haproxy", "gateway", "web", "frontend", "front", "webapp", "webserver", "www", "site", "website", "ui", "client", "app"}
	apis      = []string{"api", "backend", "server"}
	// proxies are those of frontends that forward to other services themselves.
	proxies = []string{"proxy", "nginx", "caddy", "traefik", "haproxy", "gateway"}
	// edges are words of images that forward to other services by their labels, and end TLS.
	edges = []string{"traefik", "caddy", "proxy", "swag", "companion", "letsencrypt"}
	// watchers are words of metrics and dashboards: an entry only if there is nothing else.
	watchers = []string{"grafana", "kibana", "prometheus", "jaeger", "netdata", "uptime", "metabase", "superset", "zipkin", "dashboards"}
	// tools are words of what is for those who work on the app, mail catchers and ways into databases, and of what answers no visitor.
	tools = []string{"mailcatcher", "mailcatch", "mailhog", "mailpit", "maildev", "mailtrap", "mailslurper", "mailserver", "smtp", "smtp4dev", "inbucket", "greenmail", "papercut", "adminer", "phpmyadmin", "pma", "pgadmin",
		"pgadmin4", "pgweb", "phppgadmin", "commander", "redisinsight", "express", "cloudbeaver", "dbgate", "portainer", "dozzle", "flower", "swagger", "storybook", "cadvisor", "exporter", "loki", "tempo", "promtail", "alloy",
		"alertmanager", "agent", "vmagent", "vmalert", "pushgateway", "blackbox", "nodeexporter", "vector", "fluent", "fluentd", "fluentbit", "logstash", "filebeat", "metricbeat", "collector", "otel", "opentelemetry", "statsd", "telegraf", "localstack", "selenium", "chrome", "browserless", "playwright", "whoami", "docs", "debug", "debugger", "test", "tests", "e2e", "worker", "scheduler",
		"cron", "celery", "beat", "queue", "sidekiq", "dns", "unbound", "ftp", "sftp", "registry", "coturn", "turn", "stun", "dashboard-traefik", "docker", "dockerproxy", "gotenberg", "tika", "migrate", "init", "backup", "kafdrop", "akhq"}
	// webStores are words of images of what keeps data and has pages of its own, with the port of these; 0 is the one it says.
	webStores = map[string]int{"minio": 9001, "nocodb": 0, "rabbitmq": 15672, "couchdb": 0, "neo4j": 7474, "influxdb": 0, "pocketbase": 0, "meilisearch": 0, "elasticsearch": 0, "opensearch": 0, "solr": 0, "typesense": 0, "qdrant": 0, "weaviate": 0, "clickhouse": 8123, "registry": 0}

	// notHTTP are ports of other protocols.
	notHTTP = []int{20, 21, 22, 23, 25, 53, 67, 68, 69, 88, 110, 111, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 445, 465, 514, 515, 548, 554, 587, 631, 636, 853, 873, 993, 995, 1025, 1433, 1521, 1812, 1883, 1935, 2049, 2222,
		2375, 2376, 2525, 3260, 3306, 3389, 3478, 4222, 4369, 5004, 5005, 5060, 5061, 5222, 5269, 5349, 5432, 5671, 5672, 5900, 6379, 6380, 6432, 6443, 6667, 6881, 7687, 8883, 9042, 9092, 9160, 9229, 9300, 11211, 25565, 27015, 27017, 33060, 51820, 61613, 61616}
	// likely are ports of web servers, the likeliest first.
	likely = []int{80, 8080, 8000, 3000, 8081, 5000, 8888, 9000, 4000, 5173}

	// official are the ports of images that say nothing of them in a compose file.
	official = map[string]int{"nginx": 80, "httpd": 80, "caddy": 80, "traefik": 80, "wordpress": 80, "nextcloud": 80, "drupal": 80, "joomla": 80, "ghost": 2368, "grafana": 3000, "gitea": 3000, "tomcat": 8080, "adminer": 8080}
)

// likelihood ranks a port among web servers': smaller is likelier.
func likelihood(port int) int {
	if at := slices.Index(likely, port); at >= 0 {
		return at
	}
	if speaksTLS(port) {
		return len(likely) + 1
	}
	return len(likely)
}

// speaksTLS says whether a port is one of those on which servers end TLS by custom: what ends in 443, and 8448 of Matrix' federation.
func speaksTLS(port int) bool { return port%1000 == 443 || port == 8448 }

// wordsOf splits a name at whatever is no letter.
func wordsOf(name string) []string { return notLetters.Split(strings.ToLower(name), -1) }

// imageWords are those of the last part of an image's name.
func imageWords(image string) []string {
	image, _, _ = strings.Cut(image[strings.LastIndex(image, "/")+1:], "@")
	image, _, _ = strings.Cut(image, ":")
	return wordsOf(image)
}

// rank is the place of the first of these words that a name has, or their number.
func rank(words, these []string) int {
	best := len(these)
	for _, word := range words {
		if at := slices.Index(these, word); at >= 0 && at < best {
			best = at
		}
	}
	return best
}

func has(words, these []string) bool { return rank(words, these) < len(these) }

// answers finds where a service answers; a port of 0 says that it does not.
func answers(folder string, name string, definition types.ServiceConfig) service {
	found := service{name: name, words: wordsOf(name)}
	published := map[int]int{}
	for _, one := range definition.Ports {
		if host, _, _ := strings.Cut(one.Published, "-"); one.Protocol != "udp" && !slices.Contains(notHTTP, int(one.Target)) {
			port, err := strconv.Atoi(host)
			if err != nil {
				port = int(one.Target)
			}
			if slices.Contains(notHTTP, port) && !slices.Contains(likely, int(one.Target)) {
				continue
			}
			if _, twice := published[int(one.Target)]; !twice || likelihood(port) < likelihood(published[int(one.Target)]) {
				published[int(one.Target)] = port
			}
		}
	}
	targets := slices.SortedFunc(maps.Keys(published), func(a, b int) int {
		return cmp.Or(cmp.Compare(likelihood(published[a]), likelihood(published[b])), cmp.Compare(likelihood(a), likelihood(b)))
	})
	if len(targets) > 0 {
		// Of ports without a difference, the first in the file.
		best := targets[0]
		for _, one := range definition.Ports {
			if host, ok := published[int(one.Target)]; ok && one.Protocol != "udp" && likelihood(host) == likelihood(published[best]) && likelihood(int(one.Target)) == likelihood(best) {
				best = int(one.Target)
				break
			}
		}
		found.port, found.host = best, published[best]
		found.ownTLS = found.host != 443 && slices.Contains(slices.Collect(maps.Values(published)), 443) && has(imageWords(definition.Image), edges)
		return found
	}
	found.port = inside(folder, definition)
	return found
}

// inside is the port of a service that publishes none.
func inside(folder string, definition types.ServiceConfig) int {
	var all []int
	for _, one := range definition.Expose {
		number, protocol, _ := strings.Cut(one, "/")
		if port, err := strconv.Atoi(number); err == nil && protocol != "udp" && !slices.Contains(notHTTP, port) {
			all = append(all, port)
		}
	}
	for _, label := range slices.Sorted(maps.Keys(definition.Labels)) {
		if port, err := strconv.Atoi(definition.Labels[label]); err == nil && traefikPort.MatchString(label) {
			all = append(all, port)
		}
	}
	if value := definition.Environment["VIRTUAL_PORT"]; value != nil {
		if port, err := strconv.Atoi(*value); err == nil {
			all = append(all, port)
		}
	}
	if len(all) > 0 {
		return slices.MinFunc(all, func(a, b int) int { return cmp.Compare(likelihood(a), likelihood(b)) })
	}
	if definition.Build == nil {
		words := imageWords(definition.Image)
		if len(words) != 1 {
			return 0
		}
		return official[words[0]]
	}
	// What is built from elsewhere is none of the app's files.
	context, err := filepath.Rel(folder, definition.Build.Context)
	if err != nil {
		return 0
	}
	text := []byte(definition.Build.DockerfileInline)
	if len(text) == 0 {
		if text, err = readIn(folder, filepath.Join(context, cmp.Or(definition.Build.Dockerfile, "Dockerfile"))); err != nil {
			return 0
		}
	}
	for _, match := range exposed.FindAllSubmatch(text, -1) {
		if port, _ := strconv.Atoi(string(match[1])); !slices.Contains(notHTTP, port) {
			return port
		}
	}
	return 0
}

// routes maps / to the service that is most likely the entry, and /api/ to one that is named so. Where the compose file
// publishes ports of services, those are the ones that it wants to be reached.
func (s *Settings) routes(folder string, model *compose.Model, source *compose.Source, plan *release.Plan) error {
	order := source.Services()
	var all, stores []service
	for _, name := range slices.Sorted(maps.Keys(model.Project.Services)) {
		definition := model.Project.Services[name]
		one := answers(folder, name, definition)
		if one.order = slices.Index(order, name); one.order < 0 {
			one.order = len(order)
		}
		switch {
		case slices.Contains(plan.Stores, name):
			stores = append(stores, webStore(one, definition)...)
		case one.port > 0:
			all = append(all, one)
		}
	}
	if len(all) == 0 {
		all = stores
	}
	if len(all) == 0 {
		return s.unrouted(model, plan)
	}
	entry := s.entry(model, all)
	s.Routes = []config.Route{{Path: "/", Service: entry.name, Port: entry.port}}
	public := slices.DeleteFunc(slices.Clone(all), func(one service) bool {
		return one.name == entry.name || one.host == 0 && entry.host != 0 || !has(one.words, apis) || has(one.words, tools)
	})
	var api service
	if len(public) > 0 && !has(entry.words, proxies) {
		api = slices.MinFunc(public, func(a, b service) int {
			return cmp.Or(cmp.Compare(rank(a.words, apis), rank(b.words, apis)), cmp.Compare(a.order, b.order))
		})
		s.Routes = append(s.Routes, config.Route{Path: "/api/", Service: api.name, Port: api.port})
	}
	for _, one := range all {
		if one.name != entry.name && one.name != api.name {
			s.Unrouted = append(s.Unrouted, fmt.Sprintf("%s:%d", one.name, one.port))
		}
	}
	return nil
}

// entry is the service that visitors most likely use: one that is published, on 80 before all; no mail catcher and no
// way into a database where there is another; by its name, by its port, and as the first in the file. Of a proxy that ends TLS
// itself, what is behind it: nginx of the server is in its place.
func (s *Settings) entry(model *compose.Model, all []service) service {
	aside := func(one service) int {
		words := slices.Concat(one.words, imageWords(model.Project.Services[one.name].Image))
		switch {
		case has(words, tools):
			return 2
		case has(words, watchers):
			return 1
		}
		return 0
	}
	isFalse := func(is bool) int {
		if is {
			return 0
		}
		return 1
	}
	better := func(a, b service) int {
		return cmp.Or(
			cmp.Compare(isFalse(a.host > 0), isFalse(b.host > 0)),
			cmp.Compare(aside(a), aside(b)),
			cmp.Compare(isFalse(a.host == 80), isFalse(b.host == 80)),
			cmp.Compare(isFalse(!has(a.words, apis) || has(a.words, frontends)), isFalse(!has(b.words, apis) || has(b.words, frontends))),
			cmp.Compare(rank(a.words, frontends), rank(b.words, frontends)),
			cmp.Compare(likelihood(cmp.Or(a.host, a.port)), likelihood(cmp.Or(b.host, b.port))),
			cmp.Compare(a.order, b.order), strings.Compare(a.name, b.name))
	}
	first := slices.MinFunc(all, better)
	behind := slices.DeleteFunc(slices.Clone(all), func(one service) bool { return one.name == first.name || aside(one) > 0 })
	if first.ownTLS && len(behind) > 0 {
		return slices.MinFunc(behind, better)
	}
	return first
}

// webStore is a service that keeps data and has pages of its own, none for another.
func webStore(one service, definition types.ServiceConfig) []service {
	for _, word := range imageWords(definition.Image) {
		port, ok := webStores[word]
		if !ok {
			continue
		}
		for _, published := range definition.Ports {
			if int(published.Target) == port {
				one.port, one.host = port, port
			}
		}
		if one.port > 0 {
			return []service{one}
		}
	}
	return nil
}

// unrouted says why no route can be guessed.
func (s *Settings) unrouted(model *compose.Model, plan *release.Plan) error {
	project := model.Project
	if len(project.Services) == 0 && len(project.DisabledServices) > 0 {
		first := slices.Sorted(maps.Keys(project.DisabledServices))[0]
		profiles := project.DisabledServices[first].Profiles
		return &Unguessed{
			Reason: fmt.Sprintf("every service of %s runs only with a profile (%s with %s), and none is on", s.ComposeFiles[0], first, strings.Join(profiles, ", ")),
			Say:    "environment.COMPOSE_PROFILES=" + profiles[0],
		}
	}
	if len(plan.Stores) > 0 && len(plan.Stores) == len(project.Services) {
		return &Unguessed{
			Reason: fmt.Sprintf("the services of %s hold data (%s), and none of them has pages for visitors, so no route can be guessed", s.ComposeFiles[0], strings.Join(plan.Stores, ", ")),
			Say:    "routes=" + plan.Stores[0] + ":80",
		}
	}
	return &Unguessed{
		Reason: fmt.Sprintf("no service of %s says on which port it answers (ports:, expose:, or EXPOSE in its Dockerfile), so no route can be guessed; its services: %s",
			s.ComposeFiles[0], strings.Join(slices.Sorted(maps.Keys(project.Services)), ", ")),
		Say: "routes=web:80",
	}
}
