"""What base's config opens to the app and this machine has not: the app then fails as if the change were at fault."""

import os
from collections.abc import Mapping

from evaluator.config.loading import LoadedConfig
from evaluator.worker import printable


def unmet_openings(loaded: LoadedConfig, environ: Mapping[str, str]) -> tuple[str, ...]:
    """One sentence on the paths that are not there, and on each list of variables with some that are not set.

    Args:
        loaded: The config, from base.
        environ: Our environment, of which the app would get them.
    """
    config = loaded.config
    section = config.target.process
    if section is None:
        return ()
    found = [
        f"{loaded.where('sandbox', 'read')}: sandbox.read: {printable(path, 400)} is not there, or not for us to see"
        for path in config.sandbox.read
        if not os.path.exists(path)  # noqa: PTH110  # pathlib's raises where a folder above is closed
    ]
    kind = next(name for name in ("command", "python", "http", "container") if getattr(config.target, name) is section)
    lists = [(("sandbox", "env"), config.sandbox.env), (("target", kind, "env"), section.env)]
    if config.setup is not None:
        lists.append((("setup", "env"), config.setup.env))
    for place, names in lists:
        unset = [name for name in dict.fromkeys(names) if name not in environ]
        if unset:
            found.append(f"{loaded.where(*place)}: {'.'.join(place)}: not set here: {', '.join(unset)}")
    return tuple(found)
