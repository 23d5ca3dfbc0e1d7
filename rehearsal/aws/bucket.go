package aws

import (
	"slices"
	"strings"
)

const (
	// BucketType is an S3 bucket.
	BucketType           = "aws:s3/bucketV2:BucketV2"
	bucketAccessType     = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
	bucketVersioningType = "aws:s3/bucketVersioningV2:BucketVersioningV2"
	bucketEncryptionType = "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"
	bucketLifecycleType  = "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2"
	bucketPolicyType     = "aws:s3/bucketPolicy:BucketPolicy"
)

func bucketKinds() map[string]*kind {
	part := func(operation, invalid string, check func(*call, string) error) *kind {
		run := func(c *call) error { return c.partOfBucket(check) }
		return &kind{operation: "S3:" + operation, invalid: invalid, create: run, update: run}
	}
	return map[string]*kind{
		BucketType:           {operation: "S3:CreateBucket", invalid: "InvalidBucketName", world: true, create: createBucket, remove: removeBucket},
		bucketAccessType:     part("PutPublicAccessBlock", "MalformedXML", nil),
		bucketVersioningType: part("PutBucketVersioning", "MalformedXML", nil),
		bucketEncryptionType: part("PutBucketEncryption", "MalformedXML", checkEncryption),
		bucketLifecycleType:  part("PutBucketLifecycleConfiguration", "MalformedXML", checkBucketLifecycle),
		bucketPolicyType:     part("PutBucketPolicy", "MalformedPolicy", checkBucketPolicy),
	}
}

// Versioned says whether a bucket keeps what its objects were.
func (a *Account) Versioned(bucket string) bool {
	return slices.ContainsFunc(a.users(bucketVersioningType, "bucket", bucket), func(of *Resource) bool {
		return Text(Object(of.Outputs, "versioningConfiguration"), "status") == "Enabled"
	})
}

func createBucket(c *call) error {
	c.id = Text(c.inputs, "bucket")
	if c.account.get(BucketType, c.id) != nil {
		return apiError("S3:CreateBucket", "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	}
	c.outputs["arn"], c.outputs["region"] = "arn:aws:s3:::"+c.id, c.region
	c.outputs["bucketDomainName"] = c.id + ".s3.amazonaws.com"
	c.outputs["bucketRegionalDomainName"] = c.id + ".s3." + c.region + ".amazonaws.com"
	defaulted(c.outputs, "forceDestroy", false)
	return nil
}

// removeBucket takes the bucket's configuration with it.
func removeBucket(c *call) error {
	for _, typ := range []string{bucketAccessType, bucketVersioningType, bucketEncryptionType, bucketLifecycleType, bucketPolicyType} {
		for _, part := range c.account.users(typ, "bucket", c.id) {
			c.account.remove(part)
		}
	}
	return nil
}

// partOfBucket is one aspect of a bucket, known by the bucket's name.
func (c *call) partOfBucket(check func(*call, string) error) error {
	c.id = Text(c.inputs, "bucket")
	if c.account.get(BucketType, c.id) == nil {
		return apiError(c.kind.operation, "NoSuchBucket", "The specified bucket does not exist")
	}
	if check == nil {
		return nil
	}
	return check(c, c.kind.operation)
}

func checkEncryption(c *call, operation string) error {
	for _, rule := range Objects(c.inputs, "rules") {
		if Object(rule, "applyServerSideEncryptionByDefault") == nil {
			return apiError(operation, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
		}
	}
	return nil
}

func checkBucketLifecycle(c *call, operation string) error {
	rules := Objects(c.inputs, "rules")
	if len(rules) == 0 {
		return apiError(operation, "MalformedXML", "At least one rule is required")
	}
	for _, rule := range rules {
		expiration, replaced := Object(rule, "expiration"), Object(rule, "noncurrentVersionExpiration")
		switch {
		case expiration == nil && replaced == nil && rule["abortIncompleteMultipartUpload"] == nil && rule["transitions"] == nil:
			return apiError(operation, "InvalidRequest", "At least one action needs to be specified in a rule.")
		case expiration["days"] != nil && Number(expiration, "days") < 1:
			return apiError(operation, "InvalidArgument", "'Days' for Expiration action must be a positive integer")
		}
	}
	return nil
}

// checkBucketPolicy refuses a policy that lets everyone in where the bucket is closed to the public.
func checkBucketPolicy(c *call, operation string) error {
	statements, err := parsePolicy(Text(c.inputs, "policy"))
	if err != nil {
		return apiError(operation, "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
	}
	closed := c.account.get(bucketAccessType, c.id)
	for _, statement := range statements {
		for _, resource := range statement.Resource {
			if arn := "arn:aws:s3:::" + c.id; resource != arn && !strings.HasPrefix(resource, arn+"/") {
				return apiError(operation, "MalformedPolicy", "Policy has invalid resource")
			}
		}
		if closed != nil && Truth(closed.Outputs, "blockPublicPolicy") && statement.Effect == "Allow" && string(statement.Principal) == `"*"` {
			return apiError(operation, "AccessDenied", "User is not authorized to perform: s3:PutBucketPolicy because public policies are blocked by the BlockPublicPolicy block public access setting")
		}
	}
	return nil
}
