package release

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const withDatabase = `services:
  web:
    image: example/web:1
    command: [wait-for, "db:5432", --, serve]
    depends_on: {db: {condition: service_healthy}}
    environment:
      DATABASE_URL: postgres://app:${PASSWORD}@db:5432/app
      POSTGRES_DB: db
    healthcheck: {test: ["CMD", "true"]}
  worker:
    image: example/web:1
    links: ["db:database"]
    environment: [PGHOST=database]
  db:
    image: postgres:17
    environment: {POSTGRES_PASSWORD: "${PASSWORD}"}
    volumes: ["data:/var/lib/postgresql/data"]
volumes: {data: {}}
`

// TestExternalServices: a service that runs elsewhere has no container, and the others find it there.
func TestExternalServices(t *testing.T) {
	const host = "shop.rds.example.com"
	s := newSource(t)
	s.cfg.External = map[string]string{"db": host}
	files := map[string]string{"compose.yaml": withDatabase}
	sha := s.commit("external", files)
	release, err := Make(t.Context(), s.cfg, s.repo, sha)
	require.NoError(t, err)
	assert.Empty(t, release.Plan.Stateful)
	assert.Empty(t, release.Plan.Databases)
	assert.Equal(t, []string{"web", "worker"}, release.Plan.Stateless)
	assert.Contains(t, release.Plan.Document, "@"+host+":5432/app")
	assert.Contains(t, release.Plan.Document, `"PGHOST":"`+host+`"`)
	assert.Contains(t, release.Plan.Document, `"POSTGRES_DB":"db"`)
	assert.NotContains(t, release.Plan.Document, "postgres:17")
	text, err := release.describe(t.Context(), s.cfg, s.repo, last{})
	require.NoError(t, err)
	assert.Contains(t, text, "db is external, at "+host+": no container runs here, and the volumes of an earlier one stay; pointed there: web DATABASE_URL, worker PGHOST")
	assert.Contains(t, text, "compose.yaml:4: the command of web names db, which is external")
	assert.NotContains(t, text, "$secret")

	refused := func(reason string) {
		t.Helper()
		_, err := Make(t.Context(), s.cfg, s.repo, sha)
		require.ErrorContains(t, err, reason)
		require.NotContains(t, err.Error(), "$secret")
	}
	s.cfg.Environment = map[string]string{"PGHOST": "db"}
	s.cfg.Secrets["DATABASE_URL"] = "postgres://app:it's $secret@db/app"
	refused("the variable DATABASE_URL names db as a host, which is external [external-variable-named]; have it name " + host + ", with what is needed there: pulumi config set --secret --path berth:secrets.DATABASE_URL\n")
	refused("the variable PGHOST names db as a host, which is external [external-variable-named]; have it name " + host + ", with what is needed there: pulumi config set --path berth:environment.PGHOST VALUE")
	s.cfg.Environment, s.cfg.Secrets = nil, map[string]string{"PASSWORD": "it's $secret"}

	s.cfg.External["cache"] = host
	refused(`berth:external names service cache, which the compose file does not have [external-service-unknown]; take it out: pulumi config rm --path 'berth:external["cache"]'`)
	delete(s.cfg.External, "cache")

	sha = s.commit("shared", map[string]string{"compose.yaml": withDatabase, "compose.beside.yaml": "services:\n  beside:\n    image: example/beside:1\n    network_mode: service:db\n"})
	s.cfg.ComposeFiles = append(s.cfg.ComposeFiles, "compose.beside.yaml")
	refused("service beside uses a namespace or the volumes of db, which has no container here, since it is external [external-service-shared]")
	s.cfg.ComposeFiles = s.cfg.ComposeFiles[:1]

	sha = s.commit("no variable", map[string]string{"compose.yaml": "services:\n  web: {image: example/web:1}\n  db: {image: 'postgres:17'}\n"})
	release, err = Make(t.Context(), s.cfg, s.repo, sha)
	require.NoError(t, err)
	assert.Contains(t, release.Advice, "compose.yaml:3: no variable names "+host+", where external service db is; set the one by which the app finds it")
	s.cfg.Environment = map[string]string{"DATABASE": host}
	release, err = Make(t.Context(), s.cfg, s.repo, sha)
	require.NoError(t, err)
	assert.NotContains(t, release.Advice, "no variable names")
}
