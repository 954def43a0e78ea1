"""A worker gives the answer to the question that was asked, or says why not."""

import asyncio
from pathlib import Path

import pytest

from evaluator.records import FailureKind, JsonValue
from evaluator.worker import JsonLinesWorker, WorkerFailure
from tests.worker.worker_programs import ECHO, MakeWorker


async def failure_of(worker: JsonLinesWorker, message: JsonValue = "hello") -> WorkerFailure:
    with pytest.raises(WorkerFailure) as caught:
        await worker.ask(message)
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "value", ["hello", "안녕하세요 東京 🎉", "line one\nline two\u2028three", {"a": [1, 2.5, None, True]}, None, 3, ""]
)
async def test_the_answer_is_the_programs_object_without_its_id(make_worker: MakeWorker, value: JsonValue) -> None:
    assert await make_worker(ECHO).ask({"input": value}) == {"output": value}


async def test_a_message_that_is_no_object_is_sent_as_input(make_worker: MakeWorker) -> None:
    assert await make_worker(ECHO).ask(["x"]) == {"output": ["x"]}


async def test_one_process_answers_all_questions(make_worker: MakeWorker) -> None:
    worker = make_worker("for q in questions(): say({'id': q['id'], 'pid': os.getpid()})")
    answers = [await worker.ask(number) for number in range(5)]
    assert all(answer == answers[0] for answer in answers)


async def test_large_questions_and_answers_do_not_lock_up(make_worker: MakeWorker) -> None:
    text = "가" * 900_000
    assert await make_worker(ECHO).ask(text) == {"output": text}


async def test_a_program_that_answers_before_it_has_read_all_does_not_lock_up(make_worker: MakeWorker) -> None:
    worker = make_worker(
        "import os\nos.read(0, 10)\nsay({'id': 1, 'output': 'x' * 500_000})\ntime.sleep(60)", call_timeout_s=5
    )
    answer = await worker.ask("y" * 3_000_000)
    assert answer == {"output": "x" * 500_000}


async def test_a_flood_of_stderr_does_not_lock_up_and_only_its_end_is_told(make_worker: MakeWorker) -> None:
    worker = make_worker(
        "for q in questions():\n"
        "    for n in range(20000): print('noise', n, file=sys.stderr)\n"
        "    if q['input'] == 'die': sys.exit(3)\n"
        "    say({'id': q['id'], 'output': 'ok'})\n"
    )
    assert await worker.ask("live") == {"output": "ok"}
    failure = await failure_of(worker, "die")
    assert failure.kind is FailureKind.CRASH
    assert "exited with code 3" in failure.message
    assert "noise 19999" in failure.message
    assert len(failure.message) < 3_000


async def test_a_crash_tells_the_escaped_traceback_and_the_next_question_is_answered(make_worker: MakeWorker) -> None:
    worker = make_worker(
        "for q in questions():\n"
        "    if q['input'] == 'die': raise SystemExit('\\x1b[31m::error::정말\\u202e')\n"
        "    say({'id': q['id'], 'output': q['input']})"
    )
    failure = await failure_of(worker, "die")
    assert failure.kind is FailureKind.CRASH
    assert "\\x1b[31m::error::정말\\u202e" in failure.message
    assert await worker.ask("again") == {"output": "again"}


async def test_a_signal_is_named(make_worker: MakeWorker) -> None:
    failure = await failure_of(make_worker("next(questions()); os.kill(os.getpid(), 11)"))
    assert "was killed by SIGSEGV" in failure.message


async def test_a_hang_ends_at_the_time_out_and_the_next_question_is_answered(make_worker: MakeWorker) -> None:
    worker = make_worker(
        "for q in questions():\n"
        "    if q['input'] == 'hang': time.sleep(60)\n"
        "    say({'id': q['id'], 'output': q['input']})",
        call_timeout_s=0.3,
    )
    failure = await failure_of(worker, "hang")
    assert failure.kind is FailureKind.HANG
    assert "0.3 s" in failure.message
    assert await worker.ask("again") == {"output": "again"}


async def test_a_program_that_never_reads_hangs_at_the_start_time_out(make_worker: MakeWorker) -> None:
    failure = await failure_of(make_worker("time.sleep(60)", start_timeout_s=0.3))
    assert failure.kind is FailureKind.HANG
    assert "read nothing" in failure.message


async def test_a_program_that_cannot_be_imported_is_a_crash(make_worker: MakeWorker) -> None:
    failure = await failure_of(make_worker("import no_such_module"))
    assert failure.kind is FailureKind.CRASH
    assert "No module named 'no_such_module'" in failure.message


