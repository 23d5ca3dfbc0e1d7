# What is not (yet) as it should be among some containers: input is what `docker inspect` prints, $plan[0] the plan of
# their release, $left names the jobs of another one. Prints "waiting SERVICE …" or "broken SERVICE …" for each.
($plan[0].stateful + $plan[0].stateless) as $services
| ([$plan[0].routes[].service]) as $asked
| .[] | select(.Config.Labels["com.docker.compose.oneoff"] != "True") | .State as $s
| .Config.Labels["com.docker.compose.service"] as $service
| select(($services | index([$service])) and ($left | split(" ") | index([$service]) | not))
| ($s.Health.Status // "none") as $health
| (.HostConfig.RestartPolicy.Name as $policy | ["", "no", "on-failure"] | index([$policy]) != null) as $once
| (if $s.OOMKilled then ", out of memory" else "" end) as $memory
| if .RestartCount >= $loops then "broken \($service) starts again and again, the last time it ended with exit code \($s.ExitCode)\($memory)"
  elif $s.Status == "exited" and $s.ExitCode == 0 and $once then empty
  elif $s.Status == "exited" or $s.Status == "dead" then "\(if $once then "broken" else "waiting" end) \($service) ended with exit code \($s.ExitCode)\($memory)"
  elif $s.Status == "running" and ($plan[0].once // [] | index([$service])) then "waiting \($service) is at work, and others wait until it has ended"
  elif $s.Status != "running" then "waiting \($service) is \($s.Status)"
  elif $health == "healthy" then empty
  elif $health != "none" then "waiting \($service) is \($health): \($s.Health.Log[-1] as $last
      | if $last == null then "its health check has not run yet"
        else $last.Output // "" | gsub("[[:space:]]+"; " ") | if . == "" or . == " " then "its health check ends with exit code \($last.ExitCode) and says nothing" else .[:200] end end)"
  elif $asked | index([$service]) then empty
  elif ($now - ($s.StartedAt | sub("\\..*"; "Z") | fromdate)) < $steady then "waiting \($service) has just started"
  else empty end
