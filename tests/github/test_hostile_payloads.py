"""Whatever a payload holds, there is one activity or one clear error; and no mutation gets past what must be refused."""

import copy
import json
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.errors import EvalGateError
from evaluator.github.activity import (
    EvaluateGroup,
    EvaluatePull,
    EvaluateRefs,
    PublishArtifact,
    RefreshBaseline,
    Refuse,
    Request,
    ResolvePull,
    Skip,
    choose,
    complete,
)
from evaluator.github.event import Event, Pull, load_payload, read_event
from evaluator.github.fields import is_ref, is_sha
from tests.github.payloads import EVENT_OF, FOLDER, HEAD, MERGE, REPOSITORY

FILES = {name: (FOLDER / name).read_bytes() for name in EVENT_OF}
NAMES = sorted({*EVENT_OF.values(), "pull_request_target", "star"})
HOSTILE = st.sampled_from(
    [None, True, 0, -1, 2**63, 10**5000, 1.5, float("nan"), "", "\0", "\ud800", "::error::x", "##[add-mask]x", "a\nb", "--x",
     "../..", "/eval", "/eval ec26c3e", HEAD, "0" * 40, "closed", "a/b", REPOSITORY, "x" * 100_000, [], {}, [None], {"name": 1}]
)  # fmt: skip
JSON = HOSTILE | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
# Mutations mostly hit what is read: else nearly all of them would fall on fields that are ignored.
READ = (
    "action", "number", "ref", "after", "deleted", "state", "merged", "draft", "user", "login", "labels", "name", "head", "base",
    "sha", "repo", "full_name", "repository", "default_branch", "sender", "issue", "comment", "body", "pull_request", "merge_group",
    "head_sha", "base_sha", "head_ref", "base_ref", "workflow_run", "id", "run_attempt", "event", "conclusion", "actor",
    "head_branch", "head_repository",
)  # fmt: skip
INPUTS = st.none() | st.sampled_from(
    ["main", "master", "refs/heads/master", HEAD, MERGE, "--x", "", "\0", "refs/pull/2/head"]
)
REQUESTS = st.builds(
    Request,
    repository=st.sampled_from([REPOSITORY, "octo-org/octo-repo", ""]),
    sha=st.sampled_from([MERGE, "", "HEAD"]),
    ref=st.sampled_from(["refs/heads/main", "refs/pull/2/merge", ""]),
    base_ref=INPUTS,
    head_ref=INPUTS,
    pr_number=st.none() | st.none() | st.sampled_from([1, 2, 0, -5, 10**5000]),
    head_sha=INPUTS,
    compare_mode=st.sampled_from(["merge", "merge-base"]),
    artifact_path=st.none() | st.just("report"),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    found: list[tuple[Any, Any]] = []
    waiting: list[Any] = [value]
    while waiting:
        place = waiting.pop()
        keys = list(place) if isinstance(place, dict) else range(len(place)) if isinstance(place, list) else []
        for key in keys:
            found.append((place, key))
            waiting.append(place[key])
    return found


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A real payload with some values replaced, taken out or added, of its own event or of another."""
    file = draw(st.sampled_from(sorted(FILES)))
    document: dict[str, Any] = json.loads(FILES[file])
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 4]))):
        spots = places(document)
        wanted = [spot for spot in spots if spot[1] in READ] if draw(st.integers(0, 9)) else spots
        if not wanted:
            break
        place, key = draw(st.sampled_from(wanted))
        if isinstance(place, dict) and draw(st.booleans()) and draw(st.booleans()):
            del place[key]
        else:
            place[key] = copy.deepcopy(draw(JSON))
    name = EVENT_OF[file] if draw(st.integers(0, 3)) else draw(st.sampled_from(NAMES))
    return name, document


def fit_for_a_log(text: str) -> bool:
    one_line = not any(unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") for character in text)
    return one_line and "##[" not in text and not text.startswith("::") and len(text) < 2000


def check(event: Event, request: Request) -> None:
    activity = choose(event, request=request)
    for text in (activity.reason, getattr(activity, "hint", "")):
        assert fit_for_a_log(text), text
    assert activity.reason
    match activity:
        case EvaluatePull():
            assert is_sha(activity.head_sha) and is_sha(activity.base_sha) and is_ref(activity.base_ref)
            assert activity.number > 0
            assert event.name == "pull_request" or not activity.is_fork
            assert not (activity.is_fork and activity.expects_secrets)
            assert isinstance(event.subject, Pull) and event.subject.open
        case ResolvePull():
            assert activity.number > 0
            assert is_sha(activity.pinned or "") if event.name == "workflow_dispatch" else activity.needs
        case EvaluateGroup():
            assert is_sha(activity.head_sha) and is_sha(activity.base_sha) and is_ref(activity.base_ref)
        case EvaluateRefs():
            assert is_ref(activity.base_ref) and is_ref(activity.head_ref) and "pull/" not in activity.head_ref
        case RefreshBaseline():
            assert is_sha(activity.sha) and is_ref(activity.ref)
        case PublishArtifact():
            assert is_sha(activity.head_sha) and event.name == "workflow_run"
        case Skip():
            assert not (isinstance(event.subject, Pull) and event.subject.open)
        case Refuse():
            assert activity.hint


@settings(max_examples=600)
@given(mutated(), REQUESTS, st.booleans())
def test_any_payload_is_one_activity_or_one_clear_error(
    found: tuple[str, dict[str, Any]], request: Request, at_home: bool
) -> None:
    try:
        event = read_event(*found)
    except EvalGateError as error:
        message = error.message
    else:
        message = ""
    assert fit_for_a_log(message), message
    if message:
        return
    if at_home:
        request = replace(request, repository=event.repository or REPOSITORY)
    check(event, request)
    if isinstance(event.subject, Pull):
        asked = ResolvePull(reason="asked", number=event.subject.number, pinned=request.head_sha, needs=())
        completed = complete(asked, event.subject, request=request)
        if isinstance(completed, EvaluatePull) and completed.is_fork:
            assert asked.pinned == completed.head_sha


@given(st.dictionaries(st.sampled_from(READ), JSON, max_size=5), st.sampled_from(NAMES), REQUESTS)
def test_any_json_is_one_activity_or_one_clear_error(document: dict[str, Any], name: str, request: Request) -> None:
    try:
        event = read_event(name, document)
    except EvalGateError:
        return
    check(event, request)


@given(st.data())
def test_any_damage_to_a_file_is_a_payload_or_one_clear_error(tmp_path_factory: Any, data: st.DataObject) -> None:
    file: Path = tmp_path_factory.mktemp("event") / "event.json"
    name = data.draw(st.sampled_from(sorted(FILES)))
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=8))
    file.write_bytes(content)
    try:
        event = read_event(EVENT_OF[name], load_payload(file))
    except EvalGateError:
        return
    check(event, Request(repository=REPOSITORY, sha=MERGE))
