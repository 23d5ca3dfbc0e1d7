# Requests to AWS as the instance's own role. Sourced by health-check.sh and deploy.sh.
#
# The metadata service gives credentials for some hours, and curl knows AWS's signature itself. None of them is on a
# command line. REGION is /etc/berth/operations.json's.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

readonly METADATA=http://169.254.169.254/latest

# role_credentials prints those of the instance's role, as JSON.
role_credentials() {
  local token role path=meta-data/iam/security-credentials
  token=$(curl --silent --fail --max-time 5 --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$METADATA/api/token") &&
    role=$(curl --silent --fail --max-time 5 --header "X-aws-ec2-metadata-token: $token" "$METADATA/$path/") &&
    curl --silent --fail --max-time 5 --header "X-aws-ec2-metadata-token: $token" "$METADATA/$path/$role"
}

# aws_request sends one request, signed for service $1, for at most $2 seconds; the rest of curl's configuration comes on
# standard input. It prints what AWS answers; what it answers to one that it refuses is said.
aws_request() {
  local credentials answer signed
  # shellcheck disable=SC2310 # role_credentials is one list
  if ! credentials=$(role_credentials) || [ -z "$credentials" ]; then
    say "the metadata service gives no credentials of the instance's role; 'pulumi refresh' and 'pulumi up' give it back"
    return 1
  fi
  # shellcheck disable=SC2016 # jq's variables
  read_text signed jq -r --arg region "$REGION" --arg service "$1" '
      "aws-sigv4 = \"aws:amz:\($region):\($service)\"",
      "user = \"\(.AccessKeyId):\(.SecretAccessKey)\"",
      "header = \"X-Amz-Security-Token: \(.Token)\""' <<<"$credentials"
  answer=$({
    printf '%s\n' "$signed"
    cat
  } | curl --silent --show-error --fail-with-body --max-time "$2" --config - 2>&1) || {
    say "AWS did not take it: ${answer:0:300}"
    return 1
  }
  printf '%s\n' "$answer"
}
