"""Which runs share answers: what an app was answered before, and when both sides must be asked in the same hour."""

import secrets

from evaluator.config.model import Config
from evaluator.journal.journal import Journal


def shares_answers(config: Config, *, use_cache: bool, timed: bool) -> bool:
    """Whether the app's answers of earlier runs count.

    Where a latency is bounded they do not: it would be that of another hour, and of another provider's mood.

    Args:
        config: The rules.
        use_cache: Whether the command lets any count.
        timed: Whether latencies of this run count at all.
    """
    return use_cache and not (timed and config.first_bounded("latency") is not None)


def scope_of(journal: Journal, *, shared: bool) -> str:
    """The name under which a run finds and keeps answers: everybody's, or one of its own.

    Its own is a name that no earlier run had, and that a resumed run has again.
    """
    if shared:
        return ""
    own = journal.meta("scope") or secrets.token_hex(16)
    journal.set_meta("scope", own)
    return own


def compares_latency(config: Config) -> bool:
    """Whether a bound holds head's latency against base's, so that both must be measured side by side."""
    return any(
        name.startswith("latency") and section.max_increase is not None for name, section in config.objectives.items()
    )
