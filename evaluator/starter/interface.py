"""What an importer gives: the cases, scorers and prompts of another tool's files, and what it had to leave behind."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluator.records import JsonValue

MAX_CASES = 20_000
"""Most cases that one import takes; the rest is listed as left out."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is not carried over, or not as it was. All three texts are fit to be printed."""

    where: str
    """The file, with a line or a place in it where that is known."""
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that can be the target."""

    path: str
    """Where it is or will be, relative to the repository's root."""
    text: str | None = None
    """What to write there; None if the file is there already."""
    model: str | None = None
    """The model that the prompt file itself names."""
    variables: tuple[str, ...] = ("input",)
    """Names that the prompt takes from a case's input."""


@dataclass(frozen=True, slots=True)
class NewCase:
    """A row of the golden set to be written."""

    input: JsonValue
    expected: JsonValue = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Imported:
    """What was found in one file of another tool (and in the files that it names)."""

    source: str
    """The file, relative to the repository's root."""
    kind: str
    """The tool, for people: "promptfoo", "GitHub Models", "openai/evals"."""
    cases: tuple[NewCase, ...] = ()
    scorers: tuple[dict[str, JsonValue], ...] = ()
    """Entries of `scorers:`, each with its `type`."""
    prompts: tuple[Prompt, ...] = ()
    provider: str | None = None
    model: str | None = None
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    """Fields of the request, such as temperature."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """Metric -> its `max`, as the config writes it."""
    rubric: str | None = None
    """Text of the judge's rubric; None for the one that comes with the program."""
    judge: tuple[str, str] | None = None
    """(provider, model) of the judge, if the file names them."""
    left_out: tuple[Note, ...] = ()
    """What is lost."""
    adapted: tuple[Note, ...] = ()
    """What is carried over in another form."""
