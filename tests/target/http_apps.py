"""Small servers that know nothing of us, for tests of the `http` target."""

SERVER = """
import http.server, json, os, sys, time
{SETUP}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *parts): print("log", *parts, flush=True)
    def do_GET(self): self.say(204 if self.path == "/health" and ready() else 503, b"")
    def say(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        given = body.get("input")
        {ANSWER}
def ready(): return True
{MORE}
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
ECHO = 'self.say(200, json.dumps({"text": given, "path": self.path, "case": self.headers["X-Eval-Case"], "body": body}).encode())'


def server(answer: str = ECHO, *, setup: str = "", more: str = "") -> str:
    """The program of a server; `answer` may be several statements, separated by new lines."""
    lines = answer.replace("\n", "\n        ")
    return SERVER.replace("{ANSWER}", lines).replace("{SETUP}", setup).replace("{MORE}", more)
