package aws

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// certified is an issued certificate, with its records.
func (f *fixture) certified() {
	f.make(CertificateType, "certificate", properties{"domainName": "app.example.test", "validationMethod": "DNS", "subjectAlternativeNames": []any{"www.example.test"}})
	f.validationRecords("certificate")
	f.make(certificateValidationType, "issued", properties{"certificateArn": f.ids["certificate"]})
}

// validationRecords makes the records that a certificate asks for.
func (f *fixture) validationRecords(certificate string) (names []any) {
	for i, option := range Objects(f.get(CertificateType, certificate).Outputs, "domainValidationOptions") {
		name := fmt.Sprint("validation", i)
		f.make(recordType, name, properties{
			"zoneId": f.ids["zone"], "name": option["resourceRecordName"], "type": option["resourceRecordType"], "ttl": 300.0, "records": []any{option["resourceRecordValue"]},
		})
		names = append(names, f.get(recordType, name).Outputs["fqdn"])
	}
	return names
}

func TestACertificateIsIssuedOnceItsNamesAreProven(t *testing.T) {
	f := newFixture(t)
	f.make(zoneType, "zone", properties{"name": "example.test"})
	f.make(CertificateType, "certificate", properties{
		"domainName": "app.example.test", "validationMethod": "DNS", "subjectAlternativeNames": []any{"www.example.test", "app.example.test"},
	})
	made := f.get(CertificateType, "certificate").Outputs
	assert.Regexp(t, `^arn:aws:acm:eu-central-1:123456789012:certificate/[0-9a-f-]{36}$`, made["arn"])
	assert.Equal(t, "PENDING_VALIDATION", made["status"])
	assert.Equal(t, []any{"app.example.test", "www.example.test"}, made["subjectAlternativeNames"])
	options := Objects(made, "domainValidationOptions")
	require.Len(t, options, 2)
	assert.Regexp(t, `^_[0-9a-f]{32}\.app\.example\.test\.$`, options[0]["resourceRecordName"])
	assert.Regexp(t, `^_[0-9a-f]{32}\.acm-validations\.aws\.$`, options[0]["resourceRecordValue"])
	record, value := validationRecord("*.APP.example.test")
	assert.Equal(t, []any{record, value}, []any{options[0]["resourceRecordName"], options[0]["resourceRecordValue"]}, "the same for every certificate, and for its wildcard")

	validation := properties{"certificateArn": f.ids["certificate"]}
	_, err := f.create(certificateValidationType, "issued", validation)
	require.ErrorContains(t, err, "last state: 'PENDING_VALIDATION'")
	require.ErrorContains(t, err, "zone example.test has no record "+Text(options[0], "resourceRecordName")+" CNAME")
	names := f.validationRecords("certificate")
	_, err = f.create(certificateValidationType, "issued", properties{"certificateArn": f.ids["certificate"], "validationRecordFqdns": names[:1]})
	require.ErrorContains(t, err, "missing www.example.test DNS validation record: _")
	assert.Equal(t, "PENDING_VALIDATION", f.get(CertificateType, "certificate").Outputs["status"])
	validation["validationRecordFqdns"] = names
	f.make(certificateValidationType, "issued", validation)
	assert.Equal(t, "ISSUED", f.get(CertificateType, "certificate").Outputs["status"])

	require.NoError(t, f.remove(certificateValidationType, "issued"))
	assert.Equal(t, "ISSUED", f.get(CertificateType, "certificate").Outputs["status"], "to wait no more revokes nothing")
	require.NoError(t, f.remove(CertificateType, "certificate"))
}

func TestACertificateThatIsNotIssued(t *testing.T) {
	f := newFixture(t)
	f.make(zoneType, "zone", properties{"name": "example.test"})
	f.make(CertificateType, "certificate", properties{"domainName": "app.example.test", "validationMethod": "DNS", "subjectAlternativeNames": []any{"*.app.example.test"}})
	option := Objects(f.get(CertificateType, "certificate").Outputs, "domainValidationOptions")[0]
	f.make(recordType, "validation", properties{"zoneId": f.ids["zone"], "name": option["resourceRecordName"], "type": "CNAME", "ttl": 300.0, "records": []any{option["resourceRecordValue"]}})
	issue := func() error {
		_, err := f.create(certificateValidationType, "issued", properties{"certificateArn": f.ids["certificate"]})
		return err
	}
	caa := func(name string, values ...string) {
		t.Helper()
		records := properties{"zoneId": f.ids["zone"], "name": name, "type": "CAA", "ttl": 300.0, "records": anys(values...)}
		if f.ids["caa "+name] == "" {
			f.make(recordType, "caa "+name, records)
		} else {
			require.NoError(t, f.update(recordType, "caa "+name, records))
		}
	}
	require.NoError(t, issue(), "without CAA records everybody may issue")
	caa("example.test", `0 issue "letsencrypt.org"`)
	require.ErrorContains(t, issue(), "CAA_ERROR", "those above a name count")
	caa("app.example.test", `0 issue "letsencrypt.org"`, `0 issue "amazon.com; validationmethods=dns-01"`)
	require.NoError(t, issue(), "where it has none of its own")
	caa("app.example.test", `0 issue "amazon.com"`, `0 issuewild ";"`)
	require.ErrorContains(t, issue(), "CAA_ERROR", "wildcards have a record of their own")
	caa("app.example.test", `0 issue "letsencrypt.org"`, `0 issuewild "amazonaws.com"`)
	require.ErrorContains(t, issue(), "CAA_ERROR")
	caa("app.example.test", `0 iodef "mailto:you@example.test"`)
	require.NoError(t, issue(), "an address for reports restricts nobody")

	require.NoError(t, Change(f.dir, func(account *Account) error {
		account.get(zoneType, f.ids["zone"]).Outputs["undelegated"] = true
		return nil
	}))
	require.ErrorContains(t, issue(), "no zone of the account holds app.example.test")
	_, err := f.create(certificateValidationType, "x", properties{"certificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/1"})
	require.ErrorContains(t, err, "ResourceNotFoundException")
}

func TestWhatCertificateManagerRefuses(t *testing.T) {
	f := newFixture(t)
	many := make([]any, nameLimit)
	for i := range many {
		many[i] = fmt.Sprintf("%d.example.test", i)
	}
	for says, inputs := range map[string]map[string]any{
		"LimitExceededException":    {"domainName": "example.test", "validationMethod": "DNS", "subjectAlternativeNames": many},
		"it is not a domain name":   {"domainName": "example_1.test", "validationMethod": "DNS"},
		"cannot end with a period":  {"domainName": "example.test.", "validationMethod": "DNS"},
		"knows validation by DNS":   {"domainName": "example.test", "validationMethod": "EMAIL"},
		"reserved for internal use": {"domainName": "example.test", "validationMethod": "DNS", "tags": map[string]any{"aws:x": "y"}},
	} {
		_, err := f.create(CertificateType, "refused", inputs)
		require.ErrorContains(t, err, says)
	}
	assert.Empty(t, f.account().Resources)
	f.make(CertificateType, "most", properties{"domainName": "0.example.test", "validationMethod": "DNS", "subjectAlternativeNames": many})
}
