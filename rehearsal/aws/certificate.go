package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Types of Certificate Manager.
const (
	CertificateType           = "aws:acm/certificate:Certificate"
	certificateValidationType = "aws:acm/certificateValidation:CertificateValidation"

	// nameLimit is the number of names in a certificate. Source: ACM User Guide, "Quotas".
	nameLimit = 10
)

// authorities are how CAA records name Certificate Manager's certificate authority. Source: ACM User Guide, "Configure a CAA
// record".
var authorities = []string{"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"}

func certificateKinds() map[string]*kind {
	return map[string]*kind{
		CertificateType:           {operation: "ACM:RequestCertificate", invalid: "ValidationException", create: createCertificate, remove: removeCertificate},
		certificateValidationType: {operation: "ACM:DescribeCertificate", invalid: "ValidationException", create: createValidation},
	}
}

// createCertificate requests a certificate, which is issued once each of its names has its record.
func createCertificate(c *call) error {
	if Text(c.inputs, "validationMethod") != "DNS" {
		return fmt.Errorf("certificate of %s: the rehearsal knows validation by DNS", Text(c.inputs, "domainName"))
	}
	names := append([]string{Text(c.inputs, "domainName")}, Texts(c.inputs, "subjectAlternativeNames")...)
	slices.Sort(names[1:])
	names = slices.Compact(names)
	names = append(names[:1], slices.DeleteFunc(names[1:], func(name string) bool { return name == names[0] })...)
	if len(names) > nameLimit {
		return c.fails("LimitExceededException", "Error: you have reached your limit of %d domain names in a certificate", nameLimit)
	}
	c.id = c.arn("acm", c.region, "certificate/"+newUUID())
	c.outputs["arn"], c.outputs["status"], c.outputs["type"] = c.id, "PENDING_VALIDATION", "AMAZON_ISSUED"
	c.outputs["subjectAlternativeNames"] = anys(names...)
	defaulted(c.outputs, "keyAlgorithm", "RSA_2048")
	options := []any{}
	for _, name := range names {
		record, value := validationRecord(name)
		options = append(options, map[string]any{"domainName": name, "resourceRecordName": record, "resourceRecordType": "CNAME", "resourceRecordValue": value})
	}
	c.outputs["domainValidationOptions"] = options
	return nil
}

// validationRecord is what proves that a name is the account's. It is always the same, and that of the name without its
// wildcard.
func validationRecord(name string) (record, value string) {
	name = strings.TrimPrefix(strings.ToLower(name), "*.")
	sum := sha256.Sum256([]byte(number + name))
	digits := hex.EncodeToString(sum[:])
	return "_" + digits[:32] + "." + name + ".", "_" + digits[32:] + ".acm-validations.aws."
}

func removeCertificate(c *call) error {
	if len(c.account.users(ListenerType, "certificateArn", c.id)) > 0 {
		return apiError("ACM:DeleteCertificate", "ResourceInUseException", "Certificate %s in account %s is in use.", c.id, number)
	}
	for _, validation := range c.account.users(certificateValidationType, "certificateArn", c.id) {
		c.account.remove(validation)
	}
	return nil
}

// createValidation waits until a certificate is issued. It is at once, or not at all: what is missing does not come later.
func createValidation(c *call) error {
	id := Text(c.inputs, "certificateArn")
	certificate := c.account.get(CertificateType, id)
	if certificate == nil {
		return c.fails("ResourceNotFoundException", "Could not find certificate %s.", id)
	}
	given := Texts(c.inputs, "validationRecordFqdns")
	for i, name := range given {
		given[i] = bare(name)
	}
	for _, option := range Objects(certificate.Outputs, "domainValidationOptions") {
		name, record := Text(option, "domainName"), Text(option, "resourceRecordName")
		if len(given) > 0 && !slices.Contains(given, bare(record)) {
			return fmt.Errorf("ACM Certificate (%s): missing %s DNS validation record: %s", id, name, bare(record))
		}
		if wrong := c.account.unproven(name, record, Text(option, "resourceRecordValue")); wrong != "" {
			return fmt.Errorf("waiting for ACM Certificate (%s) to be issued: timeout while waiting for state to become 'ISSUED' (last state: 'PENDING_VALIDATION', timeout: 1h15m0s): %s", id, wrong)
		}
	}
	now := time.Now().UTC()
	certificate.Outputs["status"] = "ISSUED"
	certificate.Outputs["notBefore"], certificate.Outputs["notAfter"] = now.Format(time.RFC3339), now.AddDate(0, 13, 0).Format(time.RFC3339)
	c.id = now.String()
	return nil
}

// unproven says why Certificate Manager issues no certificate for a name; "" where it does.
func (a *Account) unproven(name, record, value string) string {
	zone := a.zoneOf(name)
	if zone == nil || Truth(zone.Outputs, "undelegated") {
		return fmt.Sprintf("no zone of the account holds %s", name)
	}
	records := a.users(recordType, "zoneId", zone.ID)
	of := func(owner, typ string) []string {
		var values []string
		for _, one := range records {
			if bare(Text(one.Outputs, "name")) == bare(owner) && Text(one.Outputs, "type") == typ {
				values = append(values, Texts(one.Outputs, "records")...)
			}
		}
		return values
	}
	if !slices.ContainsFunc(of(record, "CNAME"), func(one string) bool { return bare(one) == bare(value) }) {
		return fmt.Sprintf("zone %s has no record %s CNAME %s", Text(zone.Outputs, "name"), record, value)
	}
	// The closest records on the way up decide. RFC 8659.
	apex := bare(Text(zone.Outputs, "name"))
	for owner := bare(strings.TrimPrefix(name, "*.")); ; {
		if all := of(owner, "CAA"); len(all) > 0 {
			if !permits(all, strings.HasPrefix(name, "*.")) {
				return fmt.Sprintf("CAA_ERROR: the CAA records of %s do not permit Amazon (%s): %s", owner, strings.Join(authorities, ", "), strings.Join(all, ", "))
			}
			return ""
		}
		_, above, found := strings.Cut(owner, ".")
		if owner == apex || !found {
			return ""
		}
		owner = above
	}
}

// permits says whether CAA records let Certificate Manager issue. For a wildcard, issuewild counts where there is one.
func permits(records []string, wildcard bool) bool {
	restricted, allowed := map[string]bool{}, map[string]bool{}
	for _, record := range records {
		fields := strings.Fields(record)
		if len(fields) < 3 {
			continue
		}
		authority, _, _ := strings.Cut(strings.Trim(strings.Join(fields[2:], " "), `"`), ";")
		restricted[fields[1]] = true
		allowed[fields[1]] = allowed[fields[1]] || slices.Contains(authorities, strings.TrimSpace(authority))
	}
	if wildcard && restricted["issuewild"] {
		return allowed["issuewild"]
	}
	return !restricted["issue"] || allowed["issue"]
}

// zoneOf is the hosted zone that holds a name: the one with the longest name.
func (a *Account) zoneOf(name string) *Resource {
	var found *Resource
	for _, zone := range a.OfType(zoneType) {
		apex := bare(Text(zone.Outputs, "name"))
		if (bare(name) == apex || strings.HasSuffix(bare(name), "."+apex)) && (found == nil || len(apex) > len(Text(found.Outputs, "name"))) {
			found = zone
		}
	}
	return found
}

// bare is a name in lower case without its final dot.
func bare(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
