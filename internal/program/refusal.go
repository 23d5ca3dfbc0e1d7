package program

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"berth/internal/config"
	"berth/internal/instance"
)

// refusal is a kind of AWS's errors and what to do about it.
type refusal struct {
	// codes are AWS's own, as they are in its errors.
	codes *regexp.Regexp
	todo  string
}

// quota is a refusal because a quota is used up: what is used up, what helps besides, and AWS's name for the quota. Source of
// the names: the Service Quotas console.
func quota(codes, what, besides, service, code, wanted string) refusal {
	return refusal{regexp.MustCompile(codes), fmt.Sprintf("%s: %s, or ask for more, which AWS answers within hours: "+
		"aws service-quotas request-service-quota-increase --region REGION --service-code %s --quota-code %s --desired-value %s", what, besides, service, code, wanted)}
}

// refusals are tried in their order: specific patterns come before general ones.
var refusals = []refusal{
	{regexp.MustCompile(`RequestTimeTooSkewed|RequestExpired|SignatureDoesNotMatch|InvalidSignature|Signature (expired|not yet current)`),
		"AWS does not take this machine's signature, most often because its clock is wrong (date --utc): set it (sudo timedatectl set-ntp true)"},
	{regexp.MustCompile(`ExpiredToken|InvalidClientTokenId|UnrecognizedClient|AuthFailure|InvalidAccessKeyId|get credentials`),
		"AWS does not take these credentials, or no longer: log in to AWS again (aws sts get-caller-identity says as whom)"},
	{regexp.MustCompile(`not authorized to perform: iam:CreatePolicy on`),
		"the account has no permissions boundary yet, which bounds every role of Berth's and which its administrator makes once: aws iam create-policy --policy-name berth-boundary --policy-document file://docs/iam/boundary.json"},
	{regexp.MustCompile(`AccessDenied|Unauthorized|not authorized|OptInRequired|StatusCode: 403`),
		"the credentials may not do this: give them what docs/iam/deployer.json and the files beside it list (aws sts get-caller-identity says whose they are)"},
	quota(`AddressLimitExceeded`, "the account has no Elastic IP left in REGION", "release one that nothing uses (aws ec2 describe-addresses --region REGION --query 'Addresses[?AssociationId==null].[PublicIp,AllocationId]')", "ec2", "L-0263D0A3", "10"),
	quota(`VpcLimitExceeded`, "the account has no VPC left in REGION", "delete one that nothing uses, use a subnet that exists (pulumi config set berth:subnetId subnet-…)", "vpc", "L-F678F1CE", "10"),
	quota(`TooManyLoadBalancers`, "the account has no load balancer left in REGION", "delete one that nothing uses (aws elbv2 describe-load-balancers --region REGION)", "elasticloadbalancing", "L-53DA6B97", "60"),
	quota(`RequestCertificate.*LimitExceeded`, "the certificate of several servers would have more names than the account may have in one of ACM's, or there are too many of those in REGION", "take away names that nothing needs, go back to one server (pulumi config rm berth:servers)", "acm", "L-FB94F0B0", "NAMES"),
	quota(`VcpuLimitExceeded|InstanceLimitExceeded`, "the account may run no more servers in REGION", "end one that nothing uses, take a smaller one (pulumi config set berth:instanceType t3.micro)", "ec2", "L-1216C47A", "VCPUS"),
	quota(`InstanceQuotaExceeded`, "the account has no database left in RDS in REGION", "delete one that nothing uses (aws rds describe-db-instances --region REGION)", "rds", "L-7B6409FD", "50"),
	{regexp.MustCompile(`DBInstanceAlreadyExists`),
		"the account has a database of this name in REGION, of an update that was interrupted or of one that would replace it, which Berth never does: take the change of berth:rds back; or, where the state has no database yet: pulumi import aws:rds/instance:Instance database NAME (docs/state.md)"},
	{regexp.MustCompile(`DBSnapshotAlreadyExists`),
		"the account has a final snapshot of this name: when nothing needs it, delete it (aws rds delete-db-snapshot --region REGION --db-snapshot-identifier NAME)"},
	{regexp.MustCompile(`InsufficientDBInstanceCapacity`),
		"AWS has no database of this class to give in REGION now: take another class for the time being (pulumi config set --path berth:rds.class db.t4g.small), or try again in some minutes"},
	{regexp.MustCompile(`InvalidDBInstanceState`),
		"the database in RDS is busy with a backup or with a change: wait until it is available (aws rds describe-db-instances --region REGION --query 'DBInstances[].[DBInstanceIdentifier,DBInstanceStatus]')"},
	{regexp.MustCompile(`previous storage change is being optimized`),
		"RDS changes the storage of a database once in six hours: wait until then, or take the change back (berth:rds.sizeGB)"},
	{regexp.MustCompile(`InsufficientInstanceCapacity|InsufficientHostCapacity|instance type .* is not supported in your requested Availability Zone`),
		"AWS has no TYPE to give in ZONE now: take another size or family for the time being (pulumi config set berth:instanceType OTHER), or try again in some minutes; until there is a server there is no site, and volume, address and certificate are kept for it"},
	{regexp.MustCompile(`Throttling|RequestLimitExceeded|TooManyRequests|SlowDown|PriorRequestNotComplete|Rate exceeded`),
		"AWS is asked too much at once, by this or by others in the account: wait a minute"},
	{regexp.MustCompile(`LimitExceeded|QuotaExceeded|Insufficient\w+Capacity`),
		"a quota of the account is used up: take away what nothing needs, or ask for more in AWS's console, under Service Quotas of REGION"},
	{regexp.MustCompile(`VolumeInUse`),
		"the volume is attached to another server, which was a manual change: detach it there (aws ec2 detach-volume --region REGION --volume-id vol-…, with the id that the message names)"},
	{regexp.MustCompile(`AlreadyAssociated|InvalidIPAddress.InUse`),
		"it was associated with something else, which was a manual change: find what has it (aws ec2 describe-addresses --region REGION), and take it away there (aws ec2 disassociate-address --region REGION --association-id eipassoc-…)"},
	{regexp.MustCompile(`CAA_ERROR`),
		"a CAA record above the site's names keeps Certificate Manager from issuing their certificate (dig CAA HOSTED): add one to it with the value 0 issue \"amazon.com\""},
	{regexp.MustCompile(`waiting for ACM Certificate`),
		"Certificate Manager has not seen the records that validate the site's names: most often nothing delegates to the zone yet (dig NS HOSTED; aws route53 list-hosted-zones-by-name --dns-name HOSTED finds its id, and aws route53 get-hosted-zone --id ID its name servers, which the registrar needs)"},
	{regexp.MustCompile(`InvalidChangeBatch.*already exists`),
		"the name has a record that is not this stack's: when nothing needs it, delete it in Route 53's console; when it was this stack's, docs/state.md says how to take it over"},
	{regexp.MustCompile(`VolumeModificationRateExceeded`),
		"AWS changes a volume four times in 24 hours at most: wait until the first of the four is a day old (aws ec2 describe-volumes-modifications --region REGION shows when they began)"},
	{regexp.MustCompile(`IncorrectModificationState`),
		"the change of the volume before this one is not complete: wait until it is (aws ec2 describe-volumes-modifications --region REGION shows its progress)"},
	{regexp.MustCompile(`DependencyViolation`),
		"something that is not this stack's still uses it: take that away in AWS's console"},
	{regexp.MustCompile(`NotFound|NoSuch|does not exist|couldn't find`),
		"AWS does not find a resource that this needs. A resource created a moment ago is found in a minute; a deleted one is recreated after: pulumi refresh"},
	{regexp.MustCompile(`StatusCode: 5\d\d|Internal\w*(Error|Failure)|ServiceUnavailable|Service Unavailable|api error Unavailable`),
		"AWS itself failed: wait some minutes (https://health.aws.amazon.com/health/status says what it knows of)"},
	{regexp.MustCompile(`dial tcp|no such host|connection reset|i/o timeout|TLS handshake timeout|deadline exceeded`),
		"AWS is not reachable from here: check this machine's network"},
}

