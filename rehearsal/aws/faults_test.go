package aws

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (f *fixture) faults(faults ...Fault) {
	text, err := json.Marshal(faults)
	require.NoError(f.t, err)
	require.NoError(f.t, os.WriteFile(filepath.Join(f.dir, "faults.json"), text, 0o600))
}

func TestFaults(t *testing.T) {
	vpc := properties{"cidrBlock": "10.20.0.0/16"}
	t.Run("refused as often as it says, and then not", func(t *testing.T) {
		f := newFixture(t)
		f.faults(Fault{Operation: "create", Name: "vpc", Kind: "refuse", Error: "RequestLimitExceeded: Request limit exceeded.", Times: 2})
		for range 2 {
			_, err := f.create(vpcType, "vpc", vpc)
			require.EqualError(t, err, "RequestLimitExceeded: Request limit exceeded.")
		}
		_, err := f.create(vpcType, "other", vpc)
		require.NoError(t, err)
		_, err = f.create(vpcType, "vpc", vpc)
		require.NoError(t, err)
	})
	t.Run("always", func(t *testing.T) {
		f := newFixture(t)
		f.faults(Fault{Kind: "refuse", Error: "InternalError", Times: -1})
		for range 3 {
			_, err := f.create(vpcType, "vpc", vpc)
			require.EqualError(t, err, "InternalError")
		}
	})
	t.Run("late", func(t *testing.T) {
		f := newFixture(t)
		f.faults(Fault{Kind: "late", Seconds: 0.2})
		began := time.Now()
		_, err := f.create(vpcType, "vpc", vpc)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(began), 200*time.Millisecond)
	})
	for kind, done := range map[string]int{"hold": 0, "lose": 1} {
		t.Run("no answer: "+kind, func(t *testing.T) {
			f := newFixture(t)
			f.faults(Fault{Kind: kind})
			ctx, cancel := context.WithCancel(t.Context())
			answered := make(chan error)
			go func() {
				answered <- f.p.disturbed(ctx, "create", "vpc", func() error {
					_, err := f.create(vpcType, "vpc", vpc)
					return err
				})
			}()
			require.Eventually(t, func() bool {
				text, err := os.ReadFile(filepath.Join(f.dir, "faulted"))
				return err == nil && string(text) == kind+" create vpc\n"
			}, 10*time.Second, 10*time.Millisecond)
			cancel()
			assert.True(t, errors.Is(<-answered, context.Canceled))
			account, err := Read(f.dir)
			require.NoError(t, err)
			assert.Len(t, account.OfType(vpcType), done)
		})
	}
}
