"""What a person sees while a run is going: a live line on a terminal, a line now and then in CI, nothing in a pipe."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from evaluator.engines.interface import Progress
from evaluator.gate import Standing
from evaluator.report.escape import terminal

_LOG_EVERY_S, _LIVE_EVERY_S = 15.0, 0.1
_BAR, _BAR_FROM = 12, 110
"""Columns of the bar, and of the terminal from which on there is one: in a narrower one the words need the room."""


class Meter(Protocol):
    """Counts what is spent; the gateway."""

    @property
    def spent_usd(self) -> float:
        """US dollars so far."""

    @property
    def calls(self) -> int:
        """Calls so far."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is being run, for who watches it."""

    label: str
    """In a word or two; untrusted, as it may hold a ref's name."""
    standing: Callable[[], Standing] | None = None
    """How far the decision is; None where nothing is decided on the way."""


class Counts:
    """What there is to show; the base of all ways to show it, and by itself the silent one."""

    def __init__(self, meter: Meter, watched: Watched, *, clock: Callable[[], float] = time.monotonic):
        """Take where to read the spend, what is run, and a clock in seconds."""
        self.total = self.done = self.failed = self.reused = 0
        self._meter, self._watched, self._clock = meter, watched, clock
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

    @property
    def expected(self) -> int:
        """Answers that it will take, as far as can be told: fewer where all will be decided before the last case."""
        return self._expected(self._standing())

    def _standing(self) -> Standing | None:
        return None if self._watched.standing is None else self._watched.standing()

    def _expected(self, standing: Standing | None) -> int:
        return max(self.total if standing is None else round(self.total * standing.share), self.done)

    def line(self) -> str:
        """All of it in one line: what matters most stands first, as a narrow terminal cuts the end off."""
        elapsed = self._clock() - self._started
        rate = (self.done - self.reused) / elapsed if elapsed > 0 else 0.0
        standing = self._standing()
        expected = self._expected(standing)
        parts = [f"{terminal(self._watched.label)}: {self.done}/{expected} answers"]
        if rate > 0 and self.done < expected:
            # Where a decision may come early, the time for all cases is the longest that it can take.
            word = "about" if standing is None or standing.share != 1.0 else "at most"
            parts.append(f"{word} {_time((expected - self.done) / rate)} left")
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"${self._meter.spent_usd:.4f}"] if self._meter.spent_usd else []  # 0: no price is known, or free
        if standing is not None:
            parts += [f"so far: {standing}", f"{standing.cases}/{standing.of} cases judged"]
        parts += [f"{self._meter.calls} calls", f"{rate:.1f}/s"]
        parts += [f"{self.reused} from the journal"] if self.reused else []
        return ", ".join(parts)

    def fitting(self, columns: int) -> str:
        """The line for a terminal so wide: in whole words, else short; what does not fit even so is cut off by it."""
        short = self._short()
        named = f"{terminal(self._watched.label)}: {short}"
        return next((line for line in (self.line(), named) if len(line) <= columns), short)

    def _short(self) -> str:
        """The same as `line`, in few words."""
        elapsed = self._clock() - self._started
        rate = (self.done - self.reused) / elapsed if elapsed > 0 else 0.0
        standing, spent = self._standing(), self._meter.spent_usd
        expected = self._expected(standing)
        parts = [f"{self.done}/{expected}"]
        parts += [f"~{_time((expected - self.done) / rate)}"] if rate > 0 and self.done < expected else []
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"${spent:.4f}" if spent < 1 else f"${spent:.2f}"] if spent else []
        parts += [standing.short] if standing is not None else []
        parts += [f"{self._meter.calls} calls", f"{rate:.1f}/s" if rate < 100 else f"{rate:.0f}/s"]
        parts += [f"{standing.cases}/{standing.of} cases"] if standing is not None else []
        return ", ".join(parts)


class LogLines(Counts):
    """A plain line every few seconds, for CI logs."""

    def __init__(
        self, meter: Meter, watched: Watched, stream: TextIO, *, every_s: float = _LOG_EVERY_S, **options: Any
    ) -> None:
        """Take the stream to write to."""
        super().__init__(meter, watched, **options)
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
    """A bar and the line, for a terminal; one line high however narrow it is."""

    def __init__(self, meter: Meter, watched: Watched, stream: TextIO, **options: Any) -> None:
        """Take the terminal's stream."""
        super().__init__(meter, watched, **options)
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        console = Console(file=stream)
        bar = [BarColumn(bar_width=_BAR)] if console.width >= _BAR_FROM else []
        self._beside = (_BAR + 1) * len(bar)  # and a space
        self._bar = RichProgress(
            *bar,
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            ),
            console=console,
            transient=True,
            expand=True,
        )
        self._task: Any = None
        self._last = self._started

    def start(self, total: int) -> None:
        """Show the bar."""
        super().start(total)
        self._task = self._bar.add_task(self._shown(), total=total)
        self._bar.start()

    def _show(self) -> None:
        now = self._clock()
        if now - self._last >= _LIVE_EVERY_S:
            self._last = now
            self._bar.update(self._task, completed=self.done, total=self.expected, description=self._shown())

    def _shown(self) -> str:
        # Asked each time: a window can be made wider or narrower.
        return self.fitting(self._bar.console.width - self._beside)

    def stop(self) -> None:
        """Take the bar away and leave one line."""
        self._bar.stop()
        print(self.line(), file=self._bar.console.file, flush=True)


def choose_progress(
    meter: Meter, watched: Watched, environ: Mapping[str, str], stream: TextIO | None = None
) -> Progress:
    """The way to show progress that fits where we run.

    Args:
        meter: Counts the spend.
        watched: What is being run.
        environ: `CI` set means log lines.
        stream: Where to; standard error by default.
    """
    stream = stream or sys.stderr
    if environ.get("CI"):
        return LogLines(meter, watched, stream)
    if not stream.isatty():
        return Counts(meter, watched)
    return LogLines(meter, watched, stream) if environ.get("TERM") == "dumb" else LiveBar(meter, watched, stream)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
