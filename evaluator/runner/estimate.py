"""What a gate will call and cost, told before it runs: exact counts; tokens and money as estimates, named as such."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.config.loading import LoadedConfig
from evaluator.config.scorers import JudgeOptions, JudgePairwiseOptions, SimilarityOptions
from evaluator.errors import TargetError
from evaluator.gateway.prices import Prices
from evaluator.gateway.providers import LOCAL, price_provider
from evaluator.records import Case, Failure, Usage
from evaluator.runner.baselines import Known, read_answers
from evaluator.runner.known_values import MOST_ANCHOR_REPEATS
from evaluator.target.rendering import Renderer, variables_of
from evaluator.wiring.targets import model_of, read_prompt

BYTES_PER_TOKEN = 4
"""Rule of thumb for English; other scripts need fewer bytes a token, so their cost is under-estimated."""
ASSUMED_ANSWER_TOKENS = 200
_SAMPLE = 200
"""Prompts whose length is measured."""
_JUDGE_FRAME_TOKENS = 500
_JUDGE_ANSWER_TOKENS = 150

Render = Callable[[Case], Awaitable[tuple[str, ...] | Failure]]
"""Fills one case into the prompt."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one gate run takes at one repeat a case, without early stop and cached answers; the anchor included."""

    target_calls: int | None
    """None for a target that makes its own calls, and was not run before."""
    judge_calls: int
    embedding_calls: int
    usd: float | None
    """None if a model has no known price, or nothing is known of an app that makes its own calls."""
    unpriced: tuple[str, ...]
    """Models without a known price."""
    anchor_repeats: int = 0
    """Answers a case that the anchor is asked for; 0 where there is none."""
    local: bool = False
    """True if the embedded model answers, which costs nothing."""

    @property
    def calls(self) -> int | None:
        """All calls; None for an app that makes its own, of which nothing is known yet."""
        made = self.target_calls
        return None if made is None else made + self.judge_calls + self.embedding_calls


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an app that makes its own calls took for an answer in earlier runs of the same content."""

    calls: float
    usd: float | None


def earlier(known: Known | None) -> Earlier | None:
    """Calls and dollars an answer, by the newest run of a content; None if there is none."""
    if known is None:
        return None
    answers = calls = priced = 0
    usd = 0.0
    for _, output, _ in read_answers(known):  # one at a time: there may be many, and long ones
        answers += 1
        calls += len(output.calls)
        priced += output.cost_usd is not None
        usd += output.cost_usd or 0.0
    return Earlier(calls / answers, usd / answers if priced == answers else None) if answers else None


async def estimate(
    loaded: LoadedConfig,
    root: Path,
    cases: Sequence[Case],
    prices: Prices,
    *,
    anchor: bool = False,
    sides: int = 2,
    render: Render | None = None,
    before: Earlier | None = None,
) -> Estimate:
    """Render prompts, count every call, and price them.

    Args:
        loaded: The config.
        root: Checkout of the prompt file.
        cases: The golden set.
        prices: What models cost.
        anchor: Whether there is an anchor that is asked too.
        sides: How many refs are asked.
        render: Renders a case, where it has been checked already that all fit; every case is rendered and checked if
            None. The estimate is the same: it rests on a sample.
        before: What an app that makes its own calls took earlier.

    Raises:
        TargetError: A case that the prompt cannot be rendered for, with its line.
    """
    config = loaded.config
    repeats = min(MOST_ANCHOR_REPEATS, config.max_repeats) if anchor else 0
    answers = len(cases) * (sides + repeats)
    target_calls = None if before is None else round(before.calls * answers)
    own_usd = 0.0 if before is None else before.usd
    asked: list[tuple[str, str, Usage]] = []
    if config.target.prompt is not None:
        prompt = read_prompt(loaded, root)
        limit = _limit({**config.target.params, **prompt.params})
        size = await _rendered_size(loaded, root, cases, render)
        target_calls, own_usd = answers, 0.0
        usage = Usage(size // BYTES_PER_TOKEN * (sides + repeats), min(ASSUMED_ANSWER_TOKENS, limit) * answers)
        asked.append((config.target.provider, model_of(loaded, prompt, "base") or "", usage))
    judge_calls = embedding_calls = 0
    for options in config.scorers:
        if isinstance(options, SimilarityOptions):
            embedding_calls += answers
        if not isinstance(options, JudgeOptions):
            continue
        judgements = options.repeats or (config.judge.repeats if config.judge else 1)
        # Pairwise: one pair instead of two answers, but each asked in both orders; the anchor is in no pair.
        calls = len(cases) * sides if isinstance(options, JudgePairwiseOptions) else answers * judgements
        judge_calls += calls
        data = sum(_size(case.input) + _size(case.expected) for case in cases) // BYTES_PER_TOKEN
        given = calls * (_JUDGE_FRAME_TOKENS + ASSUMED_ANSWER_TOKENS + data // max(1, len(cases)))
        provider = options.provider or (config.judge.provider if config.judge else "openai")
        model = options.model or (config.judge.model if config.judge else "")
        asked.append((provider, model, Usage(given, calls * _JUDGE_ANSWER_TOKENS)))
    usd, unpriced = _priced(asked, loaded, prices)
    known = not unpriced and target_calls is not None and own_usd is not None
    local = any(provider == LOCAL for provider, _, _ in asked)
    return Estimate(
        target_calls,
        judge_calls,
        embedding_calls,
        usd + (own_usd or 0.0) * answers if known else None,
        unpriced,
        anchor_repeats=repeats,
        local=local,
    )


def _priced(
    asked: Sequence[tuple[str, str, Usage]], loaded: LoadedConfig, prices: Prices
) -> tuple[float, tuple[str, ...]]:
    """Dollars of what is asked of (provider, model), and the models without a price; the embedded one is free."""
    usd, unpriced = 0.0, []
    for provider, model, usage in asked:
        if provider == LOCAL:
            continue
        cost = prices.cost(model, usage, price_provider=price_provider(provider, loaded.config))
        usd += cost or 0.0
        unpriced += [model] if cost is None else []
    return usd, tuple(dict.fromkeys(unpriced))


async def _rendered_size(loaded: LoadedConfig, root: Path, cases: Sequence[Case], render: Render | None) -> int:
    """Bytes of all rendered prompts, by a sample of them."""
    chosen = cases[:: max(1, len(cases) // _SAMPLE)]
    if render is None:
        sizes = (await _rendered_sizes(loaded, root, cases))[:: max(1, len(cases) // _SAMPLE)]
    else:
        found = await asyncio.gather(*(render(case) for case in chosen))
        sizes = [0 if isinstance(texts, Failure) else _length(texts) for texts in found]
    return sum(sizes) * len(cases) // max(1, len(chosen))


async def _rendered_sizes(loaded: LoadedConfig, root: Path, cases: Sequence[Case]) -> list[int]:
    prompt = read_prompt(loaded, root)
    renderer = Renderer([message.template for message in prompt.messages])
    await renderer.start()
    sizes = []
    try:
        for case in cases:
            rendered = await renderer.render(variables_of(case.input))
            if isinstance(rendered, Failure):
                raise TargetError(
                    f"{loaded.config.dataset.path}:{case.line}: case '{case.id[:60]}' does not fit"
                    f" {prompt.name}: {rendered.message}",
                    hint="give the case what the prompt reads, or mend the prompt's placeholders",
                )
            sizes.append(_length(rendered))
    finally:
        await renderer.close()
    return sizes


def _length(texts: Sequence[str]) -> int:
    return sum(len(text.encode("utf-8", "replace")) for text in texts)


def _limit(params: Mapping[str, object]) -> int:
    found = params.get("max_completion_tokens", params.get("max_tokens"))
    return found if isinstance(found, int) else ASSUMED_ANSWER_TOKENS


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) if value is not None else 0
