# What the health check found, as metrics for CloudWatch. Sourced by health-check.sh.
#
# The instance's own role signs, with credentials that the metadata service gives for some hours; curl knows AWS's
# signature itself. Nothing of them stands on a command line.
# shellcheck shell=bash disable=SC2034,SC2153

readonly METADATA=http://169.254.169.254/latest

# push_metrics sends one request. Failing it is a line in the journal, not a failed check.
push_metrics() {
  local role credentials
  if ! role=$(metadata meta-data/iam/security-credentials/) || ! credentials=$(metadata "meta-data/iam/security-credentials/$role"); then
    say "the metadata service gives no credentials; has the instance its role?"
    return 0
  fi
  jq -r --arg region "$REGION" --arg body "$(metrics)" '
    "url = \"https://monitoring.\($region).amazonaws.com/\"",
    "aws-sigv4 = \"aws:amz:\($region):monitoring\"",
    "user = \"\(.AccessKeyId):\(.SecretAccessKey)\"",
    "header = \"X-Amz-Security-Token: \(.Token)\"",
    "data = \"\($body)\""' <<<"$credentials" |
    curl --silent --show-error --fail-with-body --max-time 20 --output /run/berth/cloudwatch.answer --config - ||
    say "CloudWatch did not take the metrics: $(head -c 300 /run/berth/cloudwatch.answer 2>/dev/null)"
}

metadata() {
  local token
  token=$(curl --silent --fail --max-time 5 --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$METADATA/api/token") &&
    curl --silent --fail --max-time 5 --header "X-aws-ec2-metadata-token: $token" "$METADATA/$1"
}

# metrics prints the body of a PutMetricData request of CloudWatch's query protocol.
metrics() {
  jq -s -r --arg stack "$STACK" --argjson worst "$WORST" '
    (map({key: .name, value: .value}) | from_entries) as $values
    | [["MemoryUsed", "Percent", $values.memory], ["DiskUsed", "Percent", $values.disk], ["SwapUsed", "Percent", $values.swap],
       ["UnhealthyContainers", "Count", $values.containers], ["CertificateDays", "Count", $values.certificate],
       ["BackupAge", "Count", $values.backup], ["HealthCheck", "None", $worst]]
    | map(select(.[2] != null))
    | ["Action=PutMetricData", "Version=2010-08-01", "Namespace=Berth"]
      + [to_entries[] | "MetricData.member.\(.key + 1)." as $at | .value as $m
         | "\($at)MetricName=\($m[0])", "\($at)Unit=\($m[1])", "\($at)Value=\($m[2])",
           "\($at)Dimensions.member.1.Name=Stack", "\($at)Dimensions.member.1.Value=\($stack | @uri)"]
    | join("&")' <<<"$RESULTS"
}
