package imds

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tree is everything that the service serves below a version, by path without leading slash. Folders are not in it:
// they follow from the paths.
type tree map[string]string

// newTree lays out what the service tells about an instance.
func newTree(instance Instance, credentials *credentials) tree {
	t := tree{}
	t.addInstance(instance)
	t.addInterface(instance)
	if instance.Role != "" {
		document, made := credentials.of(instance.Role)
		t.addRole(instance, document, made)
	}
	for i, name := range slices.Sorted(maps.Keys(instance.PublicKeys)) {
		t.set(fmt.Sprintf("meta-data/public-keys/%d/openssh-key", i), instance.PublicKeys[name])
	}
	if instance.InstanceMetadataTags {
		for key, value := range instance.Tags {
			t["meta-data/tags/instance/"+key] = value
		}
	}
	t.set("user-data", instance.UserData)
	return t
}

// set adds a path unless its value is empty.
func (t tree) set(path, value string) {
	if value != "" {
		t[path] = value
	}
}

func (t tree) addInstance(instance Instance) {
	values := map[string]string{
		"ami-id": instance.AMI, "ami-launch-index": "0", "instance-action": "none",
		"instance-id": instance.ID, "instance-life-cycle": "on-demand", "instance-type": instance.Type,
		"hostname": privateName(instance), "local-hostname": privateName(instance), "local-ipv4": instance.PrivateIPv4,
		"mac": instance.MAC, "public-hostname": publicName(instance), "public-ipv4": instance.PublicIPv4,
		"placement/availability-zone": instance.AvailabilityZone, "placement/region": instance.Region,
		"security-groups": strings.Join(instance.SecurityGroups, "\n"),
		"services/domain": "amazonaws.com", "services/partition": "aws",
	}
	if len(instance.IPv6) > 0 {
		values["ipv6"] = instance.IPv6[0]
	}
	for path, value := range values {
		t.set("meta-data/"+path, value)
	}
	t["dynamic/instance-identity/document"] = indented(map[string]any{
		"accountId": instance.Account, "architecture": cmp.Or(instance.Architecture, "x86_64"),
		"availabilityZone": instance.AvailabilityZone, "imageId": instance.AMI, "instanceId": instance.ID,
		"instanceType": instance.Type, "privateIp": instance.PrivateIPv4, "region": instance.Region,
		"version": "2017-09-30",
		// Members that EC2 writes also where they say nothing.
		"billingProducts": nil, "devpayProductCodes": nil, "kernelId": nil, "marketplaceProductCodes": nil, "ramdiskId": nil,
	})
}

func (t tree) addInterface(instance Instance) {
	values := map[string]string{
		"device-number": "0", "interface-id": instance.InterfaceID, "mac": instance.MAC, "owner-id": instance.Account,
		"local-hostname": privateName(instance), "local-ipv4s": instance.PrivateIPv4,
		"public-hostname": publicName(instance), "public-ipv4s": instance.PublicIPv4, "ipv6s": strings.Join(instance.IPv6, "\n"),
		"security-groups": strings.Join(instance.SecurityGroups, "\n"), "security-group-ids": strings.Join(instance.SecurityGroupIDs, "\n"),
		"subnet-id": instance.SubnetID, "subnet-ipv4-cidr-block": instance.SubnetIPv4, "subnet-ipv6-cidr-blocks": instance.SubnetIPv6,
		"vpc-id": instance.VPCID, "vpc-ipv4-cidr-block": instance.VPCIPv4, "vpc-ipv4-cidr-blocks": instance.VPCIPv4,
	}
	if instance.PublicIPv4 != "" {
		values["ipv4-associations/"+instance.PublicIPv4] = instance.PrivateIPv4
	}
	for path, value := range values {
		t.set("meta-data/network/interfaces/macs/"+instance.MAC+"/"+path, value)
	}
}

func (t tree) addRole(instance Instance, credentials string, made time.Time) {
	t["meta-data/iam/info"] = indented(map[string]string{
		"Code": "Success", "LastUpdated": stamp(made), "InstanceProfileArn": instance.Profile,
	})
	t["meta-data/iam/security-credentials/"+instance.Role] = credentials
}

// list names what is below a folder, one a line, sub-folders with a slash at the end; ok says whether there is such a
// folder. "" is the folder of a version.
func (t tree) list(folder string, keys map[string]string) (listing string, ok bool) {
	prefix := ""
	if folder != "" {
		prefix = folder + "/"
	}
	names := map[string]bool{}
	for path := range t {
		rest, below := strings.CutPrefix(path, prefix)
		if !below {
			continue
		}
		name, _, deeper := strings.Cut(rest, "/")
		// The folder of a version lists its folders as it lists its files.
		if deeper && folder != "" {
			name += "/"
		}
		names[name] = true
	}
	if len(names) == 0 {
		return "", false
	}
	if folder == "meta-data/public-keys" {
		return keyListing(keys), true
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), "\n"), true
}

// keyListing is the one folder that lists its members with what they are called.
func keyListing(keys map[string]string) string {
	var lines []string
	for i, name := range slices.Sorted(maps.Keys(keys)) {
		lines = append(lines, strconv.Itoa(i)+"="+name)
	}
	return strings.Join(lines, "\n")
}

// privateName is the DNS name that a VPC gives an instance by its address. Source: EC2 User Guide, "EC2 instance
// hostnames and domains".
func privateName(instance Instance) string {
	domain := instance.Region + ".compute.internal"
	if instance.Region == "us-east-1" {
		domain = "ec2.internal"
	}
	return "ip-" + dashed(instance.PrivateIPv4) + "." + domain
}

func publicName(instance Instance) string {
	if instance.PublicIPv4 == "" {
		return ""
	}
	domain := instance.Region + ".compute.amazonaws.com"
	if instance.Region == "us-east-1" {
		domain = "compute-1.amazonaws.com"
	}
	return "ec2-" + dashed(instance.PublicIPv4) + "." + domain
}

func dashed(address string) string { return strings.ReplaceAll(address, ".", "-") }

// indented writes a value as indented JSON. The values here are maps of strings, which cannot fail.
func indented(value any) string {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("write %v as JSON: %v", value, err))
	}
	return string(content)
}
