# The last 24 hours out of health/minutes.sh's record.

def average: add / length;

# day makes, of the record's text, one item for every five minutes that have lines. A line that was cut off is passed over, and
# of a time without lines nothing is said.
def day($now):
  [split("\n")[] | [split("\t")[] | tonumber?] | select(length == 10 and .[0] > $now - 86400 - 300)] as $lines
  | [range(1; $lines | length) | $lines[. - 1] as $from | $lines[.] as $to | ($to[0] - $from[0]) as $seconds
    | select($to[0] > $now - 86400 and $to[0] <= $now and $seconds > 0 and $seconds < 150)
    | {time: $to[0], seconds: $seconds, memory: $to[3], disk: $to[4], requests: $to[5], errors: $to[6], p95: $to[7],
       # After a start the count begins at zero.
       cpu: (if $to[2] > $from[2] and $to[1] >= $from[1] then 100 * ($to[1] - $from[1]) / ($to[2] - $from[2]) else 0 end)}]
  | group_by(.time / 300 | floor)
  | map((map(.requests) | add) as $requests | (map(.seconds) | add) as $seconds
    | {time: ((.[0].time / 300 | floor) * 300), requests: ($requests / $seconds), errors: (map(.errors) | add), p95: (map(.p95) | max),
       cpu: (map(.cpu) | average), memory: (map(.memory) | max), disk: (map(.disk) | max)});

# short is a number as people read it.
def short: if . >= 100 then round elif . >= 10 then (. * 10 | round / 10) else (. * 100 | round / 100) end;

# chart draws a field of the day: what it was last, what it was at most, and a line between, with gaps where nothing is known. Without
# a top of its own the highest value is at the top.
def chart($name; $field; $unit; $top; $now):
  ([.[][$field]] | max) as $most | ($top // ([$most, 1] | max)) as $top | (.[-1][$field] | short) as $last
  | ([range(length) as $i | .[$i] as $here
      | ((($here.time - $now) / 300 + 288) | short) as $x | (58 - 56 * ([$here[$field] / $top, 1] | min) | short) as $y
      | if $i > 0 and .[$i - 1].time == $here.time - 300 then "L\($x) \($y)" else "M\($x) \($y)h.1" end] | join("")) as $line
  | "<figure><figcaption>\($name) <b>\($last)\($unit)</b></figcaption>"
    + "<svg viewBox=\"0 0 288 60\" preserveAspectRatio=none role=img aria-label=\"\($name) in the last 24 hours: \($last)\($unit) now, \($most | short)\($unit) at most\"><path d=\"\($line)\"/></svg>"
    + "<small>24 hours ago</small><small>at most \($most | short)\($unit)</small></figure>";

def charts($now):
  if . == [] then "<p>nothing recorded yet: the health check writes a line every minute</p>"
  else "<div class=charts>",
    chart("Requests"; "requests"; "/s"; null; $now), chart("Errors (5xx)"; "errors"; " in 5 min"; null; $now), chart("Answered within (95 %)"; "p95"; " ms"; null; $now),
    chart("Processors"; "cpu"; " %"; 100; $now), chart("Memory"; "memory"; " %"; 100; $now), chart("Volume"; "disk"; " %"; 100; $now),
    "</div>"
  end;
