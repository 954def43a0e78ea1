"""What is skipped: paths as in a workflow's own `paths:`, drafts and labels."""

import pytest

from evaluator.action.when import Facts, matches, why_not
from evaluator.config.model import WhenSection


@pytest.mark.parametrize(
    ("path", "pattern", "does"),
    [
        ("prompts/a.yml", "prompts/**", True),
        ("prompts/deep/a.yml", "prompts/**", True),
        ("prompts", "prompts/**", False),
        ("prompts/a.yml", "prompts/", True),
        ("prompts/a.yml", "prompts/*", True),
        ("prompts/deep/a.yml", "prompts/*", False),
        ("a.md", "*.md", True),
        ("docs/a.md", "*.md", False),
        ("docs/a.md", "**/*.md", True),
        ("a.md", "**/*.md", True),
        ("src/x/test_a.py", "src/**/test_?.py", True),
        ("src/test_a.py", "src/**/test_?.py", True),
        ("src/test_ab.py", "src/**/test_?.py", False),
        ("a+b(c).txt", "a+b(c).txt", True),
        ("aab.txt", "a+b.txt", False),
        ("프롬프트/답.yml", "프롬프트/**", True),
        ("line\nbreak/a", "line*/a", True),
        ("x", "**", True),
        ("a.md", "./a.md", True),
    ],
)
def test_a_pattern_matches_as_people_expect(path: str, pattern: str, does: bool) -> None:
    assert matches(path, pattern) is does


def test_without_rules_everything_is_evaluated() -> None:
    assert why_not(WhenSection(), Facts(draft=True, labels=["x"], changed=[])) is None


def test_each_reason_names_its_rule() -> None:
    facts = Facts(draft=True, labels=["docs"], changed=["README.md"])
    assert "when.drafts" in str(why_not(WhenSection(drafts=False), facts))
    assert "'docs'" in str(why_not(WhenSection(skip_labels=("docs",)), facts))
    assert "when.labels" in str(why_not(WhenSection(labels=("eval",)), facts))
    assert "none of the 1 changed files" in str(why_not(WhenSection(paths=("app/**",)), facts))
    assert why_not(WhenSection(paths=("*.md",), labels=("docs",)), facts) is None
