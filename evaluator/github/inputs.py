"""The inputs of `action.yml` as typed values; every mistake in them is told at once.

The runner hands an input on as an environment variable: `fail-on` becomes `INPUT_FAIL-ON`. On the runner itself, where
a step's shell may drop names with a hyphen, `INPUT_FAIL_ON` is read as well. An empty value is no value.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import Any, Literal, NoReturn, TypeAlias
from urllib.parse import urlsplit

from pydantic import SecretStr

from evaluator.config.units import parse_amount, parse_money
from evaluator.errors import ConfigError
from evaluator.report.escape import shorten, terminal

PREFIX = "INPUT_"
_SHOWN = 40
_WHOLE = re.compile(r"[0-9]{1,18}")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.I)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COMMENT_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,59}")
_NOT_IN_A_REF = re.compile(r"\.\.|@\{|//|[\s~^:?*\[\\]|^[-/.]|[/.]$|\.lock$")
_OURS = ("ACTIONS_", "GITHUB_", "INPUT_", "RUNNER_")
"""Beginnings of the names that hold the job's own tokens and the files by which a step commands the runner."""
_LONGEST_JOB = 5 * 24 * 60
"""Minutes that GitHub lets a job run on a runner of one's own; on its own runners it is 360."""

Parser: TypeAlias = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the workflow asks for. None where an input is not set: then the config file, or the event, decides.

    It holds keys, so it shows none of them and cannot be pickled.
    """

    config_file: str | None = None
    """Path of the config in the repository, below `working_directory`."""
    config_ref: str | None = None
    """Ref that config and golden set come from, instead of base."""
    working_directory: str | None = None
    """Folder of the app in the repository; None is its root."""
    dataset_path: str | None = None
    """Golden set, below `working_directory`."""
    base_ref: str | None = None
    head_ref: str | None = None
    pr_number: int | None = None
    head_sha: str | None = None
    """Lower-case hexadecimal, 40 or 64 digits."""
    compare_mode: Literal["merge", "merge-base"] = "merge"
    api_key: SecretStr | None = None
    base_url: str | None = None
    """Without a slash at its end."""
    judge_model: str | None = None
    app_env: tuple[str, ...] = ()
    """Names of environment variables that the app may see."""
    repeat: int | None = None
    max_concurrency: int | None = None
    max_cases: int | None = None
    max_cost_usd: float | None = None
    timeout_minutes: float | None = None
    on_inconclusive: Literal["fail", "warn", "pass"] | None = None
    on_missing_baseline: Literal["fail", "warn"] = "fail"
    fail_on: Literal["regression", "threshold", "never"] = "regression"
    comment_mode: Literal["always", "on-change", "on-failure", "off"] = "always"
    comment_key: str = ""
    check_run: bool = False
    check_name: str = "llm-eval-gate"
    job_summary: bool = True
    show_outputs: bool = True
    """Whether the app's answers may be shown where readers of the repository see them."""
    report_path: str = "llm-eval-gate-report"
    """Folder below the workspace; make it with `settings.make_report_folder`."""
    github_token: SecretStr | None = None
    artifact_path: str | None = None
    """Folder below the workspace with a downloaded report, for the publisher of forks' results."""
    warnings: tuple[str, ...] = ()
    """What is odd but no mistake, for the log: inputs that do not exist, with the nearest name."""

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: a pickle would hold the keys in the clear."""
        raise TypeError("inputs hold keys and are not pickled")


@dataclass(frozen=True, slots=True)
class Input:
    """How one input is read."""

    name: str
    """As in action.yml."""
    expected: str
    """What may be written, for messages and for the docs."""
    parse: Parser
    """Raises `ValueError`, whose text is a hint, or empty."""
    secret: bool = False

    @property
    def field(self) -> str:
        """The name of its field in `Inputs`."""
        return self.name.replace("-", "_")

    def shown(self, found: str) -> str:
        """What was found, as a message may show it: one short line, never a key."""
        if self.secret:
            return f"{len(found)} characters"
        return f"'{terminal(shorten(re.sub(r'//[^/@]*@', '//***@', found), _SHOWN))}'"


def _choice(*words: str) -> Parser:
    def parse(found: str) -> str:
        if found not in words:
            near = difflib.get_close_matches(found.lower(), words, n=1, cutoff=0.5)
            raise ValueError(f"did you mean '{near[0]}'?" if near else "")
        return found

    return parse


def _flag(found: str) -> bool:
    if found.lower() not in ("true", "false"):
        raise ValueError("yes, no, on, off, 1 and 0 are not read")
    return found.lower() == "true"


def _whole(low: int, high: int) -> Parser:
    def parse(found: str) -> int:
        if not _WHOLE.fullmatch(found) or not low <= int(found) <= high:
            raise ValueError
        return int(found)

    return parse


def _minutes(found: str) -> float:
    amount = parse_amount(found)
    minutes = amount.value / 60 if amount.unit == "s" else amount.value
    if amount.unit not in ("s", "") or not 0 < minutes <= _LONGEST_JOB:
        raise ValueError
    return minutes


def _line(longest: int) -> Parser:
    def parse(found: str) -> str:
        if len(found) > longest or not found.isprintable():
            raise ValueError
        return found

    return parse


def _key(found: str) -> SecretStr:
    if not found.isascii() or not found.isprintable() or " " in found:
        raise ValueError("white space inside it, or letters beyond ASCII: was more than the key pasted?")
    return SecretStr(found)


def _ref(found: str) -> str:
    if _NOT_IN_A_REF.search(found) or not found.isprintable() or len(found) > 255:
        raise ValueError("write the branch alone, without `origin/`, ranges or options")
    return found


def _sha(found: str) -> str:
    if not _SHA.fullmatch(found):
        raise ValueError("an abbreviation can come to mean another commit")
    return found.lower()


def _path(found: str) -> str:
    path = PurePosixPath(found)
    if path.is_absolute() or found.startswith("~") or "\\" in found or ".." in path.parts:
        raise ValueError("it may not be absolute, lead upwards, or hold backslashes")
    if len(found) > 400 or not found.isprintable() or any(part.lower() == ".git" for part in path.parts):
        raise ValueError
    return str(path)


def _folder_of_its_own(found: str) -> str:
    if (path := _path(found)) == ".":
        raise ValueError("name a folder in the workspace, not the workspace itself")
    return path


def _url(found: str) -> str:
    url = urlsplit(found)
    if url.scheme not in ("http", "https") or not url.hostname or not found.isprintable() or " " in found:
        raise ValueError
    if url.username is not None or url.password is not None or url.query or url.fragment:
        raise ValueError("keys do not belong into an address: use `api-key`")
    _ = url.port  # a port that is no number is a ValueError here
    return found.rstrip("/")


def _names(found: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for part in re.split(r"[,\n]", found) if (name := part.strip())))
    if wrong := [name for name in names if not _VARIABLE.fullmatch(name)]:
        raise ValueError(f"names only, no values; {len(wrong)} of {len(names)} are not names of variables")
    if ours := [name for name in names if name.upper().startswith(_OURS)]:
        raise ValueError(f"{ours[0]} belongs to the job, not to the code under test; hand it on under another name")
    return names


def _comment_key(found: str) -> str:
    if not _COMMENT_KEY.fullmatch(found) or "--" in found:
        raise ValueError
    return found


_PATH = "a path relative to the repository's root"
INPUTS: tuple[Input, ...] = (
    Input("config-file", "a path relative to `working-directory`", _path),
    Input("config-ref", "a branch, a tag or a commit", _ref),
    Input("working-directory", _PATH, _path),
    Input("dataset-path", "a path relative to `working-directory`", _path),
    Input("base-ref", "a branch, a tag or a commit", _ref),
    Input("head-ref", "a branch, a tag or a commit", _ref),
    Input("pr-number", "the number of a pull request", _whole(1, 10**12)),
    Input("head-sha", "a full commit hash", _sha),
    Input("compare-mode", "`merge` or `merge-base`", _choice("merge", "merge-base")),
    Input("api-key", "a key, best from `secrets`", _key, secret=True),
    Input("base-url", "an address such as `https://llm.example.com/v1`", _url),
    Input("judge-model", "the name of a model, up to 200 characters on one line", _line(200)),
    Input("app-env", "names of environment variables, with commas or line breaks between them", _names),
    Input("repeat", "a whole number from 1 to 20", _whole(1, 20)),
    Input("max-concurrency", "a whole number from 1 to 1000", _whole(1, 1000)),
    Input("max-cases", "a whole number above 0", _whole(1, 10**9)),
    Input("max-cost-usd", "US dollars such as `5` or `$0.50`", parse_money),
    Input("timeout-minutes", f"minutes such as `30`, or `90s`; up to {_LONGEST_JOB}", _minutes),
    Input("on-inconclusive", "`fail`, `warn` or `pass`", _choice("fail", "warn", "pass")),
    Input("on-missing-baseline", "`fail` or `warn`", _choice("fail", "warn")),
    Input("fail-on", "`regression`, `threshold` or `never`", _choice("regression", "threshold", "never")),
    Input(
        "comment-mode",
        "`always`, `on-change`, `on-failure` or `off`",
        _choice("always", "on-change", "on-failure", "off"),
    ),
    Input("comment-key", "up to 60 letters, digits, and `.`, `_`, `/` or single `-` between them", _comment_key),
    Input("check-run", "`true` or `false`", _flag),
    Input("check-name", "up to 100 characters on one line", _line(100)),
    Input("job-summary", "`true` or `false`", _flag),
    Input("show-outputs", "`true` or `false`", _flag),
    Input("report-path", "a folder relative to the workspace", _folder_of_its_own),
    Input("github-token", "a token", _key, secret=True),
    Input("artifact-path", "a folder relative to the workspace", _folder_of_its_own),
)
"""Every input, in the order of action.yml."""

_BY_NAME = {entry.name: entry for entry in INPUTS}
DEFAULTS: Mapping[str, object] = {field.name.replace("_", "-"): field.default for field in fields(Inputs)}
"""What an input is where it is not set, by its name; None or empty where something else decides."""


def read_inputs(environ: Mapping[str, str]) -> Inputs:
    """Read and check every input.

    Args:
        environ: The process's environment.

    Raises:
        ConfigError: All that is wrong, a line each: the input, what was found, what was expected, a hint.
    """
    values: dict[str, Any] = {}
    warnings: list[str] = []
    problems: dict[str, str] = {}
    given: dict[str, str] = {}
    for name, found in _set_inputs(environ):
        entry = _BY_NAME.get(name)
        if entry is None:
            warnings.append(_unknown(name))
            continue
        if given.setdefault(name, found) != found:
            problems[name] = f"input '{name}': set twice, with a hyphen and with an underscore, to different values"
            continue
        try:
            values[entry.field] = entry.parse(found)
        except ValueError as error:
            hint = str(error) if "expected" not in str(error) else ""  # units.py tells its own expectation
            problems[name] = f"input '{name}': found {entry.shown(found)}, expected {entry.expected}" + (
                f" ({terminal(hint)})" if hint else ""
            )
    if problems:
        lines = [problems[name] for name in _BY_NAME if name in problems]
        raise ConfigError("\n".join(lines + warnings), hint="correct them in the workflow, under `with:`")
    return Inputs(**values, warnings=tuple(warnings))


def _set_inputs(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and value of what is set: names as in action.yml, values trimmed as GitHub's own toolkit does."""
    for variable, value in sorted(environ.items()):
        if variable.startswith(PREFIX) and (found := value.strip()):
            yield variable.removeprefix(PREFIX).lower().replace("_", "-"), found


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, _BY_NAME, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"input '{terminal(shorten(name, _SHOWN))}' does not exist and has no effect{hint}"
