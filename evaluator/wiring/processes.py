"""Makes the process target of one side: its environment, its cage, its set-up and its meter."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evaluator.config.loading import LoadedConfig
from evaluator.config.targets import CommandSection, ContainerSection, ExchangeSection, HttpSection, PythonSection
from evaluator.errors import ConfigError, TargetError
from evaluator.gateway.door import offline_environment
from evaluator.journal.folder import home_folder
from evaluator.records import Case, Output
from evaluator.sandbox import Cage
from evaluator.setup import Ready
from evaluator.target.command import CommandTarget
from evaluator.target.exchange import Exchange
from evaluator.target.http import HttpTarget
from evaluator.target.interface import Target
from evaluator.target.json_path import JsonPath, fill, read_path
from evaluator.target.metering import Metering
from evaluator.target.python import CHILD_SCRIPT, PythonTarget
from evaluator.wiring import cages
from evaluator.wiring.cages import Place
from evaluator.wiring.programs import find_programs, refuse_lost_shims
from evaluator.wiring.setting_up import programs_of, set_side_up
from evaluator.wiring.unmet import unmet_openings
from evaluator.worker import CLOSED_DOORS, child_environment, speaks_of_a_closed_door


@dataclass(frozen=True, slots=True)
class Doorway:
    """How a side's app reaches the gateway."""

    metering: Metering
    port: int


class ProcessTarget(Target):
    """A target that is made once its ref is set up.

    Args:
        place: Where its processes live.
        make: Sets up and makes it; gives it with what people should be told.
        metering: The calls whose cost is not known are told in the end.
        caged: Whether it runs in our cage.
    """

    def __init__(
        self,
        place: Place,
        make: Callable[[], Awaitable[tuple[Target, tuple[str, ...]]]],
        metering: Metering | None,
        *,
        caged: bool = False,
    ) -> None:
        """Only store the arguments; see the class."""
        self.side = place.side
        self._make = make
        self._metering = metering
        self._caged = caged
        self._notes: tuple[str, ...] = ()
        self._target: Target | None = None
        self._closed_doors = False

    async def set_up(self) -> None:
        """Set the ref up.

        Raises:
            TargetError: It fails.
        """
        self._target, self._notes = await self._make()

    async def start(self) -> None:
        """Start the app, and set the ref up if nobody has.

        Raises:
            EvalGateError: Either fails.
        """
        if self._target is None:
            await self.set_up()
        if self._target is None:
            return
        try:
            await self._target.start()
        except TargetError as error:
            if self._metering is not None and self._metering.check is not None:
                self._metering.check((), None)  # what it asked may be why it did not start
            if not self._caged or "sandbox" in error.hint or not speaks_of_a_closed_door(error.message):
                raise
            hint = f"{error.hint}; perhaps {CLOSED_DOORS}" if error.hint else f"perhaps {CLOSED_DOORS}"
            raise TargetError(error.message, hint=hint) from error

    async def close(self) -> None:
        """End all processes."""
        if self._target is not None:
            await self._target.close()

    async def answer(self, case: Case, *, repeat: int = 0) -> Output:
        """Ask the app."""
        if self._target is None:
            raise RuntimeError("the target is asked before it was started")
        output = await self._target.answer(case, repeat=repeat)
        failure = output.failure
        self._closed_doors |= self._caged and failure is not None and speaks_of_a_closed_door(failure.message)
        return output

    def notes(self) -> tuple[str, ...]:
        """What the sandbox cannot hold here or may have closed, and what the way to the models has to tell."""
        own = self._target.notes() if self._target is not None else ()
        doors = f"the app failed with words such as 'Permission denied': perhaps {CLOSED_DOORS}"
        asked = () if self._metering is None else (f"{self.side}: {note}" for note in metering_notes(self._metering))
        return (*self._notes, *own, *([doors] if self._closed_doors else []), *asked)


