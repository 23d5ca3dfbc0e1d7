package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCredentials(t *testing.T) {
	for answer, want := range map[string]finding{
		good()["sts:GetCallerIdentity"]: {Reason: "arn:aws:iam::123456789012:user/you, from EnvConfigCredentials"},
		"!ExpiredToken":                 {ID: "credentials-expired", Verdict: fails, Reason: "the AWS credentials have ended", Fix: signIn},
		"!InvalidClientTokenId":         {ID: "credentials-unknown", Verdict: fails, Reason: "AWS does not know the credentials: the access key does not exist, or no longer", Fix: signIn},
		"!SignatureDoesNotMatch":        {ID: "credentials-signature", Verdict: fails, Reason: "AWS refuses the credentials' signature: the secret key does not belong to the access key, or this machine's clock is wrong", Fix: signIn},
		"!SomethingElse":                {ID: "credentials-not-checked", Verdict: fails, Reason: "ask AWS whose the credentials are: SomethingElse: said so"},
		`<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:root</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`: {ID: "credentials-root-user", Verdict: warning,
			Reason: "arn:aws:iam::1:root, from EnvConfigCredentials: the account's root user, who may do everything and should do nothing daily", Fix: "docs/iam/README.md says how to make a role"},
	} {
		b := newBench(t)
		b.answers["sts:GetCallerIdentity"] = answer
		assert.Equal(t, want, b.look((*doctor).credentials))
	}
}

// TestCredentialsThatEndSoon are those of most people: a session's.
func TestCredentialsThatEndSoon(t *testing.T) {
	b := newBench(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	session := func(left time.Duration) finding {
		b.tool("session", fmt.Sprintf(`echo '{"Version":1,"AccessKeyId":"AKIATEST","SecretAccessKey":"x","SessionToken":"x","Expiration":"%s"}'`, time.Now().Add(left).UTC().Format(time.RFC3339)))
		file := filepath.Join(t.TempDir(), "config")
		require.NoError(t, os.WriteFile(file, []byte("[default]\ncredential_process = "+filepath.Join(b.tools, "session")+"\n"), 0o600))
		t.Setenv("AWS_CONFIG_FILE", file)
		return b.look((*doctor).credentials)
	}
	assert.Equal(t, ok, session(12*time.Hour).Verdict)
	found := session(10 * time.Minute)
	assert.Equal(t, warning, found.Verdict)
	assert.Regexp(t, `they end at \d\d:\d\d, which may be in the middle of an update$`, found.Reason)
}

func TestNoCredentials(t *testing.T) {
	b := newBench(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	found := b.look((*doctor).credentials)
	assert.Equal(t, fails, found.Verdict)
	assert.Contains(t, found.Reason, "there are no AWS credentials")
	assert.Contains(t, b.look((*doctor).region).Reason, "skipped, because AWS does not know who asks")
	assert.Contains(t, b.look((*doctor).cost).Reason, "Berth's own list")
	assert.Empty(t, b.asked, "no request was sent")

	t.Setenv("AWS_PROFILE", "nobody")
	assert.Equal(t, fails, b.look((*doctor).credentials).Verdict)
}
