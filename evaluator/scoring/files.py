"""Reads the files that scorers name in their options: rubrics, schemas, the user's own functions."""

from collections.abc import Callable

from evaluator.errors import ScorerError


def read_text(read_file: Callable[[str], str], path: str, *, scorer: str) -> str:
    """Read a file of the base ref.

    Args:
        read_file: Gives the text of a path in the repository; may raise EvalGateError, OSError or ValueError.
        path: As it is written in the config.
        scorer: The scorer's name, for the message.

    Raises:
        ScorerError: There is no such file, or it is not UTF-8 text.
    """
    try:
        return read_file(path)
    except OSError as error:
        raise ScorerError(
            f"scorer {scorer!r}: cannot read {path!r}: {error.strerror or error}",
            hint="write the path from the root of the repository, as it is at base",
        ) from None
    except UnicodeDecodeError:
        raise ScorerError(f"scorer {scorer!r}: {path!r} is not UTF-8 text", hint="save it as UTF-8") from None
