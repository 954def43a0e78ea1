"""A `container` target that listens: asked over HTTP, metered by case, held in and removed like any other."""

import json
from pathlib import Path
from typing import Any

import pytest

from evaluator.errors import TargetError
from evaluator.records import Case, FailureKind
from evaluator.target.container import Build, Listening
from evaluator.target.container.target import Allowed
from evaluator.target.exchange import Exchange
from evaluator.target.json_path import read_path
from tests.container.contained import DOCKERFILE, gate, started
from tests.container.engine import Engine
from tests.pipeline.commands import right
from tests.standin.threaded import running
from tests.wiring.process_apps import SERVER, config, process_app

APP = """
import http.server, json, os, sys, time
BAD = os.environ.get("BAD", "")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        if question == "exit":
            print("boom", flush=True)
            os._exit(3)
        if question == "hang":
            time.sleep(600)
        body = b"x" * 5_000_000 if question == "much" else json.dumps({"text": f"to {question}"}).encode()
        self.send_response(500 if question == "wrong" else 200)
        self.end_headers()
        self.wfile.write(body)
if BAD == "exits":
    sys.exit("no way")
host = "127.0.0.1" if BAD == "loopback" else "0.0.0.0"
http.server.ThreadingHTTPServer((host, int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def app(tmp_path: Path, node_image: str) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE, "utf-8")
    (folder / "app.py").write_text(APP, "utf-8")
    return folder


def listening(timeout_s: float = 20.0, ready: str | None = "/health") -> Listening:
    return Listening(Exchange(path="/answer", answer=read_path("$.text"), timeout_s=timeout_s), ready=ready)


def test_a_change_of_a_server_in_a_container_is_gated_and_metered(
    tmp_path: Path, engine: Engine, node_image: str, clean: None
) -> None:
    text = config("{{container: {{build: ., http: {{port: 9000, answer: $.text}}}}, provider: standin}}")
    server_app = SERVER.replace('("127.0.0.1", int(os.environ["PORT"]))', '("0.0.0.0", int(os.environ["PORT"]))')
    assert "0.0.0.0" in server_app
    more = '[ask("a " + question["input"]), ask("b " + question["input"]), ask(question["input"])][-1]'
    thrice = server_app.replace('ask(question["input"])', more)
    files = {"app_dot_py": server_app, "Dockerfile": DOCKERFILE}
    with running(right) as server:
        repo = process_app(tmp_path / "app", server.url, text, base=files, head={"app_dot_py": thrice})
        said = gate(tmp_path, repo, engine)
        assert said.code == 0, (said.err, said.json["verdict"], json.dumps(said.json["cases"][0])[:3000])
    asked = sum(charged.given for charged in server.log) + 2 * sum(charged.made for charged in server.log)
    assert said.json["spend"]["real_usd"] == pytest.approx(asked / 1e6)
    cases = said.json["cases"]
    assert said.json["spend"]["calls"] == len(server.log) == 4 * len(cases)
    assert all(case["head"]["cost_usd"] > 2 * case["base"]["cost_usd"] > 0 for case in cases)
    assert all(case[ref]["latency_s"] > 0 for case in cases for ref in ("base", "head"))


@pytest.mark.parametrize("network", [False, True], ids=["apart", "shared"])
async def test_a_server_is_asked_once_it_is_ready_and_its_first_answer_has_a_latency(
    tmp_path: Path, engine: Engine, app: Path, clean: None, network: bool
) -> None:
    allowed = Allowed(network=network)
    async with started(engine, Build(app), tmp_path, slots=2, allowed=allowed, listening=listening()) as target:
        for question in ("a", "b"):
            output = await target.answer(Case(id=question, input=question))
            assert output.text == f"to {question}"
            assert output.latency_s is not None
            assert output.latency_s < 5


@pytest.mark.parametrize(
    ("question", "kind", "said"),
    [
        ("exit", FailureKind.CRASH, "the container exited with code 3; its stderr ends: boom"),
        ("hang", FailureKind.HANG, "no answer within 2 s"),
        ("much", FailureKind.INVALID_ANSWER, "more than 4000000 bytes"),
        ("wrong", FailureKind.CRASH, "the app answered 500"),
    ],
)
async def test_a_server_that_fails_a_case_is_there_for_the_next(
    tmp_path: Path, engine: Engine, app: Path, clean: None, question: str, kind: FailureKind, said: str
) -> None:
    async with started(engine, Build(app), tmp_path, listening=listening(timeout_s=2.0)) as target:
        failed = await target.answer(Case(id="a", input=question))
        assert failed.failure is not None
        assert failed.failure.kind is kind
        assert said in failed.failure.message
        assert (await target.answer(Case(id="b", input="x"))).text == "to x"


@pytest.mark.parametrize(
    ("bad", "ready", "said"),
    [
        ("exits", None, r"ended before it was ready: the container exited with code 1; its stderr ends: no way"),
        ("loopback", None, r"was not ready within 3 s \(it does not listen on port 8080 of all its addresses\)"),
        ("", "/nothing", r"was not ready within 3 s \(/nothing answers 404\)"),
    ],
)
async def test_a_server_that_is_never_ready_is_told(
    tmp_path: Path, engine: Engine, app: Path, clean: None, bad: str, ready: str | None, said: str
) -> None:
    options: dict[str, Any] = {"env": {"BAD": bad}, "start_timeout_s": 3.0, "listening": listening(ready=ready)}
    with pytest.raises(TargetError, match=said):
        async with started(engine, Build(app), tmp_path, **options):
            pass
