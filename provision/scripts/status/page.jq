# The state of status.sh as an HTML page that needs nothing else.
import "words" as words;
import "day" as day;

def row(cells): "<tr>" + ([cells | "<td>" + . + "</td>"] | join("")) + "</tr>";
def badge($severity): "<b class=\"s\($severity)\">" + ($severity | words::verdict) + "</b>";
def table(rows): "<table>" + ([rows] | join("")) + "</table>";

"<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><meta http-equiv=refresh content=60><title>\(.domain | @html)</title><style>
:root{color-scheme:light dark;--ok:#16803c;--warning:#a15c00;--critical:#c21d1d;--line:#8883;--line-of-chart:#1d6fd1}
@media(prefers-color-scheme:dark){:root{--ok:#4ade80;--warning:#fbbf24;--critical:#f87171;--line-of-chart:#6cb2ff}}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
header{display:flex;justify-content:space-between;align-items:baseline;flex-wrap:wrap;gap:.5rem}
h1{font-size:1.4rem;margin:0}h2{font-size:.8rem;letter-spacing:.08em;text-transform:uppercase;opacity:.65;margin:1.8rem 0 .4rem}
table{border-collapse:collapse;width:100%}tr{border-top:1px solid var(--line)}td{padding:.3rem .8rem .3rem 0;vertical-align:top}
td:first-child{white-space:nowrap;width:12rem}b{white-space:nowrap}time,small{opacity:.65}
.s0{color:var(--ok)}.s1{color:var(--warning)}.s2{color:var(--critical)}
meter{width:10rem;height:1.1rem}@media(max-width:40rem){table,tbody{display:block}tr{display:flex;flex-wrap:wrap;gap:0 .8rem;padding:.3rem 0}td{padding:0;overflow-wrap:anywhere}td:first-child{width:100%;opacity:.65}}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:1rem 1.5rem}
figure{margin:0;display:flex;flex-wrap:wrap;justify-content:space-between}figcaption{width:100%;display:flex;justify-content:space-between}
svg{width:100%;height:4rem;margin:.2rem 0;border:solid var(--line);border-width:1px 0}path{fill:none;stroke:var(--line-of-chart);stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.state{font-size:1.1rem;margin:.4rem 0 0}
</style></head><body>",
"<header><h1>\(.domain | @html)</h1><time>\(.time | words::minute) UTC</time></header>",
"<p class=state>\(badge(.severity)) \(words::headline)</p>",
"<h2>Last 24 hours</h2>", ((.time | fromdate) as $now | .day | day::charts($now)),
"<h2>Releases</h2>", table(.releases[] | row((.id | @html), if .serves then "<b>serves</b> since " + (.since | words::minute) else "kept, served " + (.since | words::minute) end)),
"<h2>Services</h2>", table(words::services[] | row((.name | @html), (.status | @html), if .kept then "<small>persistent</small>" else "" end)),
(if (.jobs // []) == [] then empty else "<h2>Jobs</h2>", table(.jobs[] | row((.name | @html), "<b class=s\(words::jobSeverity)>\(.state)</b>\(words::lastRun | @html)", "<small>next \(words::nextRun | @html)</small>")) end),
(if words::servers == [] then empty else "<h2>Servers</h2>", table(words::servers[] | row((.name | @html), (.address | @html), "<span class=s\(.severity)>\(.said | @html)</span>")) end),
"<h2>Server, Berth \(.berth | @html)</h2>", table(words::gauges[] | row((.name | @html), "<meter min=0 max=100 high=80 optimum=0 value=\(.value)></meter>", "\(.value) %")),
"<h2>Checks</h2>", table(.checks[] | row((.name | @html), badge(.severity), (.reason | @html))),
"<h2>Last releases</h2>", table(.history[] | row((.time | words::minute), (.action | @html), (.release | @html), (.result | @html), "\(.seconds) s")),
"</body></html>"
