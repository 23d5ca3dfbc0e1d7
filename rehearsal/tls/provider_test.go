package tls

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"google.golang.org/protobuf/types/known/structpb"

	"berth/rehearsal/provider"
)

const urn = "urn:pulumi:test::berth::berth:infra:Keys$" + privateKey + "::host"

var private = []resource.PropertyKey{"privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"}

func wire(t *testing.T, values map[string]any) *structpb.Struct {
	properties, err := provider.Marshal("test", resource.NewPropertyMapFromMap(values))
	require.NoError(t, err)
	return properties
}

func create(t *testing.T, preview bool) (string, resource.PropertyMap) {
	response, err := New().Create(t.Context(), &pulumirpc.CreateRequest{
		Urn: urn, Preview: preview, Properties: wire(t, map[string]any{"algorithm": "ED25519"}),
	})
	require.NoError(t, err)
	outputs, err := provider.Unmarshal("outputs", response.GetProperties())
	require.NoError(t, err)
	return response.GetId(), outputs
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name   string
		inputs map[string]any
		want   string
	}{
		{"an Ed25519 key", map[string]any{"algorithm": "ED25519"}, ""},
		{"an algorithm that is not known yet", map[string]any{"algorithm": resource.MakeComputed(resource.NewStringProperty(""))}, ""},
		{"no algorithm", map[string]any{}, "algorithm: missing required property"},
		{"an RSA key", map[string]any{"algorithm": "RSA"}, "algorithm RSA: the rehearsal's tls stand-in makes ED25519 keys only"},
		{"an RSA key in secret", map[string]any{"algorithm": resource.MakeSecret(resource.NewStringProperty("RSA"))},
			"algorithm RSA: the rehearsal's tls stand-in makes ED25519 keys only"},
		{"a misspelled property", map[string]any{"algorithm": "ED25519", "rsaBit": 4096.0}, "rsaBit: unknown property; did you mean rsaBits?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			response, err := New().Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: wire(t, test.inputs)})
			require.NoError(t, err)
			var reasons []string
			for _, failure := range response.GetFailures() {
				reasons = append(reasons, failure.GetReason())
			}
			assert.Equal(t, test.want, strings.Join(reasons, "; "))
		})
	}
	_, err := New().Check(t.Context(), &pulumirpc.CheckRequest{Urn: "urn:pulumi:test::berth::tls:index/selfSignedCert:SelfSignedCert::x"})
	assert.ErrorContains(t, err, "does not know tls:index/selfSignedCert:SelfSignedCert")
}

func TestKeyInAllItsForms(t *testing.T) {
	id, outputs := create(t, false)
	assert.Regexp(t, "^[0-9a-f]{40}$", id)
	read := func(name resource.PropertyKey) string {
		if outputs[name].IsSecret() {
			return outputs[name].SecretValue().Element.StringValue()
		}
		return outputs[name].StringValue()
	}
	for _, name := range private {
		assert.True(t, outputs[name].IsSecret(), "%s", name)
	}
	assert.Equal(t, "ED25519", read("algorithm"))
	assert.Equal(t, "P224", read("ecdsaCurve"))
	assert.InDelta(t, 2048, outputs["rsaBits"].NumberValue(), 0)
	assert.Equal(t, read("privateKeyPem"), read("privateKeyPemPkcs8"))

	signer, err := ssh.ParsePrivateKey([]byte(read("privateKeyOpenssh")))
	require.NoError(t, err)
	line := read("publicKeyOpenssh")
	assert.True(t, strings.HasSuffix(line, "\n"))
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	require.NoError(t, err)
	assert.Equal(t, public.Marshal(), signer.PublicKey().Marshal())
	assert.Equal(t, ssh.FingerprintSHA256(public), read("publicKeyFingerprintSha256"))
	assert.Equal(t, ssh.FingerprintLegacyMD5(public), read("publicKeyFingerprintMd5"))

	block, _ := pem.Decode([]byte(read("privateKeyPem")))
	require.NotNil(t, block)
	assert.Equal(t, "PRIVATE KEY", block.Type)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	block, _ = pem.Decode([]byte(read("publicKeyPem")))
	require.NotNil(t, block)
	half, err := x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(t, err)
	assert.Equal(t, parsed.(ed25519.PrivateKey).Public(), half)
	assert.Equal(t, []byte(half.(ed25519.PublicKey)), []byte(public.(ssh.CryptoPublicKey).CryptoPublicKey().(ed25519.PublicKey)))

	_, other := create(t, false)
	assert.NotEqual(t, line, other["publicKeyOpenssh"].StringValue())
}

func TestPreviewTellsNoKey(t *testing.T) {
	_, outputs := create(t, true)
	for _, name := range private {
		require.True(t, outputs[name].IsSecret(), "%s", name)
		assert.True(t, outputs[name].SecretValue().Element.IsComputed(), "%s", name)
	}
	assert.True(t, outputs["publicKeyOpenssh"].IsComputed())
	assert.Equal(t, "ED25519", outputs["algorithm"].StringValue())
}

func TestDiffReplaces(t *testing.T) {
	for _, test := range []struct {
		name    string
		news    map[string]any
		ignored []string
		want    []string
	}{
		{"nothing", map[string]any{"algorithm": "ED25519"}, nil, nil},
		{"another algorithm", map[string]any{"algorithm": "RSA"}, nil, []string{"algorithm"}},
		{"one more input", map[string]any{"algorithm": "ED25519", "rsaBits": 4096.0}, nil, []string{"rsaBits"}},
		{"an ignored change", map[string]any{"algorithm": "RSA"}, []string{"algorithm"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			diff, err := New().Diff(t.Context(), &pulumirpc.DiffRequest{
				Urn: urn, OldInputs: wire(t, map[string]any{"algorithm": "ED25519"}), News: wire(t, test.news), IgnoreChanges: test.ignored,
			})
			require.NoError(t, err)
			assert.Equal(t, test.want, diff.GetReplaces())
			assert.Equal(t, test.want != nil, diff.GetChanges() == pulumirpc.DiffResponse_DIFF_SOME)
		})
	}
}

func TestReadGivesBackTheKey(t *testing.T) {
	state := wire(t, map[string]any{"algorithm": "ED25519"})
	read, err := New().Read(t.Context(), &pulumirpc.ReadRequest{Id: "a", Urn: urn, Properties: state, Inputs: state})
	require.NoError(t, err)
	assert.Equal(t, "a", read.GetId())
	assert.Equal(t, state, read.GetProperties())
}
