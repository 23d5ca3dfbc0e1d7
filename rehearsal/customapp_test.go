package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"berth/rehearsal/detect"
	"berth/rehearsal/stack"
)

func TestAnAppsSecretsStay(t *testing.T) {
	own := &customApp{}
	detected := func() *detect.Settings {
		return &detect.Settings{ComposeFiles: []string{"compose.yaml"}, Secrets: map[string]detect.Secret{
			"DB_PASSWORD": {Password: true}, "KEY": {}, "URL": {Before: "postgres://app:", After: "@db/app", Password: true},
		}}
	}
	own.take(detected(), nil)
	first := map[string]string{}
	for _, setting := range own.Settings {
		first[setting.Path] = setting.Value
	}
	assert.NotEmpty(t, own.Password)
	assert.Equal(t, own.Password, first["secrets.DB_PASSWORD"])
	assert.Equal(t, "postgres://app:"+own.Password+"@db/app", first["secrets.URL"])
	assert.NotEqual(t, own.Password, first["secrets.KEY"])

	later := detected()
	later.Secrets["ADMIN_PASSWORD"] = detect.Secret{Password: true}
	own.take(later, nil)
	for _, setting := range own.Settings {
		if before, ok := first[setting.Path]; ok {
			assert.Equal(t, before, setting.Value, setting.Path)
			continue
		}
		assert.Equal(t, stack.Setting{Path: "secrets.ADMIN_PASSWORD", Value: own.Password, Secret: true}, setting)
	}
}
