# What the health check found, as metrics for CloudWatch. Sourced by health-check.sh.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# push_metrics sends one request. Failing it is a line in the journal, not a failed check.
push_metrics() {
  local body
  read_text body metrics
  # shellcheck disable=SC2310 # aws_request checks each of its commands
  printf 'url = "https://monitoring.%s.amazonaws.com/"\ndata = "%s"\n' "$REGION" "$body" | aws_request monitoring 20 >/dev/null ||
    say "CloudWatch has no metrics of this minute"
}

# metrics prints the body of a PutMetricData request of CloudWatch's query protocol.
metrics() {
  jq -s -r --arg domain "$DOMAIN" --argjson worst "$WORST" '
    (map({key: .name, value: .value}) | from_entries) as $values
    | [["MemoryUsed", "Percent", $values.memory], ["DiskUsed", "Percent", $values.disk], ["SwapUsed", "Percent", $values.swap],
       ["UnhealthyContainers", "Count", $values.containers], ["CertificateLife", "Percent", $values.certificate],
       ["BackupAge", "Count", $values.backup], ["HealthCheck", "None", $worst], ["WebMemoryUsed", "Percent", $values["web-memory"]],
       ["WebDiskUsed", "Percent", $values["web-disk"]], ["WebSwapUsed", "Percent", $values["web-swap"]]]
    | map(select(.[2] != null))
    | ["Action=PutMetricData", "Version=2010-08-01", "Namespace=Berth"]
      + [to_entries[] | "MetricData.member.\(.key + 1)." as $at | .value as $m
         | "\($at)MetricName=\($m[0])", "\($at)Unit=\($m[1])", "\($at)Value=\($m[2])",
           "\($at)Dimensions.member.1.Name=Domain", "\($at)Dimensions.member.1.Value=\($domain | @uri)"]
    | join("&")' <<<"$RESULTS"
}
