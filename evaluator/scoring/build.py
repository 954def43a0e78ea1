"""Makes the scorers that a config names. Each scorer's own file is imported only if it is used."""

from collections.abc import Callable, Sequence
from typing import NoReturn

from evaluator.config.scorers import (
    ClassificationOptions,
    ContainsOptions,
    ContextRecallOptions,
    ExactMatchOptions,
    F1Options,
    FaithfulnessOptions,
    JsonSchemaOptions,
    JudgeOptions,
    JudgePairwiseOptions,
    NumericOptions,
    PythonOptions,
    RegexOptions,
    RougeLOptions,
    ScorerOptions,
    SimilarityOptions,
    ToolCallsOptions,
)
from evaluator.errors import ScorerError
from evaluator.gateway.interface import ModelCaller
from evaluator.scoring.builtin import BUILTIN_METRICS
from evaluator.scoring.interface import Scorer
from evaluator.scoring.judge.defaults import JudgeDefaults
from evaluator.scoring.python import Worker, WorkerFactory

__all__ = ["JudgeDefaults", "build_scorers", "no_workers"]


def no_workers(arguments: Sequence[str], timeout_s: float) -> Worker:
    """Refuse to make a worker: for who runs no code of the user's.

    Raises:
        ScorerError: Always.
    """
    _refuse(arguments)


def build_scorers(
    options: Sequence[ScorerOptions],
    *,
    judge: JudgeDefaults,
    models: ModelCaller,
    read_file: Callable[[str], str],
    worker_factory: WorkerFactory = no_workers,
    dataset_labels: tuple[str, ...] = (),
) -> list[Scorer]:
    """Make the scorers in the order of their options; none of them is started.

    Args:
        options: What the config says under `scorers:`.
        judge: What it says under `judge:`, with the rubric's text.
        models: The way to the models, for judges and embeddings.
        read_file: Text of a path in base's checkout; may raise EvalGateError, OSError or ValueError.
        worker_factory: Makes the processes of the user's own scorers.
        dataset_labels: The labels of the dataset, for classification without `labels`.

    Raises:
        ScorerError: An option does not fit, or two scorers make a metric of the same name.
    """
    scorers = [_build(each, judge, models, read_file, worker_factory, dataset_labels) for each in options]
    # A column is taken like a name: its values would be mixed up.
    owners = {name: "every run" for metric in BUILTIN_METRICS for name in (metric.name, metric.source)}
    for scorer, option in zip(scorers, options, strict=True):
        kind = str(getattr(option, "type", scorer.name))
        for metric in scorer.metrics:
            twin = next((name for name in (metric.name, metric.source) if name in owners), None)
            if twin is not None:
                raise ScorerError(
                    f"two metrics are named {twin!r}: one of scorer `{kind}` and one of {owners[twin]}",
                    hint=f"give one a name of its own: `- {{type: {kind}, name: my_{kind}}}`",
                )
        for metric in scorer.metrics:
            owners[metric.name] = owners[metric.source] = f"scorer `{kind}`"
    return scorers


def _build(  # noqa: PLR0912  # one branch for each type of scorer, on purpose flat
    options: ScorerOptions,
    judge: JudgeDefaults,
    models: ModelCaller,
    read_file: Callable[[str], str],
    worker_factory: WorkerFactory,
    dataset_labels: tuple[str, ...],
) -> Scorer:
    match options:
        case ExactMatchOptions():
            from evaluator.scoring.text.exact_match import build_exact_match

            return build_exact_match(options)
        case ContainsOptions():
            from evaluator.scoring.text.contains import ContainsScorer

            return ContainsScorer(options)
        case RegexOptions():
            from evaluator.scoring.text.regex_match import RegexScorer

            return RegexScorer(options)
        case JsonSchemaOptions():
            from evaluator.scoring.structure.json_schema import JsonSchemaScorer

            return JsonSchemaScorer(options, read_file)
        case F1Options():
            from evaluator.scoring.text.f1 import build_f1

            return build_f1(options)
        case RougeLOptions():
            from evaluator.scoring.text.rouge_l import build_rouge_l

            return build_rouge_l(options)
        case ClassificationOptions():
            from evaluator.scoring.structure.classification import ClassificationScorer

            return ClassificationScorer(options, dataset_labels)
        case NumericOptions():
            from evaluator.scoring.text.numeric import NumericScorer

            return NumericScorer(options)
        case SimilarityOptions():
            from evaluator.scoring.similarity import SimilarityScorer

            return SimilarityScorer(options, models)
        case ToolCallsOptions():
            from evaluator.scoring.structure.tool_calls import ToolCallsScorer

            return ToolCallsScorer(options)
        case JudgePairwiseOptions():
            from evaluator.scoring.judge.pairwise import PairwiseJudgeScorer

            return PairwiseJudgeScorer(options, judge, models, read_file)
        case FaithfulnessOptions() | ContextRecallOptions():
            from evaluator.scoring.judge.grounding import GroundingScorer

            return GroundingScorer(options, judge, models, read_file)
        case JudgeOptions():  # after the kinds that are made from it
            from evaluator.scoring.judge.absolute import JudgeScorer

            return JudgeScorer(options, judge, models, read_file)
        case PythonOptions():
            from evaluator.scoring.python import PythonScorer

            return PythonScorer(options, worker_factory, read_file)
    raise ScorerError(f"there is no scorer for options of type {type(options).__name__}")


def _refuse(arguments: Sequence[str]) -> NoReturn:
    raise ScorerError(
        f"the scorer {':'.join(arguments[1:])} runs the user's own code, which this command does not",
        hint="use `gate` or `run`",
    )
