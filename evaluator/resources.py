"""Where the files beside the code are: in a checkout next to the package, in an installation inside it."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def resource_folder(name: str) -> Path:
    """The folder `templates` or `examples`, wherever we run from.

    Args:
        name: Name of a folder at the top of the repository.
    """
    beside = _PACKAGE.parent / name
    # An installation is made by setup.py, which copies the folders into the package.
    installed = _PACKAGE / "_resources" / name
    return installed if installed.is_dir() else beside
