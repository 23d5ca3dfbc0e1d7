package aws

func bucketRequests() map[string]requests {
	// part is one aspect of a bucket: it is read by one action, and put, changed and taken back by another.
	part := func(read, put, remove string) requests {
		asks := func(actions ...string) func(*asking) {
			return func(a *asking) { a.on("arn:aws:s3:::"+a.id, actions...) }
		}
		return requests{read: asks(read, "s3:ListBucket"), create: asks(put), update: asks(put), remove: asks(remove, read)}
	}
	return map[string]requests{
		BucketType: {
			// The provider reads every side of a bucket, whatever is declared of it.
			read: func(a *asking) {
				a.on("arn:aws:s3:::"+a.id, "s3:GetAccelerateConfiguration", "s3:GetBucketAcl", "s3:GetBucketCORS", "s3:GetBucketLocation",
					"s3:GetBucketLogging", "s3:GetBucketObjectLockConfiguration", "s3:GetBucketPolicy", "s3:GetBucketRequestPayment",
					"s3:GetBucketTagging", "s3:GetBucketVersioning", "s3:GetBucketWebsite", "s3:GetEncryptionConfiguration",
					"s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket")
			},
			create: func(a *asking) { a.on("arn:aws:s3:::"+a.id, "s3:CreateBucket", "s3:PutBucketTagging") },
			update: func(a *asking) { a.retagsItself("arn:aws:s3:::"+a.id, "s3:PutBucketTagging", "s3:PutBucketTagging") },
			remove: func(a *asking) { a.on("arn:aws:s3:::"+a.id, "s3:DeleteBucket", "s3:ListBucket") },
		},
		bucketAccessType:     part("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
		bucketVersioningType: part("s3:GetBucketVersioning", "s3:PutBucketVersioning", "s3:PutBucketVersioning"),
		bucketEncryptionType: part("s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration", "s3:PutEncryptionConfiguration"),
		bucketLifecycleType:  part("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
		bucketPolicyType:     part("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
	}
}
