package command

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/provider"
)

func TestCheck(t *testing.T) {
	connection := properties{"host": "192.0.2.1"}
	file, err := asset.FromPath("provider_test.go")
	require.NoError(t, err)
	words, err := asset.FromText("words")
	require.NoError(t, err)
	for _, test := range []struct {
		name   string
		urn    string
		inputs properties
		want   []string
	}{
		{"a remote command", remoteURN, properties{"connection": connection, "create": "true", "triggers": []any{"a", 1.0}}, nil},
		{"no connection", remoteURN, properties{"create": "true"}, []string{"connection: missing required property"}},
		{"no host", remoteURN, properties{"connection": properties{}}, []string{"connection.host: missing required property"}},
		{"a misspelled property", remoteURN, properties{"connection": properties{"host": "x", "privatekey": "y"}},
			[]string{"connection.privatekey: unknown property; did you mean privateKey?"}},
		{"logging that is not known", remoteURN, properties{"connection": connection, "logging": "all"},
			[]string{`logging: "all" is none of stdout, stderr, stdoutAndStderr, none`}},
		{"a local command", localURN, properties{"create": "true", "interpreter": []any{"/bin/sh", "-ec"}}, nil},
		{"files as outputs", localURN, properties{"create": "true", "archivePaths": []any{"*"}},
			[]string{"archivePaths: the rehearsal's command stand-in does not have it"}},
		{"a copy", copyURN, properties{"connection": connection, "remotePath": "/tmp/x", "source": file}, nil},
		{"a copy of words", copyURN, properties{"connection": connection, "remotePath": "/tmp/x", "source": words},
			[]string{"source: it must be an asset or an archive by path: a FileAsset or a FileArchive"}},
		{"a copy of nothing", copyURN, properties{"connection": connection, "remotePath": "/tmp/x"},
			[]string{"source: it must be an asset or an archive by path: a FileAsset or a FileArchive"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			wire, err := provider.Marshal("news", propertyMap(test.inputs))
			require.NoError(t, err)
			response, err := New().Check(t.Context(), &pulumirpc.CheckRequest{Urn: test.urn, News: wire})
			require.NoError(t, err)
			var reasons []string
			for _, failure := range response.GetFailures() {
				reasons = append(reasons, failure.GetReason())
			}
			assert.Equal(t, test.want, reasons)
		})
	}
}

func TestUnknownKindIsRefused(t *testing.T) {
	_, err := New().Check(t.Context(), &pulumirpc.CheckRequest{Urn: "urn:pulumi:test::berth::command:remote:CopyFile::old"})
	assert.ErrorContains(t, err, "does not know command:remote:CopyFile")
}

func TestDiff(t *testing.T) {
	old := func(changes ...any) properties {
		inputs := properties{
			"connection": secret(properties{"host": "192.0.2.1", "privateKey": "a"}),
			"create":     "true", "stdin": secret("x"), "triggers": []any{"i-1", secret("hash")},
		}
		for i := 0; i < len(changes); i += 2 {
			inputs[changes[i].(string)] = changes[i+1]
		}
		return inputs
	}
	for _, test := range []struct {
		name     string
		news     properties
		ignored  []string
		diffs    []string
		replaces []string
	}{
		{"nothing", old(), nil, nil, nil},
		{"no longer a secret", old("stdin", "x"), nil, nil, nil},
		{"create", old("create", "false"), nil, []string{"create"}, nil},
		{"delete, though it does not run now", old("delete", "true"), nil, []string{"delete"}, nil},
		{"a rotated key", old("connection", secret(properties{"host": "192.0.2.1", "privateKey": "b"})), nil, []string{"connection"}, nil},
		{"a secret's value", old("stdin", secret("y")), nil, []string{"stdin"}, nil},
		{"an ignored change", old("stdin", secret("y")), []string{"stdin"}, nil, nil},
		{"a trigger", old("triggers", []any{"i-2", secret("hash")}), nil, []string{"triggers"}, []string{"triggers"}},
		{"one more trigger", old("triggers", []any{"i-1", secret("hash"), "x"}), nil, []string{"triggers"}, []string{"triggers"}},
		{"an unknown trigger", old("triggers", []any{resource.MakeComputed(resource.NewStringProperty("")), secret("hash")}), nil,
			[]string{"triggers"}, []string{"triggers"}},
		{"a trigger and more", old("triggers", []any{}, "create", "false"), nil, []string{"create", "triggers"}, []string{"triggers"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			olds, err := provider.Marshal("olds", propertyMap(old()))
			require.NoError(t, err)
			news, err := provider.Marshal("news", propertyMap(test.news))
			require.NoError(t, err)
			diff, err := New().Diff(t.Context(), &pulumirpc.DiffRequest{Urn: remoteURN, OldInputs: olds, News: news, IgnoreChanges: test.ignored})
			require.NoError(t, err)
			assert.Equal(t, test.diffs, diff.GetDiffs())
			assert.Equal(t, test.replaces, diff.GetReplaces())
			assert.Equal(t, len(test.diffs) > 0, diff.GetChanges() == pulumirpc.DiffResponse_DIFF_SOME)
			for _, name := range test.diffs {
				want := pulumirpc.PropertyDiff_UPDATE
				if name == "triggers" {
					want = pulumirpc.PropertyDiff_UPDATE_REPLACE
				}
				assert.Equal(t, want, diff.GetDetailedDiff()[name].GetKind())
			}
		})
	}
}

func TestReadGivesBackWhatIsKnown(t *testing.T) {
	state, err := provider.Marshal("state", propertyMap(properties{"stdout": secret("x")}))
	require.NoError(t, err)
	read, err := New().Read(t.Context(), &pulumirpc.ReadRequest{Id: "step1", Urn: remoteURN, Properties: state, Inputs: state})
	require.NoError(t, err)
	assert.Equal(t, "step1", read.GetId())
	assert.Equal(t, state, read.GetProperties())
}
