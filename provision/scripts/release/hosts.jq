# Which route answers under which name, for nginx (release/routes.jq) and for who asks the routes (release/asked.jq). $names are the
# site's domain and its aliases.

# A path is that of its folder, with and without the slash at its end: /docs has /docs and /docs/page, not /docsearch.
def folder: rtrimstr("/") + "/";

# of_host gives the routes of a release that host $host has: its own, and of those without a host, which are for all of $names,
# the ones at paths that none of its own begins.
def of_host($host; $names):
  map(select(.host == $host)) as $own
  | $own + if IN($host; $names[]) then
      map(select((.host // "") == "" and (.path as $path | all($own[]; .path as $begin | ($path | folder | startswith($begin | folder)) | not))))
    else [] end;
