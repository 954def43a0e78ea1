"""Inputs: every one read to its type, every mistake told at once, no key shown."""

import copy
import pickle
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from evaluator.errors import ConfigError
from evaluator.github.inputs import INPUTS, Inputs, read_inputs

SHA = "a" * 40
GOOD = (
    ("config-file", ".github/llm-eval-gate.yml", ".github/llm-eval-gate.yml"),
    ("config-ref", "refs/heads/rules", "refs/heads/rules"),
    ("working-directory", "./apps/chat/", "apps/chat"),
    ("dataset-path", "evals/골든.jsonl", "evals/골든.jsonl"),
    ("base-ref", "release/1.2", "release/1.2"),
    ("head-ref", "feature/#7", "feature/#7"),
    ("pr-number", "17", 17),
    ("head-sha", SHA.upper(), SHA),
    ("compare-mode", "merge-base", "merge-base"),
    ("api-key", "sk-proj-1", SecretStr("sk-proj-1")),
    ("base-url", "https://llm.example.com:8443/v1/", "https://llm.example.com:8443/v1"),
    ("judge-model", "gpt-5 (preview)", "gpt-5 (preview)"),
    ("app-env", "DATABASE_URL, FLAG\nREGION\n\nFLAG", ("DATABASE_URL", "FLAG", "REGION")),
    ("repeat", "20", 20),
    ("max-concurrency", "1000", 1000),
    ("max-cases", "200", 200),
    ("max-cost-usd", "$0.50", 0.5),
    ("timeout-minutes", "30", 30.0),
    ("on-inconclusive", "pass", "pass"),
    ("on-missing-baseline", "warn", "warn"),
    ("fail-on", "never", "never"),
    ("comment-mode", "on-failure", "on-failure"),
    ("comment-key", "chat/ko", "chat/ko"),
    ("check-run", "True", True),
    ("check-name", "LLM eval gate", "LLM eval gate"),
    ("job-summary", "false", False),
    ("show-outputs", "false", False),
    ("report-path", "out/report", "out/report"),
    ("github-token", "ghs_1", SecretStr("ghs_1")),
    ("artifact-path", "fork-report", "fork-report"),
)
WRONG = (
    ("config-file", "../secrets.yml"),
    ("config-file", "/etc/passwd"),
    ("config-file", ".GIT/config"),
    ("working-directory", "apps\\chat"),
    ("dataset-path", "~/golden.jsonl"),
    ("base-ref", "--upload-pack=touch /tmp/x"),
    ("base-ref", "main..head"),
    ("head-ref", "a b"),
    ("config-ref", "main\u202e"),
    ("pr-number", "0"),
    ("pr-number", "７"),
    ("pr-number", "1_000"),
    ("head-sha", "a1b2c3d"),
    ("compare-mode", "rebase"),
    ("api-key", "sk-1 sk-2"),
    ("base-url", "ftp://llm.example.com"),
    ("base-url", "https://name:word@llm.example.com"),
    ("base-url", "https://llm.example.com/v1?key=1"),
    ("base-url", "https://llm.example.com:port"),
    ("base-url", "https://[::1"),
    ("judge-model", "gpt\n5"),
    ("app-env", "DATABASE_URL=postgres"),
    ("app-env", "GITHUB_TOKEN"),
    ("app-env", "actions_runtime_token"),
    ("app-env", "INPUT_API_KEY"),
    ("repeat", "21"),
    ("repeat", "-1"),
    ("max-concurrency", "many"),
    ("max-cases", "0"),
    ("max-cost-usd", "5 EUR"),
    ("max-cost-usd", "-1"),
    ("max-cost-usd", "1e999"),
    ("timeout-minutes", "0"),
    ("timeout-minutes", "7201"),
    ("timeout-minutes", "$5"),
    ("on-inconclusive", "warning"),
    ("on-missing-baseline", "pass"),
    ("fail-on", "Regression"),
    ("comment-mode", "on-change,always"),
    ("comment-key", "a -->"),
    ("comment-key", "a--b"),
    ("check-run", "yes"),
    ("check-name", "x" * 101),
    ("job-summary", "1"),
    ("show-outputs", "off"),
    ("report-path", "."),
    ("report-path", ".git/hooks"),
    ("report-path", "a/../../b"),
    ("github-token", "ghs\u00e9"),
    ("artifact-path", "../other"),
)


def variable(name: str) -> str:
    """As the runner names it."""
    return f"INPUT_{name.upper()}"


def outcome(environ: dict[str, str]) -> tuple[Inputs | None, ConfigError | None]:
    """The inputs, or the error."""
    try:
        return read_inputs(environ), None
    except ConfigError as error:
        return None, error


def test_the_examples_above_are_of_every_input() -> None:
    assert [name for name, *_ in GOOD] == [entry.name for entry in INPUTS]
    assert {name for name, _ in WRONG} == {entry.name for entry in INPUTS}
    assert {entry.field for entry in INPUTS} == {field.name for field in fields(Inputs)} - {"warnings"}


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_an_input_becomes_its_typed_value(name: str, text: str, value: object) -> None:
    field = name.replace("-", "_")
    assert getattr(read_inputs({variable(name): text}), field) == value
    assert getattr(read_inputs({f"INPUT_{field.upper()}": f" {text}\n"}), field) == value
    assert getattr(Inputs(), field) != value


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_wrong_value_is_named_with_what_was_expected(name: str, text: str) -> None:
    expected = next(entry.expected for entry in INPUTS if entry.name == name)
    with pytest.raises(ConfigError, match=f"^input '{name}': found .*, expected ") as caught:
        read_inputs({variable(name): text})
    assert expected in caught.value.message


