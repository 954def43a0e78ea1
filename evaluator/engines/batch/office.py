"""What the batch engine sends and fetches: one place for clients, journal and outbox."""

import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from evaluator.engines.batch.collect import collect, tell_outbox
from evaluator.errors import EvalGateError, InfrastructureError, RunSubmitted
from evaluator.gateway.batches import BatchClient, BatchRefusedError, NoBatchesError, Remote
from evaluator.gateway.gateway import Gateway, ProviderDown
from evaluator.gateway.outbox import Outbox, Parcel
from evaluator.journal.batches import BatchLog, SentBatch

_SLACK_S = 3600.0
"""How far the provider's clock may be from ours."""
_ARRIVES_WITHIN_S = 60.0
"""After that long a batch is in the provider's list, or never will be."""
_LATER = "run the same command again to collect; a batch takes minutes to hours, 24 hours at most"


@dataclass(slots=True)
class Office:
    """The batches of one run."""

    gateway: Gateway
    outbox: Outbox
    log: BatchLog
    scratch: Path
    stack: AsyncExitStack
    """Closes the clients."""
    now: Callable[[], float]
    """Seconds since 1970."""
    _clients: dict[str, BatchClient] = field(default_factory=dict)

    async def client(self, provider: str) -> BatchClient:
        """A provider's client, made once."""
        if provider not in self._clients:
            made = BatchClient(self.gateway.provider(provider))
            self._clients[provider] = await self.stack.enter_async_context(made)
        return self._clients[provider]

    async def collect_all(self) -> None:
        """Look at every batch that is out, once, and take in what has ended.

        Raises:
            RunSubmitted: One has not ended.
            InfrastructureError: One failed as a whole, or the provider does not work.
        """
        waiting: list[Remote] = []
        failed: list[str] = []
        refused = ""
        for sent in self.log.open_batches():
            batch = await self._known(sent)
            if batch is None:
                continue
            client = await self.client(batch.provider)
            remote = await client.look(batch.batch_id)
            if not remote.ended:
                waiting.append(remote)
            elif remote.status == "failed":
                self.log.drop(batch.number)
                said = "; ".join(remote.errors) or "no reason was given"
                failed.append(f"{batch.provider}: {_name(remote)} failed as a whole: {said}")
            else:
                found = await collect(batch, remote, client, self.gateway, self.log, self.scratch)
                refused = refused or found.refused
        tell_outbox(self.outbox, self.log)
        if failed:
            raise InfrastructureError(
                "\n".join(failed),
                hint="nothing of it was charged; mend what it says (or wait, if too much was enqueued), and run the"
                " same command again: it is sent anew",
            )
        if refused:
            raise ProviderDown(f"requests of a batch were refused: {refused}", hint="check the key and the account")
        if waiting:
            told = "; ".join(
                f"{_name(remote)} is {remote.status[:40]}, {remote.completed} of {remote.total} requests done"
                + (f", {remote.failed} failed" if remote.failed else "")
                for remote in waiting
            )
            raise RunSubmitted(f"no verdict yet: {told}", hint=_LATER)

    async def _known(self, batch: SentBatch) -> SentBatch | None:
        """A batch with the provider's name for it; None if it never got there.

        Raises:
            RunSubmitted: It was sent just now, so it may still turn up.
        """
        if batch.batch_id:
            return batch
        client = await self.client(batch.provider)
        found = await client.find(batch.mark, since=batch.sent_at - _SLACK_S)
        if found is not None:
            self.log.sent(batch.number, found.batch_id)
            return next(one for one in self.log.open_batches() if one.number == batch.number)
        if self.now() - batch.sent_at < _ARRIVES_WITHIN_S:
            raise RunSubmitted(
                "no verdict yet: a batch was being sent when the last run ended, and it is not known if it arrived",
                hint=f"run the same command again in {_ARRIVES_WITHIN_S:.0f} seconds",
            )
        self.log.drop(batch.number)
        return None

    async def send_all(self) -> NoReturn:
        """Send all that waits, as few batches as the limits allow.

        Raises:
            RunSubmitted: It is sent.
            BudgetError: It could pass a cap: nothing is sent.
            EvalGateError: A provider has no Batch API, or does not work.
        """
        parcels = self.outbox.parcels()
        worst = sum(sum(parcel.worst_usd) for parcel in parcels)
        self.gateway.budget.require(worst, sum(len(parcel.keys) for parcel in parcels))
        sent: list[str] = []
        for parcel in parcels:
            try:
                sent.append(await self._send(parcel))
            except EvalGateError as error:
                if sent:
                    error.hint += f"{'; ' if error.hint else ''}{len(sent)} of {len(parcels)} batches are sent already"
                raise
        requests = sum(len(parcel.keys) for parcel in parcels)
        batches = "1 batch" if len(sent) == 1 else f"{len(sent)} batches"
        cost = f", at most ${worst:.4f}" if worst else ""
        told = "1 request is" if requests == 1 else f"{requests} requests are"
        raise RunSubmitted(f"no verdict yet: {told} sent in {batches}{cost}: {', '.join(sent)}", hint=_LATER)

    async def _send(self, parcel: Parcel) -> str:
        """Send one batch; gives the provider's name for it."""
        client = await self.client(parcel.provider)
        number = self.log.next_number()
        mark = f"{self.gateway.run_id}-{number}-{secrets.token_hex(8)}"
        self.log.intend(
            SentBatch(
                number=number,
                mark=mark,
                provider=parcel.provider,
                path=parcel.path,
                model=parcel.model,
                sent_at=self.now(),
                keys=tuple(parcel.keys),
                worst_usd=tuple(parcel.worst_usd),
            )
        )
        try:
            file_id = await client.upload(parcel.file, f"llm-eval-gate-{mark}.jsonl")
            remote = await client.create(file_id, parcel.path, mark)
        except (NoBatchesError, BatchRefusedError, ProviderDown):
            self.log.drop(number)
            raise
        self.log.sent(number, remote.batch_id)
        return _name(remote)


def _name(remote: Remote) -> str:
    return remote.batch_id[:80]
