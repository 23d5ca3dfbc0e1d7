package provision

import (
	"encoding/json"
	"testing"

	"berth/provision/scripts"
	"github.com/itchyny/gojq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStates has a job that has run be neither broken nor started again, and what waits for one wait until it has ended.
func TestStates(t *testing.T) {
	program, err := scripts.Read("release/states.jq")
	require.NoError(t, err)
	query, err := gojq.Parse(program)
	require.NoError(t, err)
	code, err := gojq.Compile(query, gojq.WithVariables([]string{"$loops", "$steady", "$now", "$left", "$plan"}))
	require.NoError(t, err)
	for name, test := range map[string]struct{ policy, state, says, left string }{
		"a job that has run":         {"no", `"Status":"exited","ExitCode":0`, "", ""},
		"one that may be tried":      {"on-failure", `"Status":"exited","ExitCode":0`, "", ""},
		"a job that failed":          {"no", `"Status":"exited","ExitCode":3`, "broken job ended with exit code 3", ""},
		"a job at work":              {"no", `"Status":"running","StartedAt":"2020-01-01T00:00:00.5Z"`, "waiting job is at work, and others wait until it has ended", ""},
		"one of another release":     {"no", `"Status":"exited","ExitCode":3`, "", "first job"},
		"what has to run, and ended": {"unless-stopped", `"Status":"exited","ExitCode":0`, "waiting job ended with exit code 0", ""},
	} {
		var input any
		require.NoError(t, json.Unmarshal([]byte(`[{"Config":{"Labels":{"com.docker.compose.service":"job"}},"HostConfig":{"RestartPolicy":{"Name":"`+test.policy+`"}},"RestartCount":0,"State":{`+test.state+`}}]`), &input))
		plan := []any{map[string]any{"stateful": []any{"job"}, "stateless": []any{}, "routes": []any{}, "once": []any{"job"}}}
		result, ok := code.Run(input, 3, 2, 1800000000, test.left, plan).Next()
		if test.says == "" {
			assert.Falsef(t, ok, "%s: %v", name, result)
			continue
		}
		assert.Equal(t, test.says, result, name)
	}
}