def test_what_is_not_set_or_empty_has_the_default() -> None:
    empty = {variable(entry.name): "" for entry in INPUTS} | {"INPUT_FAIL-ON": " \n"}
    assert read_inputs({}) == read_inputs(empty) == Inputs()


def test_policy_has_no_default() -> None:
    policy = "dataset_path judge_model repeat max_concurrency max_cases max_cost_usd timeout_minutes on_inconclusive"
    assert [name for name in policy.split() if getattr(Inputs(), name) is not None] == []


def test_all_mistakes_are_told_at_once_in_the_order_of_the_docs() -> None:
    with pytest.raises(ConfigError) as caught:
        read_inputs({"INPUT_FAIL-ON": "nevr", "INPUT_REPEAT": "x", "INPUT_BASE-URL": "llm", "INPUT_MAX-CASE": "3"})
    assert caught.value.message.splitlines() == [
        "input 'base-url': found 'llm', expected an address such as `https://llm.example.com/v1`",
        "input 'repeat': found 'x', expected a whole number from 1 to 20",
        "input 'fail-on': found 'nevr', expected `regression`, `threshold` or `never` (did you mean 'never'?)",
        "input 'max-case' does not exist and has no effect; did you mean 'max-cases'?",
    ]
    assert caught.value.exit_code == 2


def test_a_slip_in_a_name_is_a_warning_with_the_nearest_name() -> None:
    inputs = read_inputs({"INPUT_FAIL-IN": "never", "INPUT_ZZZZ": "", "INPUT_XYZ": "1", "INPUT_ENTRYPOINT_": " "})
    assert inputs.warnings == (
        "input 'fail-in' does not exist and has no effect; did you mean 'fail-on'?",
        "input 'xyz' does not exist and has no effect",
    )
    assert inputs.fail_on == "regression"


def test_both_spellings_may_be_set_to_the_same_value_only() -> None:
    assert read_inputs({"INPUT_FAIL-ON": "never", "INPUT_FAIL_ON": "never "}).fail_on == "never"
    with pytest.raises(ConfigError, match="input 'fail-on': set twice"):
        read_inputs({"INPUT_FAIL-ON": "never", "INPUT_FAIL_ON": "regression"})


def test_times_and_money_are_read_with_their_units() -> None:
    for text, minutes in (("90s", 1.5), ("45m", 45), ("0.5", 0.5), ("45 min", 45)):
        assert read_inputs({"INPUT_TIMEOUT-MINUTES": text}).timeout_minutes == minutes
    for text, dollars in (("5", 5), ("$5", 5), ("5 USD", 5), (".25", 0.25), ("0", 0)):
        assert read_inputs({"INPUT_MAX-COST-USD": text}).max_cost_usd == dollars


def test_what_was_found_is_shown_short_on_one_line_and_without_commands_for_the_runner() -> None:
    hostile = "::error::\n::add-mask::x\x1b[31m##[group]" + "y" * 500
    with pytest.raises(ConfigError) as caught:
        read_inputs({"INPUT_FAIL-ON": hostile, f"INPUT_{hostile.upper()}": "1"})
    lines = caught.value.message.splitlines()
    assert len(lines) == 2
    assert all(
        len(line) < 200 and not line.startswith("::") and "##[" not in line and "\x1b" not in line for line in lines
    )


def test_a_name_and_password_in_an_address_are_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        read_inputs({"INPUT_BASE-URL": "https://alice:hunter2@llm.example.com"})
    assert "hunter2" not in str(caught.value)
    assert "use `api-key`" in str(caught.value)


@given(st.sampled_from(["api-key", "github-token"]), st.text().map(lambda text: f"sk-q7{text}z"))
def test_a_key_is_never_shown_whether_it_is_right_or_wrong(name: str, key: str) -> None:
    inputs, error = outcome({variable(name): key})
    assert "sk-q7" not in f"{inputs} {inputs!r} {error} {error!r}"


def test_inputs_are_not_pickled_or_copied_because_that_would_show_keys() -> None:
    inputs = read_inputs({"INPUT_API-KEY": "sk-proj-1"})
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(inputs, protocol)
    with pytest.raises(TypeError, match="not pickled"):
        copy.deepcopy(inputs)


@given(st.dictionaries(st.sampled_from([variable(entry.name) for entry in INPUTS]), st.text()))
def test_anything_at_all_is_read_or_is_one_clear_error(environ: dict[str, str]) -> None:
    _, error = outcome(environ)
    if error is not None:
        assert error.message.startswith("input '")
        assert len(error.message.splitlines()) <= len(environ)
        assert len(error.message) < 400 * len(environ)


@given(st.from_regex(r"[\x00-\xff/.~\\]{1,30}", fullmatch=True))
def test_no_path_leads_out_of_the_repository(text: str) -> None:
    inputs, _ = outcome({"INPUT_REPORT-PATH": text})
    if inputs is not None:
        assert not inputs.report_path.startswith(("/", "~"))
        assert not {"..", ".git", ""} & set(inputs.report_path.lower().split("/"))
