package app

import (
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
		assert.Equal(t, c.line, source.Line(c.service, c.key), "%s %s", c.service, c.key)
	}
	for _, broken := range []string{"", "\t", "services: 3", "- a", "services:\n  web"} {
		assert.Zero(t, ReadSource([]byte(broken)).Line("web", "image"), broken)
		assert.Empty(t, ReadSource([]byte(broken)).Exposed(), broken)
	}
}

func TestExposed(t *testing.T) {
	assert.Equal(t, map[string]int{"web API_KEY": 4, "api API_KEY": 4, "api DATABASE_URL": 16, "db POSTGRES_PASSWORD": 26}, ReadSource([]byte(written)).Exposed())
}
