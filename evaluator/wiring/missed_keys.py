"""Whether an app failed for want of a well-known provider's key: then nothing was seen of the change."""

import re
from collections.abc import Collection

from evaluator.records import Failure

# What clients say where they find no key. Azure's and OpenAI's name the variable, Anthropic's own does not.
_SIGNS = {
    "ANTHROPIC_API_KEY": re.compile(r"\bANTHROPIC_(API_KEY|BASE_URL)\b|Could not resolve authentication method", re.I),
    "AZURE_OPENAI_API_KEY": re.compile(r"\bAZURE_OPENAI_(API_KEY|ENDPOINT)\b", re.I),
}


def missed_key(failure: Failure, told: Collection[str]) -> str:
    """The variable that an app seems to have missed; empty if none.

    The text is the app's own, so head can choose it. It wins nothing by that: a run that ends so is no pass either.

    Args:
        failure: How a case failed.
        told: The variables that the app was given.
    """
    signs = (name for name, sign in _SIGNS.items() if name not in told and sign.search(failure.message))
    return next(signs, "")
