package provision

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkPasswords runs the check of release new, with a container whose script prints said.
func checkPasswords(t *testing.T, said, data string) (string, error) {
	t.Helper()
	return checkPasswordsBy(t, "ACTION=deploy CHANGE_PASSWORD= UPGRADE_DATABASE=; check_passwords new", said, data)
}

func checkPasswordsBy(t *testing.T, call, said, data string) (string, error) {
	t.Helper()
	return withDocker(t, `case "$1 $2" in
  inspect*) printf '172.18.0.2\nnone\n' ;;
  exec*) case $* in *canary*) echo "a secret is an argument" >&2; exit 1 ;; esac
    printenv | grep -c '^BERTH_NEW_.*canary \$1' >"${0%/bin/*}/handed"; printf '`+said+`' ;;
esac`, `source scripts/release/password.sh; check_version() { :; }
read_text() { local -n text_of=$1; shift; if [ "$1" = cat ] && [[ $2 == /opt/* ]]; then text_of=script; else text_of=$("$@") || fail command-failed "$1"; fi; }
`+call+`; echo "goes on"; cat "$DATA/handed"`, map[string]string{
		"new/plan.json":       `{"databases":[{"service":"db","kind":"postgres"},{"service":"cache","kind":"redis"}]}`,
		"new/data.json":       data,
		"secret":              "canary $1",
		"new/.env.production": "OTHER='x'\nDB_PASSWORD=\"canary \\$1\"\n",
	})
}

// TestAPasswordThatTheDatabaseRefusesEndsTheRelease, with both ways out and without the password.
func TestAPasswordThatTheDatabaseRefusesEndsTheRelease(t *testing.T) {
	const data = `{"services":{"db":{"image":"postgres:17","environment":{"POSTGRES_USER":"load","POSTGRES_PASSWORD":"canary $$1","OTHER":"canary"}}}}`
	output, err := checkPasswords(t, `POSTGRES_PASSWORD load\n`, data)
	require.Error(t, err, output)
	for _, text := range []string{"refuses user load", "nothing was changed", "pulumi config set --secret --path berth:secrets.NAME", "sudo /opt/berth/deploy.sh deploy --change-password"} {
		assert.Contains(t, output, text)
	}
	assert.NotContains(t, output, "canary")
	assert.NotContains(t, output, "goes on")

	output, err = checkPasswords(t, ``, data)
	require.NoError(t, err, output)
	assert.Equal(t, "goes on\n1\n", output, "a $ is written twice in a compose file")

	output, err = checkPasswords(t, ``, `{"secrets":{"pw":{"environment":"DB_PASSWORD"}},"services":{"db":{"image":"postgres:17","environment":{"POSTGRES_PASSWORD_FILE":"/run/secrets/pw"},"secrets":[{"source":"pw"}]}}}`)
	require.NoError(t, err, output)
	assert.Equal(t, "goes on\n1\n", output, "a secret that comes by the environment")

	output, err = checkPasswordsBy(t, `ACTION=deploy CHANGE_PASSWORD=yes; check_passwords new; echo "to change: ${NEW_PASSWORDS[*]}"`, `POSTGRES_PASSWORD load\n`, data)
	require.NoError(t, err, output)
	assert.Contains(t, output, "to change: db postgres")

	output, err = checkPasswordsBy(t, `ACTION=rollback CHANGE_PASSWORD=yes; check_passwords new`, `POSTGRES_PASSWORD load\n`, data)
	require.Error(t, err, output)
	assert.Contains(t, output, "runs by another image")

	output, err = checkPasswords(t, `unknown load\n`, data)
	require.NoError(t, err, output)
	assert.Contains(t, output, "it cannot be told")
}
