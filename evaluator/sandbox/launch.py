"""The launcher: the script that puts itself into a cage and then becomes a program; for `python -I -S`.

Only the way in: the rest is in `entering.py`, which Python keeps compiled. It is given the rules as JSON
(`cage.rules_of`) and the program's argv.
"""

import sys


def _find_neighbours() -> None:
    """Make the files beside this one importable, and nothing else: not their package, which imports the house."""
    folder = __file__.rpartition("/")[0]
    for name, path in (("evaluator", folder.rpartition("/")[0]), ("evaluator.sandbox", folder)):
        package = type(sys)(name)
        package.__path__ = [path]
        sys.modules[name] = package


if __name__ == "__main__":
    import json

    _find_neighbours()
    from evaluator.sandbox.entering import launch

    sys.exit(launch(json.loads(sys.argv[1]), sys.argv[2:]))
