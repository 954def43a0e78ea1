"""Sets up what a run needs from its config: gateway, targets, scorers, metrics and objectives."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evaluator.config.loading import LoadedConfig
from evaluator.config.model import Config
from evaluator.config.objectives import bind_objectives
from evaluator.config.scorers import JudgeOptions, SimilarityOptions
from evaluator.errors import ConfigError
from evaluator.gateway.budget import EVALUATION, Account, Budget
from evaluator.gateway.cache import AnswerStore
from evaluator.gateway.gateway import Gateway
from evaluator.gateway.outbox import Outbox
from evaluator.gateway.prices import BATCH_SHARE, Prices
from evaluator.gateway.providers import LOCAL, Provider, price_provider, resolve_providers
from evaluator.records import Case, Failure, Metric, Objective, Side, TracedRequest
from evaluator.sandbox import hide_our_memory
from evaluator.scoring.builtin import BUILTIN_METRICS
from evaluator.scoring.interface import Scorer
from evaluator.target.interface import Target
from evaluator.wiring.elsewhere import TargetElsewhere
from evaluator.wiring.missed_keys import missed_key
from evaluator.wiring.scorers import dataset_labels, make_scorers, require_expected
from evaluator.wiring.targets import make_target, models_asked

if TYPE_CHECKING:  # an HTTP server takes long to import, and a prompt needs none
    from evaluator.gateway.door import Door
    from evaluator.wiring.processes import Doorway


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is to be run, and where."""

    loaded: LoadedConfig
    policy_root: Path
    """Checkout that config, rubric, schemas and the user's scorers come from: base's."""
    roots: Mapping[Side, Path]
    """Checkout of each side that is run."""
    cases: Sequence[Case]
    """Base's cases: what they expect are the labels."""
    run_id: str
    spent_usd: float
    """What this run has spent in earlier processes, and its calls: the budget goes on from there."""
    calls_made: int
    accounts: Mapping[str, Account]
    """What of it each party has spent."""
    on_settled: Callable[[Budget], None] | None
    """Told after each settlement."""
    on_begun: Callable[[Budget], Awaitable[None]] | None
    """Awaited before a call under a cap is sent."""
    cache_scope: str
    """Runs of one scope share the app's cached answers; a scope of its own shares none."""
    judged_scope: str
    """The same of what judges and other scorers were answered."""
    environ: Mapping[str, str]
    home: Path
    scratch: Path
    """A private folder that goes with the run."""
    budget: Budget | None = None
    """What may be spent, where that is not the config's whole budget: a worker's share of it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that is started for a run."""

    gateway: Gateway
    targets: Mapping[Side, Target]
    scorers: Sequence[Scorer]
    metrics: Sequence[Metric]
    objectives: Sequence[Objective]
    concurrency: int
    told: tuple[str, ...]
    """What people should be told of the set-up itself."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """All that people should be told, also of what has been run so far."""
        notes = (note for target in self.targets.values() for note in target.notes())
        batches = self.gateway.outbox.notes if self.gateway.outbox is not None else ()
        return tuple(dict.fromkeys((*self.told, *batches, *notes)))


@asynccontextmanager
async def prepared(request: RunRequest) -> AsyncIterator[Prepared]:
    """Start all that a run needs and stop it afterwards.

    Raises:
        EvalGateError: Anything that cannot be set up; found before the first case is run.
    """
    config = request.loaded.config
    # Other processes then set the same up and ask the apps.
    elsewhere = config.engine == "ray"
    names = provider_names(request.loaded)
    warnings = []
    if config.judge is not None and config.judge.provider == LOCAL:
        warnings.append(
            "the judge is the embedded model, which is too small to judge (it prefers the first of two answers 34"
            " times in 40); use it to try things out, not to gate"
        )
    async with AsyncExitStack() as stack:
        providers = dict(resolve_providers(names, config, request.environ))
        workers = config.concurrency
        if LOCAL in names:
            count = 1 if elsewhere else max(1, min(config.concurrency, os.cpu_count() or 1))
            providers[LOCAL] = await _start_local(stack, count)
            workers = min(workers, count) if config.target.provider == LOCAL else workers
        app = _app_providers(request, providers)
        providers = {**app, **providers}
        batched = config.engine == "batch"
        prices = Prices(config.prices, share=BATCH_SHARE if batched else 1.0)
        require_prices(request.loaded, request.roots, prices)
        # What a batch answered has no latency, and cost half: no other run may take it for its own.
        store = AnswerStore(request.home / ("batch-answers-2.sqlite" if batched else "answers-2.sqlite"))
        stack.callback(store.close)
        gateway = await stack.enter_async_context(
            Gateway(
                providers,
                store=store,
                prices=prices,
                budget=request.budget
                or Budget(
                    config.budget.max_usd,
                    config.budget.max_calls,
                    spent_usd=request.spent_usd,
                    calls=request.calls_made,
                    on_settled=request.on_settled,
                    on_begun=request.on_begun,
                    sides=tuple(request.roots) if len(request.roots) > 1 else (),
                    judged=bool(scorer_models(config)),
                    accounts=dict(request.accounts),
                ),
                run_id=request.run_id,
                outbox=Outbox(request.scratch) if batched else None,
            )
        )
        require_expected(request.loaded, request.cases)
        labels = dataset_labels(config.scorers, request.cases)
        scorers = make_scorers(
            request.loaded, request.policy_root, gateway.caller(request.judged_scope, party=EVALUATION), labels,
            environ=request.environ, scratch=request.scratch,
        )  # fmt: skip
        metrics = [metric for scorer in scorers for metric in scorer.metrics] + list(BUILTIN_METRICS)
        objectives = bind_objectives(config.objectives, request.loaded.where, metrics)
        door: Door | None = None
        if config.target.process is not None:
            hide_our_memory()
        if config.target.process is not None and not elsewhere:
            from evaluator.gateway.door import DoorSettings, open_door, standard_routes

            routes = standard_routes(app, main=config.target.provider)
            settings = DoorSettings(
                max_usd_per_case=config.budget.max_usd_per_case,
                max_calls_per_case=config.budget.max_calls_per_case,
                unmetered=config.sandbox.unmetered,
            )
            door = await stack.enter_async_context(
                open_door(gateway, routes, sides=tuple(request.roots), settings=settings)
            )
        targets: dict[Side, Target] = {}
        for side, root in request.roots.items():
            if elsewhere:
                targets[side] = TargetElsewhere(side)
                continue
            targets[side] = make_target(
                side, root, request.loaded, gateway.caller(request.cache_scope, party=side),
                environ=request.environ, scratch=request.scratch, slots=workers,
                doorway=None if door is None else _doorway(door, request, prices, side), home=request.home,
            )  # fmt: skip
        parts: list[Scorer | Target] = [*scorers, *targets.values()]
        for part in parts:
            stack.push_async_callback(part.close)
        for target in targets.values():
            await target.set_up()
        for part in parts:
            await part.start()
        yield Prepared(gateway, targets, scorers, metrics, objectives, workers, tuple(warnings))


def _app_providers(request: RunRequest, started: Mapping[str, Provider]) -> dict[str, Provider]:
    """The providers that the door leads to, for an app that asks them itself."""
    config = request.loaded.config
    if config.target.process is None:
        return {}
    from evaluator.gateway.door import app_providers

    found = app_providers(config, request.environ, main=config.target.provider)
    return {**found, LOCAL: started[LOCAL]} if config.target.provider == LOCAL else found


def _doorway(door: "Door", request: RunRequest, prices: Prices, side: Side) -> "Doorway":
    """The way of one side's app to the gateway.

    Where a latency is bounded no cached answer is used: an app that gets one is faster than it is. What head's code has
    been answered is shared with nobody: it chooses what it asks, and with which headers, and could so choose what base
    or a later change is answered.
    """
    from evaluator.target.metering import Metering, costs_unknown
    from evaluator.wiring.processes import Doorway

    bound = request.loaded.config.first_bounded("cost")
    timed = request.loaded.config.first_bounded("latency") is not None
    answered = False

    def check(requests: Sequence[TracedRequest], failure: Failure | None) -> None:
        nonlocal answered
        answered = answered or any(asked.call is not None for asked in requests)
        stopped = door.broken or door.exhausted
        if stopped is not None:
            raise stopped
        missed = missed_key(failure, told, answered=answered) if failure is not None else ""
        if missed:
            raise ConfigError(
                f"the app of {side} failed for want of a key: the environment variable {missed} is not set",
                hint="set it where the gate runs, and the app gets a throw-away token in its place",
            )
        for asked in requests:
            if bound is not None and costs_unknown(asked):
                _require_price(asked, request, prices, bound)

    own = f"{request.cache_scope}:base" if side == "base" else f"{request.run_id}:head"
    scope = None if timed else own
    entrance = door.entrances[side]
    told = {name for route in entrance.routes for name in route.environment("", "")}
    metering = Metering(entrance.slot, scope=scope, check=check, told=entrance.turned_away.notes)
    return Doorway(metering, entrance.port)


def _require_price(asked: TracedRequest, request: RunRequest, prices: Prices, bound: str) -> None:
    """See that a request whose cost is not known could have had one.

    Raises:
        ConfigError: Its model has no price, or its path is not metered.
    """
    call, loaded = asked.call, request.loaded
    if call is None:
        return
    where = f"{loaded.where('objectives', bound)}: the app asked {call.provider} for"
    if not call.model:
        what = ascii(f"{asked.method} {asked.path}")[:80]
        raise ConfigError(
            f"{where} {what}, which is not metered, so its cost cannot be bounded",
            hint=f"take `sandbox: {{unmetered: true}}` out, and such requests are refused; or take `{bound}` out",
        )
    if prices.known(call.model, price_provider=price_provider(call.provider, loaded.config)):
        return  # the provider told no tokens, as for an answer that the app did not read to its end
    raise ConfigError(
        f"{where} model {ascii(call.model)[:80]}, which has no known price, so its cost cannot be bounded",
        hint="add the model's price under `prices:`, in dollars per million tokens, or take the bound out",
    )


async def _start_local(stack: AsyncExitStack, count: int) -> Provider:
    from evaluator.gateway.embedded import (
        REQUEST_EXTRAS,
        WEIGHTS_SHA256,
        embedded_servers,
    )

    urls = await stack.enter_async_context(embedded_servers(count))
    return Provider(
        name=LOCAL,
        base_urls=tuple(urls),
        exclusive=True,
        extras=REQUEST_EXTRAS,
        identity=f"embedded:{WEIGHTS_SHA256}",
    )


def scorer_models(config: Config) -> list[tuple[str, str]]:
    """(provider, model) of every model that the scorers ask."""
    found = []
    for options in config.scorers:
        if isinstance(options, SimilarityOptions):
            found.append((options.provider, options.model))
        elif isinstance(options, JudgeOptions):
            provider = options.provider or (config.judge.provider if config.judge else "openai")
            found.append((provider, options.model or (config.judge.model if config.judge else "")))
    return [(provider, model) for provider, model in dict.fromkeys(found) if model]


def provider_names(loaded: LoadedConfig) -> set[str]:
    """Names of all providers that a config makes us call."""
    target = loaded.config.target
    # What an app asks is not known before it asks: see `gateway.door.app_providers`.
    asked = {target.provider} if target.prompt is not None or target.provider == LOCAL else set()
    return asked | {provider for provider, _ in scorer_models(loaded.config)}


def require_prices(loaded: LoadedConfig, roots: Mapping[Side, Path], prices: Prices) -> None:
    """See that every model whose cost is bounded, by an objective or the budget, has a price.

    Raises:
        ConfigError: A model without one, with the line of the bound.
    """
    config = loaded.config
    bound = config.first_bounded("cost")
    if bound is None and config.budget.max_usd is None:
        return
    # An objective bounds what the app costs; the budget bounds the judges too.
    asked = models_asked(loaded, roots) + (scorer_models(config) if config.budget.max_usd is not None else [])
    for name, model in asked:
        if not prices.known(model, price_provider=price_provider(name, config)):
            where = loaded.where("objectives", bound) if bound else loaded.where("budget", "max_usd")
            raise ConfigError(
                f"{where}: model '{model[:80]}' has no known price, so its cost cannot be bounded",
                hint=f"add `prices: {{{model[:80]}: {{input: $0.25, output: $2.00}}}}`, in dollars per million tokens",
            )
