package plan

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
)

// Database is one that is dumped: by its own tools, or by the commands of berth:database.
type Database struct {
	Service string `json:"service"`
	Kind    string `json:"kind"`
}

// SQLite are volumes of a service in which files of SQLite may be.
type SQLite struct {
	Service string   `json:"service"`
	Volumes []string `json:"volumes"`
}

var (
	postgresPassword = regexp.MustCompile(`^(POSTGRES_PASSWORD|POSTGRES_PASSWORD_FILE|POSTGRES_HOST_AUTH_METHOD)$`)
	mysqlPassword    = regexp.MustCompile(`^(MYSQL|MARIADB)_(RANDOM_|ALLOW_EMPTY_)?(ROOT_)?PASSWORD$|^(MYSQL|MARIADB)_ROOT_PASSWORD_(FILE|HASH)$`)
	// placeOf is where a database of a kind keeps its files.
	placeOf = map[string]*regexp.Regexp{"postgres": regexp.MustCompile(`^/var/lib/(postgresql|pgsql)(/|$)`), "mysql": regexp.MustCompile(`^/var/lib/mysql(/|$)`)}
)

// kindByPassword is the kind of a database whose password a service has. Where all share an env file it is in everybody's
// environment.
func (s *Service) kindByPassword() string {
	kind := ""
	for name := range s.Environment {
		if postgresPassword.MatchString(name) {
			return "postgres"
		}
		if mysqlPassword.MatchString(name) && name != "MYSQL_PASSWORD" && name != "MARIADB_PASSWORD" {
			kind = "mysql"
		}
	}
	return kind
}

// servers are the programs of databases that have no password in the environment, by their kinds.
var servers = map[string]*regexp.Regexp{
	"redis": regexp.MustCompile(`\b(redis|valkey|keydb)-server\b`),
	"mongo": regexp.MustCompile(`\bmongod\b`),
}

// kindByProgram is the kind of a database that is built here, by the program that its container starts, or else by what it is built on.
func (p *planner) kindByProgram(name string) string {
	service := p.service(name)
	if service.Build == nil || !service.keeps() {
		return ""
	}
	base := p.baseOf(name, service)
	starts := base.starts
	definition := service.definition()
	for _, key := range []string{"entrypoint", "command"} {
		if own := definition[key]; own != nil {
			starts = fmt.Sprint(own)
		}
	}
	for _, kind := range sorted(servers) {
		if servers[kind].MatchString(starts) || starts == "" && kindByImage(base.image) == kind {
			return kind
		}
	}
	return ""
}

// keeps says whether a service has storage that stays when its container is removed. Without it there is nothing to restore.
func (s *Service) keeps() bool {
	return slices.ContainsFunc(s.Volumes, func(mount Mount) bool { return mount.named() || mount.Type == "bind" && !mount.ReadOnly })
}

// kindForSure is the kind of a database by its image, or by the place where it keeps its files.
func (s *Service) kindForSure() string {
	kind := kindByImage(s.Image)
	if kind == "redis" && !s.keeps() {
		return ""
	}
	if kind != "" {
		return kind
	}
	kind = s.kindByPassword()
	if kind != "" && slices.ContainsFunc(s.Volumes, func(mount Mount) bool { return placeOf[kind].MatchString(mount.Target) }) {
		return kind
	}
	return ""
}

// kindsOfDatabases are the kinds of the databases among persistent services, by name: where none of a kind is one for sure, a
// password tells, but no route points to a database.
func (p *planner) kindsOfDatabases() map[string]string {
	kinds, sure := map[string]string{}, map[string]bool{}
	for _, name := range p.Stateful {
		if kind := cmp.Or(p.service(name).kindForSure(), p.kindByProgram(name)); kind != "" {
			kinds[name], sure[kind] = kind, true
		}
	}
	for _, name := range p.Stateful {
		if kind := p.service(name).kindByPassword(); kinds[name] == "" && kind != "" && !sure[kind] && !p.routed(name) {
			kinds[name] = kind
		}
	}
	return kinds
}

// stores are the services that hold data in a format of their own, which an older version may not read: a rollback leaves it.
func (p *planner) stores(kinds map[string]string) []string {
	all := []string{}
	for _, name := range p.Stateful {
		service := p.service(name)
		image := service.Image
		if service.Build != nil {
			image = p.baseOf(name, service).image
		}
		if kinds[name] != "" || knownStore(image) || p.hasDatabase(name) {
			all = append(all, name)
		}
	}
	return all
}

func (p *planner) databases(kinds map[string]string) []Database {
	all := []Database{}
	for _, name := range sorted(kinds) {
		if !p.hasDatabase(name) {
			all = append(all, Database{name, kinds[name]})
		}
	}
	if p.Database != nil {
		all = append(all, Database{p.Database.Service, "command"})
	}
	return all
}

// sqlite are the volumes of what is no database of a known kind, each with the first service that has it.
func (p *planner) sqlite() []SQLite {
	ofStores, first := map[string]bool{}, map[string]string{}
	for _, name := range p.services {
		for _, mount := range p.service(name).Volumes {
			if !mount.named() && !p.dataBind(mount) {
				continue
			}
			volume := p.moved(mount.Source)
			if mount.Type == "volume" {
				volume = p.model.volumeName(mount.Source)
			}
			if p.isStore(name) {
				ofStores[volume] = true
			}
			if !mount.ReadOnly && !has(first, volume) {
				first[volume] = name
			}
		}
	}
	byService := map[string][]string{}
	for _, volume := range sorted(first) {
		if !ofStores[volume] {
			byService[first[volume]] = append(byService[first[volume]], volume)
		}
	}
	all := []SQLite{}
	for _, name := range sorted(byService) {
		all = append(all, SQLite{name, byService[name]})
	}
	return all
}

// unknownRoot is what makes the root password of MySQL or MariaDB unknown, "" if it is known: a random one takes
// precedence over any other.
func (s *Service) unknownRoot() string {
	first := func(names ...string) string {
		for _, name := range names {
			if asText(s.Environment[name]) != "" {
				return name
			}
		}
		return ""
	}
	if random := first("MYSQL_RANDOM_ROOT_PASSWORD", "MARIADB_RANDOM_ROOT_PASSWORD"); random != "" {
		return random
	}
	if first("MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD_FILE", "MYSQL_ROOT_PASSWORD_FILE") != "" {
		return ""
	}
	return first("MARIADB_ROOT_PASSWORD_HASH")
}
