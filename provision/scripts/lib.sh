# Shared by every script: messages, settings, atomic files. Sourced, never run.
# shellcheck shell=bash
set -euo pipefail

# shellcheck disable=SC2034 # where things are, for the scripts that source this
readonly BERTH_ETC=/etc/berth DATA=/data

# Inside a step, file descriptor 3 is the operator's terminal and standard output is the step's log; a script run by
# hand has its terminal on standard output.
{ true >&3; } 2>/dev/null || exec 3>&1

# SAID is the last line that say said, FAILED is not empty once fail spoke, SHOWN once show did. CULPRIT is the command that
# set -e ended the script for, as it stands in the script and so without the values in it, and where.
SAID="" FAILED="" SHOWN="" CULPRIT=""
set -o errtrace
shopt -s inherit_errexit
trap 'CULPRIT="$BASH_COMMAND (${BASH_SOURCE[0]##*/}, line $LINENO)"' ERR
trap explain_end EXIT

# explain_end gives a script that a command ended its sentence.
# shellcheck disable=SC2317 # trap calls it
explain_end() {
  local code=$?
  if [ "$code" -ne 0 ] && [ -z "$FAILED" ] && [ -n "$CULPRIT" ]; then
    say "ended with exit code $code, because this failed: $CULPRIT; the lines above say why; nothing was done after it"
  fi
}

