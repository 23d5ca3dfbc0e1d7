package infra

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/infra/ec2"
	"berth/internal/config"
	"berth/internal/cost"
	"berth/internal/instance"
)

const (
	// debianParameter is where Debian publishes the newest image of its release 13 (trixie) for every region.
	// Source: Debian wiki, Cloud/AmazonEC2Image/Trixie.
	debianParameter = "/aws/service/debian/release/13/latest/amd64"

	// rootVolumeSize in GiB is the size of Debian's image. The root volume holds the system alone: what grows is on
	// the data volume.
	rootVolumeSize = 8

	// dataDevice is the name EC2 wants for the attachment. The kernel of a Nitro instance ignores it, and
	// numbers the devices as it finds them: the volume step goes by the id.
	dataDevice = "/dev/sdf"

	// trustEC2 lets only instances assume the role.
	trustEC2 = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",` +
		`"Principal":{"Service":"ec2.amazonaws.com"}}]}`
)

// Server is the EC2 instance with its identity, and what ties volume and address to it. It can be replaced: nothing
// worth keeping is on it, so it is never protected.
type Server struct {
	pulumi.ResourceState

	// Instance is the EC2 instance.
	Instance *ec2.Instance
	// InstanceID is the instance's ID, "i-…". It changes when the server is replaced, while PublicIP does not.
	InstanceID pulumi.IDOutput
	// Role is the instance's identity. It may do nothing until a policy is attached to it.
	Role *iam.Role
	// Attachment ties the data volume to the instance: whoever mounts the volume depends on it.
	Attachment *ec2.VolumeAttachment
	// Association ties the Elastic IP to the instance: whoever connects depends on it.
	Association *ec2.EipAssociation
	// DualStack tells whether IPv6 is an address.
	DualStack bool
	// IPv6 is the instance's IPv6 address, or "" where the network has none.
	IPv6 pulumi.StringOutput

	// image is what a first server would be made of now.
	image string
}

// ServerArgs are what a Server needs.
type ServerArgs struct {
	// Domain is the site's, for the name in AWS's console. DefaultTags are those of every resource, for the one to which they
	// do not come.
	Domain      string
	DefaultTags map[string]string
	// Region is the stack's.
	Region string
	// InstanceType is the server's size, AMI its image: "" for the newest Debian when it is first made.
	InstanceType, AMI string
	// UserData is what cloud-init does on first boot.
	UserData pulumi.StringInput
	// Boundary is the ARN of the permissions boundary.
	Boundary pulumi.StringInput
	// Network is where the server is, SecurityGroupID who may reach it.
	Network         *Network
	SecurityGroupID pulumi.StringInput
	// VolumeID is the data volume, AllocationID the Elastic IP.
	VolumeID     pulumi.IDOutput
	AllocationID pulumi.StringInput
	// ReplaceWith are resources whose replacement takes another server.
	ReplaceWith []pulumi.Resource
	// Forwards lets it pass on what is not for its own address: what web servers send to its containers. They do so until they are
	// gone, which is after this run has changed the server; the next run ends it.
	Forwards bool
}

// NewServer declares the instance, and ties volume and address to it.
func NewServer(ctx *pulumi.Context, name string, args *ServerArgs, opts ...pulumi.ResourceOption) (*Server, error) {
	s := &Server{DualStack: args.Network.DualStack}
	if err := ctx.RegisterComponentResource("berth:infra:Server", name, s, opts...); err != nil {
		return nil, fmt.Errorf("declare the server: %w", err)
	}
	profile, err := s.identity(ctx, args)
	if err != nil {
		return nil, err
	}
	if err := s.launch(ctx, args, profile); err != nil {
		return nil, err
	}
	if err := s.attach(ctx, args); err != nil {
		return nil, err
	}
	outputs := pulumi.Map{"instanceId": s.InstanceID, "ipv6": s.IPv6}
	if err := ctx.RegisterResourceOutputs(s, outputs); err != nil {
		return nil, fmt.Errorf("register the server: %w", err)
	}
	return s, nil
}

