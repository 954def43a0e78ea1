"""Where the cap that must be raised was set: in the config, or by the workflow's input."""

from pathlib import Path

import pytest

from evaluator.config.overrides import Overrides
from evaluator.errors import BudgetError, ConfigError
from evaluator.gateway.budget import Budget
from evaluator.journal.journal import Journal
from evaluator.journal.ledger import Ledger
from evaluator.records import Output
from evaluator.runner.stopped import told_of_kept, with_needs


@pytest.mark.parametrize(
    ("overrides", "where"),
    [(Overrides(), "in the config at base"), (Overrides(max_usd=0.5), "with the input `max-cost-usd`")],
)
def test_it_says_where_to_raise_what(tmp_path: Path, overrides: Overrides, where: str) -> None:
    with Journal(tmp_path / "journal.sqlite", identity="i") as journal:
        ledger = Ledger(journal, before=(0.0, 0))
        budget = Budget(0.5, sides=("base", "head"), dearest={"head": 0.3})
        error = with_needs(BudgetError("too dear"), budget, journal, 4, each=1, overrides=overrides)
        assert error.message.startswith("too dear; about $0.6000 would have been needed")
        assert error.hint.startswith(f"raise `max_usd` to at least $0.6000 {where}, or use fewer cases")
        assert told_of_kept(journal, ledger, error, resume="again", overrides=overrides) == "", "nothing is kept"
        journal.put_output("a", "head", 0, Output(text="x"))
        told = told_of_kept(journal, ledger, error, resume="again", overrides=overrides)
        assert f"To go on from there, raise `max_usd` to at least $0.6000 {where}, then: again" in told
        other = told_of_kept(journal, ledger, ConfigError("wrong"), resume="again", overrides=overrides)
        assert other.endswith("To go on from there: again")


def test_a_cap_on_calls_is_raised_in_the_config_even_where_dollars_are_an_input(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite", identity="i") as journal:
        budget = Budget(max_calls=1, sides=("base", "head"), dearest={"head": 0.0})
        overrides = Overrides(max_usd=9.0)
        error = with_needs(BudgetError("used up"), budget, journal, 4, each=1, overrides=overrides)
    assert error.hint.startswith("raise `max_calls` to at least 10 in the config at base")
    assert "max_tokens" not in error.hint
