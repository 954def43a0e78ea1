"""Whether an app failed for want of a well-known provider's key: then nothing was seen of the change."""

import re
from collections.abc import Collection

from evaluator.records import Failure

# What clients say where they find no key. Azure's and OpenAI's name the variable, Anthropic's own does not.
_SIGNS = {
    "ANTHROPIC_API_KEY": re.compile(r"\bANTHROPIC_(API_KEY|BASE_URL)\b|Could not resolve authentication method", re.I),
    "AZURE_OPENAI_API_KEY": re.compile(r"\bAZURE_OPENAI_(API_KEY|ENDPOINT)\b", re.I),
}
_BEFORE = " (before that: "
"""What follows in a message is not the last line of stderr; see `worker.last_words`."""
_ERROR = re.compile(r"(?:Error|Exception)\b.*")


def missed_key(failure: Failure, told: Collection[str], *, answered: bool) -> str:
    """The variable that an app seems to have missed; empty if none.

    The text is the app's own, so head can choose it. It wins nothing by that: a run that ends so is no pass either.
    Many apps say at their start that a key is not there and go on without it. So only the last line of their stderr
    counts, and lines that tell an error; and once an app has been answered, only the error in the last line.

    Args:
        failure: How a case failed.
        told: The variables that the app was given.
        answered: Whether the side's app has been answered anything by a model.
    """
    last, _, before = failure.message.partition(_BEFORE)
    lines = [last] if answered else before.split(" | ")
    errors = [found[0] for line in lines if (found := _ERROR.search(line))]
    said = "\n".join(errors if answered else [last, *errors])
    signs = (name for name, sign in _SIGNS.items() if name not in told and sign.search(said))
    return next(signs, "")