// advice is what to do about an error of AWS's, "" where its own words have to do.
func advice(cfg *config.Config, said string) string {
	wanted, _ := instance.Lookup(cfg.InstanceType)
	names := strings.NewReplacer("REGION", cfg.Region, "ZONE", cfg.AvailabilityZone, "TYPE", cfg.InstanceType, "OTHER", wanted.Other(), "HOSTED", cfg.Zone, "NAMES", fmt.Sprint(len(cfg.Names())), "VCPUS", fmt.Sprint(max(32, wanted.VCPUs*cfg.Servers.Max)))
	for _, refusal := range refusals {
		if refusal.codes.MatchString(said) {
			return names.Replace(refusal.todo)
		}
	}
	return ""
}

// explainAWSErrors has every resource of AWS's say what to do where AWS refuses it: its own errors say what is wrong.
func explainAWSErrors(ctx *pulumi.Context, cfg *config.Config) error {
	hook, err := ctx.RegisterErrorHook("what to do about AWS's errors", func(args *pulumi.ErrorHookArgs) (bool, error) {
		// The newest comes first. Trying again at once is the provider's, which has done so.
		if todo := advice(cfg, args.Errors[0]); todo != "" {
			return false, ctx.Log.Error(fmt.Sprintf("%s: %s; then run 'pulumi up' again, which goes on where this ended", args.Name, todo), nil)
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("declare what is said about AWS's errors: %w", err)
	}
	// A transform (RegisterResourceTransform) would drop what the SDK does not send back of a resource's options: DeletedWith
	// and ReplaceWith.
	return ctx.RegisterStackTransformation(func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
		if !strings.HasPrefix(args.Type, "aws:") {
			return nil
		}
		return &pulumi.ResourceTransformationResult{Props: args.Props, Opts: append(args.Opts, pulumi.ResourceHooks(&pulumi.ResourceHookBinding{OnError: []*pulumi.ErrorHook{hook}}))}
	})
}
