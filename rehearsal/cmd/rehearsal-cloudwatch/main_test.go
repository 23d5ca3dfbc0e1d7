package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
	"berth/rehearsal/cloudwatch"
)

func TestAlarmsAreLookedAtWithoutACall(t *testing.T) {
	account, state := t.TempDir(), t.TempDir()
	text, err := json.Marshal(aws.Account{Number: "123456789012", Resources: map[string]*aws.Resource{"x": {
		Type: aws.AlarmType, ID: "memory", Outputs: map[string]any{
			"arn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:memory", "evaluationPeriods": 1, "treatMissingData": "breaching",
		},
	}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(account, "aws.json"), text, 0o600))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	service := cloudwatch.New(account, state, time.Minute)
	go func() { ended <- serve(ctx, listener, service, 10*time.Millisecond) }()

	response, err := http.Get("http://" + listener.Addr().String() + "/")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
	assert.Eventually(t, func() bool {
		states, err := service.States()
		return err == nil && states["memory"].State == "ALARM"
	}, 5*time.Second, 10*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
}
