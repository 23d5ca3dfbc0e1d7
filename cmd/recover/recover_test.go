package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exported is a state with two pending creates of AWS's, a component's, and an update.
const exported = `{"version":3,"deployment":{"manifest":{"magic":"m"},"secrets_providers":{"type":"passphrase"},
 "resources":[{"urn":"urn:pulumi:production::berth::pulumi:pulumi:Stack::berth-production","custom":false,"type":"pulumi:pulumi:Stack","big":12345678901234567890}],
 "pending_operations":[
  {"resource":{"urn":"urn:pulumi:production::berth::berth:infra:Network$aws:ec2/vpc:Vpc::vpc","custom":true,"type":"aws:ec2/vpc:Vpc","inputs":{"cidrBlock":"10.20.0.0/16","__defaults":[],"secret":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"x"}},"parent":"p"},"type":"creating"},
  {"resource":{"urn":"urn:pulumi:production::berth::berth:infra:Backups::backups","custom":false,"type":"berth:infra:Backups"},"type":"creating"},
  {"resource":{"urn":"urn:pulumi:production::berth::aws:ec2/eip:Eip::elastic-ip","custom":true,"type":"aws:ec2/eip:Eip","inputs":{}},"type":"creating"},
  {"resource":{"urn":"urn:pulumi:production::berth::aws:ec2/subnet:Subnet::subnet","custom":true,"id":"subnet-1","type":"aws:ec2/subnet:Subnet","inputs":{}},"type":"updating"}]}}`

func TestWhatAWSHasBecomesAResource(t *testing.T) {
	found, err := read([]byte(exported))
	require.NoError(t, err)
	require.NoError(t, found.recover(map[string]string{"vpc": "vpc-0123456789abcdef0"}))
	text, err := found.write()
	require.NoError(t, err)
	assert.JSONEq(t, `{"version":3,"deployment":{"manifest":{"magic":"m"},"secrets_providers":{"type":"passphrase"},
 "resources":[{"urn":"urn:pulumi:production::berth::pulumi:pulumi:Stack::berth-production","custom":false,"type":"pulumi:pulumi:Stack","big":12345678901234567890},
  {"urn":"urn:pulumi:production::berth::berth:infra:Network$aws:ec2/vpc:Vpc::vpc","custom":true,"id":"vpc-0123456789abcdef0","type":"aws:ec2/vpc:Vpc","inputs":{"cidrBlock":"10.20.0.0/16","__defaults":[],"secret":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"x"}},"parent":"p"}],
 "pending_operations":[
  {"resource":{"urn":"urn:pulumi:production::berth::berth:infra:Backups::backups","custom":false,"type":"berth:infra:Backups"},"type":"creating"},
  {"resource":{"urn":"urn:pulumi:production::berth::aws:ec2/eip:Eip::elastic-ip","custom":true,"type":"aws:ec2/eip:Eip","inputs":{}},"type":"creating"},
  {"resource":{"urn":"urn:pulumi:production::berth::aws:ec2/subnet:Subnet::subnet","custom":true,"id":"subnet-1","type":"aws:ec2/subnet:Subnet","inputs":{}},"type":"updating"}]}}`, string(text))
	assert.Contains(t, string(text), "12345678901234567890", "what is not read stays as it is")
}

func TestANameThatAWSWasNotAskedForIsRefused(t *testing.T) {
	for _, name := range []string{"volume", "subnet"} {
		found, err := read([]byte(exported))
		require.NoError(t, err)
		assert.ErrorContains(t, found.recover(map[string]string{name: "x-1"}), "recover "+name+": AWS was not asked for a resource of that name; list those that it was asked for: go run ./cmd/recover")
	}
}

// command runs recover with a pulumi command that exports a state and keeps what it imports.
func command(t *testing.T, state string, args ...string) (output, imported string, err error) {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "state.json"), []byte(state), 0o600))
	script := "#!/bin/sh\ncase \"$*\" in\n'stack export') cat " + folder + "/state.json ;;\n'stack import') cat >" + folder + "/imported.json ;;\n*) exit 1 ;;\nesac\n"
	require.NoError(t, os.WriteFile(filepath.Join(folder, "pulumi"), []byte(script), 0o700))
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	err = run(t.Context(), args, &out)
	text, _ := os.ReadFile(filepath.Join(folder, "imported.json"))
	return out.String(), string(text), err
}

func TestTheCommand(t *testing.T) {
	output, imported, err := command(t, exported)
	require.NoError(t, err)
	assert.Contains(t, output, "  vpc  aws:ec2/vpc:Vpc  {\"cidrBlock\":\"10.20.0.0/16\"}\n  elastic-ip  aws:ec2/eip:Eip  {}\n")
	assert.NotContains(t, output, "backups")
	assert.Empty(t, imported, "a look changes nothing")

	output, imported, err = command(t, exported, "vpc=vpc-1", "elastic-ip=eipalloc-1")
	require.NoError(t, err)
	assert.Contains(t, output, "Pulumi has elastic-ip, vpc.")
	assert.Contains(t, imported, `"id":"eipalloc-1"`)

	output, _, err = command(t, `{"version":3,"deployment":{"manifest":{}}}`)
	require.NoError(t, err)
	assert.Contains(t, output, "Pulumi has heard of everything")

	_, imported, err = command(t, exported, "vpc")
	require.ErrorContains(t, err, `read "vpc": it has the form name=id`)
	assert.Empty(t, imported)
	_, imported, err = command(t, exported, "nothing=x-1")
	require.Error(t, err)
	assert.Empty(t, imported)
	_, _, err = command(t, "no state")
	require.ErrorContains(t, err, "read the exported state")
}
