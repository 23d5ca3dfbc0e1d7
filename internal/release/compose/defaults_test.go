package compose

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultsAreBelowTheStacksVariables(t *testing.T) {
	all, err := Defaults([]byte("# made by us\nVERSION=1.2\nexport RETRIES=3\nDB='postgres'\nURL=\"http://${HOST}:${PORT:-80}/\"\nMINE=theirs\nKEY=\"one\ntwo\"\nCOMPOSE_PROFILES=web,db\nDOCKER_IMAGE_BACKEND=x\nNODE_ENV=production\n"),
		map[string]string{"MINE": "mine", "HOST": "h"})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"VERSION": "1.2", "RETRIES": "3", "DB": "postgres", "URL": "http://h:80/", "MINE": "mine", "HOST": "h", "KEY": "one\ntwo",
		"COMPOSE_PROFILES": "web,db", "DOCKER_IMAGE_BACKEND": "x", "NODE_ENV": "production"}, all)
	_, err = Defaults([]byte("A=1\nnot a variable!\n"), nil)
	require.ErrorContains(t, err, "the committed .env is not one that Compose can read: ")
}

// TestTheRepositoryDoesNotSpeakToTheServersPrograms: Compose makes its env file's variables those of what it runs.
func TestTheRepositoryDoesNotSpeakToTheServersPrograms(t *testing.T) {
	for _, name := range strings.Fields(`COMPOSE_FILE COMPOSE_PROJECT_NAME COMPOSE_ENV_FILES DOCKER_HOST DOCKER_CONFIG DOCKER_CONTEXT DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND BUILDKIT_HOST BUILDX_CONFIG
		LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GIT_SSH_COMMAND GIT_CONFIG_COUNT SSH_ASKPASS SSL_CERT_FILE HTTP_PROXY https_proxy no_proxy GODEBUG OTEL_EXPORTER_OTLP_ENDPOINT PATH HOME BASH_ENV ENV XDG_CONFIG_HOME TMPDIR`) {
		all, err := Defaults([]byte(name+"=x\n"), nil)
		require.NoError(t, err)
		assert.Empty(t, all, name)
		all, err = Defaults([]byte(name+"=x\n"), map[string]string{name: "the operator's"})
		require.NoError(t, err)
		assert.Equal(t, map[string]string{name: "the operator's"}, all)
	}
}

// TestTheStacksVariablesStandInForEnvFiles that git leaves on the laptop.
func TestTheStacksVariablesStandInForEnvFiles(t *testing.T) {
	given := map[string]string{"A": "it's $5"}
	load := func(service string, files map[string]string, variables map[string]string) (*Model, document) {
		files["deploy/compose.yaml"] = "services: {web: {image: x, " + service + "}}\n"
		model, err := Load(t.Context(), checkout(t, files), []string{"deploy/compose.yaml"}, variables, nil)
		require.NoError(t, err, service)
		return model, read(t, model)
	}
	for _, file := range []string{".env", "../.env", ".db.env", ".env.prod", "config/web.env", ".envs/.production/.django"} {
		model, d := load("env_file: [\""+file+"\"]", map[string]string{}, given)
		assert.Len(t, model.StandIns["web"], 1, file)
		assert.Empty(t, model.Absent, file)
		assert.Equal(t, "it's $$5", d.variable("web", "A"), file)
	}
	model, d := load("env_file: [.env, .db.env]", map[string]string{"deploy/.env": "A=old\nB=1\n"}, map[string]string{"A": "new", "B": "1"})
	assert.Equal(t, map[string][]string{"web": {"deploy/.db.env"}}, model.StandIns, "the committed one has the stack's values, too")
	assert.Equal(t, "new", d.variable("web", "A"))
	model, d = load("env_file: [{path: .env, required: false}]", map[string]string{}, given)
	assert.Empty(t, model.StandIns, "it need not be there")
	assert.Equal(t, "unset", d.variable("web", "A"))
	for service, variables := range map[string]map[string]string{"env_file: [settings.txt, .environment]": given, "env_file: .env": nil, "label_file: labels": given, "env_file: ../gone/app.conf": given} {
		model, _ = load(service, map[string]string{}, variables)
		assert.NotEmpty(t, model.Absent["web"], service)
		assert.Empty(t, model.StandIns, service)
	}
}
