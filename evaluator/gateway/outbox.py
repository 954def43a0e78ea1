"""What waits to be asked in a batch: requests whose answers are not in the store, on disk as the files of a batch.

A batch holds requests to one endpoint of one provider for one model, so there is a file for each of these, and another
one where a limit of OpenAI's is reached.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from evaluator.errors import InfrastructureError, ProviderError
from evaluator.gateway.interface import Deferred
from evaluator.records import Failure

MOST_REQUESTS = 50_000
"""Requests in a batch; for embeddings, texts in a batch."""
MOST_BYTES = 200_000_000
API_PREFIX = "/v1"
"""Of an endpoint's name in a batch, whatever the provider's own address."""


@dataclass(slots=True)
class Parcel:
    """A file of requests that becomes one batch."""

    provider: str
    path: str
    """Of the endpoint, for example `/chat/completions`."""
    model: str
    file: Path
    keys: list[bytes] = field(default_factory=list)
    """Of the requests, in the file's order."""
    worst_usd: list[float] = field(default_factory=list)
    """The most that each request can cost; 0 where its model has no price."""
    size: int = 0
    """Bytes."""
    inputs: int = 0
    """Requests; or texts, for embeddings."""


class Outbox:
    """Collects the requests of one process, and knows what became of those that earlier batches held."""

    def __init__(self, folder: Path, *, most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BYTES) -> None:
        """Take a private folder for the files, and the limits of a batch."""
        self._folder = folder
        self._most_requests, self._most_bytes = most_requests, most_bytes
        self._parcels: list[Parcel] = []
        self._open: dict[tuple[str, str, str], tuple[Parcel, IO[bytes]]] = {}
        self._known: set[bytes] = set()
        self.failed: dict[bytes, Failure] = {}
        """Requests that failed for good in a batch of this run."""
        self.notes: tuple[str, ...] = ()
        """What people should be told of the batches of this run."""
        self.fresh: set[bytes] = set()
        """Requests whose answers this run has collected, and that nobody has asked for yet: not from the cache."""

    def __len__(self) -> int:
        """How many requests wait."""
        return len(self._known)

    def take_fresh(self, key: bytes) -> bool:
        """Whether the answer to a request was collected by this run; of those who ask for it, the first is told so."""
        fresh = key in self.fresh
        self.fresh.discard(key)
        return fresh

    def put(
        self, key: bytes, provider: str, path: str, model: str, body: bytes, *, worst_usd: float, inputs: int = 1
    ) -> Exception:
        """Take a request in, once; gives the exception that whoever asked gets instead of an answer.

        Args:
            key: The request's, as in the answer store.
            provider: Its name.
            path: Of the endpoint.
            model: As asked for.
            body: JSON on one line.
            worst_usd: The most that it can cost.
            inputs: What it counts for the limit on requests.

        Raises:
            InfrastructureError: The file cannot be written.
        """
        failure = self.failed.get(key)
        if failure is not None:
            return ProviderError(f"{provider}: {failure.message}", kind=failure.kind)
        if key not in self._known:
            line = _line(key, path, body)
            with self._writing():
                parcel, file = self._room(provider, path, model, len(line), inputs)
                file.write(line)
            parcel.keys.append(key)
            parcel.worst_usd.append(worst_usd)
            parcel.size += len(line)
            parcel.inputs += inputs
            self._known.add(key)
        return Deferred()

    def _room(self, provider: str, path: str, model: str, size: int, inputs: int) -> tuple[Parcel, IO[bytes]]:
        """The file that has room for a line; a new one where there is none."""
        kind = provider, path, model
        found = self._open.get(kind)
        if found is not None:
            parcel, file = found
            if parcel.size + size <= self._most_bytes and parcel.inputs + inputs <= self._most_requests:
                return found
            file.close()
        parcel = Parcel(provider, path, model, self._folder / f"batch-{len(self._parcels) + 1}.jsonl")
        self._parcels.append(parcel)
        self._open[kind] = parcel, parcel.file.open("wb")
        return self._open[kind]

    def parcels(self) -> list[Parcel]:
        """All that waits, its files closed; nothing can be put in any more but into new ones.

        Raises:
            InfrastructureError: A file cannot be written to its end.
        """
        self._close()
        return list(self._parcels)

    def clear(self) -> None:
        """Forget what waits, and remove its files."""
        self._close()
        for parcel in self._parcels:
            parcel.file.unlink(missing_ok=True)
        self._parcels.clear()
        self._known.clear()

    def _close(self) -> None:
        try:
            with self._writing():
                for _, file in self._open.values():
                    file.close()
        finally:
            self._open.clear()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InfrastructureError(
                f"the requests of a batch cannot be written to {self._folder}: {error.strerror}",
                hint="free some disk space, or set TMPDIR to another place",
            ) from None


def _line(key: bytes, path: str, body: bytes) -> bytes:
    """A line of a batch's input; the body as it would go out by itself."""
    head: Mapping[str, str] = {"custom_id": key.hex(), "method": "POST", "url": API_PREFIX + path}
    return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"body":' + body + b"}\n"
