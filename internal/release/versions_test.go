package release

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
