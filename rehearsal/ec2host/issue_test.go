package ec2host

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"berth/rehearsal/aws"
)

// TestIssue: a certificate of Certificate Manager's is signed by the root that every host trusts, and is made once.
func TestIssue(t *testing.T) {
	w := &World{Dir: t.TempDir()}
	_, err := w.Issue("arn:aws:acm:eu-central-1:123456789012:certificate/1234", []string{"app.example.test"})
	require.ErrorContains(t, err, "make rehearse-clean")
	subnet := &aws.Resource{Outputs: map[string]any{"availabilityZone": "eu-central-1a"}}
	require.NoError(t, w.writeEndpointCertificate(subnet))
	file, err := w.Issue("arn:aws:acm:eu-central-1:123456789012:certificate/1234", []string{"app.example.test", "*.example.test"})
	require.NoError(t, err)
	path := filepath.Join(w.issued(), file)
	pair, err := tls.LoadX509KeyPair(path, path)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	root, err := os.ReadFile(w.path("cloudwatch", acmeAPIRoot))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(root))
	for _, name := range []string{"app.example.test", "www.example.test"} {
		_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name})
		assert.NoError(t, err)
	}
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = w.Issue("arn:aws:acm:eu-central-1:123456789012:certificate/1234", []string{"app.example.test"})
	require.NoError(t, err)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, before, after)

	// The endpoints' certificate is the same root's.
	endpoint, err := tls.LoadX509KeyPair(w.path("cloudwatch", acmeAPICert), w.path("cloudwatch", acmeAPIKey))
	require.NoError(t, err)
	leaf, err = x509.ParseCertificate(endpoint.Certificate[0])
	require.NoError(t, err)
	for _, name := range append(aws.ScalingNames(subnet), "bucket.s3.eu-central-1.amazonaws.com") {
		_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name})
		assert.NoError(t, err)
	}
}
