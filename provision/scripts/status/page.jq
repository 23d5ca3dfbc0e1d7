# The state of status.sh as an HTML page that needs nothing else.
import "words" as words;

def row(cells): "<tr>" + ([cells | "<td>" + . + "</td>"] | join("")) + "</tr>";
def badge($severity): "<b class=\"s\($severity)\">" + ($severity | words::verdict) + "</b>";
def table(rows): "<table>" + ([rows] | join("")) + "</table>";

"<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>\(.domain | @html)</title><style>
:root{color-scheme:light dark;--ok:#16803c;--warning:#a15c00;--critical:#c21d1d;--line:#8883}
@media(prefers-color-scheme:dark){:root{--ok:#4ade80;--warning:#fbbf24;--critical:#f87171}}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
header{display:flex;justify-content:space-between;align-items:baseline;flex-wrap:wrap;gap:.5rem}
h1{font-size:1.4rem;margin:0}h2{font-size:.8rem;letter-spacing:.08em;text-transform:uppercase;opacity:.65;margin:1.8rem 0 .4rem}
table{border-collapse:collapse;width:100%}tr{border-top:1px solid var(--line)}td{padding:.3rem .8rem .3rem 0;vertical-align:top}
td:first-child{white-space:nowrap;width:12rem}b{white-space:nowrap}time,small{opacity:.65}
.s0{color:var(--ok)}.s1{color:var(--warning)}.s2{color:var(--critical)}
meter{width:10rem;height:1.1rem}@media(max-width:40rem){table,tbody{display:block}tr{display:flex;flex-wrap:wrap;gap:0 .8rem;padding:.3rem 0}td{padding:0;overflow-wrap:anywhere}td:first-child{width:100%;opacity:.65}}
.state{font-size:1.1rem;margin:.4rem 0 0}
</style></head><body>",
"<header><h1>\(.domain | @html)</h1><time>\(.time | words::minute) UTC</time></header>",
"<p class=state>\(badge(.severity)) \(words::headline)</p>",
"<h2>Releases</h2>", table(.releases[] | row((.id | @html), if .serves then "<b>serves</b> since " + (.since | words::minute) else "kept, served " + (.since | words::minute) end)),
"<h2>Services</h2>", table(words::services[] | row((.name | @html), (.status | @html), if .kept then "<small>persistent</small>" else "" end)),
"<h2>Server</h2>", table(words::gauges[] | row((.name | @html), "<meter min=0 max=100 high=80 optimum=0 value=\(.value)></meter>", "\(.value) %")),
"<h2>Checks</h2>", table(.checks[] | row((.name | @html), badge(.severity), (.reason | @html))),
"<h2>Last releases</h2>", table(.history[] | row((.time | words::minute), (.action | @html), (.release | @html), (.result | @html), "\(.seconds) s")),
"</body></html>"
