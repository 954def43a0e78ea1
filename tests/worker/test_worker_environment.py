"""What a child sees of our environment."""

from pathlib import Path

from evaluator.worker import child_environment


def test_a_child_sees_only_what_is_allowed(tmp_path: Path) -> None:
    ours = {"PATH": "/bin", "OPENAI_API_KEY": "secret", "FEATURE": "on", "HOME": "/root", "GITHUB_TOKEN": "secret"}
    child = child_environment(ours, home=tmp_path, names=["FEATURE", "MISSING"], extra={"X": "1"})
    assert "secret" not in child.values()
    assert child["FEATURE"] == "on"
    assert child["HOME"] == child["TMPDIR"] == str(tmp_path)
    assert child["X"] == "1"
    assert "MISSING" not in child
