# Answers with the status page on a Unix socket, which only the one who logged in can open, until standard input ends: serve.py SOCKET.
# 'make status' reaches it through SSH. Every load runs status.sh.
import http.server
import os
import socketserver
import subprocess
import sys
import threading


# One page at a time, however often the browser loads the page, and each has a minute.
looking = threading.Lock()


def status():
    with looking:
        try:
            made = subprocess.run(["/opt/berth/status.sh", "--html"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        except subprocess.TimeoutExpired:
            return False, b"status.sh did not end within 60 seconds; look with: sudo /opt/berth/status.sh"
    return (True, made.stdout) if made.returncode == 0 else (False, b"status.sh failed: " + made.stdout + made.stderr)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        # A name that somebody else's DNS points at the browser's own machine would read the page (DNS rebinding).
        if self.headers.get("Host", "").rpartition(":")[0] not in ("127.0.0.1", "localhost"):
            self.send_error(421)
        elif self.path != "/":
            self.send_error(404)
        else:
            well, body = status()
            self.send_response(200 if well else 500)
            self.send_header("Content-Type", "text/html; charset=utf-8" if well else "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

    def address_string(self):
        return "browser"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def main():
    path = sys.argv[1]
    os.umask(0o177)
    with Server(path, Page) as server:
        try:
            os.chown(path, int(os.environ.get("SUDO_UID", "0")), -1)
            os.umask(0o077)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            print("ready", flush=True)
            sys.stdin.read()
        finally:
            os.unlink(path)


main()
