"""Who gets in, what passes, and that the door leads nowhere but to its providers."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from evaluator.config.model import Config
from evaluator.errors import ConfigError
from evaluator.gateway.door import DoorSettings, Route, app_providers, offline_environment, standard_routes
from evaluator.gateway.door.routes import find_route
from evaluator.gateway.door.strike import Striker, struck
from evaluator.gateway.providers import Provider
from tests.gateway.door.scene import KEY, body, post, raw, scene


async def test_without_a_known_token_nothing_is_forwarded(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path) as here:
        for token in ("wrong", KEY, here.slot.token[:-1], "sk-door-"):
            got = await post(here, "/v1/chat/completions", body(), token=token)
            assert (got.status, got.json["error"]["code"]) == (401, "invalid_api_key")
        got = await post(here, "/anthropic/v1/messages", body(), token="wrong")
        assert (got.status, got.json["type"]) == (401, "error")
        assert b" 401 " in await raw(
            here, f"GET /v1/models HTTP/1.0\r\nHost: 127.0.0.1:{here.door.port}\r\n\r\n".encode()
        )
    assert here.server.requests == []
    assert here.slot.token not in repr(here.slot)


async def test_tokens_are_of_one_slot_each(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path) as here:
        tokens = {here.door.slot(f"s{n}").token for n in range(50)}
        assert len(tokens) == 50
        assert all(len(token) > 40 for token in tokens)


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{elsewhere}/v1/echo/x", "https://example.org/", "//127.0.0.1:{elsewhere}/v1/echo/x",
        "/v1@127.0.0.1:{elsewhere}/", "/v1:80@elsewhere/", "/v1/../echo", "/v1/%2e%2e/echo", "/v1/%252e%252e/echo",
        "/v1/..%2fecho", "/v1/..%5cecho", "/v1/\\..\\echo", "/v1/./x", "/v2/x", "/", "*", "/v1x",
    ],
)  # fmt: skip
async def test_it_is_no_proxy_to_another_place(tmp_path: Path, target: str) -> None:
    async with scene(lambda body, n: "ok", tmp_path) as here, scene(lambda body, n: "ok", tmp_path / "b") as other:
        port = other.server.url.rpartition(":")[2].removesuffix("/v1")
        head = (
            f"Host: 127.0.0.1:{here.door.port}\r\nAuthorization: Bearer {here.slot.token}\r\nConnection: close\r\n\r\n"
        )
        answered = await raw(here, f"GET {target.format(elsewhere=port)} HTTP/1.1\r\n{head}".encode())
        assert answered.split(b" ")[1] in (b"400", b"404"), answered
        connected = await raw(here, f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n{head}".encode())
        assert connected.split(b" ")[1] in (b"400", b"404", b"501"), connected
        assert here.server.headers == other.server.headers == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", ""])
async def test_another_hosts_name_is_refused(tmp_path: Path, host: str) -> None:
    async with scene(lambda body, n: "ok", tmp_path) as here:
        named = host.format(port=here.door.port)
        head = f"Host: {named}\r\nAuthorization: Bearer {here.slot.token}\r\nConnection: close\r\n\r\n"
        answered = await raw(here, f"GET /v1/echo/x HTTP/1.1\r\n{head}".encode())
        assert answered.split(b" ")[1] in (b"421", b"400")
        assert here.server.headers == []


async def test_it_listens_on_loopback_alone(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path) as here:
        listening = [
            line.split()[1]
            for name in ("/proc/net/tcp", "/proc/net/tcp6")
            for line in Path(name).read_text("ascii").splitlines()[1:]
            if int(line.split()[1].rpartition(":")[2], 16) == here.door.port and line.split()[3] == "0A"
        ]
    assert [address.partition(":")[0] for address in listening] == ["0100007F"]


async def test_method_query_headers_and_body_pass_but_not_what_belongs_to_one_hop(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    async with scene(lambda body, n: "ok", tmp_path) as here:
        token = here.slot.token
        for method in ("GET", "PUT", "PATCH", "DELETE", "POST", "OPTIONS"):
            got = await post(
                here, "/v1/echo/a%20b/c?x=1&y=%2F", content, method=method,
                headers={
                    "Content-Type": "application/octet-stream", "OpenAI-Beta": "assistants=v2", "X-Own": f"a {token} b",
                    "Connection": "keep-alive, x-hop", "X-Hop": "1", "Cookie": "a=b", "Proxy-Authorization": "Basic x",
                    "TE": "trailers", "User-Agent": "app/1", "api-key": token,
                },
            )  # fmt: skip
            told = {"method": method, "path": "/v1/echo/a%20b/c?x=1&y=%2F", "bytes": len(content)}
            assert got.json == told | {"sha256": hashlib.sha256(content).hexdigest()}
            sent = here.server.headers[-1]
            assert sent["authorization"] == f"Bearer {KEY}"
            assert (sent["openai-beta"], sent["user-agent"]) == ("assistants=v2", "app/1")
            assert not {"x-hop", "cookie", "proxy-authorization", "te", "api-key", "x-own"} & set(sent)
            assert token not in str(sent)
        await post(here, f"/v1/echo/x?key={token}", f'{{"a": "{token}"}}'.encode())
        got = await post(here, f"/v1/echo/x?key={token}", b"")
        assert token not in got.json["path"]


async def test_chunked_and_large_bodies_pass_up_to_the_cap(tmp_path: Path) -> None:
    settings = DoorSettings(max_body_bytes=2_000_000)
    async with scene(lambda body, n: "ok", tmp_path, settings=settings) as here:
        head = f"Host: localhost:{here.door.port}\r\nx-api-key: {here.slot.token}\r\nConnection: close\r\n"
        start = f"POST /v1/echo/x HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode()
        answered = await raw(here, start + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        assert hashlib.sha256(b"hello world").hexdigest().encode() in answered
        waits = f"POST /v1/echo/x HTTP/1.1\r\n{head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok".encode()
        assert (await raw(here, waits)).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
        assert (await post(here, "/v1/echo/x", b"x" * 2_000_000)).json["bytes"] == 2_000_000
        assert (await post(here, "/v1/echo/x", b"x" * 2_000_001)).status == 413
        endless = start + b"100000\r\n" + b"x" * 0x100000 + b"\r\n" + b"100000\r\n" + b"x" * 0x100000 + b"\r\n0\r\n\r\n"
        assert b" 413 " in await raw(here, endless)
        assert here.door.held_bytes == 0


async def test_a_redirect_is_followed_by_nobody(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path / "b") as other:

        def away(sent: Any, number: int) -> web.Response:
            return web.Response(status=307, headers={"Location": f"{other.server.url}/chat/completions"})

        async with scene(away, tmp_path) as here:
            got = await post(here, "/v1/chat/completions", body())
        assert got.status == 502
        assert "Location" not in got.headers
        assert other.server.requests == []


async def test_the_key_never_comes_back(tmp_path: Path) -> None:
    async def leaky(sent: Any, number: int) -> web.StreamResponse:
        if not sent.get("stream"):
            return web.json_response({"choices": [{"message": {"content": KEY}}]}, headers={"X-Key": KEY})
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(requests[-1])
        for piece in (f"data: {KEY[:7]}", f"{KEY[7:]}\n", f"\ndata: {KEY}\n\ndata: {KEY[:3]}"):
            await answer.write(piece.encode())
        return answer

    requests: list[web.Request] = []
    async with scene(leaky, tmp_path) as here:
        real = here.server._answer

        async def spy(request: web.Request, kind: str) -> web.StreamResponse:
            requests.append(request)
            return await real(request, kind)

        here.server._answer = spy  # type: ignore[method-assign]
        whole = await post(here, "/v1/chat/completions", body())
        streamed = await post(here, "/v1/chat/completions", body("b", stream=True))
    for got in (whole, streamed):
        assert got.status == 200
        assert KEY.encode() not in got.content
        assert KEY not in str(got.headers)
    assert streamed.content.endswith(f"data: {KEY[:3]}".encode())


@given(st.text("ab", min_size=1, max_size=6), st.lists(st.text("abc", max_size=8)))
def test_a_secret_is_struck_out_however_it_is_cut(secret: str, pieces: list[str]) -> None:
    striker = Striker(secret)
    passed = b"".join([striker.feed(piece.encode()) for piece in pieces] + [striker.rest()])
    assert secret.encode() not in passed
    assert len(passed) == sum(map(len, pieces))
    if len(pieces) == 1:
        assert passed == struck(pieces[0].encode(), secret)


async def test_websockets_and_bodies_that_are_no_json_are_refused(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path) as here:
        got = await post(
            here, "/v1/realtime", b"", method="GET", headers={"Connection": "Upgrade", "Upgrade": "websocket"}
        )
        assert got.status == 501
        for wrong in (b"", b"[1]", b"{", b'{"a": NaN}', b"[" * 100_000, b"\xff\xfe\xfd"):
            assert (await post(here, "/v1/chat/completions", wrong)).status == 400
    assert here.server.requests == []


async def test_what_we_read_of_a_body_is_what_the_provider_reads(tmp_path: Path) -> None:
    sent = b'{"model": "dear", "model": "m", "max_tokens": 1, "max_tokens": 9, "messages": [{"content": "\\ud800 \xec\x95\x88"}]}'
    async with scene(lambda body, n: "ok", tmp_path) as here:
        with here.slot.case("c") as trace:
            assert (await post(here, "/v1/chat/completions", sent)).status == 200
    assert here.server.requests[0] == {"model": "m", "max_tokens": 9, "messages": [{"content": "\ud800 안"}]}
    assert trace.calls[0].model == "m"


def test_the_environment_names_what_clients_read() -> None:
    providers = {
        "openai": Provider("openai", ("https://api.openai.com/v1",)),
        "anthropic": Provider("anthropic", ("https://api.anthropic.com/v1",)),
        "azure": Provider("azure", ("https://x.openai.azure.com",)),
        "my-groq": Provider("my-groq", ("https://api.groq.com/openai/v1",)),
    }
    routes = standard_routes(providers)
    told = {name: value for route in routes for name, value in route.environment("http://h:1", "T").items()}
    assert told == {
        "OPENAI_BASE_URL": "http://h:1/v1", "OPENAI_API_BASE": "http://h:1/v1", "OPENAI_API_KEY": "T",
        "ANTHROPIC_BASE_URL": "http://h:1/anthropic", "ANTHROPIC_API_KEY": "T",
        "AZURE_OPENAI_ENDPOINT": "http://h:1/azure", "AZURE_OPENAI_API_KEY": "T",
        "MY_GROQ_BASE_URL": "http://h:1/my-groq", "MY_GROQ_API_KEY": "T",
    }  # fmt: skip
    assert routes[1].provider.base_urls == ("https://api.anthropic.com",)
    others = standard_routes(providers, main="my-groq")
    assert others[3].prefix == "/v1"
    told = others[3].environment("U", "T")
    assert told["OPENAI_BASE_URL"] == told["MY_GROQ_BASE_URL"] == "U/v1"
    assert others[0].environment("U", "T") == {}, "its names are the main provider's now"
    nested = (*routes, replace(routes[0], prefix="/v1/inner"))
    found = find_route(nested, "/v1/inner/x")
    assert found is not None
    assert (found[0].prefix, found[1]) == ("/v1/inner", "/x")
    assert Route("/v1", providers["openai"]).rest("/v1") == ""


def config(**more: Any) -> Config:
    return Config.model_validate(
        {"version": 1, "dataset": "d.jsonl", "target": {"command": "x"}, "scorers": ["exact_match"],
         "objectives": {"exact_match": {"min": 0.5}}, **more}
    )  # fmt: skip


def test_an_app_may_ask_every_provider_whose_key_is_there() -> None:
    section = {"base_url": "https://api.groq.com/openai/v1", "api_key_env": "GROQ_API_KEY"}
    found = app_providers(
        config(providers={"groq": section}),
        {"ANTHROPIC_API_KEY": "a", "AZURE_OPENAI_API_KEY": "z", "AZURE_OPENAI_ENDPOINT": "https://r.azure.com/"},
    )
    assert {name: (provider.api_key, provider.base_urls[0]) for name, provider in found.items()} == {
        "anthropic": ("a", "https://api.anthropic.com"),
        "azure": ("z", "https://r.azure.com"),
        "groq": (None, "https://api.groq.com/openai/v1"),
        "openai": (None, "https://api.openai.com/v1"),
    }
    assert {name: provider.missing for name, provider in found.items() if provider.missing} == {
        "groq": "GROQ_API_KEY", "openai": "OPENAI_API_KEY"
    }  # fmt: skip
    assert set(app_providers(config(), {"OPENAI_API_KEY": "k"})) == {"openai"}
    assert app_providers(config(), {"OPENAI_BASE_URL": "http://own"})["openai"].missing == "", "may ask for no key"
    assert app_providers(config(), {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""})["openai"].missing
    with pytest.raises(ConfigError, match="GROQ_API_KEY"):
        app_providers(config(providers={"groq": section}), {}, main="groq")


def test_of_well_known_providers_an_app_is_told_where_one_is_set_up_or_no_key_is_there() -> None:
    assert set(app_providers(config(), {})) == {"openai", "anthropic", "azure"}
    half = app_providers(config(), {"OPENAI_API_KEY": "k", "AZURE_OPENAI_API_KEY": "z"})
    assert {name: provider.missing for name, provider in half.items()} == {
        "openai": "", "azure": "AZURE_OPENAI_ENDPOINT"
    }  # fmt: skip
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY"):
        app_providers(config(), {"OPENAI_API_KEY": "k"}, main="anthropic")
    with pytest.raises(ConfigError, match="ANTHROPIC_BASE_URL is 'nowhere'"):
        app_providers(config(), {"OPENAI_API_KEY": "k", "ANTHROPIC_BASE_URL": "nowhere"})


@pytest.mark.parametrize("main", ["anthropic", "azure"])
def test_beside_a_main_provider_of_another_dialect_openai_is_told_too(main: str) -> None:
    keys = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "a", "AZURE_OPENAI_API_KEY": "z"}
    found = app_providers(config(), {**keys, "AZURE_OPENAI_ENDPOINT": "https://z"}, main=main)
    assert set(found) == {"openai", "anthropic", "azure"}
    told: dict[str, str] = {}
    for route in standard_routes(found, main=main):
        told |= route.environment("http://door", "token")
    assert told["OPENAI_BASE_URL"] == "http://door/openai"
    own = {"mine": {"base_url": "https://mine/v1"}}
    assert set(app_providers(config(providers=own), keys, main="mine")) == {"mine", "anthropic", "azure"}
    assert "openai" not in app_providers(config(), keys, main="local")


def test_names_that_the_config_gives_win_over_those_that_follow_from_others() -> None:
    section = {"base_url": "https://x.example/v1", "url_env": ["LLM_URL", "OPENAI_API_BASE"], "key_env": "LLM_TOKEN"}
    given = config(providers={"mine": section})
    routes = standard_routes(app_providers(given, {"OPENAI_API_KEY": "k"}))
    told: dict[str, str] = {}
    for route in routes:
        assert not told.keys() & route.environment("U", "T").keys()
        told |= route.environment("U", "T")
    assert told == {
        "OPENAI_BASE_URL": "U/v1", "OPENAI_API_KEY": "T", "OPENAI_API_BASE": "U/mine", "LLM_URL": "U/mine",
        "MINE_BASE_URL": "U/mine", "MINE_API_KEY": "T", "LLM_TOKEN": "T",
    }  # fmt: skip
    assert offline_environment(given).keys() > told.keys(), "an app that is only started finds them too"
    assert "k" not in offline_environment(given).values()
