"""The stand-in of the Batch API keeps to OpenAI's description, and sees who does not."""

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.standin import openai_description as described
from tests.standin.batch_api import BatchApi
from tests.standin.threaded import running


def send(url: str, method: str = "GET", body: object = None) -> dict[str, object]:
    content = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data=content, method=method, headers={"Content-Type": "application/json"})) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        with error:
            return dict(json.load(error))


def test_the_description_is_openais() -> None:
    info = described.description()["info"]
    assert (info["title"], info["version"]) == ("OpenAI API", described.VERSION)
    assert described.problems("Batch", {"id": "b"}) != []
    assert described.answer_problems("/batches/{batch_id}", "get", {"id": "b"}) != []
    assert described.query_problems("/batches", "get", {"metadata": "x", "limit": "1"}) != []


def test_requests_that_do_not_fit_are_violations() -> None:
    api = BatchApi()
    with running(lambda body, n: "hi", api) as server:
        api.files["file-1"] = (
            {},
            json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/nowhere", "body": {}}).encode(),
        )
        send(
            f"{server.url}/batches",
            "POST",
            {"input_file_id": "file-1", "endpoint": "/v1/nowhere", "completion_window": "1h"},
        )
        assert len(api.violations) == 3
        api.violations.clear()
        send(f"{server.url}/batches?metadata=x")
        assert len(api.violations) == 1


def test_what_it_says_of_a_wrong_file_comes_with_the_next_look() -> None:
    api = BatchApi()
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    lines = [
        {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {**body, "model": m}} for m in "mn"
    ]
    with running(lambda body, n: "hi", api) as server:
        api.files["file-1"] = {}, b"\n".join(json.dumps(line).encode() for line in lines)
        asked = {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        assert send(f"{server.url}/batches", "POST", asked)["status"] == "validating"
        told = send(f"{server.url}/batches/batch_1")
        assert told["status"] == "failed"
        assert "duplicate_custom_id" in str(told["errors"])
        assert "mismatched_model" in str(told["errors"])
        assert "No batch found" in str(send(f"{server.url}/batches/batch_9")["error"])
        assert api.violations == []


def test_outputs_are_unordered_and_errors_stand_in_a_file_of_their_own() -> None:
    api = BatchApi()
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    lines = [{"custom_id": str(n), "method": "POST", "url": "/v1/chat/completions", "body": body} for n in range(20)]
    with running(lambda body, n: "hi", api) as server:
        api.files["file-1"] = {}, b"\n".join(json.dumps(line).encode() for line in lines)
        asked = {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        send(f"{server.url}/batches", "POST", asked)
        send(f"{server.url}/batches/batch_1/cancel", "POST")
        api.expire(done=15, status="cancelled")
        told = send(f"{server.url}/batches/batch_1")
        output, errors = (
            [json.loads(line)["custom_id"] for line in api.files[str(told[name])][1].splitlines()]
            for name in ("output_file_id", "error_file_id")
        )
        assert output != sorted(output, key=int)
        assert sorted(output, key=int) == [str(n) for n in range(15)]
        assert errors == [str(n) for n in range(15, 20)]
        assert api.violations == []
