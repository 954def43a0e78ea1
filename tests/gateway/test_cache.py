"""The store of answers: what it has told to be kept is on disk."""

import asyncio
from pathlib import Path

from evaluator.errors import InfrastructureError
from evaluator.gateway.cache import AnswerStore, StoredAnswer


async def test_answers_that_come_together_are_on_disk_when_each_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    store = AnswerStore(path)
    answers = {bytes([n]) * 32: StoredAnswer({"n": n}, 0.1, "r", 1) for n in range(50)}
    await asyncio.gather(*(store.keep(key, answer) for key, answer in answers.items()))
    # Another process reads them while the first is still open: nothing waits in memory.
    other = AnswerStore(path)
    assert {key: other.get(key) for key in answers} == answers
    other.close()
    store.close()


async def test_who_waits_for_a_store_that_cannot_write_is_told(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path / "answers.sqlite")
    store.close()
    tried = await asyncio.gather(
        *(store.keep(bytes([n]) * 32, StoredAnswer({}, 0.1, "r", 1)) for n in range(3)), return_exceptions=True
    )
    assert [type(error) for error in tried] == [InfrastructureError] * 3


async def test_a_store_that_is_closed_is_left_alone_by_what_it_had_planned(tmp_path: Path) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    store = AnswerStore(tmp_path / "answers.sqlite")
    answer = StoredAnswer({}, 0.1, "r", 1)
    store.put_soon(b"k" * 32, answer)
    store.close()
    await asyncio.sleep(0.1)
    assert told == []
    again = AnswerStore(tmp_path / "answers.sqlite")
    assert again.get(b"k" * 32) == answer
    again.close()
