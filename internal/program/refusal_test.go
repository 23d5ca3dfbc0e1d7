package program

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"berth/internal/config"
)

func TestAWSsErrorsComeWithWhatToDo(t *testing.T) {
	cfg := &config.Config{Region: "eu-central-1", AvailabilityZone: "eu-central-1a", InstanceType: "t3.micro", Zone: "example.com"}
	const ec2 = "operation error EC2: X, https response error StatusCode: 400, RequestID: 0, api error "
	for said, want := range map[string]string{
		ec2 + "AddressLimitExceeded: The maximum number of addresses has been reached.":                                                                                                                            "no Elastic IP left in eu-central-1",
		ec2 + "VpcLimitExceeded: The maximum number of VPCs has been reached.":                                                                                                                                     "pulumi config set berth:subnetId",
		ec2 + "VcpuLimitExceeded: You have requested more vCPU capacity than your current limit":                                                                                                                   "--quota-code L-1216C47A",
		ec2 + "RulesPerSecurityGroupLimitExceeded: The maximum number of rules per security group has been reached.":                                                                                               "a quota of the account is used up",
		ec2 + "InsufficientInstanceCapacity: We currently do not have sufficient t3.micro capacity in the Availability Zone you requested.":                                                                        "pulumi config set berth:instanceType t3a.micro",
		ec2 + "Unsupported: Your requested instance type (t3.micro) is not supported in your requested Availability Zone (eu-central-1a).":                                                                         "no t3.micro to give in eu-central-1a",
		ec2 + "UnauthorizedOperation: You are not authorized to perform this operation.":                                                                                                                           "docs/iam/deployer.json",
		"operation error IAM: CreateRole, https response error StatusCode: 403, RequestID: 0, api error AccessDenied: User: u":                                                                                     "docs/iam/deployer.json",
		"operation error IAM: CreatePolicy, https response error StatusCode: 403, RequestID: 0, api error AccessDenied: User: u is not authorized to perform: iam:CreatePolicy on resource: policy berth-boundary": "aws iam create-policy --policy-name berth-boundary",
		"operation error STS: GetCallerIdentity, https response error StatusCode: 403, api error ExpiredToken: The security token is expired":                                                                      "log in to AWS again",
		ec2 + "AuthFailure: AWS was not able to validate the provided access credentials":                                                                                                                          "log in to AWS again",
		"https response error StatusCode: 403, api error SignatureDoesNotMatch: Signature expired: 20261124T000000Z is now earlier than":                                                                           "timedatectl",
		ec2 + "RequestLimitExceeded: Request limit exceeded.":                                                                                                                                                      "wait a minute",
		"operation error Route 53: ChangeResourceRecordSets, exceeded maximum number of attempts, 25, api error Throttling: Rate exceeded":                                                                         "wait a minute",
		"operation error EC2: RunInstances, https response error StatusCode: 500, RequestID: 0, api error InternalError: An internal error":                                                                        "AWS itself failed",
		"operation error EC2: RunInstances, https response error StatusCode: 503, RequestID: 0, api error Unavailable: The service is unavailable":                                                                 "AWS itself failed",
		ec2 + "VolumeInUse: vol-0 is already attached to an instance":                                                                                                                                              "aws ec2 detach-volume",
		ec2 + "Resource.AlreadyAssociated: resource eipalloc-0 is already associated with another resource":                                                                                                        "aws ec2 disassociate-address",
		ec2 + "VolumeModificationRateExceeded: You've reached the maximum modification rate per volume limit.":                                                                                                     "four times in 24 hours",
		ec2 + "IncorrectModificationState: Cannot modify volume vol-0, currently in modification state OPTIMIZING":                                                                                                 "is not complete",
		"api error InvalidChangeBatch: [Tried to create resource record set [name='app.example.com.', type='A'] but it already exists]":                                                                            "docs/state.md",
		"operation error Elastic Load Balancing v2: CreateLoadBalancer, api error TooManyLoadBalancers: The maximum number of load balancers has been reached":                                                     "--quota-code L-53DA6B97",
		"operation error ACM: RequestCertificate, https response error StatusCode: 400, RequestID: 0, LimitExceededException: Error: you have reached your limit of 10 domain names in a certificate":              "--quota-code L-FB94F0B0",
		"waiting for ACM Certificate (arn:aws:acm:x) to be issued: timeout while waiting for state to become 'ISSUED' (last state: 'PENDING_VALIDATION', timeout: 30m0s)":                                          "dig NS example.com",
		"waiting for ACM Certificate (arn:aws:acm:x) to be issued: unexpected state 'FAILED', wanted target 'ISSUED'. last error: CAA_ERROR":                                                                       "dig CAA example.com",
		"operation error RDS: CreateDBInstance, api error InstanceQuotaExceeded: DB Instance quota exceeded":                                                                                                       "--quota-code L-7B6409FD",
		"operation error RDS: CreateDBInstance, api error InsufficientDBInstanceCapacity: Insufficient capacity":                                                                                                   "berth:rds.class",
		"operation error RDS: ModifyDBInstance, api error InvalidDBInstanceState: Database instance is not in available state.":                                                                                    "aws rds describe-db-instances",
		"operation error RDS: ModifyDBInstance, api error InvalidParameterCombination: You can't currently modify the storage of this DB instance because the previous storage change is being optimized.":         "once in six hours",
		ec2 + "DependencyViolation: The vpc 'vpc-0' has dependencies and cannot be deleted.":                                                                                                                       "not this stack's still uses it",
		ec2 + "InvalidInstanceID.NotFound: The instance ID 'i-0' does not exist":                                                                                                                                   "pulumi refresh",
		"operation error Route 53: GetChange, https response error StatusCode: 404, NoSuchChange: A change with the specified change ID does not ex":                                                               "in a minute",
		`operation error EC2: DescribeVpcs, request send failed, Post "https://ec2.eu-central-1.amazonaws.com/": dial tcp: lookup: no such host`:                                                                   "check this machine's network",
		ec2 + "InvalidParameterValue: Invalid value for a parameter":                                                                                                                                               "",
	} {
		if want == "" {
			assert.Empty(t, advice(cfg, said), said)
		} else {
			assert.Contains(t, advice(cfg, said), want, said)
		}
		assert.NotRegexp(t, `REGION|ZONE|TYPE|OTHER|HOSTED|NAMES|VCPUS`, advice(cfg, said))
	}
	cfg.InstanceType = "t3a.small"
	assert.Contains(t, advice(cfg, "InsufficientInstanceCapacity"), "berth:instanceType t3.small")
}