def metering_notes(metering: Metering) -> list[str]:
    """What people should be told of a side's calls: those without a known cost, those refused."""
    found = []
    if metering.unpriced:
        names = ", ".join(ascii(name)[1:-1][:80] for name in sorted(set(metering.unpriced))[:5])
        found.append(f"the cost of {len(metering.unpriced)} calls is not known ({names})")
    if metering.capped:
        count = "1 case" if len(metering.capped) == 1 else f"{len(metering.capped)} cases"
        found.append(
            f"a cap of a case (budget.max_calls_per_case, budget.max_usd_per_case) refused calls in {count};"
            " what the app made of it counts"
        )
    return [*found, *(metering.told() if metering.told is not None else ())]


def make_process_target(
    place: Place,
    loaded: LoadedConfig,
    *,
    environ: Mapping[str, str],
    slots: int,
    doorway: Doorway | None = None,
    home: Path | None = None,
) -> Target:
    """Make the process target of one side; nothing is set up or started yet.

    Args:
        place: Where its processes live.
        loaded: The config, from base.
        environ: Our environment; the app sees an allow-list of it.
        slots: How many cases may be asked at once.
        doorway: Its way to the gateway; None for an app that is only started.
        home: Where environments are kept; our own folder if None.

    Raises:
        ConfigError: A path in the config is wrong.
    """
    section = loaded.config.target.process
    if section is None or isinstance(section, ContainerSection):
        raise RuntimeError("the target is no process of ours")
    exchange = None
    if isinstance(section, HttpSection):
        exchange = exchange_of(section, loaded, ("target", "http"), section.timeout)
    place.home.mkdir(parents=True, exist_ok=True)
    metering = None if doorway is None else doorway.metering

    async def make() -> tuple[Target, tuple[str, ...]]:
        """Set the ref up, and make the target in its cage."""
        env = _environment(place, loaded, section, environ)
        if doorway is None:
            env |= offline_environment(loaded.config)
        programs = _programs(section, place, loaded, env["PATH"])
        setup_programs = programs_of(loaded.config.setup, place.root, env["PATH"])
        later = _perhaps_set_up(section, place, loaded, env["PATH"])
        wanted = [program for program in (*programs, *setup_programs) if program not in later]
        refuse_lost_shims(wanted, loaded.config.sandbox.read)
        ports = () if doorway is None else (doorway.port,)
        cage, told = cages.make_cage(
            place, loaded.config.sandbox, programs=programs, setup_programs=setup_programs, ports=ports
        )
        notes = (*unmet_openings(loaded, environ), *told)
        ready = await set_side_up(place, loaded, environ, cage, setup_programs, home or home_folder(environ))
        if ready is not None:
            still = [
                program for program in programs if program in later and not (ready.venv / "bin" / program.name).exists()
            ]
            refuse_lost_shims(still, loaded.config.sandbox.read)
            env |= ready.environment(env["PATH"])
            cage = replace(cage, read=(*cage.read, ready.venv))
            notes = (*notes, *ready.notes)
        notes = (*notes, *cages.prepared(cage, loaded.config.sandbox.read))
        target = _make(section, place, env, ready, exchange, cage, slots, metering)
        return target, notes

    return ProcessTarget(place, make, metering, caged=True)


def _make(
    section: CommandSection | PythonSection | HttpSection,
    place: Place,
    env: Mapping[str, str],
    ready: Ready | None,
    exchange: Exchange | None,
    cage: Cage,
    slots: int,
    metering: Metering | None,
) -> Target:
    if isinstance(section, HttpSection):
        return HttpTarget(
            place.side, section.run, cwd=place.root, env=env, exchange=exchange or Exchange(),
            port_env=section.port_env, ready=section.ready, servers=min(section.servers, slots),
            start_timeout_s=section.start_timeout, metering=metering, cage=cage,
        )  # fmt: skip
    slots = min(slots, section.workers or slots)
    if isinstance(section, PythonSection):
        return PythonTarget(
            place.side, section.function, interpreter=_interpreter(section, ready), folder=section.path,
            cwd=place.root, env=env, slots=slots, start_timeout_s=section.start_timeout,
            case_timeout_s=section.timeout, metering=metering, cage=cage,
        )  # fmt: skip
    return CommandTarget(
        place.side, section.run, cwd=place.root, env=env, mode=section.mode, slots=slots,
        start_timeout_s=section.start_timeout, case_timeout_s=section.timeout, metering=metering, cage=cage,
    )  # fmt: skip