// identity declares the role that the server acts under. It carries no policy: whatever needs a permission attaches
// exactly that one. Its name begins with Berth's, since docs/iam lets the deployer hand on no role of another name.
func (s *Server) identity(ctx *pulumi.Context, args *ServerArgs) (*iam.InstanceProfile, error) {
	role, err := newRole(ctx, "berth-host", &roleArgs{
		domain: args.Domain, description: "Identity of a Berth server", trust: trustEC2, boundary: args.Boundary,
	}, s)
	if err != nil {
		return nil, fmt.Errorf("declare the server's role: %w", err)
	}
	s.Role = role
	profile, err := iam.NewInstanceProfile(ctx, "berth-host", &iam.InstanceProfileArgs{
		Role: role.Name,
		Tags: nameTag(args.Domain),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, fmt.Errorf("declare the server's instance profile: %w", err)
	}
	return profile, nil
}

func (s *Server) launch(ctx *pulumi.Context, args *ServerArgs, profile *iam.InstanceProfile) error {
	opts := []pulumi.ResourceOption{
		pulumi.Parent(s),
		// First boot needs its way out, and the internet gateway can only go once no instance has an address.
		pulumi.DependsOn(args.Network.egress),
		// Two servers cannot hold the one volume, the one Elastic IP and the one IPv6 address.
		pulumi.DeleteBeforeReplace(true),
		pulumi.AdditionalSecretOutputs([]string{"userData", "userDataBase64"}),
	}
	if len(args.ReplaceWith) > 0 {
		opts = append(opts, pulumi.ReplaceWith(args.ReplaceWith))
	}
	ami := args.AMI
	if ami == "" {
		// A newer Debian image must not replace a running server. Setting berth:ami is the way to roll on purpose.
		opts = append(opts, pulumi.IgnoreChanges([]string{"ami"}))
		var err error
		if ami, err = latestDebian(ctx, args.Region, s); err != nil {
			return err
		}
	}

	s.image = ami
	machine := &ec2.InstanceArgs{
		Ami:                 pulumi.String(ami),
		InstanceType:        pulumi.String(args.InstanceType),
		SubnetId:            args.Network.SubnetID,
		VpcSecurityGroupIds: pulumi.StringArray{args.SecurityGroupID},
		IamInstanceProfile:  profile.Name,
		MetadataOptions: ec2.InstanceMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"),
			HttpTokens:   pulumi.String("required"),
			// One hop ends at the host: a container on Docker's bridge reaches neither the role's credentials nor
			// the host key in the user data.
			HttpPutResponseHopLimit: pulumi.Int(1),
		},
		RootBlockDevice: ec2.InstanceRootBlockDeviceArgs{
			VolumeType:          pulumi.String("gp3"),
			VolumeSize:          pulumi.Int(rootVolumeSize),
			Encrypted:           pulumi.Bool(true),
			DeleteOnTermination: pulumi.Bool(true),
			// The provider tags this volume by a call of its own, to which its default tags do not come. docs/iam lets
			// the deployer change what bears them, and make that call for what bears none yet.
			Tags: allTags(args.Domain, args.DefaultTags),
		},
		Monitoring: pulumi.Bool(false), // minute-by-minute metrics cost extra; the default ones come every five
		UserData:   args.UserData.ToStringOutput(),
		// cloud-init reads user data on a server's first boot only, so a change takes a new server.
		UserDataReplaceOnChange: pulumi.Bool(true),
		Tags:                    nameTag(args.Domain),
	}
	if args.Forwards {
		machine.SourceDestCheck = pulumi.Bool(false)
	}
	if instance.Burstable(args.InstanceType) {
		// "standard" throttles a t3.micro to a tenth of its CPU once the credits are spent, which freezes the
		// site in the middle of a build or a rush. "unlimited" keeps answering, for about 0.05 USD per vCPU and
		// hour above the baseline, and only while the average over 24 hours is above it.
		machine.CreditSpecification = ec2.InstanceCreditSpecificationArgs{CpuCredits: pulumi.String("unlimited")}
	}
	// In a subnet of its own the server takes the reserved address: known before the server is, and kept by its
	// successor, as is the DNS record of it.
	switch {
	case s.DualStack && args.Network.shared:
		machine.Ipv6AddressCount = pulumi.Int(1)
	case s.DualStack:
		machine.Ipv6Addresses = pulumi.StringArray{args.Network.ServerIPv6}
	}

	server, err := ec2.NewInstance(ctx, "server", machine, opts...)
	if err != nil {
		return fmt.Errorf("declare the instance: %w", err)
	}
	s.Instance, s.InstanceID, s.IPv6 = server, server.ID(), args.Network.ServerIPv6
	if s.DualStack && args.Network.shared {
		s.IPv6 = server.Ipv6Addresses.ApplyT(firstAddress).(pulumi.StringOutput)
	}
	return nil
}

