"""What a gate will call and cost, told before it runs: exact counts; tokens and money as estimates, named as such."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.config.loading import LoadedConfig
from evaluator.config.scorers import JudgeOptions, JudgePairwiseOptions, SimilarityOptions
from evaluator.errors import TargetError
from evaluator.gateway.prices import Prices
from evaluator.gateway.providers import LOCAL, price_provider
from evaluator.records import Case, Failure, Usage
from evaluator.runner.known_values import MOST_ANCHOR_REPEATS
from evaluator.target.rendering import Renderer, variables_of
from evaluator.wiring.targets import model_of, read_prompt

BYTES_PER_TOKEN = 4
"""Rule of thumb for English; other scripts need fewer bytes a token, so their cost is under-estimated."""
ASSUMED_ANSWER_TOKENS = 200
_JUDGE_FRAME_TOKENS = 500
_JUDGE_ANSWER_TOKENS = 150


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one gate run takes at one repeat a case, without early stop and cached answers; the anchor included."""

    target_calls: int | None
    """None for a target that makes its own calls."""
    judge_calls: int
    embedding_calls: int
    usd: float | None
    """None if a model has no known price, or the target makes its own calls."""
    unpriced: tuple[str, ...]
    """Models without a known price."""
    anchor_repeats: int = 0
    """Answers a case that the anchor is asked for; 0 where there is none."""
    local: bool = False
    """True if the embedded model answers, which costs nothing."""


async def estimate(
    loaded: LoadedConfig, root: Path, cases: Sequence[Case], prices: Prices, *, anchor: bool = False
) -> Estimate:
    """Render every prompt, count every call, and price them.

    Args:
        loaded: The config.
        root: Checkout of the prompt file.
        cases: The golden set.
        prices: What models cost.
        anchor: Whether there is an anchor that is asked too.

    Raises:
        TargetError: A case that the prompt cannot be rendered for, with its line.
    """
    config = loaded.config
    repeats = min(MOST_ANCHOR_REPEATS, config.max_repeats) if anchor else 0
    answers = len(cases) * (2 + repeats)
    target_calls = None
    asked: list[tuple[str, str, Usage]] = []
    if config.target.prompt is not None:
        prompt = read_prompt(loaded, root)
        limit = _limit({**config.target.params, **prompt.params})
        sizes = await _rendered_sizes(loaded, root, cases)
        target_calls = answers
        usage = Usage(sum(sizes) // BYTES_PER_TOKEN * (2 + repeats), min(ASSUMED_ANSWER_TOKENS, limit) * answers)
        asked.append((config.target.provider, model_of(loaded, prompt, "base") or "", usage))
    judge_calls = embedding_calls = 0
    for options in config.scorers:
        if isinstance(options, SimilarityOptions):
            embedding_calls += answers
        if not isinstance(options, JudgeOptions):
            continue
        judgements = options.repeats or (config.judge.repeats if config.judge else 1)
        # Pairwise: one pair instead of two answers, but each asked in both orders; the anchor is in no pair.
        calls = len(cases) * 2 if isinstance(options, JudgePairwiseOptions) else answers * judgements
        judge_calls += calls
        data = sum(_size(case.input) + _size(case.expected) for case in cases) // BYTES_PER_TOKEN
        given = calls * (_JUDGE_FRAME_TOKENS + ASSUMED_ANSWER_TOKENS + data // max(1, len(cases)))
        provider = options.provider or (config.judge.provider if config.judge else "openai")
        model = options.model or (config.judge.model if config.judge else "")
        asked.append((provider, model, Usage(given, calls * _JUDGE_ANSWER_TOKENS)))
    usd, unpriced = _priced(asked, loaded, prices)
    known = not unpriced and target_calls is not None
    local = any(provider == LOCAL for provider, _, _ in asked)
    return Estimate(
        target_calls,
        judge_calls,
        embedding_calls,
        usd if known else None,
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
            sizes.append(sum(len(text.encode("utf-8", "replace")) for text in rendered))
    finally:
        await renderer.close()
    return sizes


def _limit(params: Mapping[str, object]) -> int:
    found = params.get("max_completion_tokens", params.get("max_tokens"))
    return found if isinstance(found, int) else ASSUMED_ANSWER_TOKENS


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) if value is not None else 0
