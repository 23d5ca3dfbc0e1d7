package faults

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

// resource is one of Pulumi's state.
type resource struct {
	URN, Type, ID string
	Inputs        map[string]any
}

// recoverPending does what docs/runbook/interrupted.md says where Pulumi asked AWS for something and was killed before it
// heard the answer: what AWS has is handed to it by its id, the rest is forgotten. It gives the names of what AWS had.
func recoverPending(t *testing.T, r *harness.Rehearsal) (names []string) {
	t.Helper()
	exported, err := r.TryOutput("shell", "--", "pulumi", "stack", "export")
	require.NoError(t, err, exported)
	var state struct {
		Deployment struct {
			Resources  []resource
			Operations []struct {
				Resource resource
				Type     string
			} `json:"pending_operations"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(exported), &state), exported)
	if len(state.Deployment.Operations) == 0 {
		return nil
	}
	known := map[string]bool{}
	for _, one := range state.Deployment.Resources {
		known[one.Type+" "+one.ID] = true
	}
	account := r.Account().Resources
	var found []string
	for _, operation := range state.Deployment.Operations {
		if operation.Type != "creating" {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(account)) {
			one := account[key]
			if one.Type != operation.Resource.Type || known[one.Type+" "+one.ID] || !same(operation.Resource.Inputs, one.Inputs) {
				continue
			}
			known[one.Type+" "+one.ID] = true
			urn := operation.Resource.URN
			name := urn[strings.LastIndex(urn, "::")+2:]
			names, found = append(names, name), append(found, name+"="+one.ID)
			break
		}
	}
	if len(found) > 0 {
		r.Run(append([]string{"shell", "--", r.Recover()}, found...)...)
	}
	r.Run("shell", "--", "pulumi", "refresh", "--yes", "--clear-pending-creates")
	return names
}

// same says whether AWS was asked for just this, as far as can be seen: Pulumi adds keys of its own, and what is secret is
// encrypted.
func same(asked, has map[string]any) bool {
	for name, value := range asked {
		object, _ := value.(map[string]any)
		_, secret := object["ciphertext"]
		if !secret && !strings.HasPrefix(name, "__") && !reflect.DeepEqual(value, has[name]) {
			return false
		}
	}
	return true
}
