"""Collects a batch that has ended: answers into the store, money into the ledger, what is missing for the next one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.gateway.batch_lines import Line, Odd, read_lines
from evaluator.gateway.batches import BatchClient, Remote
from evaluator.gateway.cache import StoredAnswer
from evaluator.gateway.gateway import Gateway
from evaluator.gateway.meter import read_usage
from evaluator.gateway.outbox import Outbox
from evaluator.gateway.retry import RETRIED
from evaluator.journal.batches import BatchLog, Lost, SentBatch
from evaluator.records import Failure, FailureKind

MOST_ATTEMPTS = 3
"""In how many batches a request may fail before it has failed for good."""


@dataclass(slots=True)
class Collected:
    """What came of one batch."""

    found: list[bytes] = field(default_factory=list)
    """Requests that have an answer now."""
    lost: dict[bytes, Lost] = field(default_factory=dict)
    """Requests that failed."""
    unfinished: int = 0
    """Requests that were never asked."""
    spent_usd: float = 0.0
    refused: str = ""
    """What the provider said, if it refused the key or the account."""
    odd: Counter[str] = field(default_factory=Counter)
    """Lines that could not be used, by what they were."""


async def collect(
    batch: SentBatch, remote: Remote, client: BatchClient, gateway: Gateway, log: BatchLog, scratch: Path
) -> Collected:
    """Take in all that a batch has; what it has cost is charged once, whenever the process is killed.

    Args:
        batch: As it was sent.
        remote: As the provider tells of it; it has ended, and has not failed as a whole.
        client: The provider's.
        gateway: Whose store, budget and outbox are meant.
        log: The run's batches.
        scratch: A private folder.

    Raises:
        InfrastructureError: Its files cannot be had, or the answers cannot be kept.
    """
    provider = gateway.provider(batch.provider)
    files = []
    for number, name in enumerate(filter(None, (remote.output_file, remote.error_file))):
        files.append(scratch / f"collected-{batch.number}-{number}.jsonl")
        await client.download(name, files[-1])
    before = log.lost()
    places = {key: place for place, key in enumerate(batch.keys)}
    found = Collected()
    seen: set[bytes] = set()

    def lines() -> Iterator[Line]:
        """What became of each request, once."""
        for file in files:
            for line in read_lines(file, batch.path, places, api_key=provider.api_key):
                if isinstance(line, Odd):
                    found.odd[line.what] += 1
                elif line.key in seen:
                    found.odd["repeated"] += 1
                else:
                    seen.add(line.key)
                    yield line

    def answers() -> Iterator[tuple[bytes, StoredAnswer]]:
        """The answers that can be used; the others are counted on the way."""
        for line in lines():
            if line.body is not None:
                usage = read_usage(line.body)
                cost = (
                    gateway.prices.cost(batch.model, usage, price_provider=provider.price_provider) if usage else None
                )
                # What does not tell its tokens may be charged in full.
                found.spent_usd += batch.worst_usd[places[line.key]] if usage is None else cost or 0.0
            if line.failure is not None or line.body is None:
                _miss(found, before, line)
                continue
            found.found.append(line.key)
            attempts = before[line.key].attempts + 1 if line.key in before else 1
            yield line.key, StoredAnswer(line.body, 0.0, gateway.run_id, attempts)

    gateway.store.put_all(answers())
    for key in batch.keys:
        if key not in seen:
            _unaccounted(found, before, batch.worst_usd[places[key]], key, completed=remote.status == "completed")
    with log.together():
        log.collected(batch.number, found.found, found.lost, note=_note(remote, found))
        gateway.charge(found.spent_usd, len(batch.keys) - found.unfinished)
    for file in files:
        file.unlink()
    return found


def _note(remote: Remote, found: Collected) -> str:
    """What people should be told of a batch; empty if there is nothing out of the way."""
    told = []
    if remote.status != "completed":
        told.append(f"{remote.status}, and {found.unfinished} of its requests were sent again")
    if found.odd:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(found.odd.items()))
        told.append(f"lines that could not be used: {counts}")
    return f"{remote.batch_id[:80]}: {'; '.join(told)}" if told else ""


def _miss(found: Collected, before: dict[bytes, Lost], line: Line) -> None:
    """Count a request without a usable answer."""
    failure = line.failure or Failure(FailureKind.INVALID_ANSWER, "no answer")
    if line.unfinished:
        found.unfinished += 1
    elif failure.kind is FailureKind.AUTHENTICATION:
        found.refused = failure.message  # asked again once the account is in order
    else:
        found.lost[line.key] = Lost(failure, (before[line.key].attempts if line.key in before else 0) + 1)


def _unaccounted(found: Collected, before: dict[bytes, Lost], worst_usd: float, key: bytes, *, completed: bool) -> None:
    """Count a request that the files do not mention: asked and paid for, if the batch says that it did all."""
    if not completed:
        found.unfinished += 1
        return
    found.spent_usd += worst_usd
    _miss(found, before, Line(key, None, Failure(FailureKind.SERVER, "the batch was completed without an answer")))


def tell_outbox(outbox: Outbox, log: BatchLog) -> None:
    """Have the outbox know what is paid for, what is not to be asked again, and what people should be told."""
    outbox.fresh = log.fresh()
    outbox.notes = log.notes()
    outbox.failed = {
        key: lost.failure
        for key, lost in log.lost().items()
        if lost.failure.kind not in RETRIED or lost.attempts >= MOST_ATTEMPTS
    }