# say tells the operator, in one line, what is happening.
say() {
  # shellcheck disable=SC2034 # for deploy.sh's record
  SAID=${*//$'\n'/ }
  make_plain SAID
  print "${0##*/}: $SAID"
}

# print prints $1 for the operator and into the log, as plain text. A connection that was cut, or a full disk under the log, keeps
# nothing from being done: least of all what puts things back.
print() {
  local printed=$1
  make_plain printed
  printf '%s\n' "$printed" >&3 || true
  [ /dev/fd/3 -ef /dev/fd/1 ] || printf '%s\n' "$printed" || true
}

# PLAIN is plain's program in perl, which every Debian has. It is asked to end by the end of its input alone, so that what a
# signal ends can still say why; and where the disk is full, it reads on.
# shellcheck disable=SC2016 # perl's variables
readonly PLAIN='
  $SIG{$_} = "IGNORE" for qw(HUP INT TERM);
  my $before = shift;
  while (<STDIN>) {
    # Escape sequences, whole ones.
    s/\e(?:\[[0-?]*[ -\/]*[\@-~]|[\]PX^_][^\a\e\n]*(?:\a|\e\\)|[ -\/]*[0-~])//g;
    # What is left is ASCII that is printed, tabs and newlines, and characters from U+00A0 on in well-formed UTF-8.
    s/((?:[\t\n -~]|\xC2[\xA0-\xBF]|[\xC3-\xDF][\x80-\xBF]|\xE0[\xA0-\xBF][\x80-\xBF]|\xED[\x80-\x9F][\x80-\xBF]|[\xE1-\xEC\xEE\xEF][\x80-\xBF]{2}
      |\xF0[\x90-\xBF][\x80-\xBF]{2}|[\xF1-\xF3][\x80-\xBF]{3}|\xF4[\x80-\x8F][\x80-\xBF]{2})+)|./$1 \/\/ ""/gsex;
    # Of these, what is not seen and changes how the rest is: U+061C, U+200B, U+200E, U+200F, U+2028 to U+202E, U+2060 to
    # U+206F, U+FEFF, U+FFF9 to U+FFFB, U+E0000 to U+E007F.
    s/\xD8\x9C|\xE2\x80[\x8B\x8E\x8F\xA8-\xAE]|\xE2\x81[\xA0-\xAF]|\xEF\xBB\xBF|\xEF\xBF[\xB9-\xBB]|\xF3\xA0[\x80\x81][\x80-\xBF]//g;
    syswrite STDOUT, "$before$_";
  }'

# plain passes lines on without what a terminal, a browser or GitHub would take for more than text. What an app, its repository,
# an image or another host may have written goes through it before anybody reads it. $1 is put before each line.
# shellcheck disable=SC2120 # log-monitor.sh gives it
plain() { perl -e "$PLAIN" -- "${1:-}"; }

# make_plain makes variable $1 what plain leaves of it. ASCII takes no process; where perl does not work, no more than that stays.
# shellcheck disable=SC2119,SC2310 # plain is one command
make_plain() {
  local -n plain_of=$1
  local LC_ALL=C made
  [[ $plain_of == *[!$'\t\n'\ -~]* ]] || return 0
  if made=$(plain <<<"$plain_of") && [ -n "$made" ]; then plain_of=$made; else plain_of=${plain_of//[!$'\t\n'\ -~]/}; fi
}

# fail ends the script with a sentence that says what is wrong, and after the first semicolon what to do; $1 is its identifier
# (docs/problems.md), which comes before that.
fail() {
  local id=$1 rest
  FAILED=yes
  shift
  rest=$*
  # What comes first: a semicolon, or the fix.
  rest=${rest%%; *}
  rest=${rest%%. Fix: *}
  say "$rest [$id]${*#"$rest"}"
  exit 1
}

# show passes lines of something else's on to the operator and into the log, between marks; $1 says whose they are.
show() {
  local lines
  # shellcheck disable=SC2034 # for deploy.sh
  SHOWN=yes
  lines=$(cut -c 1-300)
  : "${lines:=(none: it writes its log elsewhere, or nothing yet)}"
  say "--- the last lines of $1"
  print "$lines"
  say "---"
}

need_root() {
  local id
  read_text id id -u
  [ "$id" -eq 0 ] || fail needs-root "needs root; run it again with sudo"
}

# What a command prints is read in one of the following ways. They do not rely on set -e, which is off inside every condition.

# read_text reads what a command prints into variable $1; a command that fails or prints nothing ends the script.
read_text() {
  local -n text_of=$1
  shift
  # shellcheck disable=SC2034 # the caller's variable
  if ! text_of=$("$@") || [ -z "$text_of" ]; then
    fail command-failed "'$1 ${2:-}' failed or printed nothing (the lines above say why), and nothing is done on a guess"
  fi
}

# read_lines reads what a command prints, one item per line, into array $1; a command that fails ends the script.
read_lines() {
  local -n lines_of=$1
  local printed
  shift
  printed=$("$@") || fail command-failed "'$1 ${2:-}' failed (the lines above say why), and nothing is done on a guess"
  lines_of=()
  # shellcheck disable=SC2034 # the caller's array
  [ -z "$printed" ] || mapfile -t lines_of <<<"$printed"
}

# read_each reads what command $3… prints, with the items of array $2 behind it, into array $1: a line for each of them.
read_each() {
  local -n each_of=$1 items_of=$2
  read_lines "$1" "${@:3}" "${items_of[@]}"
  [ "${#each_of[@]}" -eq "${#items_of[@]}" ] ||
    fail command-failed "'$3 ${4:-}' printed ${#each_of[@]} lines about ${#items_of[@]}, and nothing is done on a guess"
}

# read_json reads what jq's filter $3 gives for file $2, one item per line, into array $1; further arguments are jq's. After the
# last comes a word by which jq says that it got so far: a file that is empty, or a jq that prints nothing, is no empty list.
read_json() {
  local -n json_of=$1
  read_lines "$1" jq -r "${@:4}" "($3), \"read\"" "$2"
  if [ "${#json_of[@]}" -eq 0 ] || [ "${json_of[-1]}" != read ]; then
    fail jq-read-nothing "jq read nothing from $2, and nothing is done on a guess; look with: sudo jq . $2"
  fi
  unset 'json_of[-1]'
}

# holds says whether jq, with these arguments, prints true; all but true and false ends the script.
holds() {
  local answer
  answer=$(jq "$@") || answer="nothing: it failed"
  case $answer in
    true) return 0 ;;
    false) return 1 ;;
    *) fail jq-answer-unclear "jq tells neither true nor false of $* (it says ${answer:-nothing}), and nothing is done on a guess" ;;
  esac
}

