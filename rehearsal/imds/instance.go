// Package imds is the EC2 instance metadata service, version 2 only, as a host in the rehearsal sees it at
// 169.254.169.254.
package imds

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Instance is what the service tells about one instance. What is empty here has no path in the service, as on EC2.
type Instance struct {
	// ID ("i-…"), Type ("t3.micro") and AMI ("ami-…") as EC2 writes them; Account is the owner's number of 12 digits.
	ID      string `json:"id"`
	Type    string `json:"type"`
	AMI     string `json:"ami"`
	Account string `json:"account"`
	// Architecture is "x86_64" (also where it is empty) or "arm64".
	Architecture string `json:"architecture,omitempty"`

	Region           string `json:"region"`
	AvailabilityZone string `json:"availabilityZone"`

	// PrivateIPv4 is the primary address in the subnet, PublicIPv4 the Elastic IP or the assigned address.
	PrivateIPv4 string   `json:"privateIpv4"`
	PublicIPv4  string   `json:"publicIpv4,omitempty"`
	IPv6        []string `json:"ipv6,omitempty"`
	// MAC is that of the primary network interface, InterfaceID its name ("eni-…").
	MAC         string `json:"mac"`
	InterfaceID string `json:"interfaceId,omitempty"`

	SubnetID   string `json:"subnetId"`
	SubnetIPv4 string `json:"subnetIpv4"`
	SubnetIPv6 string `json:"subnetIpv6,omitempty"`
	VPCID      string `json:"vpcId"`
	VPCIPv4    string `json:"vpcIpv4,omitempty"`
	// SecurityGroups are the groups' names, SecurityGroupIDs their ids ("sg-…").
	SecurityGroups   []string `json:"securityGroups,omitempty"`
	SecurityGroupIDs []string `json:"securityGroupIds,omitempty"`

	// Role is the name of the role of the instance's profile, Profile the profile's ARN; both or none.
	Role    string `json:"role,omitempty"`
	Profile string `json:"profile,omitempty"`

	// PublicKeys are OpenSSH public keys by the name of their key pair.
	PublicKeys map[string]string `json:"publicKeys,omitempty"`
	// Tags are served only where InstanceMetadataTags says so.
	Tags                 map[string]string `json:"tags,omitempty"`
	InstanceMetadataTags bool              `json:"instanceMetadataTags,omitempty"`
	// HTTPPutResponseHopLimit is how many hops an answer with a token may travel. It is kept for whoever filters
	// packets; the service itself cannot tell.
	HTTPPutResponseHopLimit int `json:"httpPutResponseHopLimit,omitempty"`

	// UserData is the text as the instance gets it, decoded.
	UserData string `json:"userData,omitempty"`
}

// Write puts the instance's description where a running service reads it, at once: it sees the old or the new one.
// It holds the user data and is readable by its owner alone.
func Write(path string, instance Instance) error {
	text, err := json.MarshalIndent(instance, "", "  ")
	if err != nil {
		return fmt.Errorf("describe %s: %w", instance.ID, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("describe %s: %w", instance.ID, err)
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("describe %s: %w", instance.ID, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("describe %s: %w", instance.ID, err)
	}
	return nil
}

// Read reads a description that Write wrote.
func Read(path string) (Instance, error) {
	var instance Instance
	text, err := os.ReadFile(path)
	if err != nil {
		return instance, fmt.Errorf("read the instance's description: %w", err)
	}
	if err := json.Unmarshal(text, &instance); err != nil {
		return instance, fmt.Errorf("read the instance's description in %s: %w", path, err)
	}
	return instance, nil
}
