package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Access is what a login to the host takes.
type Access struct {
	// Address is the Elastic IP, HostKey the server's public key, PrivateKey the client's.
	Address, HostKey, PrivateKey string
}

// Access takes the keys and the address out of the stack's resources rather than its outputs: those come at the end
// of an update, and a host is inspected when an update failed.
func (s *Stack) Access(ctx context.Context) (Access, error) {
	state, err := s.stack.Export(ctx)
	if err != nil {
		return Access{}, fmt.Errorf("read the stack's state: %w", err)
	}
	var deployment struct {
		Resources []struct {
			Type, URN string
			Outputs   map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal(state.Deployment, &deployment); err != nil {
		return Access{}, fmt.Errorf("read the stack's state: %w", err)
	}
	keys := map[string]map[string]json.RawMessage{}
	var access Access
	var operators string
	for _, resource := range deployment.Resources {
		switch resource.Type {
		case "tls:index/privateKey:PrivateKey":
			keys[resource.URN[len(resource.URN)-len("client-key"):]] = resource.Outputs
		case "aws:ec2/eip:Eip":
			access.Address = plain(resource.Outputs["publicIp"])
		case "pulumi:pulumi:Stack":
			// A key of the operator's own is no resource.
			operators = plain(resource.Outputs["sshPrivateKey"])
		}
	}
	access.PrivateKey = plain(keys["client-key"]["privateKeyOpenssh"])
	if access.PrivateKey == "" {
		access.PrivateKey = operators
	}
	access.HostKey = plain(keys["::host-key"]["publicKeyOpenssh"])
	if access.Address == "" || access.PrivateKey == "" || access.HostKey == "" {
		return Access{}, errors.New("there is no host to log in to; make one: make rehearse")
	}
	return access, nil
}

// plain reads a string of the state, which an export shows with its secrets opened: a secret is an object with the
// value's JSON in "plaintext".
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var secret struct{ Plaintext string }
	if json.Unmarshal(value, &secret) != nil || json.Unmarshal([]byte(secret.Plaintext), &text) != nil {
		return ""
	}
	return text
}