// attach ties volume and address to the instance. Both belong to one server at a time, so the old tie goes before the
// new one comes.
func (s *Server) attach(ctx *pulumi.Context, args *ServerArgs) error {
	var err error
	s.Attachment, err = ec2.NewVolumeAttachment(ctx, "data", &ec2.VolumeAttachmentArgs{
		InstanceId: s.InstanceID,
		VolumeId:   args.VolumeID,
		DeviceName: pulumi.String(dataDevice),
		// A volume pulled from a running system loses what was not yet written: databases stop with the server.
		StopInstanceBeforeDetaching: pulumi.Bool(true),
	}, pulumi.Parent(s), pulumi.DeleteBeforeReplace(true))
	if err != nil {
		return fmt.Errorf("declare the data volume's attachment: %w", err)
	}
	// AWS makes the interface with the instance and gives it no tags. With this one it is Berth's: docs/iam lets the deployer
	// change no other.
	owned, err := ec2.NewTag(ctx, "interface-managed-by", &ec2.TagArgs{
		ResourceId: s.Instance.PrimaryNetworkInterfaceId,
		Key:        pulumi.String("ManagedBy"),
		Value:      pulumi.String(managedBy),
	}, pulumi.Parent(s))
	if err != nil {
		return fmt.Errorf("declare the tag of the server's network interface: %w", err)
	}
	s.Association, err = ec2.NewEipAssociation(ctx, "elastic-ip", &ec2.EipAssociationArgs{
		InstanceId:   s.InstanceID,
		AllocationId: args.AllocationID,
	}, pulumi.Parent(s), pulumi.DeleteBeforeReplace(true), pulumi.DependsOn([]pulumi.Resource{owned}))
	if err != nil {
		return fmt.Errorf("declare the Elastic IP's association: %w", err)
	}
	return nil
}

// resized says what another instance type costs and does to the server that is there, "" where it stays the same. Within an
// architecture the provider stops the instance, changes its type and starts it.
func resized(cfg *config.Config, there *recorded) string {
	if there == nil {
		return ""
	}
	change := cost.Change(cfg, there.text("instanceType"))
	if change == "" {
		return ""
	}
	how := "it is stopped and started, about two minutes without the site"
	if cfg.AMI != "" && cfg.AMI != there.text("ami") {
		how = "it is replaced, because berth:ami is another, too"
	}
	return "the server: " + change + "; " + how + "; volume, address and certificate stay"
}

// latestDebian asks AWS for the newest image of Debian in the stack's region.
func latestDebian(ctx *pulumi.Context, region string, parent pulumi.Resource) (string, error) {
	parameter, err := ssm.LookupParameter(ctx, &ssm.LookupParameterArgs{Name: debianParameter}, pulumi.Parent(parent))
	if err != nil {
		return "", fmt.Errorf("look up Debian's image (%s) in %s: %w. "+
			"Fix: allow ssm:GetParameter, or pulumi config set berth:ami <image>", debianParameter, region, err)
	}
	for _, value := range []string{parameter.InsecureValue, parameter.Value} {
		if value != "" {
			return value, nil
		}
	}
	return "", fmt.Errorf("look up Debian's image (%s) in %s: the parameter is empty. "+
		"Fix: pulumi config set berth:ami <image>", debianParameter, region)
}

func firstAddress(addresses []string) (string, error) {
	if len(addresses) == 0 {
		return "", errors.New("read the server's IPv6 address: AWS gave it none. Fix: pulumi refresh, then pulumi up")
	}
	return addresses[0], nil
}
