# A plan or a compose file of release $old as that of release $new: its name, and the loopback ports of its slot, of which $from is the
# first and $to that of the new one. Those of persistent services stay.

def moved: if . >= $from and . < $from + 100 then . - $from + $to else . end;

walk(if type == "string" then split($old) | join($new) else . end)
| (.routes[]?.upstream) |= moved
| (.services[]?.ports[]?.published) |= (tostring | split("-") | map(tonumber | moved | tostring) | join("-"))
