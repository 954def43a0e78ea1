"""Whatever happens to a journal's files, it gives back what was put in, or says that it cannot; never another value."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from evaluator.errors import InfrastructureError
from evaluator.journal.journal import Journal
from evaluator.records import Call, Output, Score, Side, Usage

CASES = 60
SIDES: tuple[Side, ...] = ("base", "head")


def output(number: int, side: str) -> Output:
    calls = (Call("openai", "m", Usage(100 + number, 20), 0.001 * number, 0.5, measured_in="run-1"),)
    return Output(
        text=f"{side} answer {number}: 한국어 " + "." * (number % 50), latency_s=0.5, calls=calls, cost_usd=0.1
    )


def score(number: int, side: str) -> Score:
    return Score("judge", values={"judge": float(number % 5)}, reason=f"{side} because of {number}")


def fill(journal: Journal) -> None:
    for number in range(CASES):
        for side in SIDES:
            journal.put_output(f"case {number}", side, 0, output(number, side))
            journal.put_score(f"case {number}", side, 0, score(number, side))
        journal.set_meta("spent", f"{number / 4} {number}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal as a process leaves it that ends in order."""
    path = tmp_path_factory.mktemp("whole") / "journal-1.sqlite"
    with Journal(path, identity="i") as journal:
        fill(journal)
    return path.parent


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files as a killed process leaves them: everything of late is in the log."""
    there, copy = tmp_path_factory.mktemp("there"), tmp_path_factory.mktemp("killed")
    with Journal(there / "journal-1.sqlite", identity="i") as journal:
        fill(journal)
        for name in ("journal-1.sqlite", "journal-1.sqlite-wal"):
            shutil.copyfile(there / name, copy / name)
    return copy


def read(folder: Path) -> int:
    """How many records a journal gives back, all of them as they were put in."""
    found = 0
    with Journal(folder / "journal-1.sqlite", identity="i") as journal:
        spent = journal.meta("spent")
        assert spent in {None, *(f"{number / 4} {number}" for number in range(CASES))}
        for case, side, repeat, kept in journal.all_outputs():
            assert (repeat, kept) == (0, output(int(case.split()[1]), side))
            found += 1
        for case, side, repeat, kept_score in journal.all_scores():
            assert (repeat, kept_score) == (0, score(int(case.split()[1]), side))
            assert journal.output(case, side, 0) == output(int(case.split()[1]), side), "a score without its answer"
            found += 1
    return found


def test_an_undamaged_journal_gives_back_everything(whole: Path, killed: Path, tmp_path: Path) -> None:
    for folder in (whole, killed):
        copy = shutil.copytree(folder, tmp_path / folder.name)
        assert read(copy) == 4 * CASES


@pytest.mark.parametrize("how", ["flipped", "overwritten", "cut off"])
@pytest.mark.parametrize("which", ["whole", "killed"])
def test_damaged_bytes_are_dropped_or_told_and_never_a_value(
    which: str, how: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source: Path = request.getfixturevalue(which)
    dice = random.Random(f"{which} {how}")
    ends: dict[str, int] = {"error": 0, "all": 0, "some": 0}
    unclear: list[bool] = []
    for number in range(80):
        copy = shutil.copytree(source, tmp_path / str(number))
        file = dice.choice(sorted(path for path in copy.iterdir() if path.suffix.startswith(".sqlite")))
        data = bytearray(file.read_bytes())
        match how:
            case "flipped":
                for _ in range(dice.randint(1, 8)):
                    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            case "overwritten":
                start = dice.randrange(len(data))
                end = min(len(data), start + dice.choice([16, 512, 4096]))
                data[start:end] = dice.randbytes(end - start)
            case _:
                del data[dice.randrange(len(data)) :]
        file.write_bytes(data)
        try:
            found = read(copy)
        except InfrastructureError as error:
            unclear += ["journal-1.sqlite" not in str(error) or not error.hint]
            ends["error"] += 1
        else:
            ends["all" if found == 4 * CASES else "some"] += 1
        shutil.rmtree(copy)
    assert not any(unclear)
    # Each way of damage must have shown that it is found at all.
    assert ends["error"] + ends["some"] >= 20, ends


def test_one_damaged_answer_is_dropped_with_its_scores_and_asked_again(whole: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(whole, tmp_path / "copy")
    file = copy / "journal-1.sqlite"
    data = file.read_bytes()
    at = data.index(b"head answer 7:")
    file.write_bytes(data[:at] + b"H" + data[at + 1 :])
    with Journal(file, identity="i") as journal:
        assert journal.damaged == 1
        assert journal.output("case 7", "head", 0) is None
        assert journal.scores("case 7", "head", 0) == {}
        assert journal.output("case 7", "base", 0) == output(7, "base")
    assert read(copy) == 4 * CASES - 2


def test_a_damaged_note_of_what_was_spent_is_an_error_and_not_forgotten(whole: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(whole, tmp_path / "copy")
    database = sqlite3.connect(copy / "journal-1.sqlite")
    with database:
        database.execute("UPDATE meta SET value = '0.0 0' WHERE name = 'spent'")
    database.close()
    with pytest.raises(InfrastructureError, match="damaged") as caught:
        Journal(copy / "journal-1.sqlite", identity="i")
    assert "--no-resume" in caught.value.hint


def test_damage_that_comes_while_a_run_is_going_is_told(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal-1.sqlite", identity="i") as journal:
        fill(journal)
        other = sqlite3.connect(journal.path)
        with other:
            other.execute("UPDATE outputs SET repeat = 0, record = replace(record, 'answer', 'ANSWER')")
        other.close()
        with pytest.raises(InfrastructureError, match="damaged while"):
            journal.output("case 3", "base", 0)
        with pytest.raises(InfrastructureError, match="damaged while"):
            list(journal.all_outputs())


def test_a_note_of_what_was_spent_that_vanished_is_an_error_and_not_forgotten(whole: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(whole, tmp_path / "copy")
    file = copy / "journal-1.sqlite"
    data = bytearray(file.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    for start in range(size, len(data), size):
        page = data[start : start + size]
        cells = int.from_bytes(page[3:5], "big")
        at = [int.from_bytes(page[8 + 2 * n : 10 + 2 * n], "big") for n in range(cells)]
        left = [place for place in at if b"spent" not in page[place : place + 12]]
        if page[0] == 0x0A and len(left) == cells - 1:  # a leaf of the notes: take one out, and leave the rest in order
            data[start + 3 : start + 5] = len(left).to_bytes(2, "big")
            for n, place in enumerate(left):
                data[start + 8 + 2 * n : start + 10 + 2 * n] = place.to_bytes(2, "big")
    assert bytes(data) != file.read_bytes()
    file.write_bytes(data)
    database = sqlite3.connect(file)
    assert {name for (name,) in database.execute("SELECT name FROM meta")} == {"version", "identity"}
    database.close()
    with pytest.raises(InfrastructureError, match="damaged"):
        Journal(file, identity="i")
