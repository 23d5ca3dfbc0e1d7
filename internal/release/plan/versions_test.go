package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"
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
