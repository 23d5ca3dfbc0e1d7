package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/stack"
)

func TestKeep(t *testing.T) {
	before := func() []stack.Setting {
		return []stack.Setting{{Path: "instanceType", Value: "t3.small"}, {Path: "secrets.TOKEN", Value: "t", Secret: true}}
	}
	for name, c := range map[string]struct {
		words []string
		kept  []stack.Setting
	}{
		"nothing":                        {nil, before()},
		"another value":                  {[]string{"instanceType=t3.large"}, []stack.Setting{before()[1], {Path: "instanceType", Value: "t3.large"}}},
		"a secret by its name":           {[]string{"secrets.KEY=k", "deployKey=d"}, append(before(), stack.Setting{Path: "secrets.KEY", Value: "k", Secret: true}, stack.Setting{Path: "deployKey", Value: "d", Secret: true})},
		"a secret by its mark":           {[]string{"!environment.KEY=k"}, append(before(), stack.Setting{Path: "environment.KEY", Value: "k", Secret: true})},
		"a value of several words":       {[]string{"environment.HOSTS=app.example.test", "localhost", "web-", "tags.a=b"}, append(before(), stack.Setting{Path: "environment.HOSTS", Value: "app.example.test localhost web-"}, stack.Setting{Path: "tags.a", Value: "b"})},
		"taken back":                     {[]string{"instanceType-", "!secrets.TOKEN-"}, []stack.Setting{}},
		"a misspelt one taken back":      {[]string{"instancetype=t3.small", "instancetype-"}, before()},
		"an empty value stays":           {[]string{"environment.EMPTY="}, append(before(), stack.Setting{Path: "environment.EMPTY"})},
		"a name that ends with a hyphen": {[]string{"tags.a-=b"}, append(before(), stack.Setting{Path: "tags.a-", Value: "b"})},
	} {
		kept, err := keep(before(), c.words)
		require.NoError(t, err, name)
		assert.Equal(t, c.kept, kept, name)
	}
	for _, words := range [][]string{{"t3.small"}, {"instanceType-", "t3.small"}} {
		_, err := keep(before(), words)
		require.ErrorContains(t, err, `"t3.small" sets nothing`)
	}
}
