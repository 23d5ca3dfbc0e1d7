package release

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/itchyny/gojq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/provision/scripts"
)

// equalJQ fails where the server's jq makes another plan of the same model.
func equalJQ(t *testing.T, model, given, made map[string]any) {
	t.Helper()
	var want map[string]any
	runJQ(t, "release/plan.jq", []any{model, given}, &want)
	assert.Equal(t, want, made, "%v", model)
}

// equalTrust fails where the server's jq finds something else in the same model.
func equalTrust(t *testing.T, model string, given map[string]any, made []string) {
	t.Helper()
	var input any
	require.NoError(t, json.Unmarshal([]byte(model), &input))
	text, err := scripts.Read("release/allowed.json")
	require.NoError(t, err)
	var classes any
	require.NoError(t, json.Unmarshal([]byte(text), &classes))
	var found []struct{ Text string }
	runJQ(t, "release/trust.jq", []any{input, given, classes}, &found)
	for _, one := range found {
		assert.Contains(t, made, one.Text)
	}
}

// programs are the server's jq programs, compiled.
var programs sync.Map

func runJQ(t *testing.T, name string, input, result any) {
	t.Helper()
	code, known := programs.Load(name)
	if !known {
		program, err := scripts.Read(name)
		require.NoError(t, err)
		query, err := gojq.Parse(program)
		require.NoError(t, err)
		code, err = gojq.Compile(query)
		require.NoError(t, err)
		programs.Store(name, code)
	}
	value, _ := code.(*gojq.Code).Run(input).Next()
	require.NotImplements(t, (*error)(nil), value, fmt.Sprint(value))
	text, err := json.Marshal(value)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, result))
}
