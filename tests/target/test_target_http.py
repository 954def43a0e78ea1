"""A server of the app answers cases, one at a time a process; what it does wrong is the case's failure."""

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluator.errors import TargetError
from evaluator.records import Case, FailureKind, JsonValue, Output
from evaluator.target import Exchange, HttpTarget
from evaluator.target.json_path import read_path
from evaluator.worker import child_environment
from tests.target.http_apps import server

CASE = Case("c 1/안", "질문", expected="secret", metadata={"lang": "ko"})


def http(
    tmp_path: Path, code: str, exchange: Exchange | None = None, *, ready: str | None = "/health", servers: int = 1,
    start_timeout_s: float = 10, run: list[str] | None = None,
) -> HttpTarget:  # fmt: skip
    (tmp_path / "app.py").write_text(code)
    return HttpTarget(
        "head",
        run or [sys.executable, "app.py"],
        cwd=tmp_path,
        env=child_environment(os.environ, home=tmp_path),
        exchange=exchange or Exchange(path="/answer", answer=read_path("$.text"), timeout_s=5),
        ready=ready,
        servers=servers,
        start_timeout_s=start_timeout_s,
    )


async def answers(target: HttpTarget, *cases: Case) -> list[Output]:
    try:
        await target.start()
        return [await target.answer(case, repeat=1) for case in cases]
    finally:
        await target.close()


async def test_a_case_is_one_request_that_never_tells_what_is_expected(tmp_path: Path) -> None:
    whole = Exchange(path="/answer?x=1", answer=read_path("$"))
    (output,) = await answers(http(tmp_path, server(), whole), CASE)
    assert output.data == {
        "text": "질문",
        "path": "/answer?x=1",
        "case": "c 1/%EC%95%88",
        "body": {"input": "질문", "metadata": {"lang": "ko"}},
    }
    assert output.latency_s is not None


async def test_a_body_is_a_template_and_paths_find_answer_and_passages(tmp_path: Path) -> None:
    answer = 'self.say(200, json.dumps({"a": {"t": body["question"]}, "s": [{"x": "p1"}, {"x": "p2"}]}).encode())'
    exchange = Exchange(
        body={"question": "$.input", "k": 3, "id": "$.case"}, answer=read_path("$.a.t"), contexts=read_path("$.s[*].x")
    )
    (output,) = await answers(http(tmp_path, server(answer), exchange), CASE)
    assert (output.text, output.contexts) == ("질문", ("p1", "p2"))


@pytest.mark.parametrize(
    ("said", "text", "data"),
    [
        ("b'plain'", "plain", None),
        ('b\'{"output": "x", "contexts": ["a"]}\'', "x", None),
        ("b'{\"answer\": 1}'", '{"answer": 1}', {"answer": 1}),
    ],
)
async def test_without_a_path_the_whole_answer_counts(tmp_path: Path, said: str, text: str, data: JsonValue) -> None:
    (output,) = await answers(http(tmp_path, server(f"self.say(200, {said})"), Exchange()), CASE)
    assert (output.text, output.data) == (text, data)


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        ("self.say(500, b'boom \\x1b[1m')", FailureKind.CRASH, "the app answered 500: boom \\x1b[1m"),
        ("self.send_response(302)\nself.send_header('Location', 'http://127.0.0.1:1/')\nself.end_headers()", FailureKind.CRASH, "answered 302"),
        ("self.say(200, b'{')", FailureKind.INVALID_ANSWER, "at $.text"),
        ("self.say(200, b'{\"txt\": 1}')", FailureKind.INVALID_ANSWER, "$ has no 'text'; it has \"txt\""),
        ("self.say(200, b'{\"text\": null}')", FailureKind.INVALID_ANSWER, "it is null"),
        ("self.say(200, b'x' * 5_000_000)", FailureKind.INVALID_ANSWER, "more than 4000000 bytes"),
        ("sys.stderr.write('last words')\nsys.stderr.flush()\nos._exit(9)", FailureKind.CRASH, "exited with code 9; its stderr ends: last words"),
        ("self.wfile.write(b'HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nabc')\nos._exit(1)", FailureKind.CRASH, "exited with code 1"),
        ("self.wfile.write(b'babble babble\\r\\n\\r\\n')\nself.close_connection = True", FailureKind.CRASH, "the connection broke"),
        ("time.sleep(30)", FailureKind.HANG, "no answer within 1 s"),
        ("self.wfile.write(b'HTTP/1.1 200 OK\\r\\nContent-Length: 99\\r\\n\\r\\n')\nfor _ in range(99): time.sleep(0.2); self.wfile.write(b'x')", FailureKind.HANG, "no answer within 1 s"),
    ],
)  # fmt: skip
async def test_what_goes_wrong_is_the_outputs_failure_and_the_next_case_is_answered(
    tmp_path: Path, answer: str, kind: FailureKind, told: str
) -> None:
    code = server("if given == 'fine': self.say(200, b'{\"text\": \"yes\"}'); return\n" + answer)
    exchange = Exchange(answer=read_path("$.text"), timeout_s=1)
    bad, fine = await answers(http(tmp_path, code, exchange), CASE, Case("2", "fine"))
    assert bad.failure is not None
    assert bad.failure.kind is kind
    assert told in bad.failure.message
    assert fine.text == "yes"


