"""A gate whose cases go out in batches: the app, the stand-in with its Batch API, and runs until there is a verdict."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.kills import differences, without_times
from evaluator.journal.codec import checksum_of
from tests.pipeline.commands import Said, command, right
from tests.standin.app import CONFIG, make_app
from tests.standin.batch_api import BatchApi
from tests.standin.provider import Answerer, StandIn
from tests.standin.threaded import running

SUBMITTED = 4
JUDGED = CONFIG.replace(
    "scorers: [exact_match]", "scorers: [exact_match, judge]\njudge: {{model: j, provider: standin}}"
).replace("  m: {{input: $1, output: $2}}", "  m: {{input: $1, output: $2}}\n  j: {{input: $3, output: $4}}")


def judging(body: Any, number: int = 0) -> str:
    """The right answer; as a judge, a low score for an attack and else one that hangs on what is judged."""
    if body["model"] != "j":
        return right(body)
    text = str(body["messages"])
    score = 1 if "capital of France" in text else 3 + len(text) % 3
    return json.dumps({"reasoning": "read", "score": score})


@dataclass
class Scene:
    """A repository, a provider with a Batch API, and a home of ours."""

    repo: Path
    home: Path
    api: BatchApi
    server: StandIn

    def gate(self, *words: str) -> Said:
        """One run of the gate, in batches."""
        return command(self.home, "gate", "--repo", str(self.repo), "--engine", "batch", "--json", *words)

    def until_done(self, *, most: int = 12, each: Callable[[], None] | None = None) -> Said:
        """Run until there is a verdict; between two runs, `each` happens, or all batches are completed."""
        for _ in range(most):
            said = self.gate()
            if said.code != SUBMITTED:
                return said
            (each or self.api.finish)()
        raise AssertionError(f"no verdict after {most} runs: {said.err}")

    def alone(self) -> Said:
        """The same gate by the local engine, in a home of its own."""
        return command(self.home.parent / "local", "gate", "--repo", str(self.repo), "--json")

    def journal(self) -> sqlite3.Connection:
        """The run's journal."""
        [path] = self.home.glob("runs/*/journal-1.sqlite")
        return sqlite3.connect(path, isolation_level=None)

    def spent(self) -> tuple[float, int]:
        """Dollars and calls, as the run's journal has them."""
        with self.journal() as database:
            [(told,)] = database.execute("SELECT value FROM meta WHERE name = 'spent'")
        database.close()
        found = json.loads(told)
        return float(found["usd"]), int(found["calls"])

    def age_what_is_being_sent(self) -> None:
        """Have some minutes go by since the last run was killed."""
        with self.journal() as database:
            for number, state, record, *rest, _ in database.execute("SELECT * FROM batches").fetchall():
                told = json.loads(record)
                if "sent_at" not in told:  # collected by now
                    continue
                row = (number, state, json.dumps({**told, "sent_at": told["sent_at"] - 300}), *rest)
                database.execute("REPLACE INTO batches VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, checksum_of(*row)))
        database.close()

    def charged_usd(self) -> float:
        """What the stand-in would charge: half the price."""
        prices = {"m": (1, 2), "j": (3, 4)}
        models = {
            line["custom_id"]: line["body"]["model"] for batch in self.api.batches.values() for line in batch.requests
        }
        return sum(
            0.5 * (given * prices[models[name]][0] + made * prices[models[name]][1]) / 1e6
            for name, given, made in self.api.charged
        )


@contextmanager
def scene(
    folder: Path, answer: Answerer = right, *, cases: int = 10, config: str = CONFIG, **options: Any
) -> Iterator[Scene]:
    """Set it up; afterwards, all that went over the wire must be as OpenAI describes it."""
    api = BatchApi(**options)
    with running(answer, api) as server:
        repo = make_app(folder / "app", server.url, cases=cases, config=config)
        yield Scene(repo, folder / "home", api, server)
    assert api.violations == []


def unlike(batched: Any, local: Any) -> list[str]:
    """Where two documents differ in more than times and prices."""
    plain = [_without_prices(without_times(document)) for document in (batched, local)]
    for document in plain:
        document["cases"].sort(key=lambda case: case["id"])
        document.pop("rerun")
    return differences(*plain)


def _without_prices(part: Any) -> Any:
    if isinstance(part, dict):
        if str(part.get("name", part.get("metric", ""))).startswith("cost"):
            return None
        return {key: _without_prices(value) for key, value in part.items() if not key.endswith("_usd")}
    if isinstance(part, list):
        # A distribution of latencies is there only where there are some.
        return [found for value in part if (found := _without_prices(value)) is not None]
    return part
