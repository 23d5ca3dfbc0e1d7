package command

import (
	"os"
	"path/filepath"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/provider"
)

func TestLocalCommand(t *testing.T) {
	p, log := attached(t)
	folder, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	inputs := properties{
		"create": `pwd; cat; echo " $GREETING"; echo aside >&2`, "dir": folder, "stdin": "words",
		"environment": properties{"GREETING": "hello"}, "interpreter": []any{"/bin/sh", "-e", "-c"},
		"delete": `echo "$PULUMI_COMMAND_STDERR" > deleted`,
	}
	state, err := create(t, p, localURN, inputs)
	require.NoError(t, err)
	assert.Equal(t, folder+"\nwords hello", text(state, "stdout"))
	assert.Equal(t, "aside", text(state, "stderr"))
	assert.ElementsMatch(t, []string{folder, "words hello", "aside"}, log.lines(localURN))

	inputs["update"] = `echo "again: $PULUMI_COMMAND_STDERR"; echo new >&2`
	state, err = update(t, p, localURN, state, inputs)
	require.NoError(t, err)
	assert.Equal(t, "again: aside", text(state, "stdout"))

	require.NoError(t, remove(t, p, localURN, state))
	content, err := os.ReadFile(filepath.Join(folder, "deleted"))
	require.NoError(t, err)
	assert.Equal(t, "new\n", string(content))

	inputs["create"] = "false; true"
	_, err = create(t, p, localURN, inputs)
	assert.EqualError(t, err, "exit status 1: running \"false; true\":\n", "the interpreter's -e holds")
	assert.Zero(t, p.Connections())
}

func TestRun(t *testing.T) {
	for _, test := range []struct {
		name     string
		token    string
		args     properties
		stdout   string
		failures int
		err      string
	}{
		{"a command", "command:local:run", properties{"command": "echo $A", "environment": properties{"A": "b"}}, "b", 0, ""},
		{"a failure", "command:local:run", properties{"command": "echo no; exit 3"}, "", 0, "exit status 3: running \"echo no; exit 3\":\nno\n"},
		{"no command", "command:local:run", properties{}, "", 1, ""},
		{"files as outputs", "command:local:run", properties{"command": "true", "assetPaths": []any{"*"}}, "", 1, ""},
		{"another function", "command:local:walk", properties{}, "", 0, "knows command:local:run alone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args, err := provider.Marshal("args", propertyMap(test.args))
			require.NoError(t, err)
			response, err := New().Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: test.token, Args: args})
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Len(t, response.GetFailures(), test.failures)
			assert.Equal(t, test.stdout, response.GetReturn().GetFields()["stdout"].GetStringValue())
		})
	}
}
