package tests

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/tests/harness"
)

func replacedInstance(t *testing.T, s scene) {
	r, site, account := s.r, s.site, s.account
	before := account.Only("aws:ec2/instance:Instance").ID
	serial := site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").TLS.PeerCertificates[0].SerialNumber
	output := r.Run("up", "--set", "ami="+harness.OtherAMI)
	assert.NotEqual(t, before, r.Account().Only("aws:ec2/instance:Instance").ID)
	assert.Contains(t, harness.Changed(output), "volume")
	site.Client.CloseIdleConnections()
	assert.Contains(t, site.Notes(), kept)
	assert.Equal(t, serial, site.Do(http.MethodGet, "https://"+harness.Domain+"/", "").TLS.PeerCertificates[0].SerialNumber)
}

func biggerVolume(t *testing.T, s scene) {
	r := s.r
	size, err := strconv.Atoi(strings.TrimSpace(r.SSH("df --output=size --block-size=1G /data | tail -n 1")))
	require.NoError(t, err)
	output := r.Run("up", "--set", fmt.Sprintf("volumeSize=%d", size+4))
	assert.ElementsMatch(t, []string{"data", "volume"}, harness.Changed(output))
	assert.Equal(t, strconv.Itoa(size+4), r.SSH("df --output=size --block-size=1G /data | tail -n 1"))
}

func dumpOffSite(t *testing.T, s scene) {
	r := s.r
	r.Run("up", "--set", "dumpBucket=true")
	r.SSH("sudo systemctl start berth-dump.service")
	bucket := r.Account().Only("aws:s3/bucketV2:BucketV2").Output("bucket")
	copies, err := filepath.Glob(filepath.Join(r.Dir, "s3", bucket, "dumps", "*_db.postgres"))
	require.NoError(t, err)
	require.Len(t, copies, 1)
	compressed, err := os.Open(copies[0])
	require.NoError(t, err)
	defer func() { _ = compressed.Close() }()
	dump, err := gzip.NewReader(compressed)
	require.NoError(t, err)
	content, err := io.ReadAll(dump)
	require.NoError(t, err, "it is whole")
	assert.Contains(t, string(content), kept)
	// AWS takes away an empty bucket alone, and Berth empties none.
	require.NoError(t, os.RemoveAll(filepath.Join(r.Dir, "s3", bucket)))
	r.Run("up", "--set", "dumpBucket=false")
}

func snapshotComesBack(t *testing.T, s scene) {
	r, site := s.r, s.site
	site.Write("in the snapshot")
	snapshot := strings.TrimSpace(r.Run("snapshot"))
	site.Write("after the snapshot")
	before := r.Account().Only("aws:ebs/volume:Volume").ID
	r.Run("up", "--set", "volumeSnapshot="+snapshot)
	assert.NotEqual(t, before, r.Account().Only("aws:ebs/volume:Volume").ID)
	site.Client.CloseIdleConnections()
	assert.Contains(t, site.Notes(), "in the snapshot")
	assert.NotContains(t, site.Notes(), "after the snapshot")
}

func protection(t *testing.T, s scene) {
	r := s.r
	r.Run("up", "--set", "protect=true")
	before := r.Account().Inventory()
	output, err := r.Try("destroy")
	require.Error(t, err)
	assert.Contains(t, output, "pulumi config set berth:protect false")
	assert.Equal(t, before, r.Account().Inventory(), "nothing was destroyed")
	r.Run("up", "--set", "protect=false")
}

func destroyed(t *testing.T, s scene) {
	r := s.r
	output := r.Run("destroy")
	assert.Contains(t, output, "SSH connections opened: 0")
	for _, line := range r.Account().Inventory() {
		assert.Truef(t, strings.HasPrefix(line, "aws:ebs/snapshot:Snapshot") || strings.HasPrefix(line, "aws:route53/zone:Zone") || strings.HasPrefix(line, "aws:iam/policy:Policy"), "left: %s", line)
	}
	assert.NotEmpty(t, r.Account().All("aws:ebs/snapshot:Snapshot"))
	r.Run("clean")
	assert.Empty(t, harness.DockerObjects(t, r.Name))
}
