"""json_schema: 1 if the answer is JSON that fits a schema."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from evaluator.config.scorers import JsonSchemaOptions
from evaluator.errors import ScorerError
from evaluator.records import Case, Failure, FailureKind, JsonValue, Metric, MetricKind, Output, Score
from evaluator.scoring.answer import MissingAnswerError, find_answer, json_answer
from evaluator.scoring.files import read_text
from evaluator.scoring.interface import Scorer
from evaluator.scoring.structure.schema_keywords import ValidationTimeoutError, bounded, first_error
from evaluator.scoring.text.patterns import PatternError, PatternTimeoutError, compile_pattern

MAX_SCHEMA_CHARACTERS = 1_000_000
_IN_UNKNOWN_ORDER = ("unevaluatedProperties", "patternProperties")


class JsonSchemaScorer(Scorer):
    """Validates the answer (or its `field`) against a JSON Schema of any draft; 2020-12 if it names none.

    Every case is scored, also without `expected`. Nothing is fetched: a reference must lead into the schema itself.

    Raises:
        ScorerError: There is no schema, or two, or it is wrong, or refers to something outside.
    """

    def __init__(self, options: JsonSchemaOptions, read_file: Callable[[str], str]) -> None:
        """Load and check the schema; see the class."""
        self.name = options.metric_name
        self.metrics = (Metric(self.name, MetricKind.PROPORTION, unit="share", low=0.0, high=1.0),)
        self._field = options.field
        if (options.inline is None) == (options.schema_path is None):
            found = "neither" if options.inline is None else "both"
            raise ScorerError(
                f"scorer {self.name!r}: expected `schema` (a path) or `inline` (the schema itself), found {found}",
                hint="write `schema: evals/answer.schema.json`",
            )
        where = f"scorer {self.name!r}: {options.schema_path or 'the schema'}"
        schema: Any = options.inline
        if options.schema_path is not None:
            schema = _load(read_text(read_file, options.schema_path, scorer=self.name), where)
        self._validator = make_validator(schema, where)

    async def score(self, case: Case, output: Output, *, repeat: int = 0) -> Score:
        """Score one output; a schema that takes too long on it is a failure."""
        try:
            # Without a path the whole answer is the JSON one, never the text of it.
            answer = json_answer(output) if self._field is None else find_answer(output, self._field)
        except MissingAnswerError as missing:
            return Score(self.name, {self.name: 0.0}, reason=str(missing))
        try:
            error = await asyncio.to_thread(first_error, self._validator, answer)
        except (ValidationTimeoutError, PatternTimeoutError) as slow:
            return Score(self.name, failure=Failure(FailureKind.SCORER, f"scorer {self.name!r}: {slow}"))
        except (OverflowError, ValueError) as odd:  # a number that no computer's arithmetic holds
            return Score(self.name, {self.name: 0.0}, reason=f"the answer cannot be checked: {odd}")
        if error is None:
            return Score(self.name, {self.name: 1.0})
        place = error.json_path if error.path else "the answer"
        return Score(self.name, {self.name: 0.0}, reason=f"{place}: {error.message[:300]}")


def make_validator(schema: Any, where: str) -> Validator:
    """Check a schema and make its validator, which follows references inside the schema only.

    Raises:
        ScorerError: It is not a valid JSON Schema; the message begins with `where`.
    """
    base = validators.validator_for(schema, default=Draft202012Validator)
    try:
        base.check_schema(schema)
        resource = Resource.from_contents(schema, default_specification=DRAFT202012)
        # An empty registry has no way to retrieve anything: unknown addresses fail instead of being fetched.
        registry: Registry[Any] = resource @ Registry() if resource.id() else Registry()
        registry = registry.with_resource("", resource)
        _check_references(resource, registry)
        for pattern in _patterns(schema):
            compile_pattern(pattern)
    except SchemaError as error:
        raise ScorerError(
            f"{where} is not a JSON Schema: {error.json_path}: {error.message[:300]}",
            hint="see https://json-schema.org/understanding-json-schema",
        ) from None
    except Unresolvable as error:
        raise ScorerError(
            f"{where} refers to {error.ref!r}, which is not in the schema",
            hint="references are followed inside the schema only: copy the part under `$defs`",
        ) from None
    except PatternError as error:
        raise ScorerError(f"{where}: {error}", hint="mend the `pattern` in the schema") from None
    except RecursionError:
        raise ScorerError(f"{where} is nested too deeply") from None
    if all(any(keyword in part for part in _objects(schema)) for keyword in _IN_UNKNOWN_ORDER):
        raise ScorerError(
            f"{where} has both `unevaluatedProperties` and `patternProperties`, whose search cannot be bounded in time",
            hint="use `additionalProperties` instead of `unevaluatedProperties`",
        )
    return bounded(base)(schema, registry=registry)


def _load(text: str, where: str) -> Any:
    if len(text) > MAX_SCHEMA_CHARACTERS:
        raise ScorerError(f"{where} has {len(text)} characters; at most {MAX_SCHEMA_CHARACTERS} are taken")
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as error:
        raise ScorerError(
            f"{where}:{error.lineno}: not JSON: {error.msg}",
            hint="a schema is a JSON file; check it with a JSON editor",
        ) from None
    except (RecursionError, ValueError) as error:
        raise ScorerError(f"{where}: not JSON that can be read: {error}") from None
    if not isinstance(schema, dict | bool):
        raise ScorerError(f"{where}: expected an object or a boolean, found {type(schema).__name__}")
    return schema


def _check_references(resource: "Resource[Any]", registry: "Registry[Any]") -> None:
    """Look up every reference once, so that a missing one is found before the first case."""
    todo = [(resource, registry.resolver_with_root(resource))]
    while todo:
        part, resolver = todo.pop()
        if isinstance(part.contents, dict):
            for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
                if isinstance(part.contents.get(keyword), str):
                    resolver.lookup(part.contents[keyword])
        todo += [(child, resolver.in_subresource(child)) for child in part.subresources()]


def _objects(schema: JsonValue) -> Iterator[dict[str, Any]]:
    todo: list[Any] = [schema]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            yield part
            todo += part.values()
        elif isinstance(part, list):
            todo += part


def _patterns(schema: JsonValue) -> Iterator[str]:
    """Give all patterns; also things in `const` or `examples` that look like one, which does no harm."""
    for part in _objects(schema):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        if isinstance(part.get("patternProperties"), dict):
            yield from part["patternProperties"]
