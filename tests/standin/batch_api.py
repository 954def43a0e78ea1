"""A stand-in of OpenAI's Batch API: files and batches, whose requests the stand-in provider's own answerer answers.

Every request and answer is held against OpenAI's API description (`openai_description.py`); what does not fit stands in
`violations`. A batch stays as it is until a test says what becomes of it: `finish`, `expire`.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.standin import openai_description as described
from tests.standin.replies import Reply, chat_whole

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
_DAY = 86_400
Line = dict[str, Any]
Fault = Callable[[], web.StreamResponse | None]


@dataclass
class Batch:
    """A batch, as it is told, and what it holds."""

    told: dict[str, Any]
    requests: list[Line]

    @property
    def id(self) -> str:
        return str(self.told["id"])


@dataclass
class BatchApi:
    """What the stand-in holds, and how it behaves."""

    most_requests: int = MOST_REQUESTS
    finishes: bool = False
    """Whether a batch is completed as soon as somebody looks at it."""
    spoil: Callable[[list[bytes]], list[bytes]] = lambda lines: lines
    """What is done to the lines of an output file before it can be had."""
    after: dict[str, Fault] = field(default_factory=dict)
    """By `POST /batches` and so on: what is answered after the work was done, in place of the answer."""
    before: dict[str, Fault] = field(default_factory=dict)
    """Likewise, in place of the work."""
    now: Callable[[], int] = lambda: int(time.time())
    files: dict[str, tuple[dict[str, Any], bytes]] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    """`POST /batches` and so on, of every request."""
    charged: list[tuple[str, int, int]] = field(default_factory=list)
    """(custom_id, tokens in, tokens out) of every request that was answered, at half the price."""
    violations: list[str] = field(default_factory=list)
    answer: Callable[[Mapping[str, Any], int], Any] = lambda body, number: "an answer"
    lock: threading.RLock = field(default_factory=threading.RLock)

    def mount(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        for method, path, handler in (
            ("post", "/files", self._upload),
            ("get", "/files/{file_id}/content", self._content),
            ("post", "/batches", self._create),
            ("get", "/batches", self._list),
            ("get", "/batches/{batch_id}", self._retrieve),
            ("post", "/batches/{batch_id}/cancel", self._cancel),
        ):
            router.add_route(method.upper(), f"/v1{path}", self._watched(method, path, handler))

    def _watched(self, method: str, path: str, handler: Any) -> Any:
        """A handler with its faults, whose exchange is held against the description."""
        name = f"{method.upper()} {path}"

        async def handle(request: web.Request) -> web.StreamResponse:
            self.seen.append(name)
            self.violations += described.query_problems(path, method, dict(request.query))
            if name in self.before and (instead := self.before[name]()) is not None:
                return instead
            with self.lock:
                answered: web.Response = await handler(request)
            if answered.status == 200 and not path.endswith("/content"):
                self._check(path, method, json.loads(answered.body or b""))  # type: ignore[arg-type]
            elif answered.status >= 400:
                self.violations += described.problems("ErrorResponse", json.loads(answered.body or b""))  # type: ignore[arg-type]
            if name in self.after and (instead := self.after[name]()) is not None:
                return instead
            return answered

        return handle

    def _check(self, path: str, method: str, told: dict[str, Any]) -> None:
        plain = described.without_nulls(told)
        if path == "/batches" and method == "get":
            plain["data"] = [described.without_nulls(batch) for batch in plain["data"]]
        self.violations += described.answer_problems(path, method, plain)

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        part = form["file"]
        assert isinstance(part, web.FileField)
        self.violations += described.request_problems(
            "/files", "post", {**form, "file": part.filename}, media="multipart/form-data"
        )
        return web.json_response(self._store(part.file.read(), part.filename, str(form["purpose"])))

    def _store(self, content: bytes, name: str, purpose: str) -> dict[str, Any]:
        made = {
            "id": f"file-{len(self.files) + 1}", "object": "file", "bytes": len(content), "created_at": self.now(),
            "expires_at": self.now() + 30 * _DAY, "filename": name, "purpose": purpose, "status": "processed",
        }  # fmt: skip
        self.files[str(made["id"])] = made, content
        return made

    async def _content(self, request: web.Request) -> web.Response:
        found = self.files.get(request.match_info["file_id"])
        if found is None:
            return _error(404, "No such File object")
        return web.Response(body=found[1], content_type="application/octet-stream")

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.violations += described.request_problems("/batches", "post", asked)
        if asked["input_file_id"] not in self.files:
            return _error(400, f"Cannot find file {asked['input_file_id']}")
        content = self.files[asked["input_file_id"]][1]
        requests, wrong = self._validated(content, asked["endpoint"])
        number = len(self.batches) + 1
        times = ("in_progress_at", "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at",
                 "cancelled_at", "output_file_id", "error_file_id", "errors")  # fmt: skip
        told: dict[str, Any] = {
            "id": f"batch_{number}", "object": "batch", "endpoint": asked["endpoint"], "status": "validating",
            "input_file_id": asked["input_file_id"], "completion_window": "24h", "created_at": self.now() + number,
            "expires_at": self.now() + _DAY, "metadata": asked.get("metadata"),
            "request_counts": {"total": 0, "completed": 0, "failed": 0}, **dict.fromkeys(times),
        }  # fmt: skip
        if wrong:
            told |= {"status": "failed", "failed_at": self.now(), "errors": {"object": "list", "data": wrong}}
        else:
            told["request_counts"]["total"] = len(requests)
        self.batches[told["id"]] = Batch(told, requests)
        # As it is told at first: whether a file is right is found out later.
        first = {**told, "status": "validating", "failed_at": None, "errors": None}
        return web.json_response(first)

    def _validated(self, content: bytes, endpoint: str) -> tuple[list[Line], list[dict[str, Any]]]:
        """The lines of an input file, and what OpenAI says of those that are wrong."""
        requests: list[Line] = []
        wrong: list[dict[str, Any]] = []

        def tell(code: str, message: str, line: int | None = None) -> None:
            wrong.append({"code": code, "message": message, "param": None, "line": line})

        for number, text in enumerate(content.splitlines(), 1):
            line = json.loads(text)
            self.violations += described.problems("BatchRequestInput", line)
            if endpoint == "/v1/chat/completions":
                self.violations += described.problems("CreateChatCompletionRequest", line["body"])
            if line["url"] != endpoint:
                tell("mismatched_url", "The URL provided for this request does not match the batch endpoint.", number)
            requests.append(line)
        if len({line["custom_id"] for line in requests}) < len(requests):
            tell("duplicate_custom_id", "The custom_id for this request is a duplicate of another request.")
        if len({line["body"].get("model") for line in requests}) > 1:
            tell("mismatched_model", "The provided model does not match the other requests of this batch.")
        if len(requests) > self.most_requests or len(content) > MOST_BYTES:
            tell(
                "too_many_tasks", f"The batch input file contains too many requests. The limit is {self.most_requests}."
            )
        return requests, wrong

    async def _list(self, request: web.Request) -> web.Response:
        limit = int(request.query.get("limit", "20"))
        newest = [batch.told for batch in reversed(self.batches.values())]
        ids = [told["id"] for told in newest]
        start = ids.index(request.query["after"]) + 1 if "after" in request.query else 0
        page = newest[start : start + limit]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
        return web.json_response({"object": "list", "data": page, "has_more": start + limit < len(newest), **ends})

    async def _retrieve(self, request: web.Request) -> web.Response:
        batch = self.batches.get(request.match_info["batch_id"])
        if batch is None:
            return _error(404, f"No batch found with id '{request.match_info['batch_id']}'.")
        if self.finishes:
            self.finish(batch.id)
        elif batch.told["status"] == "validating":
            batch.told |= {"status": "in_progress", "in_progress_at": self.now()}
        return web.json_response(batch.told)

    async def _cancel(self, request: web.Request) -> web.Response:
        batch = self.batches[request.match_info["batch_id"]]
        batch.told |= {"status": "cancelling", "cancelling_at": self.now()}
        return web.json_response(batch.told)

    def finish(self, batch_id: str | None = None) -> None:
        """Complete a batch, or all of them."""
        for batch in self._going(batch_id):
            self._end(batch, len(batch.requests), "completed")

    def expire(self, batch_id: str | None = None, *, done: int, status: str = "expired") -> None:
        """End a batch before its end: so many requests are done, the others are in the error file."""
        for batch in self._going(batch_id):
            self._end(batch, done, status)

    def _going(self, batch_id: str | None) -> Iterator[Batch]:
        for batch in [self.batches[batch_id]] if batch_id else list(self.batches.values()):
            if batch.told["status"] in ("validating", "in_progress", "cancelling"):
                yield batch

    def _end(self, batch: Batch, done: int, status: str) -> None:
        with self.lock:
            good: list[bytes] = []
            bad: list[bytes] = []
            for number, line in enumerate(batch.requests):
                answered = self._answered(line, number) if number < done else _unasked(line, status)
                self.violations += described.problems("BatchRequestOutput", answered)
                ok = (answered["response"] or {}).get("status_code") == 200
                (good if ok else bad).append(json.dumps(answered).encode() + b"\n")
            random.Random(batch.id).shuffle(good)  # OpenAI promises no order
            stamp = {"completed": "completed_at", "expired": "expired_at", "cancelled": "cancelled_at"}[status]
            batch.told |= {"status": status, stamp: self.now()}
            batch.told["request_counts"] |= {"completed": len(good), "failed": len(bad)}
            for name, lines in (("output_file_id", self.spoil(good)), ("error_file_id", bad)):
                if lines:
                    stored = self._store(b"".join(lines), f"{batch.id}_{name}.jsonl", "batch_output")
                    batch.told[name] = stored["id"]

    def _answered(self, line: Line, number: int) -> Line:
        embeds = line["url"] == "/v1/embeddings"
        said = "" if embeds else self.answer(line["body"], number)
        status, body = 200, {}
        if isinstance(said, web.Response):
            status, body = said.status, json.loads(said.body or b"{}")  # type: ignore[arg-type]
        elif embeds:
            texts = line["body"]["input"]
            data = [
                {"object": "embedding", "index": n, "embedding": [float(len(text)), 1.0]}
                for n, text in enumerate(texts)
            ]
            used = {"prompt_tokens": sum(map(len, texts)), "total_tokens": sum(map(len, texts))}
            body = {"object": "list", "data": data, "model": line["body"]["model"], "usage": used}
        else:
            body = chat_whole(line["body"], said if isinstance(said, Reply) else Reply(str(said)))
            self.violations += described.problems("CreateChatCompletionResponse", body)
        usage = body.get("usage") or {}
        if status == 200:
            self.charged.append((line["custom_id"], usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)))
        response = {"status_code": status, "request_id": f"req_{number}", "body": body}
        return {"id": f"batch_req_{number}", "custom_id": line["custom_id"], "response": response, "error": None}


def _unasked(line: Line, status: str) -> Line:
    error = {
        "code": f"batch_{status}",
        "message": "This request could not be executed before the completion window expired.",
    }
    return {"id": "batch_req_x", "custom_id": line["custom_id"], "response": None, "error": error}


def _error(status: int, message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return web.json_response({"error": error}, status=status)
