"""Makes the scorers of a config; everything that they read comes from the policy's checkout, base's."""

import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from evaluator.config.loading import LoadedConfig
from evaluator.config.model import JudgeSection
from evaluator.config.scorers import ClassificationOptions, ScorerOptions
from evaluator.errors import ConfigError, EvalGateError
from evaluator.gateway.interface import ModelCaller
from evaluator.records import Case
from evaluator.scoring.answer import expected_texts
from evaluator.scoring.build import JudgeDefaults, build_scorers
from evaluator.scoring.interface import Scorer
from evaluator.source.paths import resolve
from evaluator.worker import JsonLinesWorker, child_environment


def dataset_labels(options: Iterable[ScorerOptions], cases: Sequence[Case]) -> tuple[str, ...]:
    """All expected answers, sorted: the labels of a classification that names none of its own."""
    fields = [option.field for option in options if isinstance(option, ClassificationOptions) and not option.labels]
    return tuple(sorted({text for field in fields for case in cases for text in expected_texts(case, field) or ()}))


def make_scorers(
    loaded: LoadedConfig,
    root: Path,
    models: ModelCaller,
    labels: tuple[str, ...],
    *,
    environ: Mapping[str, str],
    scratch: Path,
) -> list[Scorer]:
    """Make all scorers; they are not started yet.

    Raises:
        EvalGateError: An option, or a file that it names, is wrong.
    """

    def read_file(relative: str) -> str:
        try:
            return resolve(root, relative).read_text("utf-8-sig")
        except EvalGateError as error:
            raise ConfigError(f"{loaded.name}: {error.message}", hint=error.hint) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{loaded.name}: '{relative}' cannot be read as UTF-8 text: {error}") from None

    def make_worker(arguments: Sequence[str], timeout_s: float) -> JsonLinesWorker:
        home = Path(tempfile.mkdtemp(prefix="home-scorer-", dir=scratch))
        return JsonLinesWorker(
            [sys.executable, *arguments],
            cwd=root,
            env=child_environment(environ, home=home),
            start_timeout_s=60.0,
            call_timeout_s=timeout_s,
        )

    return build_scorers(
        loaded.config.scorers,
        judge=judge_defaults(loaded.config.judge, read_file),
        models=models,
        read_file=read_file,
        worker_factory=make_worker,
        dataset_labels=labels,
    )


def judge_defaults(section: JudgeSection | None, read_file: Callable[[str], str]) -> JudgeDefaults:
    """The judge that scorers use unless they say otherwise."""
    if section is None:
        return JudgeDefaults()
    return JudgeDefaults(
        provider=section.provider,
        model=section.model,
        rubric=read_file(section.rubric) if section.rubric else None,
        scale=section.scale,
        repeats=section.repeats,
        params=section.params,
        canaries=section.canaries,
    )


_NEED_EXPECTED = {"exact_match", "f1", "rouge_l", "numeric", "classification", "similarity", "tool_calls"}


def require_expected(loaded: LoadedConfig, cases: Sequence[Case]) -> None:
    """See that what the scorers compare with is there at all: without it they measure nothing.

    Raises:
        ConfigError: A scorer needs `expected`, and no case has one.
    """
    if any(case.expected is not None for case in cases):
        return
    for place, options in enumerate(loaded.config.scorers):
        kind = str(getattr(options, "type", ""))
        if kind in _NEED_EXPECTED:
            raise ConfigError(
                f"{loaded.where('scorers', place)}: {kind} needs `expected`, and none of the {len(cases)} cases of"
                f" {loaded.config.dataset.path} has one",
                hint="give the cases an `expected`, or name its column under `dataset: fields:`",
            )
