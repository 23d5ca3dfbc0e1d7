package provision

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStates has a job that has run be neither broken nor started again, and what waits for one wait until it has ended.
func TestStates(t *testing.T) {
	for name, test := range map[string]struct{ policy, state, says, left string }{
		"a job that has run":         {"no", `"Status":"exited","ExitCode":0`, "", ""},
		"one that may be tried":      {"on-failure", `"Status":"exited","ExitCode":0`, "", ""},
		"a job that failed":          {"no", `"Status":"exited","ExitCode":3`, "broken job ended with exit code 3", ""},
		"a job at work":              {"no", `"Status":"running","StartedAt":"2020-01-01T00:00:00.5Z"`, "waiting job is at work, and others wait until it has ended", ""},
		"one of another release":     {"no", `"Status":"exited","ExitCode":3`, "", "first job"},
		"what has to run, and ended": {"unless-stopped", `"Status":"exited","ExitCode":0`, "waiting job ended with exit code 0", ""},
	} {
		input := `[{"Config":{"Labels":{"com.docker.compose.service":"job"}},"HostConfig":{"RestartPolicy":{"Name":"` + test.policy + `"}},"RestartCount":0,"State":{` + test.state + `}}]`
		said, err := runJQ(t, "states.jq", input, "-r", "--argjson", "loops", "3", "--argjson", "steady", "2", "--argjson", "now", "1800000000", "--arg", "left", test.left,
			"--argjson", "plan", `[{"stateful":["job"],"stateless":[],"routes":[],"once":["job"]}]`)
		require.NoError(t, err, said)
		assert.Equal(t, test.says, said, name)
	}
}

// TestACommandByHandIsNoState: nothing waits for deploy.sh run, and it raises no alarm.
func TestACommandByHandIsNoState(t *testing.T) {
	said, err := runJQ(t, "states.jq", `[{"Config":{"Labels":{"com.docker.compose.service":"web","com.docker.compose.oneoff":"True"}},"HostConfig":{"RestartPolicy":{"Name":""}},"RestartCount":0,
		"State":{"Status":"running","StartedAt":"2020-01-01T00:00:00Z","Health":{"Status":"unhealthy","Log":[]}}}]`,
		"-r", "--argjson", "loops", "3", "--argjson", "steady", "2", "--argjson", "now", "1800000000", "--arg", "left", "", "--argjson", "plan", `[{"stateful":[],"stateless":["web"],"routes":[],"once":[]}]`)
	require.NoError(t, err, said)
	assert.Empty(t, said)
}
