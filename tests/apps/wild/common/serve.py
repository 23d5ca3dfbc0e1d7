"""A service of any kind: answers with its name and the commit's page, with what its upstream answers, with what it keeps.

NAME      what it calls itself          PORT   where it listens (8000)
UPSTREAM  a URL whose answer it repeats  KEEP  a file that counts visits
READ      files whose content it adds    SHOW  variables that it adds
"""
import http.server
import os
import pathlib
import signal
import sys
import urllib.request


def kept(path):
    """Counts a visit in a file, and is told by the file whether that was there before this container."""
    visits = int(path.read_text(encoding="utf-8")) + 1 if path.exists() else 1
    path.write_text(str(visits), encoding="utf-8")
    return f"visit {visits}"


def answer():
    parts = [os.environ.get("NAME", "web"), pathlib.Path("page").read_text(encoding="utf-8").strip()]
    if os.environ.get("KEEP"):
        parts.append(kept(pathlib.Path(os.environ["KEEP"])))
    parts += [pathlib.Path(name).read_text(encoding="utf-8").strip() for name in os.environ.get("READ", "").split()]
    parts += [f"{name}={os.environ.get(name)}" for name in os.environ.get("SHOW", "").split()]
    if os.environ.get("UPSTREAM"):
        with urllib.request.urlopen(os.environ["UPSTREAM"], timeout=5) as upstream:
            parts.append(f"[{upstream.read().decode()}]")
    return " ".join(parts)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, body = 200, answer()
        except OSError as error:
            status, body = 502, str(error)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
