"""What a gate will call and cost, told before it runs: exact counts; tokens and money as estimates, named as such."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.config.loading import LoadedConfig
from evaluator.config.scorers import JudgeOptions, JudgePairwiseOptions, SimilarityOptions
from evaluator.errors import TargetError
from evaluator.gateway.prices import Prices
from evaluator.records import Case, Failure, Usage
from evaluator.runner.targets import read_prompt
from evaluator.target.rendering import Renderer, variables_of

BYTES_PER_TOKEN = 4
"""Rule of thumb for English; other scripts need fewer bytes a token, so their cost is under-estimated."""
ASSUMED_ANSWER_TOKENS = 200
_JUDGE_FRAME_TOKENS = 500
_JUDGE_ANSWER_TOKENS = 150


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one gate run of both refs takes at one repeat a case, without early stop and cached answers."""

    target_calls: int | None
    """None for a target that makes its own calls."""
    judge_calls: int
    embedding_calls: int
    usd: float | None
    """None if a model has no known price, or the target makes its own calls."""
    unpriced: tuple[str, ...]
    """Models without a known price."""


async def estimate(loaded: LoadedConfig, root: Path, cases: Sequence[Case], prices: Prices) -> Estimate:
    """Render every prompt, count every call, and price them.

    Raises:
        TargetError: A case that the prompt cannot be rendered for, with its line.
    """
    config = loaded.config
    answers = len(cases) * 2
    usd, target_calls = 0.0, None
    unpriced: list[str] = []
    if config.target.prompt is not None:
        prompt = read_prompt(loaded, root)
        model = prompt.model or config.target.model or ""
        limit = _limit({**config.target.params, **prompt.params})
        sizes = await _rendered_sizes(loaded, root, cases)
        usage = Usage(
            sum(sizes) // BYTES_PER_TOKEN * 2,
            min(ASSUMED_ANSWER_TOKENS, limit) * answers,
        )
        target_calls = answers
        priced = prices.cost(model, usage)
        usd += priced or 0.0
        unpriced += [model] if priced is None else []
    judge_calls = embedding_calls = 0
    for options in config.scorers:
        if isinstance(options, SimilarityOptions):
            embedding_calls += answers
        if not isinstance(options, JudgeOptions):
            continue
        judgements = options.repeats or (config.judge.repeats if config.judge else 1)
        # Pairwise: one pair instead of two answers, but each asked in both orders.
        calls = len(cases) * 2 * (1 if isinstance(options, JudgePairwiseOptions) else judgements)
        judge_calls += calls
        model = options.model or (config.judge.model if config.judge else "")
        data = sum(_size(case.input) + _size(case.expected) for case in cases) // BYTES_PER_TOKEN
        given = calls * (_JUDGE_FRAME_TOKENS + ASSUMED_ANSWER_TOKENS + data // max(1, len(cases)))
        priced = prices.cost(model, Usage(given, calls * _JUDGE_ANSWER_TOKENS))
        usd += priced or 0.0
        unpriced += [model] if priced is None else []
    known = not unpriced and target_calls is not None
    return Estimate(target_calls, judge_calls, embedding_calls, usd if known else None, tuple(dict.fromkeys(unpriced)))


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
