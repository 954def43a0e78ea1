"""The parts of the config file about the system under test: what it is, how it is set up, what it may touch.

All of them are read at base: a change cannot widen what its own code may do.
"""

import re
import shlex
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from evaluator.config.scorers import Name
from evaluator.config.section import Duration, RepoPath, Section
from evaluator.config.variables import VariableName

_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*$", re.I)
_STEPS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_FUNCTION = r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*$"
_IMAGE = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$"


def parse_size(found: object) -> int:
    """Parse a size in bytes: `2GB`, `512MiB` or a whole number.

    Raises:
        ValueError: It is neither, or less than a megabyte.
    """
    match = _SIZE.match(str(found)) if isinstance(found, str | int) and not isinstance(found, bool) else None
    if match is None:
        raise ValueError(f"expected a size such as 2GB or 512MB, found {str(found)[:40]!r}")
    step = 1024 if match[3] else 1000
    size = int(float(match[1]) * step ** _STEPS[match[2].lower()])
    if size < 1_000_000:
        raise ValueError(f"expected a size from 1MB, found {str(found)[:40]!r}")
    return size


def split_command(found: object) -> object:
    """Split a command line by a shell's quoting rules; no shell will run it."""
    return tuple(shlex.split(found)) if isinstance(found, str) else found


COMMAND_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
}
Command = Annotated[
    tuple[str, ...], Field(min_length=1), BeforeValidator(split_command), WithJsonSchema(COMMAND_SCHEMA)
]