@pytest.mark.parametrize(
    ("code", "ready", "told"),
    [
        ("raise SystemExit('no config')", "/health", "ended before it was ready: python exited with code 1; its stderr ends: no config"),
        ("import time; time.sleep(60)", "/health", "was not ready within 0.7 s (it listens nowhere)"),
        (server(more="def ready(): return False"), "/health", "/health answers 503"),
        (server().replace('os.environ["PORT"]', "'1'"), None, "Permission denied|was not ready|ended before"),
    ],
)  # fmt: skip
async def test_a_server_that_is_never_ready_is_an_error_at_the_start(
    tmp_path: Path, code: str, ready: str | None, told: str
) -> None:
    target = http(tmp_path, code, ready=ready, start_timeout_s=0.7)
    with pytest.raises(TargetError) as raised:
        await target.start()
    await target.close()
    assert any(part in raised.value.message for part in told.split("|"))
    assert "at head" in raised.value.message


async def test_starting_is_nobodys_latency_and_listening_is_enough_without_a_path(tmp_path: Path) -> None:
    (output,) = await answers(http(tmp_path, server(setup="time.sleep(1)"), ready=None), CASE)
    assert output.latency_s is not None
    assert output.latency_s < 0.8


async def test_the_port_is_told_by_a_variable_or_by_the_command_line(tmp_path: Path) -> None:
    code = server().replace('os.environ["PORT"]', "sys.argv[1]")
    (output,) = await answers(http(tmp_path, code, run=[sys.executable, "app.py", "{port}"]), CASE)
    assert output.text == "질문"


async def test_a_process_answers_one_case_at_a_time_and_servers_answer_side_by_side(tmp_path: Path) -> None:
    answer = 'started = time.time()\ntime.sleep(0.3)\nself.say(200, json.dumps({"text": [os.getpid(), started, time.time()]}).encode())'
    target = http(tmp_path, server(answer), servers=2)
    await target.start()
    outputs = await asyncio.gather(*(target.answer(Case(str(number), number)) for number in range(6)))
    await target.close()
    spans: list[Any] = [output.data for output in outputs]
    assert len({span[0] for span in spans}) == 2
    for pid in {span[0] for span in spans}:
        own = sorted(span[1:] for span in spans if span[0] == pid)
        assert all(own[place][1] <= own[place + 1][0] for place in range(len(own) - 1))


async def test_a_server_that_ends_between_two_cases_is_started_again(tmp_path: Path) -> None:
    answer = 'self.say(200, b\'{"text": "yes"}\')\nself.wfile.flush()\nos._exit(0)'
    outputs = await answers(http(tmp_path, server(answer)), *(Case(str(number), number) for number in range(3)))
    assert [output.text for output in outputs].count("yes") >= 2


async def test_a_log_on_stdout_never_blocks_the_server(tmp_path: Path) -> None:
    answer = "print('x' * 200_000, flush=True)\nself.say(200, b'{\"text\": \"yes\"}')"
    outputs = await answers(http(tmp_path, server(answer)), CASE, CASE)
    assert [output.text for output in outputs] == ["yes", "yes"]


async def test_another_programs_server_on_our_port_is_never_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A process of its own: where the gate is no root, nobody sees what the gate's own process has open.
    listen = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1]); sys.stdout.flush()"
    )
    waiting = [sys.executable, "-c", f"{listen}; sys.stdin.read()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stranger:
        assert stranger.stdout is not None
        taken = int(stranger.stdout.readline())
        with socket.create_server(("127.0.0.1", 0)) as probe:
            free = probe.getsockname()[1]
        ports = iter([taken, free])
        monkeypatch.setattr("evaluator.target.server.free_port", lambda: next(ports))
        # A server that takes its failure to listen calmly, so that only the stranger answers.
        code = server().replace(
            "http.server.ThreadingHTTPServer((", "import threading\nhttp.server.ThreadingHTTPServer(("
        )
        (output,) = await answers(http(tmp_path, code, ready=None), CASE)
        stranger.kill()
    assert output.text == "질문"
    assert next(ports, None) is None


async def test_nothing_is_left_running(tmp_path: Path) -> None:
    marker = secrets.token_hex(8)
    spawn = f"import subprocess\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', '{marker}'])"
    await answers(http(tmp_path, server(setup=spawn), servers=2), CASE)
    await asyncio.sleep(0.1)
    assert [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if marker.encode() in _bytes(entry)] == []


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
async def test_a_node_server_is_as_good_as_any(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_text("""
require('http').createServer((request, response) => {
  let text = ''
  request.on('data', (piece) => { text += piece })
  request.on('end', () => response.end(JSON.stringify({ text: 'node says ' + JSON.parse(text || '{}').input })))
}).listen(process.env.PORT, 'localhost')
""")
    (output,) = await answers(http(tmp_path, "", ready=None, run=["node", "app.js"]), CASE)
    assert output.text == "node says 질문"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
