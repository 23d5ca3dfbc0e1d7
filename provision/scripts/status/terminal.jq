# The state of status.sh for a terminal of 80 columns.
import "words" as words;

def paint($severity): if $colours then "\u001b[" + ["32", "33", "31"][$severity] + "m" + . + "\u001b[0m" else . end;
def bold: if $colours then "\u001b[1m" + . + "\u001b[0m" else . end;
# pad fills up to $width, and cuts what would leave no space after it.
def pad($width): .[0:$width - 1] | . + ((" " * ($width - length)) // "");

# wrapped breaks a sentence between words into lines of at most $width.
def wrapped($width): reduce (split(" ")[]) as $word ([""];
  if .[-1] == "" then .[-1] = $word
  elif (.[-1] | length) + 1 + ($word | length) <= $width then .[-1] += " " + $word
  else . + [$word] end);

def gauge: .severity as $severity | (.value / 4 | ceil) as $filled | "  " + (.name | pad(9)) + ("[" + (("#" * $filled) // "") + (("." * (25 - $filled)) // "") + "]" | paint($severity)) + " \(.value) %";

.severity as $severity
| ((.domain | pad(58)) + (.time | words::minute) + " UTC" | bold),
  ((.severity | words::verdict) + ": " + words::headline | paint($severity)),
  "",
  ("RELEASES" | bold),
  (.releases[] | "  " + (.id | pad(24)) + (if .serves then "serves since " else "kept, served " end) + (.since | words::minute)),
  (if .releases == [] then "  none yet" else empty end),
  "",
  ("SERVICES" | bold),
  (words::services[] | "  " + (.name | pad(22)) + if .kept then (.status | pad(34)) + "persistent" else .status[0:56] end),
  "",
  (if (.jobs // []) == [] then empty else ("JOBS" | bold), (.jobs[] | "  " + (.name | pad(22)) + ("\(.state)\(words::lastRun)" | pad(35)) + "next " + words::nextRun), "" end),
  (if words::servers == [] then empty else ("SERVERS" | bold), (words::servers[] | . as $server | (.said | wrapped(38)) as $lines
    | "  " + (.name | pad(22)) + (.address | pad(17)) + ($lines[0] | paint($server.severity)), ($lines[1:][] | " " * 41 + . | paint($server.severity))), "" end),
  ("SERVER, Berth \(.berth)" | bold),
  (words::gauges[] | gauge),
  "",
  ("CHECKS" | bold),
  (.checks[] | . as $check | (.reason | wrapped(53)) as $lines
    | "  " + (.verdict | pad(9) | paint($check.severity)) + " " + (.name | pad(13)) + $lines[0], ($lines[1:][] | " " * 25 + .)),
  "",
  ("LAST RELEASES" | bold),
  (.history[] | "  " + (.time | words::minute) + "  " + (.action | pad(9)) + ((.release | if . == "" then "-" else . end) | pad(24)) + (.result | pad(10)) + "\(.seconds) s"),
  (if .history == [] then "  none yet" else empty end)
