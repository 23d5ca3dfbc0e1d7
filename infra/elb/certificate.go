package elb

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra/ec2"
)

// Certificate is a certificate of AWS Certificate Manager.
type Certificate struct {
	pulumi.CustomResourceState

	Arn pulumi.StringOutput `pulumi:"arn"`
	// DomainValidationOptions have for each name the record that Certificate Manager looks for: objects with domainName,
	// resourceRecordName, resourceRecordType and resourceRecordValue.
	DomainValidationOptions pulumi.ArrayOutput `pulumi:"domainValidationOptions"`
}

// CertificateArgs are a Certificate's inputs.
type CertificateArgs struct {
	DomainName              pulumi.StringInput      `pulumi:"domainName"`
	SubjectAlternativeNames pulumi.StringArrayInput `pulumi:"subjectAlternativeNames"`
	ValidationMethod        pulumi.StringInput      `pulumi:"validationMethod"`
	Tags                    pulumi.StringMapInput   `pulumi:"tags"`
}

// NewCertificate declares a Certificate.
func NewCertificate(ctx *pulumi.Context, name string, args *CertificateArgs, opts ...pulumi.ResourceOption) (*Certificate, error) {
	return ec2.Register(ctx, "aws:acm/certificate:Certificate", name, args, &Certificate{}, opts)
}

// CertificateValidation is the wait for a certificate to be issued.
type CertificateValidation struct {
	pulumi.CustomResourceState

	CertificateArn pulumi.StringOutput `pulumi:"certificateArn"`
}

// CertificateValidationArgs are a CertificateValidation's inputs.
type CertificateValidationArgs struct {
	CertificateArn        pulumi.StringInput      `pulumi:"certificateArn"`
	ValidationRecordFqdns pulumi.StringArrayInput `pulumi:"validationRecordFqdns"`
}

// NewCertificateValidation declares a CertificateValidation.
func NewCertificateValidation(ctx *pulumi.Context, name string, args *CertificateValidationArgs, opts ...pulumi.ResourceOption) (*CertificateValidation, error) {
	return ec2.Register(ctx, "aws:acm/certificateValidation:CertificateValidation", name, args, &CertificateValidation{}, opts)
}