# docker_table lists what there is of a kind (docker ps, network ls, image ls: $@), without the table's head. Docker prints
# the head where there is nothing, too: without it nothing is believed.
docker_table() {
  local table
  read_text table docker "$@"
  [[ $table != *$'\n'* ]] || printf '%s\n' "${table#*$'\n'}"
}

# put writes standard input to file $1 with mode $2, at once: a reader sees the old file or the new one, after a power cut
# too. Folders that are missing in /etc are made as the system's are, whatever the umask: other programs read there.
put() {
  local temporary=$1.new-$BASHPID left mask
  mask=$(umask)
  [[ $1 != /etc/* ]] || mask=022
  (umask "$mask" && mkdir -p "${1%/*}")
  # shellcheck disable=SC2310 # abandoned is one test
  for left in "$1".new-*; do
    if abandoned "$left"; then rm -f "$left"; fi
  done
  # shellcheck disable=SC2310 # put_whole is one list
  put_whole "$temporary" "$@" || fail file-not-written "cannot write $1 (the lines above say why); it stays as it was"
}

put_whole() {
  local text
  # A NUL would end the text before its end.
  ! IFS= read -r -d '' text || return 1
  (umask 077 && printf '%s' "$text" >"$1") && chmod "$3" "$1" && sync "$1" && mv -f "$1" "$2"
}

# abandoned says whether the process that wrote $1, whose number it ends with, is gone: it ended, or the server did. What
# systemd makes on its way up tells when that was.
abandoned() { [ -e "$1" ] && { ! kill -0 "${1##*-}" 2>/dev/null || [ "$1" -ot /run/systemd/notify ]; }; }

# await runs a command until it succeeds, for at most $1 seconds: ten times a second at first, then once. The command checks
# each of its parts itself: set -e is off in it.
await() {
  local began=$SECONDS limit=$1
  shift
  until "$@"; do
    [ $((SECONDS - began)) -lt "$limit" ] || return 1
    if [ $((SECONDS - began)) -lt 5 ]; then sleep 0.1; else sleep 1; fi
  done
}

# read_settings sets variables to what the JSON object in file $1 holds under their names. $3... are NAME, for a string, or
# NAME:TYPE, for a number (whole, and not below 0), a boolean, an array or an object, which become JSON again. One jq reads them all, and
# nothing of them is shell code or an argument of a process. A file that holds no such object, a name that it lacks and a value of
# another type end the script; $2 says how to fix it.
read_settings() {
  local file=$1 fix=$2 name at=0
  local -a values=()
  shift 2
  [ -r "$file" ] || fail server-settings-missing "the settings in $file are missing; nothing was done with them. Fix: $fix"
  # shellcheck disable=SC2016,SC2312 # jq's variables; what jq read to its end begins with "read"
  mapfile -d '' -t values < <(jq --slurp --join-output '
    def fits($kind): if type != $kind then false elif type == "string" then index("\u0000") == null
      elif type == "number" then . >= 0 and . < 1e15 and . == floor else true end;
    def given($all): (split(":") + ["string"]) as [$name, $kind]
      | if $all | has($name) | not then {wrong: "it has no \($name)"}
        elif $all[$name] | fits($kind) | not then {wrong: "its \($name) is not a \($kind)"}
        else {value: ($all[$name] | if type == "string" then . else tojson end)} end;
    (if length == 1 and (.[0] | type) == "object" then .[0] as $all | [$ARGS.positional[] | given($all)] else [{wrong: "it is not one JSON object"}] end)
    | ([.[].wrong // empty][0] // "read"), (.[].value // empty) | "\(.)\u0000"' "$file" --args "$@")
  if [ "${values[0]:-}" != read ] || [ "${#values[@]}" -ne $(($# + 1)) ]; then
    fail server-settings-invalid "the settings in $file cannot be used: ${values[0]:-jq reads no JSON there (the lines above say why)}; nothing was done with them. Fix: $fix"
  fi
  for name in "$@"; do printf -v "${name%%:*}" '%s' "${values[at += 1]}"; done
}

# load_settings reads what a step left in $BERTH_ETC/$1.json for the scripts that are run by hand or by a timer; see read_settings.
load_settings() {
  local step=$1
  case $1 in certificate) step=edge ;; jobs) step=operations ;; *) ;; esac
  read_settings "$BERTH_ETC/$1.json" "pulumi up; where that finds nothing to do, have it write them again: pulumi up --replace \"\$(pulumi stack --show-urns | grep -o 'urn:pulumi:[^ ]*Command::$step')\"" "${@:2}"
}

# step_settings reads what 'pulumi up' hands a step on standard input; see read_settings.
step_settings() { read_settings /dev/stdin "run 'pulumi up' again" "$@"; }

# put_checked writes standard input to file $1 of program $2. Where command $3... refuses the configuration with it, what was
# there comes back: a server that restarts must not be left without a site, nor anybody be locked out. What was there is kept
# beside the file, under a name that no include takes, so that the next run undoes one that was cut before its check.
put_checked() {
  local file=$1 program=$2 before=$1.before now="the previous file is back"
  shift 2
  if [ -e "$before" ]; then mv -f "$before" "$file"; fi
  if [ -e "$file" ]; then
    cp -p "$file" "$before.new"
    mv -f "$before.new" "$before"
  fi
  put "$file" 0644
  if "$@"; then
    rm -f "$before"
    return
  fi
  if [ -e "$before" ]; then
    mv -f "$before" "$file"
  else
    rm -f "$file"
    now="the file, which was not there before, is removed"
  fi
  fail configuration-refused "$program refuses its configuration with the new $file (the lines above say where); $now"
}

# put_nginx writes standard input to nginx's file $1 and reloads.
put_nginx() {
  put_checked "$1" nginx nginx -t -q
  apply_nginx
}

# apply_nginx has nginx take its configuration, and starts it where it does not run.
apply_nginx() { systemctl reload-or-restart nginx; }

# nft_service has the rules in file $3 loaded now, and before there is a network and unit $4 whenever the server starts; $1 is its
# name, described by $2.
nft_service() {
  put "/etc/systemd/system/$1.service" 0644 <<EOF
[Unit]
Description=$2
Before=$4 network-pre.target shutdown.target
After=nftables.service
DefaultDependencies=no
Conflicts=shutdown.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file $3
ExecReload=/usr/sbin/nft --file $3

[Install]
WantedBy=multi-user.target
EOF
  systemctl daemon-reload
  systemctl enable --quiet "$1.service"
  systemctl reload-or-restart "$1.service"
}

# timer has $3, described by $2, run as $1 in minutes $4 of hours $5, each a number, a list or *; by up to $6 seconds later, so that
# not every server begins at once.
timer() {
  local persistent=true
  # What runs every hour need not be made up for.
  [ "$5" != "*" ] || persistent=false
  put "/etc/systemd/system/$1.service" 0644 <<EOF
[Unit]
Description=$2
After=network-online.target docker.service nginx.service
Wants=network-online.target
# Releases and people start it as well, as often as they like.
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=$3
Nice=10
EOF
  put "/etc/systemd/system/$1.timer" 0644 <<EOF
[Unit]
Description=$2

[Timer]
OnCalendar=*-*-* $5:$4:00
RandomizedDelaySec=$6
AccuracySec=10s
Persistent=$persistent

[Install]
WantedBy=timers.target
EOF
  systemctl daemon-reload
  systemctl enable --quiet --now "$1.timer"
}

reload_nginx() {
  nginx -t -q || fail nginx-configuration-refused "nginx refuses its configuration (the lines above say where); what it serves now stays"
  apply_nginx
}
