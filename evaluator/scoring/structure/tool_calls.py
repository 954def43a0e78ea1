"""tool_calls: 1 if the answer calls the expected tools with the expected arguments."""

import contextlib
from collections.abc import Sequence

from evaluator.config.scorers import ToolCallsOptions
from evaluator.records import Case, Failure, FailureKind, JsonValue, Metric, MetricKind, Output, Score
from evaluator.scoring.answer import MissingAnswerError, find_answer, parse_json, shorten
from evaluator.scoring.interface import Scorer

MAX_NAMES = 10
_ANY_ARGUMENTS = object()


class ToolCallsScorer(Scorer):
    """Compares the tool calls of an output with the case's `expected`.

    `expected` is `{name, arguments}`, or a list of them; `[]` expects that no tool is called. Without `arguments`
    only the name counts. Arguments are compared as JSON values (1 equals 1.0; true is not 1): `exact`, `subset` (the
    expected members must be there, others may) or `ignore`. With `order: strict` the calls must come in the expected
    order; `extra_calls` allows others, before, after and between them.
    """

    def __init__(self, options: ToolCallsOptions) -> None:
        """Keep the options; see the class."""
        self.name = options.metric_name
        self.metrics = (Metric(self.name, MetricKind.PROPORTION, unit="share", low=0.0, high=1.0),)
        self._options = options

    async def score(self, case: Case, output: Output, *, repeat: int = 0) -> Score:
        """Score one output; an `expected` of another shape is a failure."""
        if case.expected is None:
            return Score(self.name, reason="the case has no expected answer")
        wanted = _parse(case.expected, _ANY_ARGUMENTS)
        if wanted is None:
            message = (
                f"scorer {self.name!r}: the case's `expected` must be a list of {{name, arguments}}, "
                f"found {shorten(str(case.expected))}"
            )
            return Score(self.name, failure=Failure(FailureKind.SCORER, message))
        try:
            found = self._found(output)
        except MissingAnswerError as missing:
            return Score(self.name, {self.name: 0.0}, reason=str(missing))
        matches = [[self._same(want, call) for call in found] for want in wanted]
        pairs = _in_order(matches) if self._options.order == "strict" else _in_any_order(matches)
        extra = len(found) - len(pairs)
        if self._options.order == "strict" and not self._options.extra_calls:
            right = len(wanted) == len(found) and all(matches[i][i] for i in range(len(wanted)))
        else:
            right = len(pairs) == len(wanted) and (self._options.extra_calls or extra == 0)
        reason = "" if right else f"expected {_names(wanted)}; called {_names(found)}; {len(pairs)} match"
        return Score(self.name, {self.name: float(right)}, reason=reason)

    def _found(self, output: Output) -> list[tuple[str, object]]:
        if self._options.field is None:
            return [(call.name, call.arguments) for call in output.tool_calls]
        found = _parse(find_answer(output, self._options.field), None)
        if found is None:
            raise MissingAnswerError(f"the JSON answer has no list of tool calls at {self._options.field!r}")
        return found

    def _same(self, wanted: tuple[str, object], found: tuple[str, object]) -> bool:
        if wanted[0] != found[0]:
            return False
        if self._options.arguments == "ignore" or wanted[1] is _ANY_ARGUMENTS:
            return True
        return _json_holds(wanted[1], found[1], subset=self._options.arguments == "subset")


def _parse(value: JsonValue, without_arguments: object) -> list[tuple[str, object]] | None:
    calls: list[tuple[str, object]] = []
    for item in value if isinstance(value, list) else [value]:
        call = item.get("function", item) if isinstance(item, dict) else item
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            return None
        arguments: object = call.get("arguments", without_arguments)
        if isinstance(arguments, str):
            with contextlib.suppress(MissingAnswerError):  # what is not JSON is compared as the text that it is
                arguments = parse_json(arguments)
        calls.append((str(call["name"]), arguments))
    return calls


def _json_holds(wanted: object, found: object, *, subset: bool) -> bool:
    """Say whether two JSON values are equal, or the wanted members of every object are in the found one."""
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if isinstance(wanted, dict) and isinstance(found, dict):
        same_keys = wanted.keys() <= found.keys() if subset else wanted.keys() == found.keys()
        return same_keys and all(_json_holds(wanted[key], found[key], subset=subset) for key in wanted)
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(
            _json_holds(left, right, subset=subset) for left, right in zip(wanted, found, strict=True)
        )
    return wanted == found


def _in_order(matches: Sequence[Sequence[bool]]) -> dict[int, int]:
    """Pair expected with found calls in order, each with the earliest possible: {found: expected}."""
    pairs: dict[int, int] = {}
    position = 0
    for want, row in enumerate(matches):
        hit = next((index for index in range(position, len(row)) if row[index]), None)
        if hit is None:
            break
        pairs[hit] = want
        position = hit + 1
    return pairs


def _in_any_order(matches: Sequence[Sequence[bool]]) -> dict[int, int]:
    """Pair as many as possible (maximum bipartite matching by augmenting paths, Kuhn 1955): {found: expected}."""
    pairs: dict[int, int] = {}

    def place(want: int, tried: set[int]) -> bool:
        for index, fits in enumerate(matches[want]):
            if fits and index not in tried:
                tried.add(index)
                if index not in pairs or place(pairs[index], tried):
                    pairs[index] = want
                    return True
        return False

    for want in range(len(matches)):
        place(want, set())
    return pairs


def _names(calls: Sequence[tuple[str, object]]) -> str:
    names = ", ".join(shorten(name, 40) for name, _ in calls[:MAX_NAMES])
    return (names or "no tool") + (", …" if len(calls) > MAX_NAMES else "")
