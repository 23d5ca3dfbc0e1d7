// Package tls stands in for the pulumi-tls provider: Ed25519 private keys, which is what Berth declares of it.
package tls

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"golang.org/x/crypto/ssh"
	"google.golang.org/protobuf/types/known/emptypb"

	"berth/rehearsal/provider"
)

// version of pulumi-tls whose contract is kept.
const version = "5.2.0"

// Provider implements pulumirpc.ResourceProviderServer.
type Provider struct{ provider.Base }

// New makes the provider.
func New() *Provider { return &Provider{Base: provider.Base{Version: version}} }

// Check refuses what the real provider's schema does not have, and what does not stand here.
func (p *Provider) Check(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	if !strings.Contains(request.GetUrn(), "tls:index/privateKey:PrivateKey::") {
		return nil, fmt.Errorf("check %s: the rehearsal's tls provider makes private keys alone", request.GetUrn())
	}
	inputs, err := provider.Unmarshal("news", request.GetNews())
	if err != nil {
		return nil, err
	}
	failures := provider.CheckArgs(tls.PrivateKeyArgs{}, inputs)
	if algorithm := inputs["algorithm"]; algorithm.IsString() && algorithm.StringValue() != "ED25519" {
		failures = append(failures, &pulumirpc.CheckFailure{Property: "algorithm", Reason: "the rehearsal's tls provider makes ED25519 keys only"})
	}
	return &pulumirpc.CheckResponse{Inputs: request.GetNews(), Failures: failures}, nil
}

// Diff replaces a key whose description changed.
func (p *Provider) Diff(_ context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err1 := provider.Unmarshal("olds", request.GetOldInputs())
	news, err2 := provider.Unmarshal("news", request.GetNews())
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if olds.DeepEquals(news) {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
	}
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME, Replaces: []string{"algorithm"}}, nil
}

// Create makes the key.
func (p *Provider) Create(_ context.Context, request *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	outputs, err := provider.Unmarshal("properties", request.GetProperties())
	if err != nil {
		return nil, err
	}
	if request.GetPreview() {
		return &pulumirpc.CreateResponse{Properties: request.GetProperties()}, nil
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	open, err1 := ssh.MarshalPrivateKey(private, "")
	pkcs8, err2 := x509.MarshalPKCS8PrivateKey(private)
	spki, err3 := x509.MarshalPKIXPublicKey(public)
	line, err4 := ssh.NewPublicKey(public)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	secret := func(block *pem.Block) resource.PropertyValue {
		return resource.MakeSecret(resource.NewStringProperty(string(pem.EncodeToMemory(block))))
	}
	outputs["privateKeyOpenssh"] = secret(open)
	outputs["privateKeyPem"] = secret(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	outputs["privateKeyPemPkcs8"] = outputs["privateKeyPem"]
	outputs["publicKeyOpenssh"] = resource.NewStringProperty(string(ssh.MarshalAuthorizedKey(line)))
	outputs["publicKeyPem"] = resource.NewStringProperty(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})))
	outputs["publicKeyFingerprintSha256"] = resource.NewStringProperty(ssh.FingerprintSHA256(line))
	outputs["publicKeyFingerprintMd5"] = resource.NewStringProperty(ssh.FingerprintLegacyMD5(line))
	outputs["ecdsaCurve"], outputs["rsaBits"] = resource.NewStringProperty("P224"), resource.NewNumberProperty(2048)
	properties, err := provider.Marshal("outputs", outputs)
	return &pulumirpc.CreateResponse{Id: hex.EncodeToString(public), Properties: properties}, err
}

// Read tells what is known: a key is nowhere but in the state.
func (p *Provider) Read(_ context.Context, request *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: request.GetId(), Properties: request.GetProperties(), Inputs: request.GetInputs()}, nil
}

// Delete forgets the key.
func (p *Provider) Delete(context.Context, *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}
