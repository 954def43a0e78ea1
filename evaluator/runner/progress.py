"""What a person sees while a run is going: a live bar on a terminal, a line now and then in CI, nothing in a pipe."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from evaluator.engines.interface import Progress


class Counts:
    """What there is to show; the base of all ways to show it, and by itself the silent one."""

    def __init__(
        self, spend: Callable[[], float], *, label: str = "cases", clock: Callable[[], float] = time.monotonic
    ):
        """Take where to read the spend in US dollars, and a clock in seconds."""
        self.total = self.done = self.failed = self.reused = 0
        self._spend = spend
        self._label = label
        self._clock = clock
        self._started = clock()

    def start(self, total: int) -> None:
        """Remember the total and the time."""
        self.total = total
        self._started = self._clock()

    def advance(self, *, failed: bool, fresh: bool) -> None:
        """Count one answer."""
        self.done += 1
        self.failed += failed
        self.reused += not fresh
        self._show()

    def stop(self) -> None:
        """Nothing to close."""
        return

    def _show(self) -> None:
        return

    def line(self) -> str:
        """All of it in one line: answers, rate, time left, spend, errors."""
        elapsed = self._clock() - self._started
        rate = (self.done - self.reused) / elapsed if elapsed > 0 else 0.0
        left = f", about {_time((self.total - self.done) / rate)} left" if rate > 0 and self.done < self.total else ""
        reused = f", {self.reused} from the journal" if self.reused else ""
        failed = f", {self.failed} failed" if self.failed else ""
        return (
            f"{self._label}: {self.done}/{self.total} answers{reused}{failed}, {rate:.1f}/s, ${self._spend():.4f}{left}"
        )


class LogLines(Counts):
    """A plain line every few seconds, for CI logs."""

    def __init__(self, spend: Callable[[], float], stream: TextIO, *, every_s: float = 15.0, **options: Any) -> None:
        """Take the stream to write to."""
        super().__init__(spend, **options)
        self._stream, self._every, self._last = stream, every_s, self._started

    def _show(self) -> None:
        now = self._clock()
        if now - self._last >= self._every:
            self._last = now
            print(self.line(), file=self._stream, flush=True)

    def stop(self) -> None:
        """Write the last state."""
        print(self.line(), file=self._stream, flush=True)


class LiveBar(Counts):
    """A live bar with the time left and the spend, for a terminal."""

    def __init__(self, spend: Callable[[], float], stream: TextIO, **options: Any) -> None:
        """Take the terminal's stream."""
        super().__init__(spend, **options)
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._task: Any = None

    def start(self, total: int) -> None:
        """Show the bar."""
        super().start(total)
        self._task = self._bar.add_task(self._label, total=total, note="")
        self._bar.start()

    def _show(self) -> None:
        failed = f"  {self.failed} failed" if self.failed else ""
        self._bar.update(self._task, completed=self.done, note=f"${self._spend():.4f}{failed}")

    def stop(self) -> None:
        """Take the bar away and leave one line."""
        self._bar.stop()
        print(self.line(), file=self._bar.console.file, flush=True)


def choose_progress(
    spend: Callable[[], float], environ: Mapping[str, str], *, label: str, stream: TextIO | None = None
) -> Progress:
    """The way to show progress that fits where we run.

    Args:
        spend: Reads the spend so far, in US dollars.
        environ: `CI` set means log lines.
        label: What is being run, in a word or two.
        stream: Where to; standard error by default.
    """
    stream = stream or sys.stderr
    if environ.get("CI"):
        return LogLines(spend, stream, label=label)
    if stream.isatty() and environ.get("TERM") != "dumb":
        return LiveBar(spend, stream, label=label)
    return Counts(spend, label=label)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
