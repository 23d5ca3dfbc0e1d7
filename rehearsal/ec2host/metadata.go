package ec2host

import (
	"context"
	"fmt"

	"berth/rehearsal/aws"
	"berth/rehearsal/imds"
)

// writeMetadata describes the instance for its metadata service, with the public address it has now.
func (w *World) writeMetadata(ctx context.Context, account *aws.Account, instance *aws.Resource, publicIP string) error {
	subnet, network, err := w.subnetOf(ctx, account, instance)
	if err != nil {
		return fmt.Errorf("describe %s: %w", instance.ID, err)
	}
	zone := text(instance.Outputs, "availabilityZone")
	mac := ""
	if eni := w.eni(instance.ID); exists(ctx, "container", eni) {
		if mac, err = attached(ctx, eni, network, "MacAddress"); err != nil {
			return err
		}
	}
	described := imds.Instance{
		ID: instance.ID, Type: text(instance.Outputs, "instanceType"), AMI: text(instance.Outputs, "ami"),
		Account: account.Number, Region: zone[:max(0, len(zone)-1)], AvailabilityZone: zone,
		PrivateIPv4: text(instance.Outputs, "privateIp"), PublicIPv4: publicIP, IPv6: texts(instance.Outputs, "ipv6Addresses"),
		MAC: mac, SubnetID: subnet.ID, VPCID: text(subnet.Outputs, "vpcId"), SubnetIPv4: text(subnet.Outputs, "cidrBlock"),
		SecurityGroups: texts(instance.Outputs, "vpcSecurityGroupIds"), UserData: text(instance.Inputs, "userData"),
	}
	if profile := account.Resources["aws:iam/instanceProfile:InstanceProfile::"+text(instance.Outputs, "iamInstanceProfile")]; profile != nil {
		described.Role, described.Profile = text(profile.Outputs, "role"), text(profile.Outputs, "arn")
	}
	return imds.Write(w.instanceFiles(instance.ID, "instance.json"), described)
}