def _interpreter(section: PythonSection, ready: Ready | None) -> str:
    return section.interpreter or (ready.python if ready is not None else sys.executable)


def _programs(
    section: CommandSection | PythonSection | HttpSection, place: Place, loaded: LoadedConfig, path: str
) -> list[Path]:
    """What the app needs from outside its checkout, as far as the config names it."""
    setup = loaded.config.setup
    # The environment that the set-up makes is a link to its interpreter.
    made_of = [] if setup is None else [setup.python or sys.executable]
    files = []
    if isinstance(section, PythonSection):
        files.append(CHILD_SCRIPT)
        wanted = [section.interpreter] if section.interpreter else [] if setup else [sys.executable]
    else:
        wanted = [section.run[0]]
    return [
        *find_programs(made_of, place.root, path, has_setup=False),
        *find_programs(wanted, place.root, path, has_setup=setup is not None),
        *files,
    ]


def _perhaps_set_up(
    section: CommandSection | PythonSection | HttpSection, place: Place, loaded: LoadedConfig, path: str
) -> list[Path]:
    """Programs in whose place the set-up may put one of its environment, such as `uvicorn`, which then comes first."""
    setup = loaded.config.setup
    if setup is None:
        return []
    run = [] if isinstance(section, PythonSection) else [section.run[0]]
    names = {*run, *(command[0] for command in setup.run[1:])} - {setup.run[0][0], setup.python}
    return find_programs([name for name in names if name and "/" not in name], place.root, path, has_setup=True)


def _environment(
    place: Place,
    loaded: LoadedConfig,
    section: CommandSection | PythonSection | HttpSection,
    environ: Mapping[str, str],
) -> dict[str, str]:
    names = (*section.env, *loaded.config.sandbox.env)
    # Bytecode of one side is never the other's, and none is left in the checkout.
    extra = {"PYTHONPYCACHEPREFIX": str(place.home / ".pycache")}
    return child_environment(environ, home=place.home, names=names, extra=extra)


def exchange_of(section: ExchangeSection, loaded: LoadedConfig, place: tuple[str, ...], timeout_s: float) -> Exchange:
    """How a case is asked.

    Args:
        section: What the config says of it.
        loaded: The config.
        place: The section's keys.
        timeout_s: How long one case may take.

    Raises:
        ConfigError: A path is none.
    """

    def path(key: str, text: str | None) -> JsonPath | None:
        try:
            return None if text is None else read_path(text)
        except ValueError as error:
            raise ConfigError(f"{loaded.where(*place, key)}: {'.'.join(place)}.{key}: {error}") from None

    _check_body(section, loaded, place)
    return Exchange(
        path=section.path,
        method=section.method,
        headers=section.headers,
        body=section.body,
        answer=path("answer", section.answer),
        contexts=path("contexts", section.contexts),
        timeout_s=timeout_s,
    )


def _check_body(section: ExchangeSection, loaded: LoadedConfig, place: tuple[str, ...]) -> None:
    """See that a body's paths can be read; whether they fit a case is seen with the case."""
    anything = {"input": {}, "metadata": {}, "case": "", "repeat": 0}
    try:
        fill(section.body, anything)  # type: ignore[arg-type]  # dicts of nothing are JSON too
    except ValueError as error:
        if str(error).startswith("expected a path"):
            raise ConfigError(f"{loaded.where(*place, 'body')}: {'.'.join(place)}.body: {error}") from None
