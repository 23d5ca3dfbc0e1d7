package release

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAChangedVariableIsAnnouncedByItsName, without its value; a password that a database does not know has a warning.
func TestAChangedVariableIsAnnouncedByItsName(t *testing.T) {
	for name, test := range map[string]struct {
		environment string
		change      string
		warning     string
	}{
		"a database's password":            {`environment: ["POSTGRES_PASSWORD=${PASSWORD}"]`, "PASSWORD", "the password of database db (POSTGRES_PASSWORD) changes"},
		"by a secret of the environment":   {`{environment: {POSTGRES_PASSWORD_FILE: /run/secrets/pw}, secrets: [pw]}`, "PASSWORD", "the password of database db (POSTGRES_PASSWORD_FILE) changes"},
		"a part of a password":             {`environment: {POSTGRES_PASSWORD: "prefix-${PASSWORD}$$"}`, "PASSWORD", "the password of database db (POSTGRES_PASSWORD) changes"},
		"what the database does not have":  {`environment: ["POSTGRES_PASSWORD=${PASSWORD}"]`, "OTHER", ""},
		"a variable that is no password's": {`environment: ["POSTGRES_PASSWORD=${PASSWORD}", "POSTGRES_INITDB_ARGS=${OTHER}"]`, "OTHER", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t)
			s.cfg.Secrets = map[string]string{"PASSWORD": "canary-old", "OTHER": "canary-two", "STAYS": "canary-three", "GONE": "canary-four"}
			before := Fingerprints(s.cfg.Variables())
			s.cfg.Secrets[test.change] += "-new"
			delete(s.cfg.Secrets, "GONE")
			s.cfg.Secrets["ADDED"] = "canary-five"
			environment := test.environment
			if inner, found := strings.CutPrefix(environment, "{"); found {
				environment = strings.ReplaceAll(strings.TrimSuffix(inner, "}"), "}, secrets", "}\n    secrets")
			}
			sha := s.commit("first", map[string]string{"compose.yaml": "services:\n  web:\n    image: web:1\n  db:\n    image: postgres:17\n    volumes: [\"data:/var/lib/postgresql/data\"]\n    " + environment +
				"\nvolumes: {data: {}}\nsecrets: {pw: {environment: PASSWORD}}\n"})
			release, err := Make(t.Context(), s.cfg, s.repo, sha)
			require.NoError(t, err)
			text := strings.Join(release.describeVariables(before), "\n")
			assert.Contains(t, text, "variables that change: "+test.change+"\nvariables that are new: ADDED\nvariables that are gone: GONE")
			assert.NotContains(t, text, "canary")
			assert.NotContains(t, text, "STAYS")
			if test.warning == "" {
				assert.NotContains(t, text, "WARNING")
			} else {
				assert.Contains(t, text, "WARNING: "+test.warning)
				assert.Contains(t, text, "berth:secrets."+test.change)
			}
			assert.Empty(t, release.describeVariables(Fingerprints(s.cfg.Variables())))
			assert.Empty(t, release.describeVariables(nil), "nothing is known of them")
		})
	}
}
