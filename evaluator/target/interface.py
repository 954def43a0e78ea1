"""What a target is: the system under test at one ref."""

from abc import ABC, abstractmethod

from evaluator.records import Case, Output, Side


class Target(ABC):
    """Answers cases as the app does at one ref.

    A case that fails comes back as `Output.failure`; an exception from `answer` is a defect of ours. A target that
    cannot be set up raises TargetError from `start`.
    """

    side: Side

    async def set_up(self) -> None:
        """Run the ref's set-up. All sides are set up before anything of any side runs.

        A set-up has the network: it must find no app of the other side to talk to.
        """
        return

    async def start(self) -> None:
        """Get ready: render templates once, start workers. Its time never counts as a case's latency."""
        return

    async def close(self) -> None:
        """Give back what `start` took; called once, also after errors."""
        return

    def notes(self) -> tuple[str, ...]:
        """What people should be told of it beside its outputs, once it has run."""
        return ()

    @abstractmethod
    async def answer(self, case: Case, *, repeat: int = 0) -> Output:
        """Answer one case."""
