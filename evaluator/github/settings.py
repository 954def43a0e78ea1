"""The job's surroundings as one frozen record: the only reader of `GITHUB_*`, `RUNNER_*` and `INPUT_*` variables."""

import errno
import os
import re
import stat
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn
from urllib.parse import urlsplit

from pydantic import SecretStr

from evaluator.errors import ConfigError
from evaluator.github.inputs import Inputs, read_inputs
from evaluator.report.escape import shorten, terminal

_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_EVENT = re.compile(r"[a-z_]{1,60}")
_NUMBER = re.compile(r"[0-9]{1,18}")
_PUBLIC = "https://github.com"
_TENANT = ".ghe.com"
"""Enterprise accounts on GitHub's own machines have their API at `api.` before the host, not below it."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Settings:
    """Where and for whom this job runs. It holds tokens, so it shows none of them and cannot be pickled."""

    event_name: str
    event_path: Path
    """JSON file with the event's payload."""
    repository: str
    """`owner/name`."""
    workspace: Path
    """Absolute; later steps of the job find here what we write."""
    sha: str
    ref: str
    """As GitHub gives it, such as `refs/pull/7/merge`. Untrusted: a pull request names its own branch."""
    run_id: int
    run_attempt: int
    server_url: str
    """Of GitHub or of a GitHub Enterprise Server; without a slash at its end, as is the next."""
    api_url: str
    output_file: Path | None
    """`GITHUB_OUTPUT`."""
    summary_file: Path | None
    """`GITHUB_STEP_SUMMARY`."""
    token: SecretStr
    inputs: Inputs

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: a pickle would hold the tokens in the clear."""
        raise TypeError("settings hold tokens and are not pickled")

    @property
    def run_url(self) -> str:
        """The page of this run; of this attempt, where it is not the first."""
        attempt = f"/attempts/{self.run_attempt}" if self.run_attempt > 1 else ""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}{attempt}"

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """All that the log must mask."""
        found = (self.token, self.inputs.github_token, self.inputs.api_key)
        return tuple(dict.fromkeys(secret for secret in found if secret is not None))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and check the environment of a job.

        Raises:
            ConfigError: A variable of the runner is missing or malformed; or inputs are wrong, all told at once; or no
                token is there; or `report-path` leads out of the workspace.
        """
        read = _Reader(environ)
        server = read.url("GITHUB_SERVER_URL", _PUBLIC)
        api = read.url("GITHUB_API_URL", _api_of(server))
        workspace = read.folder("GITHUB_WORKSPACE")
        inputs = read_inputs(environ)
        settings = cls(
            event_name=read.matching("GITHUB_EVENT_NAME", _EVENT, "the name of an event"),
            event_path=read.path("GITHUB_EVENT_PATH"),
            repository=read.matching("GITHUB_REPOSITORY", _REPOSITORY, "owner/name"),
            workspace=workspace,
            sha=read.matching("GITHUB_SHA", _SHA, "a commit hash"),
            ref=environ.get("GITHUB_REF", ""),
            run_id=int(read.matching("GITHUB_RUN_ID", _NUMBER, "a number")),
            run_attempt=int(read.matching("GITHUB_RUN_ATTEMPT", _NUMBER, "a number", default="1")),
            server_url=server,
            api_url=api,
            output_file=read.path_or_none("GITHUB_OUTPUT"),
            summary_file=read.path_or_none("GITHUB_STEP_SUMMARY"),
            token=_token(inputs, environ),
            inputs=inputs,
        )
        _walk(settings, make=False)
        return settings


def make_report_folder(settings: Settings) -> Path:
    """Create the folder that `report-path` names, for files to be written into.

    The workspace can be a checkout of the change under test, and on the runner itself that change's code has run in it.
    So no link is followed on the way, and a folder that holds one is refused: writing `result.json` would follow it.

    Raises:
        ConfigError: A link, a file or something special is in the way, or the folder cannot be made.
    """
    _walk(settings, make=True)
    return settings.workspace / settings.inputs.report_path


def _walk(settings: Settings, *, make: bool) -> None:
    """Open the report's folder part by part, each one seen from its parent, so that nothing can be swapped between."""
    path = settings.inputs.report_path
    with ExitStack() as opened:
        try:
            folder = os.open(settings.workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, folder)
            for part in PurePosixPath(path).parts:
                if make:
                    _make(part, folder)
                folder = os.open(part, _FOLDER, dir_fd=folder)
                opened.callback(os.close, folder)
            names = [name for name in os.listdir(folder) if not _plain(name, folder)]  # noqa: PTH208  # of an open folder
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not make:
                return
            in_the_way = error.errno in (errno.ELOOP, errno.ENOTDIR)
            why = "a symbolic link or a file is in the way" if in_the_way else error.strerror
            raise ConfigError(
                f"input 'report-path': {terminal(path)}: {why}", hint="name a folder that the repository does not have"
            ) from None
    if names:
        raise ConfigError(
            f"input 'report-path': {terminal(path)} holds {terminal(shorten(names[0], 60))}, which is no plain file",
            hint="symbolic links are not written through; name a folder that the repository does not have",
        )


def _make(part: str, parent: int) -> None:
    with suppress(FileExistsError):  # whether it is a folder is seen when it is opened
        os.mkdir(part, dir_fd=parent)


def _plain(name: str, parent: int) -> bool:
    mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _token(inputs: Inputs, environ: Mapping[str, str]) -> SecretStr:
    """The input; on the runner itself, where action.yml gives no default, the job's own variable."""
    if inputs.github_token is not None:
        return inputs.github_token
    if found := environ.get("GITHUB_TOKEN", "").strip():
        return SecretStr(found)
    raise ConfigError(
        "input 'github-token': found nothing, expected a token",
        hint="leave the input out to use the job's token; a `run:` step needs `GITHUB_TOKEN` under `env:`",
    )


def _api_of(server: str) -> str:
    url = urlsplit(server)
    if server == _PUBLIC:
        return "https://api.github.com"
    if url.netloc.endswith(_TENANT):
        return f"{url.scheme}://api.{url.netloc}"
    return f"{server}/api/v3"


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the variables that the runner sets."""

    environ: Mapping[str, str]

    def matching(self, name: str, pattern: re.Pattern[str], expected: str, *, default: str = "") -> str:
        return self._checked(name, expected, default, lambda found: pattern.fullmatch(found) is not None)

    def url(self, name: str, default: str) -> str:
        return self._checked(name, "an address", default, _is_url).rstrip("/")

    def path(self, name: str) -> Path:
        return Path(self._checked(name, "an absolute path", "", lambda found: Path(found).is_absolute()))

    def folder(self, name: str) -> Path:
        return Path(
            self._checked(name, "a folder", "", lambda found: Path(found).is_absolute() and Path(found).is_dir())
        )

    def path_or_none(self, name: str) -> Path | None:
        return self.path(name) if self.environ.get(name, "").strip() else None

    def _checked(self, name: str, expected: str, default: str, valid: Callable[[str], bool]) -> str:
        found = self.environ.get(name, "").strip() or default
        if not found or not valid(found):
            shown = f"'{terminal(shorten(found, 60))}'" if found else "nothing"
            raise ConfigError(
                f"{name}: found {shown}, expected {expected}",
                hint="GitHub's runner sets it; outside of a workflow use `llm-eval-gate gate`",
            )
        return found


def _is_url(found: str) -> bool:
    try:
        url = urlsplit(found)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.username is None and not url.query
    except ValueError:
        return False
