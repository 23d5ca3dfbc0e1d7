package release

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVersionsOfDatabasesAreReadFromReferences(t *testing.T) {
	for _, test := range [][3]string{
		{"postgres", "postgres:17", "Postgres 17"}, {"postgres", "postgres:16.4-alpine", "Postgres 16"}, {"postgres", "registry.example.com:5000/library/postgres:15@sha256:abc", "Postgres 15"},
		{"postgres", "pgvector/pgvector:pg17", "Postgres 17"}, {"postgres", "pgvector/pgvector:0.8.0-pg16", "Postgres 16"}, {"postgres", "timescale/timescaledb:2.17.2-pg16", "Postgres 16"},
		{"postgres", "timescale/timescaledb:latest", ""}, {"postgres", "postgis/postgis:17-3.5", "Postgres 17"}, {"postgres", "bitnami/postgresql:16.3.0", "Postgres 16"}, {"postgres", "postgres", ""},
		{"postgres", "supabase/postgres:15.1.1.78", "Postgres 15"}, {"postgres", "me/app:17", ""}, {"postgres", "postgres:latest", ""}, {"postgres", "pgvector/pgvector:0.8.0", ""},
		{"mysql", "mysql:8.4", "MySQL 8.4"}, {"mysql", "mysql:8", ""}, {"mysql", "mariadb:11.4.2-noble", "MariaDB 11.4"}, {"mysql", "mariadb:11", ""}, {"mysql", "percona/percona-server:8.0", "MySQL 8.0"},
	} {
		assert.Equal(t, test[2], series(test[0], test[1]), test[1])
	}
}

func TestAMajorUpgradeIsForeseen(t *testing.T) {
	s := newSource(t)
	compose := func(image string) string { return strings.Replace(sample, "postgres:17", image, 1) }
	first := s.commit("first", map[string]string{"compose.yaml": compose("postgres:16"), "web/Dockerfile": "FROM scratch\n", "init.sql": "SELECT 1;\n"})
	for image, said := range map[string]string{"postgres:17": "WARNING: database db goes from Postgres 16 to Postgres 17", "postgres:16.4": "", "postgres:latest": ""} {
		release, err := Make(t.Context(), s.cfg, s.repo, s.commit(image, map[string]string{"compose.yaml": compose(image)}))
		require.NoError(t, err)
		text, err := release.describe(t.Context(), s.cfg, s.repo, last{commit: first})
		require.NoError(t, err)
		if said == "" {
			assert.NotContains(t, text, "WARNING: database")
		} else {
			assert.Contains(t, text, said)
			assert.Contains(t, text, "--upgrade-database")
		}
	}
}

func TestAVolumeIsMountedWherePostgresKeepsItsData(t *testing.T) {
	for _, test := range []struct{ image, target, environment, problem string }{
		{"postgres:17", "/var/lib/postgresql/data", "", ""},
		{"postgres:17", "/var/lib/postgresql", "", "in a volume without a name"},
		{"postgres:17", "/var/lib/postgresql/", "", "in a volume without a name"},
		{"postgres:17", "/var/lib/postgresql", "PGDATA: /var/lib/postgresql/own", ""},
		{"postgres:18", "/var/lib/postgresql", "", ""},
		{"postgres:18-alpine", "/var/lib/postgresql/data", "", "it refuses to start so"},
		{"postgres:18", "/var/lib/postgresql/data", "PGDATA: /var/lib/postgresql/data/own", ""},
		{"bitnami/postgresql:17", "/var/lib/postgresql", "", ""},
		{"postgres:latest", "/var/lib/postgresql", "", ""},
	} {
		s := newSource(t)
		sha := s.commit("first", map[string]string{"compose.yaml": "services:\n  web: {image: \"web:1\"}\n  db: {image: \"" + test.image + "\", volumes: [\"pg:" + test.target + "\"], environment: {POSTGRES_PASSWORD: \"${P}\", " + test.environment + "}}\nvolumes: {pg: {}}\n"})
		_, err := Make(t.Context(), s.cfg, s.repo, sha)
		if test.problem == "" {
			require.NoError(t, err, test)
		} else {
			require.ErrorContains(t, err, test.problem)
		}
	}
}
