package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// account is who asks AWS.
type account struct {
	settings aws.Config
	// number is the account's, arn the identity in it, source where the credentials come from.
	number, arn, source string
	// expires is when the credentials end; nil for those that do not.
	expires *time.Time
}

// attempts is how often AWS is asked when it does not answer well.
const attempts = 2

// signedIn asks AWS who asks, once.
func (d *doctor) signedIn(ctx context.Context) (*account, error) {
	return d.account.of(ctx, remote, func(ctx context.Context) (*account, error) {
		region := "us-east-1"
		if cfg, _, skipped := d.sound(ctx, "region"); skipped == nil {
			region = cfg.Region
		}
		settings, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(region), awsconfig.WithRetryMaxAttempts(attempts))
		if err != nil {
			return nil, err
		}
		found, err := settings.Credentials.Retrieve(ctx)
		if err != nil {
			return nil, &missing{err}
		}
		who, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return nil, err
		}
		known := &account{settings: settings, number: aws.ToString(who.Account), arn: aws.ToString(who.Arn), source: found.Source}
		if found.CanExpire {
			known.expires = &found.Expires
		}
		return known, nil
	})
}

// missing is that there are no credentials.
type missing struct{ cause error }

func (m *missing) Error() string { return m.cause.Error() }

func (m *missing) Unwrap() error { return m.cause }

// code is AWS's word for an error, "" where it is none of AWS's.
func code(err error) string {
	var answered smithy.APIError
	if errors.As(err, &answered) {
		return answered.ErrorCode()
	}
	return ""
}

// refused says whether AWS answered that the credentials may not ask that.
func refused(err error) bool {
	known := code(err)
	return strings.Contains(known, "AccessDenied") || known == "UnauthorizedOperation" || known == "AuthorizationError"
}

// brief is an error of AWS's in its own words, without how it was asked.
func brief(err error) string {
	var answered smithy.APIError
	if errors.As(err, &answered) {
		return answered.ErrorCode() + ": " + answered.ErrorMessage()
	}
	return err.Error()
}

// soon is the least that an update may need: the server's first boot, the app's first build.
const soon = 30 * time.Minute

// signIn is how most people get credentials.
const signIn = "aws sso login, or export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

func (d *doctor) credentials(ctx context.Context) finding {
	who, err := d.signedIn(ctx)
	var none *missing
	switch {
	case errors.As(err, &none) && strings.Contains(err.Error(), "no EC2 IMDS role found"):
		// The last that is tried: nothing before it had any.
		return fail("credentials-missing", signIn, "there are no AWS credentials, neither in the environment nor in a profile")
	case errors.As(err, &none):
		return fail("credentials-unavailable", signIn, "the AWS credentials cannot be loaded: %s", err)
	case strings.Contains(code(err), "Expired"):
		return fail("credentials-expired", signIn, "the AWS credentials have ended")
	case code(err) == "InvalidClientTokenId" || code(err) == "UnrecognizedClientException":
		return fail("credentials-unknown", signIn, "AWS does not know the credentials: the access key does not exist, or no longer")
	case code(err) == "SignatureDoesNotMatch":
		return fail("credentials-signature", signIn, "AWS refuses the credentials' signature: the secret key does not belong to the access key, or this machine's clock is wrong")
	case err != nil:
		return fail("credentials-not-checked", "", "ask AWS whose the credentials are: %s", brief(err))
	}
	said := fmt.Sprintf("%s, from %s", who.arn, first(who.source, "the environment"))
	switch {
	case strings.HasSuffix(who.arn, ":root"):
		return warn("credentials-root-user", "docs/iam/README.md says how to make a role", "%s: the account's root user, who may do everything and should do nothing daily", said)
	case who.expires != nil && time.Until(*who.expires) < soon:
		return warn("credentials-expire-soon", signIn, "%s; they end at %s, which may be in the middle of an update", said, who.expires.Local().Format("15:04"))
	}
	return fine("%s", said)
}
