"""Counts its requests, in a file."""
import http.server

FILE = "/var/lib/counts/n"


class Counter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with open(FILE) as file:
                count = int(file.read())
        except FileNotFoundError:
            count = 0
        with open(FILE, "w") as file:
            file.write(str(count + 1))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(count + 1).encode())


http.server.HTTPServer(("", 5000), Counter).serve_forever()
