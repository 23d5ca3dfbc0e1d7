# What both pages say.
def verdict: ["ok", "warning", "critical"][.];

# plain takes out of every text what no one sees and what a terminal or a browser acts upon.
def plain: walk(if type == "string" then gsub("[\\p{C}\\p{Zl}\\p{Zp}]"; "") else . end);

# headline is the state in one sentence.
def headline:
  [.checks[] | select(.severity > 0) | .name] as $bad
  | if $bad == [] then "everything is well" elif ($bad | length) == 1 then "1 check is not well: \($bad[0])" else "\($bad | length) checks are not well: \($bad | join(", "))" end;

# minute is a time to the minute, as people write it.
def minute: .[0:16] | sub("T"; " ");

def services: [.services[] | {name: .service, status: (.status | sub("^Up "; "up ")), kept: .outlasts}];

# used is what of a web server is in use.
def used: if . == null then "memory, swap and disk are not known" else "memory \(.memory) %, swap \(.swap) %, disk \(.disk) %" end;

# servers are the first, whose figures the page has elsewhere, and the web servers, where there are several.
def servers: [.servers[]? | {name: .id, address,
  said: (.said + (if .reboot then "; an update waits for a reboot" else "" end) + (if .used != null or (has("used") and .phase == "serves") then "; \(.used | used)" else "" end)),
  severity: (if .phase == "fails" then 1 else 0 end)}];

# gauges are the checks that are a share of something.
def gauges: [.checks[] | select(.name | IN("disk", "root", "memory", "swap")) | {name, value: ((.value // 0) | floor), severity}];

# What is said of a job: its last run, its next one, and how bad that is.
def lastRun: if .last.time == null then "" else " \(.last.time | minute)" + if .last.seconds == null or .state == "running" then "" else ", \(.last.seconds) s" end end;
def nextRun: if .next == null then "-" else .next | minute end;
def jobSeverity: if .overdue != null or (.state | IN("failed", "interrupted")) then 2 else 0 end;