def also_written(*shapes: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Tell a schema of the short forms that a validator accepts beside a section."""

    def extend(schema: dict[str, Any]) -> None:
        schema["anyOf"] = [*shapes, *schema["anyOf"]]

    return extend


Size = Annotated[
    int, BeforeValidator(parse_size), WithJsonSchema({"type": ["integer", "string"], "examples": ["2GB", "512MB"]})
]


class CommandSection(Section):
    """A target in any language, as a program that speaks JSON Lines."""

    run: Command = Field(description="Program and arguments; no shell.")
    mode: Literal["worker", "per_case"] = "worker"
    workers: int | None = Field(
        default=None, ge=1, le=1000, description="Most processes a ref; `concurrency` if unset."
    )
    start_timeout: Duration = 60.0
    timeout: Duration = 120.0
    env: tuple[VariableName, ...] = Field(default=(), description="Names of environment variables to hand on.")


class PythonSection(Section):
    """A target that is a Python function, run in a process of its own in the ref's checkout."""

    function: str = Field(pattern=_FUNCTION, description="`module:function`; `package.module:function`.")
    path: RepoPath = Field(default=".", description="Folder of the repository that modules are imported from.")
    interpreter: str | None = Field(
        default=None, min_length=1, description="The environment's that `setup` makes if unset, else our own."
    )
    workers: int | None = Field(
        default=None, ge=1, le=1000, description="Most processes a ref; `concurrency` if unset."
    )
    start_timeout: Duration = 60.0
    timeout: Duration = 120.0
    env: tuple[VariableName, ...] = Field(default=(), description="Names of environment variables to hand on.")


class ExchangeSection(Section):
    """How a server is asked a case, and where its answer is."""

    port_env: VariableName = Field(default="PORT", description="Variable that tells the server its port.")
    ready: str | None = Field(
        default=None, pattern=r"^/", description="Path that answers 2xx once the server is ready; unset: it listens."
    )
    path: str = Field(default="/", pattern=r"^/\S*$", description="Path that answers a case.")
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = Field(
        default=None,
        description="JSON to send; the texts `$.input`, `$.metadata`, `$.case`, `$.repeat` and paths below them stand"
        " for the case's values. Unset: {input: $.input, metadata: $.metadata}.",
    )
    answer: str | None = Field(default=None, pattern=r"^\$", description="Where the answer is, e.g. `$.text`.")
    contexts: str | None = Field(
        default=None, pattern=r"^\$", description="Where the passages are: `$.sources[*].text`."
    )


class HttpSection(ExchangeSection):
    """A target that is a server, started in the ref's checkout."""

    run: Command = Field(description="Program and arguments; `{port}` stands for the port to listen on.")
    servers: int = Field(default=1, ge=1, le=64, description="Processes a ref; each answers one case at a time.")
    start_timeout: Duration = 60.0
    timeout: Duration = 120.0
    env: tuple[VariableName, ...] = Field(default=(), description="Names of environment variables to hand on.")


class ListeningSection(ExchangeSection):
    """A server in a container, which listens on all of the container's addresses."""

    port: int = Field(default=8080, ge=1, le=65535, description="Where it listens; the variable tells it too.")


class ContainerSection(Section):
    """A target in a container of its own, which speaks JSON Lines on stdin and stdout, or HTTP."""

    build: RepoPath | None = Field(
        default=None, description="Folder of the ref's checkout whose Dockerfile makes the image."
    )
    image: str | None = Field(
        default=None, pattern=_IMAGE, max_length=400, description="An image that is there: `name@sha256:...`."
    )
    run: Command | None = Field(default=None, description="Arguments in place of the image's CMD.")
    mode: Literal["worker"] = "worker"
    http: ListeningSection | None = Field(default=None, description="It is a server; unset: it speaks JSON Lines.")
    workers: int | None = Field(
        default=None, ge=1, le=1000, description="Most containers a ref; `concurrency` if unset."
    )
    user: str = Field(
        default="65534:65534",
        pattern=r"^[1-9]\d{0,8}:[1-9]\d{0,8}$",
        description="Numbers of user and group, not root's.",
    )
    start_timeout: Duration = 60.0
    timeout: Duration = 120.0
    build_timeout: Duration = 900.0
    build_network: Literal["deny", "allow"] = Field(
        default="deny",
        description="`allow`: the Dockerfile's steps may reach any address, as installing packages takes.",
    )
    env: tuple[VariableName, ...] = Field(default=(), description="Names of environment variables to hand on.")

    @model_validator(mode="after")
    def _one_source(self) -> "ContainerSection":
        if (self.build is None) == (self.image is None):
            found = "neither" if self.build is None else "both"
            raise ValueError(f"expected exactly one of build and image; found {found}")
        return self


class TargetSection(Section):
    """The system under test."""

    prompt: RepoPath | None = Field(default=None, description="A `.prompt.yml` or a Jinja2 text file.")
    command: CommandSection | None = None
    python: PythonSection | None = Field(default=None, json_schema_extra=also_written({"type": "string"}))
    http: HttpSection | None = None
    container: ContainerSection | None = None
    provider: Name = "openai"
    model: str | None = Field(default=None, min_length=1, description="Fills in where the prompt file names no model.")
    params: dict[str, Any] = Field(default_factory=dict, description="Fields of the request, e.g. `temperature: 0`.")

    @field_validator("command", mode="before")
    @classmethod
    def _command_line(cls, found: object) -> object:
        """`command: python app.py` is short for `command: {run: python app.py}`."""
        return {"run": found} if isinstance(found, str | list) else found

    @field_validator("python", mode="before")
    @classmethod
    def _function_alone(cls, found: object) -> object:
        """`python: app:answer` is short for `python: {function: app:answer}`."""
        return {"function": found} if isinstance(found, str) else found

    @model_validator(mode="after")
    def _one_kind(self) -> "TargetSection":
        names = ("prompt", "command", "python", "http", "container")
        kinds = [kind for kind in names if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = "none" if not kinds else " and ".join(kinds)
            raise ValueError(f"expected exactly one of {', '.join(names)}; found {found}")
        if kinds != ["prompt"] and (self.model is not None or self.params):
            raise ValueError(f"`model` and `params` belong to a prompt; a {kinds[0]} target says itself what it asks")
        return self

    @property
    def process(self) -> CommandSection | PythonSection | HttpSection | ContainerSection | None:
        """The target as a process of the app's own; None for a prompt."""
        return self.command or self.python or self.http or self.container


class SetupSection(Section):
    """Commands that make a ref's checkout ready, run once before its first case in an environment of its own."""

    run: tuple[Command, ...] = Field(min_length=1, description="Commands, in order; no shell.")
    python: str | None = Field(default=None, min_length=1, description="Interpreter of the environment: name or path.")
    timeout: Duration = Field(default=900.0, description="For all commands together.")
    env: tuple[VariableName, ...] = Field(
        default=(), description="Names of environment variables to hand on, such as a private index's."
    )


class SandboxSection(Section):
    """What the app under test may touch beyond its checkout and its private home."""

    network: Literal["deny", "allow"] = Field(
        default="deny", description="`allow`: any address. `deny`: the gateway alone, where the system can hold it."
    )
    read: tuple[Annotated[str, Field(pattern=r"^/", max_length=400)], ...] = Field(
        default=(), description="Further absolute paths that the app may read."
    )
    env: tuple[VariableName, ...] = Field(default=(), description="Names of environment variables to hand on.")
    unmetered: bool = Field(
        default=False, description="Forward paths that are not metered (files, images ...), with the real key."
    )
    memory: Size | None = Field(default=None, description="Most memory of a process.")
    processes: int | None = Field(default=None, ge=1, le=100_000, description="Most processes and threads of a ref.")
    shared: bool = Field(
        default=False, description="Let it use shared memory and Unix sockets; Python's multiprocessing needs them."
    )
