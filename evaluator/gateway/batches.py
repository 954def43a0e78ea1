"""A provider's Batch API, by the official client: upload a file, make a batch of it, look at it, fetch its answers.

What costs money (making a batch) is never repeated by itself: an answer that got lost on the way would make two.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from evaluator.errors import ConfigError, InfrastructureError
from evaluator.gateway.gateway import ProviderDown
from evaluator.gateway.outbox import API_PREFIX
from evaluator.gateway.providers import Provider
from evaluator.gateway.transport import redact

if TYPE_CHECKING:
    from openai.types import Batch

MARK = "llm_eval_gate"
"""Under which key of a batch's metadata its mark stands."""
MOST_DOWNLOAD_BYTES = 4_000_000_000
_RETRIES = 4
_PAGE = 100
_MOST_LISTED = 100_000
_SHOWN_ERRORS = 3
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_NO_SUCH_API = frozenset({404, 405, 501})


class NoBatchesError(ConfigError):
    """The provider has no Batch API."""


class BatchRefusedError(InfrastructureError):
    """The provider refused a batch as a whole: nothing was made of it."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A batch as the provider tells of it."""

    batch_id: str
    status: str
    """Untrusted, like all texts here: a word that we do not know means that it is not done."""
    total: int
    completed: int
    failed: int
    output_file: str | None
    error_file: str | None
    errors: tuple[str, ...]
    """Why it failed as a whole."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _ENDED


class BatchClient:
    """One provider's Batch API; use as an async context manager."""

    def __init__(self, provider: Provider) -> None:
        """Take whom to ask."""
        self._provider = provider
        self._client: Any = None

    async def __aenter__(self) -> Self:
        """Make the client: importing it takes a second."""
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        # Redirects would carry the key elsewhere.
        self._client = AsyncOpenAI(
            api_key=self._provider.api_key or "none",
            base_url=self._provider.base_urls[0],
            timeout=max(self._provider.timeout_s, 120.0),
            max_retries=_RETRIES,
            http_client=DefaultAsyncHttpxClient(follow_redirects=False),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        await self._client.close()

    async def upload(self, file: Path, name: str) -> str:
        """Upload a batch's requests; gives the file's id.

        Raises:
            NoBatchesError: The provider has no such API.
            InfrastructureError: The provider does not work, or refused the file.
        """
        with self._told("POST /files", new=True), file.open("rb") as content:
            made = await self._client.files.create(file=(name, content, "application/jsonl"), purpose="batch")
        return self._named(made, "file")

    async def create(self, file_id: str, path: str, mark: str) -> Remote:
        """Make a batch of an uploaded file.

        Args:
            file_id: The file.
            path: The endpoint of its requests.
            mark: By which `find` knows it again.

        Raises:
            NoBatchesError: The provider has no such API.
            BatchRefusedError: The provider said no: there is no batch.
            InfrastructureError: Whether there is a batch is not known.
        """
        # Not repeated: see above.
        once = self._client.with_options(max_retries=0)
        with self._told("POST /batches", new=True):
            made = await once.batches.create(
                input_file_id=file_id,
                endpoint=cast("Any", API_PREFIX + path),
                completion_window="24h",
                metadata={MARK: mark},
            )
        self._named(made, "batch")
        with self._told("POST /batches"):
            return self._remote(made)

    async def find(self, mark: str, *, since: float) -> Remote | None:
        """The batch with a mark, or None; the list is read back to what was made before `since`.

        Args:
            mark: What it was made with.
            since: Seconds since 1970.

        Raises:
            InfrastructureError: The list cannot be had.
        """
        seen = 0
        with self._told("GET /batches"):
            async for batch in self._client.batches.list(limit=_PAGE):
                seen += 1
                if seen > _MOST_LISTED:
                    raise InfrastructureError(f"{self._provider.name}: the list of batches has no end")
                metadata = batch.metadata if isinstance(batch.metadata, dict) else {}
                if metadata.get(MARK) == mark:
                    return self._remote(batch)
                if isinstance(batch.created_at, int) and batch.created_at < since:
                    return None
        return None

    async def look(self, batch_id: str) -> Remote:
        """How a batch is by now.

        Raises:
            InfrastructureError: The provider does not work, or has no such batch.
        """
        with self._told(f"GET /batches/{batch_id[:80]}"):
            return self._remote(await self._client.batches.retrieve(batch_id))

    async def download(self, file_id: str, to: Path) -> None:
        """Fetch a file's content to the disk.

        Raises:
            InfrastructureError: It cannot be had, or is too large.
        """
        size = 0
        with self._told(f"GET /files/{file_id[:80]}/content"), to.open("wb") as out:
            async with self._client.files.with_streaming_response.content(file_id) as response:
                async for chunk in response.iter_bytes(1 << 20):
                    size += len(chunk)
                    if size > MOST_DOWNLOAD_BYTES:
                        raise InfrastructureError(f"{self._provider.name}: the file {file_id[:80]} has no end")
                    out.write(chunk)

    def _named(self, made: Any, what: str) -> str:
        name = getattr(made, "id", None)
        if not isinstance(name, str) or not name:
            raise InfrastructureError(f"{self._provider.name}: the answer names no {what}")
        return name

    @contextmanager
    def _told(self, doing: str, *, new: bool = False) -> Iterator[None]:
        """Turn what the client raises into errors of ours.

        Args:
            doing: Method and path, for the message.
            new: Whether this makes something, so that "not found" means that there is no such API.
        """
        import openai

        name = self._provider.name
        try:
            yield
        except openai.APIStatusError as error:
            status, said = error.status_code, self._said(error.message)
            if new and status in _NO_SUCH_API:
                raise NoBatchesError(
                    f"provider '{name}' has no Batch API (HTTP {status} for {doing})",
                    hint="write `engine: local`, or name a provider that has one",
                ) from None
            if status in (401, 403):
                raise ProviderDown(f"{name}: HTTP {status} for {doing}: {said}", hint="check the key") from None
            if 400 <= status < 500 and status != 408:
                hint = "" if new else "the key must be of the project that sent the batch; `--fresh` starts over"
                raise BatchRefusedError(f"{name}: HTTP {status} for {doing}: {said}", hint=hint) from None
            raise InfrastructureError(f"{name}: HTTP {status} for {doing}: {said}", hint=_AGAIN) from None
        except openai.OpenAIError as error:
            raise self._failed(doing, error) from None
        except (ValueError, AttributeError, TypeError) as error:  # the client checks neither form nor types
            raise InfrastructureError(
                f"{name}: {doing}: the answer cannot be read: {self._said(str(error))}", hint=_AGAIN
            ) from None
        except Exception as error:
            # While a file is read the client lets through what its own HTTP library raises, whose name has changed.
            if not type(error).__module__.startswith("httpx"):
                raise
            raise self._failed(doing, error) from None

    def _failed(self, doing: str, error: Exception) -> InfrastructureError:
        said = self._said(str(error) or type(error).__name__)
        return InfrastructureError(f"{self._provider.name}: {doing} failed: {said}", hint=_AGAIN)

    def _remote(self, batch: "Batch") -> Remote:
        """What is told of a batch; the client's own types promise more than it checks.

        Raises:
            TypeError: It is no batch.
        """
        name: Any = batch.id
        status: Any = batch.status
        if not isinstance(name, str) or not isinstance(status, str):
            raise TypeError("it is no batch")
        counts: Any = batch.request_counts
        found: Any = getattr(batch.errors, "data", None)
        return Remote(
            batch_id=name,
            status=status,
            total=_count(counts, "total"),
            completed=_count(counts, "completed"),
            failed=_count(counts, "failed"),
            output_file=batch.output_file_id or None,
            error_file=batch.error_file_id or None,
            errors=tuple(
                self._said(_told_error(error)) for error in (found if isinstance(found, list) else [])[:_SHOWN_ERRORS]
            ),
        )

    def _said(self, text: str) -> str:
        return " ".join(redact(text, self._provider.api_key).split())[:300]


_AGAIN = "run the same command again: what is sent is known and will not be sent twice"


def _count(counts: Any, name: str) -> int:
    found = getattr(counts, name, None)
    return found if isinstance(found, int) else 0


def _told_error(error: Any) -> str:
    line = getattr(error, "line", None)
    where = f"line {line}: " if isinstance(line, int) else ""
    code = getattr(error, "code", None)
    return f"{where}{getattr(error, 'message', '')}" + (f" ({code})" if code else "")
