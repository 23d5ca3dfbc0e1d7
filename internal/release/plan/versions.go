package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// ofPostgres matches the tags that name the version of Postgres beside a version of their own: pg17, 2.17-pg16.
	ofPostgres = regexp.MustCompile(`(?:^|[-_])pg(\d+)`)
	// leading matches the version that a tag begins with.
	leading = regexp.MustCompile(`^v?(\d+)(?:\.(\d+))?`)
	// ownVersion matches images whose tags begin with the version of Postgres, MySQL or MariaDB itself.
	ownVersion = regexp.MustCompile(`(^|/)(postgres|postgresql|postgis|mysql|mysql-server|mariadb|percona|percona-server)$`)
)

// nameAndTag splits an image's reference, without its digest.
func nameAndTag(reference string) (name, tag string) {
	reference, _, _ = strings.Cut(reference, "@")
	slash := strings.LastIndex(reference, "/")
	if colon := strings.LastIndex(reference, ":"); colon > slash {
		return reference[:colon], reference[colon+1:]
	}
	return reference, ""
}

// series is what versions of a database's server have in common that read the same data, by an image's reference: of Postgres the
// major version, of MySQL and MariaDB two numbers. It is "" where the reference does not tell.
func series(kind, reference string) string {
	name, tag := nameAndTag(strings.ToLower(reference))
	switch kind {
	case "postgres":
		if found := ofPostgres.FindStringSubmatch(tag); found != nil {
			return "Postgres " + found[1]
		}
		if found := leading.FindStringSubmatch(tag); found != nil && ownVersion.MatchString(name) {
			return "Postgres " + found[1]
		}
	case "mysql":
		product := "MySQL"
		if strings.Contains(name, "mariadb") {
			product = "MariaDB"
		}
		if found := leading.FindStringSubmatch(tag); found != nil && found[2] != "" && ownVersion.MatchString(name) {
			return fmt.Sprintf("%s %s.%s", product, found[1], found[2])
		}
	}
	return ""
}

// reference of the image that a service is pulled by, "" for one that is built.
func (p *Plan) reference(service string) string {
	for _, pull := range p.Pulls {
		if pull.Service == service {
			return pull.Reference
		}
	}
	return ""
}

// Upgrades warns of databases whose images have another version than those that run.
func (p *Plan) Upgrades(before *Plan) (lines []string) {
	if before == nil {
		return nil
	}
	for _, database := range p.Databases {
		if !slices.Contains(before.Stateful, database.Service) {
			continue
		}
		old, now := series(database.Kind, before.reference(database.Service)), series(database.Kind, p.reference(database.Service))
		if old == "" || now == "" || old == now {
			continue
		}
		lines = append(lines, fmt.Sprintf("WARNING: database %s goes from %s to %s. Where its server does not read the data that is there, as none of Postgres does, the release ends before anything stops. "+
			"To have the data moved by dump and restore, after that: sudo /opt/berth/deploy.sh deploy --upgrade-database; see docs/runbook/upgrade-the-database.md", database.Service, old, now))
	}
	return lines
}

// Misplaced are the problems of official Postgres images whose volume is not where they keep their data. Up to version 17 they declare
// a volume at /var/lib/postgresql/data, which hides what is mounted above it; from 18 on they refuse to start where something is
// mounted there. Source: docker-library/postgres, Dockerfile and docker-entrypoint.sh.
func (p *Plan) Misplaced() (problems []Problem) {
	const data = "/var/lib/postgresql/data"
	for _, database := range p.Databases {
		name, _ := nameAndTag(p.reference(database.Service))
		var major int
		if database.Kind != "postgres" || name != "postgres" && !strings.HasSuffix(name, "/library/postgres") {
			continue
		}
		if _, err := fmt.Sscanf(series("postgres", p.reference(database.Service)), "Postgres %d", &major); err != nil {
			continue
		}
		definition := p.Data.Services[database.Service]
		if environment, _ := definition["environment"].(map[string]any); environment["PGDATA"] != nil {
			continue
		}
		mounts := targets(definition)
		switch {
		case major >= 18 && slices.Contains(mounts, data):
			problems = append(problems, problem("postgres-data-elsewhere", keys("services", database.Service, "volumes"), "service %s mounts %s, where Postgres %d does not keep its data, and it refuses to start so; Fix: mount the volume at /var/lib/postgresql", database.Service, data, major).holding(data))
		case major < 18 && slices.Contains(mounts, "/var/lib/postgresql") && !slices.Contains(mounts, data):
			problems = append(problems, problem("postgres-data-unnamed-volume", keys("services", database.Service, "volumes"), "service %s mounts /var/lib/postgresql, but Postgres %d keeps its data in %s, in a volume without a name, which a new container does not get; Fix: mount the volume at %s", database.Service, major, data, data).holding("/var/lib/postgresql"))
		}
	}
	return problems
}

// targets are the paths at which a service mounts what it may write to.
func targets(definition object) (paths []string) {
	mounts, _ := definition["volumes"].([]any)
	for _, mount := range mounts {
		mount, _ := mount.(map[string]any)
		target, _ := mount["target"].(string)
		if mount["read_only"] != true {
			paths = append(paths, strings.TrimSuffix(target, "/"))
		}
	}
	return paths
}