@pytest.mark.parametrize("argv", [["/no/such/program"], ["./app.py"], [""], [], ["a\0b"]])
async def test_a_program_that_is_not_there_is_a_crash_at_the_start(tmp_path: Path, argv: list[str]) -> None:
    worker = JsonLinesWorker(argv, cwd=tmp_path, env={}, start_timeout_s=1, call_timeout_s=1)
    with pytest.raises(WorkerFailure, match="cannot start") as caught:
        await worker.start()
    assert caught.value.kind is FailureKind.CRASH


INVALID = {
    "no JSON": ("print('Loading ...', flush=True)", "logs go to stderr"),
    "two values": ("print('{} {}', flush=True)", "Extra data"),
    "not UTF-8": ('os.write(1, b\'{"id": 1, "output": "\\xff\\xfe"}\\n\')', "UTF-8"),
    "NaN": ('os.write(1, b\'{"id": 1, "output": NaN}\\n\')', "NaN"),
    "infinite": ('os.write(1, b\'{"id": 1, "output": 1e999}\\n\')', "too large"),
    "nested": ("os.write(1, b'[' * 100_000 + b'\\n')", "nested"),
    "no object": ("say('answer')", 'with the "id"'),
    "no id": ("say({'output': 1})", 'with the "id"'),
    "another id": ("say({'id': 99, 'output': 1})", "the question had 1"),
    "id of another type": ("say({'id': True, 'output': 1})", "the question had 1"),
}


@pytest.mark.parametrize(("line", "told"), INVALID.values(), ids=INVALID.keys())
async def test_a_wrong_line_is_an_invalid_answer(make_worker: MakeWorker, line: str, told: str) -> None:
    failure = await failure_of(make_worker(f"for q in questions():\n    {line}"))
    assert failure.kind is FailureKind.INVALID_ANSWER
    assert told in failure.message


async def test_a_huge_line_is_an_invalid_answer(make_worker: MakeWorker) -> None:
    worker = make_worker(
        "for q in questions(): say({'id': q['id'], 'output': 'x' * 3_000_000})", max_line_bytes=1_000_000
    )
    failure = await failure_of(worker)
    assert failure.kind is FailureKind.INVALID_ANSWER
    assert "more than 1000000 bytes" in failure.message


async def test_an_endless_line_is_an_invalid_answer(make_worker: MakeWorker) -> None:
    worker = make_worker("next(questions())\nwhile True: os.write(1, b'x' * 65536)", max_line_bytes=1_000_000)
    assert (await failure_of(worker)).kind is FailureKind.INVALID_ANSWER


async def test_a_second_answer_is_never_taken_for_the_next_question(make_worker: MakeWorker) -> None:
    worker = make_worker(
        "for q in questions():\n"
        "    say({'id': q['id'], 'output': q['input']})\n"
        "    if q['input'] == 'twice': say({'id': q['id'], 'output': 'stale'})"
    )
    for _ in range(20):
        assert await worker.ask("twice") == {"output": "twice"}
        failure = await failure_of(worker, "once")
        assert failure.kind is FailureKind.INVALID_ANSWER
        assert await worker.ask("once") == {"output": "once"}


async def test_an_answer_before_any_question_fails_the_question(make_worker: MakeWorker) -> None:
    worker = make_worker("say({'id': 1, 'output': 'guess'})\ntime.sleep(0.01)" + ECHO)
    await worker.start()
    await asyncio.sleep(0.3)
    failure = await failure_of(worker)
    assert failure.kind is FailureKind.INVALID_ANSWER
    assert "without being asked" in failure.message


async def test_an_exit_after_an_answer_fails_the_next_question_and_says_why(make_worker: MakeWorker) -> None:
    worker = make_worker("q = next(questions()); say({'id': q['id'], 'output': 'bye'})")
    assert await worker.ask(1) == {"output": "bye"}
    failure = await failure_of(worker)
    assert failure.kind is FailureKind.CRASH
    assert "goes on reading" in failure.message


async def test_half_a_surrogate_pair_becomes_a_replacement_character(make_worker: MakeWorker) -> None:
    worker = make_worker("for q in questions(): print(json.dumps({'id': q['id'], 'output': '\\ud83c!'}), flush=True)")
    assert await worker.ask(1) == {"output": "\ufffd!"}


async def test_start_up_is_nobodys_latency(make_worker: MakeWorker) -> None:
    worker = make_worker("time.sleep(2.0)\nfor q in questions():\n    time.sleep(0.1)\n    say({'id': q['id']})")
    for _ in range(2):
        answered = await worker.ask_timed(1)
        assert 0.09 < answered.latency_s < 1.8


async def test_a_cancelled_question_leaves_no_answer_behind(make_worker: MakeWorker) -> None:
    worker = make_worker(
        "for q in questions():\n"
        "    if q['input'] == 'slow': time.sleep(0.3)\n"
        "    say({'id': q['id'], 'output': q['input']})"
    )
    asking = asyncio.create_task(worker.ask("slow"))
    await asyncio.sleep(0.15)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await worker.ask("quick") == {"output": "quick"}
