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
	zone := aws.Text(instance.Outputs, "availabilityZone")
	mac := ""
	if eni := w.eni(instance.ID); exists(ctx, "container", eni) {
		if mac, err = attached(ctx, eni, network, "MacAddress"); err != nil {
			return err
		}
	}
	described := imds.Instance{
		ID: instance.ID, Type: aws.Text(instance.Outputs, "instanceType"), AMI: aws.Text(instance.Outputs, "ami"),
		Account: account.Number, Region: zone[:max(0, len(zone)-1)], AvailabilityZone: zone,
		PrivateIPv4: aws.Text(instance.Outputs, "privateIp"), PublicIPv4: publicIP, IPv6: aws.Texts(instance.Outputs, "ipv6Addresses"),
		MAC: mac, SubnetID: subnet.ID, VPCID: aws.Text(subnet.Outputs, "vpcId"), SubnetIPv4: aws.Text(subnet.Outputs, "cidrBlock"),
		SecurityGroups: aws.Texts(instance.Outputs, "vpcSecurityGroupIds"), UserData: aws.Text(instance.Inputs, "userData"),
	}
	if profile := account.Resources["aws:iam/instanceProfile:InstanceProfile::"+aws.Text(instance.Outputs, "iamInstanceProfile")]; profile != nil {
		described.Role, described.Profile = aws.Text(profile.Outputs, "role"), aws.Text(profile.Outputs, "arn")
	}
	return imds.Write(w.instanceFiles(instance.ID, "instance.json"), described)
}
