#!/usr/bin/env bash
# Lets only this runner and the operator reach the server over SSH while it deploys:
# runner-ssh.sh open | close STACK. A runner's address is not known before it runs, so it cannot be in
# berth:operatorCidrs.
set -euo pipefail

readonly MARK=berth-runner

say() { printf 'runner-ssh.sh: %s\n' "$*"; }

# project prints the name of the project in Pulumi.yaml.
project() {
  local name
  name=$(sed -n 's/^name: *//p' "$(dirname "${BASH_SOURCE[0]}")/../Pulumi.yaml")
  [[ $name =~ ^[A-Za-z0-9_.-]+$ ]] || {
    say "Pulumi.yaml has no name of a project: $name" >&2
    exit 1
  }
  printf '%s\n' "$name"
}

# group prints the id of the security group of the stack's first server. Two projects of one account may have stacks of one name, and
# several servers have other groups, too, which the operator does not reach.
group() {
  aws ec2 describe-security-groups --filters Name=tag:ManagedBy,Values=berth "Name=tag:Project,Values=$1" "Name=tag:Stack,Values=$2" "Name=description,Values=SSH from the operator*" \
    --query 'SecurityGroups[].GroupId' --output text
}

# close_all closes what this run opened, and what a run that was killed left open, which it reports.
close_all() {
  local rules id run opened address ids=()
  rules=$(aws ec2 describe-security-group-rules --filters "Name=group-id,Values=$1" "Name=tag:Name,Values=$MARK" Name=tag:ManagedBy,Values=berth \
    --query "SecurityGroupRules[].[SecurityGroupRuleId, Tags[?Key=='Run']|[0].Value, Tags[?Key=='Opened']|[0].Value, CidrIpv4]" --output text)
  [ -n "$rules" ] || return 0
  while read -r id run opened address; do
    ids+=("$id")
    [ "$run" = "${GITHUB_RUN_ID:-none}" ] || say "port 22 was left open to $address: run $run opened it at $opened and was ended before it closed it" >&2
  done <<<"$rules"
  aws ec2 revoke-security-group-ingress --group-id "$1" --security-group-rule-ids "${ids[@]}" >/dev/null
  say "closed ${ids[*]}"
}

open() {
  local address now
  address=$(curl --silent --show-error --fail --max-time 20 https://checkip.amazonaws.com)
  [[ $address =~ ^[0-9]+(\.[0-9]+){3}$ ]] || {
    say "cannot tell this runner's address: $address" >&2
    exit 1
  }
  now=$(date --utc +%Y-%m-%dT%H:%M:%SZ)
  aws ec2 authorize-security-group-ingress --group-id "$1" \
    --ip-permissions "IpProtocol=tcp,FromPort=22,ToPort=22,IpRanges=[{CidrIp=$address/32,Description=The runner that deploys}]" \
    --tag-specifications "ResourceType=security-group-rule,Tags=[{Key=Name,Value=$MARK},{Key=ManagedBy,Value=berth},{Key=Run,Value=${GITHUB_RUN_ID:-none}},{Key=Opened,Value=$now}]" >/dev/null
  say "opened port 22 to $address"
}

main() {
  local action=${1:-} stack=${2:-} project id
  [[ $action =~ ^(open|close)$ && -n $stack ]] || {
    say "usage: runner-ssh.sh open | close STACK" >&2
    exit 1
  }
  project=$(project)
  id=$(group "$project" "$stack")
  if [ -z "$id" ]; then
    [ "$action" = open ] || return 0
    say "stack $stack of project $project has no security group yet; the first 'pulumi up' is an operator's, from a network of berth:operatorCidrs" >&2
    exit 1
  fi
  [[ $id != *[[:space:]]* ]] || {
    say "more than one security group has the tags of stack $stack of project $project: $id" >&2
    exit 1
  }
  close_all "$id"
  if [ "$action" = open ]; then open "$id"; fi
}

main "$@"
