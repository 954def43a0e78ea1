"""Head's app holds all that it can of the gateway, from its cage: base's app is answered all the same."""

from pathlib import Path

from tests.pipeline.commands import command, right
from tests.standin.threaded import running
from tests.wiring.process_apps import WORKER, config, process_app

HOLD = """
import json, os, socket, threading, time
TOKEN = os.environ["OPENAI_API_KEY"]
PORT = int(os.environ["OPENAI_BASE_URL"].split(":")[2].split("/")[0])
HEAD = f"POST /v1/chat/completions HTTP/1.1\\r\\nHost: 127.0.0.1:{PORT}\\r\\n"
NAMED = HEAD + f"Authorization: Bearer {TOKEN}\\r\\n"
ASKED = json.dumps({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]})
LISTS = "[" + "[]," * 400_000 + "1]"
SAID = [
    "POST /v1/ch", HEAD, NAMED, NAMED + "Content-Length: 60000000\\r\\n\\r\\n",
    NAMED + "Transfer-Encoding: chunked\\r\\n\\r\\n10000\\r\\n" + "x" * 65536,
    (NAMED + f"Content-Length: {len(ASKED)}\\r\\n\\r\\n{ASKED}") * 30,
    NAMED + f"Content-Length: {len(LISTS)}\\r\\n\\r\\n{LISTS}",
]
held = []
def hold():
    while True:
        for said in SAID:
            try:
                one = socket.create_connection(("127.0.0.1", PORT), timeout=5)
                one.sendall(said.encode())
                held.append(one)
            except OSError:
                time.sleep(0.01)
        del held[:-1500]
def begin():
    for _ in range(3):
        threading.Thread(target=hold, daemon=True).start()
    time.sleep(1)
begin()
"""


def test_bases_app_is_answered_while_heads_holds_all_that_it_can(tmp_path: Path) -> None:
    base = WORKER.replace("{BEFORE}", "")
    head = HOLD + base
    with running(right) as server:
        text = config("{{command: {{run: python3 app.py, timeout: 60s}}, provider: standin}}")
        repo = process_app(
            tmp_path / "app", server.url, text, cases=8, base={"app_dot_py": base}, head={"app_dot_py": head}
        )
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json", cwd=None)
    assert said.out, said.err
    cases = said.json["cases"]
    assert len(cases) == 8
    assert [case["base"]["failure"] for case in cases] == [None] * 8
    assert [case["base"]["calls_made"] for case in cases] == [1] * 8
    assert all(case["base"]["calls"][0]["status"] == 200 for case in cases)
