#!/usr/bin/env bash
# Lets this runner, and nobody else besides the operator, reach the server over SSH while it deploys:
# runner-ssh.sh open | close STACK. A runner's address is not known before it runs, so it cannot stand in
# berth:operatorCidrs.
set -euo pipefail

readonly MARK=berth-runner

say() { printf 'runner-ssh.sh: %s\n' "$*"; }

# group prints the id of the stack's security group.
group() {
  aws ec2 describe-security-groups --filters Name=tag:ManagedBy,Values=berth "Name=tag:Stack,Values=$1" \
    --query 'SecurityGroups[].GroupId' --output text
}

# close_all also takes away what a run left that was killed.
close_all() {
  local rules
  rules=$(aws ec2 describe-security-group-rules --filters "Name=group-id,Values=$1" "Name=tag:Name,Values=$MARK" \
    --query 'SecurityGroupRules[].SecurityGroupRuleId' --output text)
  [ -n "$rules" ] || return 0
  # shellcheck disable=SC2086 # several ids, several words
  aws ec2 revoke-security-group-ingress --group-id "$1" --security-group-rule-ids $rules >/dev/null
  say "closed $rules"
}

open() {
  local address
  address=$(curl --silent --show-error --fail --max-time 20 https://checkip.amazonaws.com)
  [[ $address =~ ^[0-9]+(\.[0-9]+){3}$ ]] || { say "cannot tell this runner's address: $address" >&2; exit 1; }
  aws ec2 authorize-security-group-ingress --group-id "$1" \
    --ip-permissions "IpProtocol=tcp,FromPort=22,ToPort=22,IpRanges=[{CidrIp=$address/32,Description=The runner that deploys}]" \
    --tag-specifications "ResourceType=security-group-rule,Tags=[{Key=Name,Value=$MARK},{Key=ManagedBy,Value=berth}]" >/dev/null
  say "opened port 22 to $address"
}

main() {
  local action=${1:-} stack=${2:-} id
  [[ $action =~ ^(open|close)$ && -n $stack ]] || { say "usage: runner-ssh.sh open | close STACK" >&2; exit 1; }
  id=$(group "$stack")
  if [ -z "$id" ]; then
    [ "$action" = open ] || return 0
    say "stack $stack has no security group yet; the first 'pulumi up' is an operator's, from a network of berth:operatorCidrs" >&2
    exit 1
  fi
  [[ $id != *[[:space:]]* ]] || { say "more than one security group is stack $stack's: $id" >&2; exit 1; }
  close_all "$id"
  if [ "$action" = open ]; then open "$id"; fi
}

main "$@"
