package main

import (
	"os"
	"os/exec"
	"path/filepath"
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
		"a value with a = in it":         {[]string{"environment.OPTIONS=-Da=b", "-Dc=d", "e/f=g"}, append(before(), stack.Setting{Path: "environment.OPTIONS", Value: "-Da=b -Dc=d e/f=g"})},
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

// TestSETIsTakenAsItIs: no quote, dollar or space in it means anything.
func TestSETIsTakenAsItIs(t *testing.T) {
	for text, want := range map[string][]stack.Setting{
		"": {},
		`  environment.A=it's  "two" $HOME $(id) #1	tab  secrets.B=x'y `: {
			{Path: "environment.A", Value: `it's  "two" $HOME $(id) #1	tab`}, {Path: "secrets.B", Value: "x'y", Secret: true},
		},
		"acmeRoots=-----BEGIN X-----\nAAAA\n-----END X-----\n tags.a=b": {
			{Path: "acmeRoots", Value: "-----BEGIN X-----\nAAAA\n-----END X-----"}, {Path: "tags.a", Value: "b"},
		},
		`!environment.C=' tags.a=\`: {{Path: "environment.C", Value: "'", Secret: true}, {Path: "tags.a", Value: `\`}},
	} {
		kept, err := keep([]stack.Setting{}, words(text))
		require.NoError(t, err, text)
		assert.Equal(t, want, kept, text)
	}
}

// TestMakeHandsSETOnAsItIs runs the Makefile with a program in the rehearsal's place.
func TestMakeHandsSETOnAsItIs(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "rehearsal"), []byte("#!/bin/sh\nprintf '%s' \"$BERTH_SET\"\n"), 0o700))
	ran := filepath.Join(folder, "ran")
	for _, set := range []string{`environment.A=it's "two" $HOME $(shell touch ` + ran + `) $$ #1  100%`, "'", `"`, "a=b tags.c-"} {
		for _, args := range [][]string{{"rehearse", "SET=" + set}, {"rehearse-status", "SET=" + set}, {"rehearse-ssh"}} {
			command := exec.CommandContext(t.Context(), "make", append([]string{"--no-print-directory", "-C", "..", "-o", "machine", "-o", "tools", "-o", "stage", "BIN=" + folder}, args...)...)
			if len(args) == 1 {
				command.Env = append(os.Environ(), "SET="+set)
			}
			output, err := command.Output()
			require.NoError(t, err, set)
			assert.Equal(t, set, string(output), args)
			assert.NoFileExists(t, ran, "make ran what is in it")
		}
	}
}
