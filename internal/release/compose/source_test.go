package compose

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const written = `x-common: &common
  restart: always
  environment: &shared
    API_KEY: made-up

services:
  web:
    <<: *common
    image: nginx:1
    ports: ["80:80"]
  api:
    build: .
    environment:
      <<: *shared
      SITE_KEY: public
      DATABASE_URL: postgres://app:hunter2@db/app
      SAFE_URL: postgres://app:${PASSWORD}@db/app
      TOKEN: ${TOKEN}
      SECRET: ${SECRET:?is not set}
      PASSWORD_FILE: /run/secrets/password
      EMPTY_PASSWORD: ""
      GREETING: hello
  db:
    image: postgres
    environment:
      - POSTGRES_PASSWORD=${PASSWORD:-postgres}
      - POSTGRES_USER=app
`

func TestLine(t *testing.T) {
	source := ReadSource([]byte(written))
	for _, c := range []struct {
		service, key string
		line         int
	}{
		{"web", "image", 9}, {"web", "restart", 2}, {"web", "healthcheck", 7}, {"db", "image", 24}, {"gone", "image", 0},
	} {
		assert.Equal(t, Place{0, c.line}, source.At("services", c.service, c.key), "%s %s", c.service, c.key)
	}
	for _, broken := range []string{"", "\t", "services: 3", "- a", "services:\n  web"} {
		assert.Zero(t, ReadSource([]byte(broken)).At("services", "web", "image").Line, broken)
		assert.Empty(t, ReadSource([]byte(broken)).Exposed(nobody), broken)
	}
}

func TestExposed(t *testing.T) {
	assert.Equal(t, []Exposure{{"web", "API_KEY", "API_KEY", Place{0, 4}, false}, {"api", "API_KEY", "API_KEY", Place{0, 4}, false}, {"api", "DATABASE_URL", "DATABASE_URL", Place{0, 16}, true}, {"db", "POSTGRES_PASSWORD", "PASSWORD", Place{0, 26}, false}},
		ReadSource([]byte(written)).Exposed(nobody))
	assert.Len(t, ReadSource([]byte(written)).Exposed(func(name string) bool { return name == "PASSWORD" }), 3, "the default of what is set is never taken")
	assert.Equal(t, []Exposure{{"app", "DATABASE_URL", "DB_PASS", Place{0, 2}, true}, {"app", "PGPASSWORD", "DB_PASSWORD", Place{0, 2}, false}, {"app", "DB_PASS", "DB_PASS", Place{0, 2}, false}, {"db", "POSTGRES_PASSWORD", "DB_PASS", Place{0, 3}, false}},
		ReadSource([]byte("services:\n  app: {environment: {DATABASE_URL: \"postgres://app:hunter2@db/app\", PGPASSWORD: \"${DB_PASSWORD:-x}\", DB_PASS: hunter2}}\n  db: {environment: {POSTGRES_PASSWORD: hunter2}}\n")).Exposed(nobody),
		"what is the same stays the same")
}

func nobody(string) bool { return false }

// TestFlagsAreNoSecrets: what says whether there is a password is none.
func TestFlagsAreNoSecrets(t *testing.T) {
	for _, variable := range strings.Fields(`MYSQL_RANDOM_ROOT_PASSWORD=1 MYSQL_RANDOM_ROOT_PASSWORD=yes MYSQL_RANDOM_ROOT_PASSWORD=please MARIADB_RANDOM_ROOT_PASSWORD=true MYSQL_ALLOW_EMPTY_PASSWORD=1
		MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=Yes ALLOW_EMPTY_PASSWORD=yes MYSQL_ONETIME_PASSWORD=1 SHOW_PASSWORD=false REQUIRE_TOKEN=1 DISABLE_API_KEY=0 USE_SECRET=on VAULT_TOKEN=none GENERATE_JWT_SECRET=1 POSTGRES_PASSWORD_FILE=/run/secrets/p`) {
		name, value, _ := strings.Cut(variable, "=")
		for _, environment := range []string{name + ": \"" + value + "\"", "[\"" + variable + "\"]"} {
			if !strings.HasPrefix(environment, "[") {
				environment = "{" + environment + "}"
			}
			assert.Empty(t, ReadSource([]byte("services:\n  db:\n    environment: "+environment+"\n")).Exposed(nobody), environment)
		}
	}
	for _, variable := range strings.Fields("MYSQL_ROOT_PASSWORD=1 PASSWORD=0 DB_PASSWORD=truest MY_RANDOM_SECRET=x USE_TOKEN=abc MYSQL_PASSWORD=yes-1 RANDOM_ROOT_TOKEN=k") {
		assert.Len(t, ReadSource([]byte("services:\n  db:\n    environment: [\""+variable+"\"]\n")).Exposed(nobody), 1, variable)
	}
}

