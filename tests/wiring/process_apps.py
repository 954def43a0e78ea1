"""Small apps that know nothing of us, in repositories of their own, for tests of process targets."""

from pathlib import Path

from tests.standin.app import CONFIG, commit, git, make_app

ASK = """
import json, os, urllib.request
def ask(text, model="m"):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions", body,
        {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)["choices"][0]["message"]["content"]
"""
WORKER = """
import json, sys
from asking import ask
for line in sys.stdin:
    question = json.loads(line)
    {BEFORE}
    print(json.dumps({"id": question["id"], "output": ask(question["input"])}), flush=True)
"""
FUNCTION = """
from asking import ask
def answer(question):
    return ask(question)
"""
SERVER = """
import http.server, json, os
from asking import ask
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"text": ask(question["input"])}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
PYTHON = "/usr/bin/python3"
"""An interpreter that every user of the system can start."""


def config(target: str, *, more: str = "", objectives: str = "") -> str:
    """The config of an app whose provider is the stand-in."""
    text = CONFIG.replace("{{prompt: prompts/answer.prompt.yml, provider: standin}}", target)
    return text.replace("providers:", f"{objectives}providers:") + more


def process_app(
    folder: Path, url: str, text: str, *, cases: int = 6, base: dict[str, str], head: dict[str, str]
) -> Path:
    """A repository whose `main` and `change` have these files, and `asking.py`."""
    repo = make_app(folder, url, cases=cases, config=text)
    git(repo, "switch", "--quiet", "main")
    commit(repo, "the app", asking_dot_py=ASK, **base)
    git(repo, "switch", "--quiet", "change")
    git(repo, "merge", "--quiet", "main")
    commit(repo, "the change", **head)
    return repo
