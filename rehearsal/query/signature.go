package query

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// clockSkew is how far a signature's time may be from now. Source: IAM User Guide, "Troubleshoot Signature Version 4".
const clockSkew = 15 * time.Minute

// signed is Signature Version 4's header: key, day, region, service, signed headers.
var signed = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=((?:AKIA|ASIA)[A-Z2-7]{16})/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?` +
	`SignedHeaders=([a-z0-9;-]+), ?Signature=[0-9a-f]{64}$`)

// Authenticate checks that a request is signed for a service as AWS requires, and gives the region that it is signed for. It does not
// compute the signature: the credentials of the rehearsal's metadata service open nothing.
func Authenticate(header http.Header, service string, now time.Time) (region string, refused *Failure) {
	authorization := header.Get("Authorization")
	if authorization == "" {
		return "", Refuse(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	parts := signed.FindStringSubmatch(authorization)
	if parts == nil {
		return "", Refuse(http.StatusBadRequest, "IncompleteSignature", "The Authorization header does not have the form of AWS Signature Version 4")
	}
	key, day, region, scope, headers := parts[1], parts[2], parts[3], parts[4], strings.Split(parts[5], ";")
	date, err := time.Parse("20060102T150405Z", header.Get("X-Amz-Date"))
	switch {
	case scope != service:
		return "", Refuse(http.StatusForbidden, "SignatureDoesNotMatch", "Credential should be scoped to correct service: '"+service+"'.")
	case !slices.Contains(headers, "host"):
		return "", Refuse(http.StatusForbidden, "SignatureDoesNotMatch", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	case err != nil || !strings.HasPrefix(header.Get("X-Amz-Date"), day):
		return "", Refuse(http.StatusBadRequest, "IncompleteSignature", "Date must be in ISO-8601 'basic format' and match the credential's scope.")
	case date.Before(now.Add(-clockSkew)) || date.After(now.Add(clockSkew)):
		return "", Refuse(http.StatusForbidden, "SignatureDoesNotMatch", "Signature expired or not yet current: "+header.Get("X-Amz-Date"))
	case strings.HasPrefix(key, "ASIA") && header.Get("X-Amz-Security-Token") == "":
		// Temporary credentials, which those of a role are, are three parts.
		return "", Refuse(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	return region, nil
}
