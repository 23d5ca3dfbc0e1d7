package aws

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestInternets: no two rehearsals share a range, and what is no network is refused.
func TestInternets(t *testing.T) {
	taken := map[string]bool{}
	for internet := range Internets {
		for _, prefix := range []string{internet.Prefix(), internet.VPC()} {
			assert.False(t, taken[prefix], prefix)
			taken[prefix] = true
		}
	}
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(folder+"/internet", []byte("10.0.0.0/8\n"), 0o600))
	_, err := ReadInternet(folder)
	require.ErrorContains(t, err, "make rehearse-clean")
}
