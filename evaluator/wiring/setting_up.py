"""Runs `setup:` for one side: the commands' environment and their cage."""

import sys
from collections.abc import Mapping
from pathlib import Path

from evaluator.config.loading import LoadedConfig
from evaluator.config.targets import SetupSection
from evaluator.sandbox import Cage
from evaluator.setup import Ready, SetupRequest, set_up
from evaluator.wiring import cages
from evaluator.wiring.cages import Place
from evaluator.wiring.programs import find_programs
from evaluator.worker import child_environment

INDEX_NAMES = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "PIP_TRUSTED_HOST", "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "NPM_CONFIG_REGISTRY", "npm_config_registry",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
)  # fmt: skip
"""Where packages come from here; handed to the set-up unless a name and password are in the value."""


def programs_of(section: SetupSection | None, root: Path, path: str) -> list[Path]:
    """The programs outside the checkout that the commands name, such as a uv in ~/.local/bin."""
    names = [] if section is None else [command[0] for command in section.run]
    return find_programs(names, root, path, has_setup=True)


async def set_side_up(
    place: Place, loaded: LoadedConfig, environ: Mapping[str, str], cage: Cage, programs: list[Path], home: Path
) -> Ready | None:
    """Set one side up; None where the config has no `setup:`.

    Args:
        place: Where the side lives.
        loaded: The config, from base.
        environ: Our environment; the commands see an allow-list of it.
        cage: The app's.
        programs: See `programs_of`.
        home: Our own folder, for what is kept.

    Raises:
        TargetError: A command fails.
    """
    section = loaded.config.setup
    if section is None:
        return None
    folder = place.scratch / f"setup-{place.side}"
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    addresses = {name: environ[name] for name in INDEX_NAMES if name in environ and "@" not in environ[name]}
    request = SetupRequest(
        side=place.side,
        root=place.root,
        commands=section.run,
        interpreter=section.python or sys.executable,
        timeout_s=section.timeout,
        env=child_environment(environ, home=folder, names=section.env, extra=addresses),
        folder=folder,
        kept=home / "venvs",
        other_user=cage.uid is not None,
    )

    def make_cage(root: Path, own: Path) -> Cage:
        """The commands' cage; of the checkout they see all, of a folder that holds lock files just that."""
        made = cages.cage_for_setup(cage, place.checkout if root == place.root else root, own, programs)
        cages.prepared(made)
        return made

    return await set_up(request, make_cage)
