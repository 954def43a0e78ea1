"""Whether `uv sync` of a project installs by its uv.lock alone, and takes nothing from the checkout.

Sources: https://docs.astral.sh/uv/concepts/projects/sync/, /concepts/projects/layout/#the-lockfile and
/reference/settings/. `--frozen` takes uv.lock as it is; `--no-install-project` leaves the checkout's own package out.

Also the script that reads the files in a process of its own: Python's TOML reader can be made to take any amount of
memory by a small file (200 kB of `a.a.a.a...`), and they are head's. So only the standard library is imported.
"""

import json
import resource
import sys
import tomllib
from collections.abc import Mapping, Sequence

PROJECT, LOCK, SETTINGS = "pyproject.toml", "uv.lock", "uv.toml"
MOST_MEMORY, MOST_SECONDS = 256 << 20, 5
_NEEDED = {"--frozen", "--no-install-project"}
_FLAGS = {
    "-q", "--quiet", "--no-dev", "--only-dev", "--dev", "--all-extras", "--all-groups", "--no-default-groups",
    "--compile-bytecode", "--no-cache", "-n", "--no-progress", "--no-build", "--no-binary",
}  # fmt: skip
_VALUES = {"--extra", "--no-extra", "--group", "--no-group", "--only-group"}
_SETTINGS = {
    "build-constraint-dependencies", "compile-bytecode", "conflicts", "constraint-dependencies", "default-groups",
    "dependency-groups", "dev-dependencies", "environments", "exclude-dependencies", "exclude-newer",
    "fork-strategy", "index", "index-strategy", "link-mode", "managed", "no-binary", "no-binary-package", "no-build",
    "no-build-isolation-package", "no-build-package", "override-dependencies", "package", "pip", "prerelease",
    "required-environments", "required-version", "resolution", "sources",
}  # fmt: skip
"""Those that name no file: `sources` may, and what they come to is in the lock. A workspace's members are not among
what is kept with the key, so `workspace` is not here."""
_REMOTE = ("registry", "url", "git")


def is_sync(command: Sequence[str]) -> bool:
    """Whether a command is `uv sync` with options that make it install by the lock file alone."""
    if tuple(command[:2]) != ("uv", "sync"):
        return False
    words, seen = iter(command[2:]), set()
    for word in words:
        option, joined, _ = word.partition("=")
        if option in _VALUES:
            if not joined and next(words, None) is None:
                return False
        elif word not in _FLAGS | _NEEDED:
            return False
        seen.add(word)
    return seen >= _NEEDED


def locks_all(project: bytes, lock: bytes, settings: bytes | None = None) -> bool:
    """Whether all that a project's lock installs comes from an index, an address or a git commit.

    Args:
        project: Its pyproject.toml.
        lock: Its uv.lock.
        settings: Its uv.toml, where there is one.
    """
    try:
        own = tomllib.loads(project.decode("utf-8"))
        locked = tomllib.loads(lock.decode("utf-8"))
        further = {} if settings is None else tomllib.loads(settings.decode("utf-8"))
        tables = (own.get("tool", {}).get("uv", {}), further)
        packages = locked.get("package", [])
        if "distribution" in locked:  # uv's older name for the same, which it still reads
            return False
        return all(map(_names_no_file, tables)) and all(map(_is_remote, packages))
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return False


def _names_no_file(table: Mapping[str, object]) -> bool:
    indexes = table.get("index", [])
    return set(table) <= _SETTINGS and isinstance(indexes, list) and all(_is_https(index["url"]) for index in indexes)


def _is_remote(package: Mapping[str, object]) -> bool:
    """Whether a package comes from elsewhere; or is the project itself, which is left out."""
    source = package["source"]
    if not isinstance(source, dict):
        return False
    if source in ({"editable": "."}, {"virtual": "."}):
        return True
    kinds = [kind for kind in source if kind != "subdirectory"]
    wheels = package.get("wheels", [])
    files = [package.get("sdist", {}), *(wheels if isinstance(wheels, list) else [{"path": ""}])]
    near = any("path" in file or not _is_https(file.get("url", "https://")) for file in files)
    return len(kinds) == 1 and kinds[0] in _REMOTE and _is_https(source[kinds[0]]) and not near


def _is_https(address: object) -> bool:
    return isinstance(address, str) and address.startswith("https://")


def main() -> None:
    """Read the files' texts from stdin, a JSON list of three, the last may be null; exit with 0 if all is locked."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    project, lock, settings = json.load(sys.stdin)
    there = None if settings is None else settings.encode()
    sys.exit(0 if locks_all(project.encode(), lock.encode(), there) else 1)


if __name__ == "__main__":
    main()
