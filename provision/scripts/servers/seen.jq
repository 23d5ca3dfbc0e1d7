# How each web server is, by what AWS said of it ($look), what is known of it ($known, by ID) and what it answered at last ($seen). Gives a
# list of {id, address, phase, said, reboot, used}; phase is serves, joins, leaves or fails, and said the same for a person. used is null
# where it is old, or the server leaves.
# Seconds after which an answer is old, and that a switch to $current, at $switched, takes everywhere.
180 as $old | 40 as $switches
| def minutes: . / 60 | floor | if . == 1 then "1 minute" else "\(.) minutes" end;
  [$look.servers[]? | .id as $id | ($known[$id].release // "") as $joined
  # After a boot of this server none has answered yet.
  | ($seen[$id] // {time: $booted, release: $joined, ready: true, reboot: false}) as $last
  | (if (.state | startswith("Terminat")) or .health != "Healthy" then ["leaves", "is replaced, or ends"]
     elif .state != "InService" then ["joins", "joins"]
     elif $joined == "" then ["fails", "takes requests, and has not joined"]
     elif $last.time < $now - $old then ["fails", "has not answered for \($now - $last.time | minutes)"]
     elif $last.release != $current and $last.time > $switched + $switches then ["fails", "serves \($last.release | if . == "" then "nothing" else "release \(.)" end)"]
     elif $last.ready | not then ["fails", "is not ready for requests"]
     else ["serves", "serves release \($current)"] end) as [$phase, $said]
  | {id, address: (.address | if . == "-" then "" else . end), phase: $phase, said: $said, reboot: ($last.reboot == true),
     used: (if $phase == "leaves" or $last.time < $now - $old then null else $last.used end)}]