func TestGaps(t *testing.T) {
	have := func(name string) bool { return name == "TOKEN" }
	assert.Equal(t, []Gap{{Service: "api", Name: "PASSWORD", At: Place{0, 17}}, {Service: "api", Name: "SECRET", At: Place{0, 19}, Required: true}}, ReadSource([]byte(written)).Gaps(have), "what has a default is none")
	text := `x-all: &all {command: "serve $PORT"}
services:
  web:
    <<: *all
    image: "web:${TAG}"
    environment: [PASSED, GIVEN=1, "PRICE=$$COST", "URL=http://${HOST:-db}/${NAME}", "A=${TAG}", "B=${C:+x}", "D=${COMPOSE_PROJECT_NAME}", "${TAG}"]
  api:
    image: api
    environment: {ALSO_PASSED: , EMPTY: ""}
  tool: {image: "tool:${NEVER}", profiles: [tools]}
`
	assert.Equal(t, []Gap{
		{Service: "web", Name: "PORT", At: Place{0, 1}}, {Service: "web", Name: "TAG", At: Place{0, 5}}, {Service: "web", Name: "NAME", At: Place{0, 6}},
		{Service: "web", Name: "PASSED", At: Place{0, 6}, Passed: true}, {Service: "api", Name: "ALSO_PASSED", At: Place{0, 9}, Passed: true},
	}, ReadSource([]byte(text)).Gaps(have))
	assert.Len(t, ReadSource([]byte(text)).Gaps(have, "debug", "tools"), 6, "a profile that runs")
	assert.Equal(t, []Gap{{Service: "", Name: "OUT", At: Place{0, 2}}, {Service: "", Name: "IN", At: Place{0, 3}, Required: true}},
		ReadSource([]byte("services: {web: {image: x}}\nnetworks: {out: {name: \"${OUT}\"}}\nsecrets: {s: {file: \"${IN?no}/s\"}}\n")).Gaps(have), "beside the services")
	for _, broken := range []string{"", "\t", "services: 3", "- a", "services:\n  web", "services: {web: }"} {
		assert.Empty(t, ReadSource([]byte(broken)).Gaps(have), broken)
	}
}

// TestASourceWithoutBoundsIsNone: before Compose has refused it, its aliases are not followed.
func TestASourceWithoutBoundsIsNone(t *testing.T) {
	for _, text := range []string{
		"x-a: &a\n  b: *a\nservices: {web: {image: x, x-l: *a}}\n", "services: &s\n  web: {image: x, deploy: *s}\n", "services: {web: &w {environment: {<<: *w}}}\n",
		"x-a: &a [1,1,1,1,1,1,1,1,1]\n" + bomb() + "services: {web: {image: x, command: *j}}\n",
	} {
		source := ReadSource([]byte(text))
		assert.Empty(t, source.Gaps(nobody), text)
		assert.Empty(t, source.Services(), text)
		assert.Zero(t, source.At("services", "web", "deploy"), text)
	}
	assert.NotEmpty(t, ReadSource([]byte("x-a: &a {A: \"${B}\"}\nservices: {web: {environment: *a}, api: {environment: *a}}\n")).Gaps(nobody))
}
