"""The job's surroundings: read from the environment, GitHub Enterprise included, tokens hidden, the report kept inside."""

import pickle
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from evaluator.errors import ConfigError
from evaluator.github.settings import Settings, make_report_folder

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """As on a runner, for a pull request."""
    (tmp_path / "workspace").mkdir()
    return {
        "GITHUB_API_URL": "https://api.github.com",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": "/github/workflow/event.json",
        "GITHUB_OUTPUT": "/github/file_commands/set_output_1",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_REPOSITORY": "octo-org/chat.app",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_RUN_ID": "15001",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_SHA": SHA,
        "GITHUB_STEP_SUMMARY": "/github/file_commands/step_summary_1",
        "GITHUB_WORKSPACE": str(tmp_path / "workspace"),
        "INPUT_API-KEY": "sk-provider",
        "INPUT_FAIL-ON": "threshold",
        "INPUT_GITHUB-TOKEN": "ghs_job",
    }


def open_files() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_everything_is_read(environ: dict[str, str], tmp_path: Path) -> None:
    settings = Settings.from_environ(environ)
    assert settings.event_name == "pull_request"
    assert settings.event_path == Path("/github/workflow/event.json")
    assert settings.repository == "octo-org/chat.app"
    assert settings.workspace == tmp_path / "workspace"
    assert (settings.sha, settings.ref) == (SHA, "refs/pull/7/merge")
    assert (settings.run_id, settings.run_attempt) == (15001, 1)
    assert settings.api_url == "https://api.github.com"
    assert settings.output_file == Path("/github/file_commands/set_output_1")
    assert settings.summary_file == Path("/github/file_commands/step_summary_1")
    assert settings.token.get_secret_value() == "ghs_job"
    assert settings.inputs.fail_on == "threshold"
    assert settings.run_url == "https://github.com/octo-org/chat.app/actions/runs/15001"


def test_it_cannot_be_changed(environ: dict[str, str]) -> None:
    settings = Settings.from_environ(environ)
    with pytest.raises(FrozenInstanceError):
        settings.sha = "b" * 40  # type: ignore[misc]


def test_a_second_attempt_has_a_page_of_its_own(environ: dict[str, str]) -> None:
    settings = Settings.from_environ(environ | {"GITHUB_RUN_ATTEMPT": "3"})
    assert settings.run_url.endswith("/actions/runs/15001/attempts/3")


def test_tokens_are_in_no_form_of_it_that_could_be_logged(environ: dict[str, str]) -> None:
    settings = Settings.from_environ(environ)
    shown = f"{settings} {settings!r} {settings:} %s" % settings  # all ways that a log knows
    assert "ghs_job" not in shown
    assert "sk-provider" not in shown
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(settings)
    assert {secret.get_secret_value() for secret in settings.secrets} == {"ghs_job", "sk-provider"}


def test_on_the_runner_itself_the_token_is_the_jobs_variable(environ: dict[str, str]) -> None:
    del environ["INPUT_GITHUB-TOKEN"]
    assert Settings.from_environ(environ | {"GITHUB_TOKEN": "ghs_env\n"}).token.get_secret_value() == "ghs_env"
    with pytest.raises(ConfigError, match="'github-token': found nothing"):
        Settings.from_environ(environ)


def test_files_that_the_runner_does_not_give_are_none(environ: dict[str, str]) -> None:
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        environ[name] = ""
    settings = Settings.from_environ(environ)
    assert (settings.output_file, settings.summary_file) == (None, None)


@pytest.mark.parametrize(
    ("server", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://git.example.com/", "https://git.example.com/api/v3"),
        ("https://octo.ghe.com", "https://api.octo.ghe.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v3"),
    ],
)
def test_an_enterprise_servers_address_is_derived_where_the_runner_does_not_give_it(
    environ: dict[str, str], server: str, api: str
) -> None:
    del environ["GITHUB_API_URL"]
    settings = Settings.from_environ(environ | {"GITHUB_SERVER_URL": server})
    assert settings.api_url == api
    assert settings.run_url.startswith(server.rstrip("/") + "/octo-org/")


def test_an_enterprise_servers_address_is_taken_as_given(environ: dict[str, str]) -> None:
    settings = Settings.from_environ(environ | {"GITHUB_API_URL": "https://git.example.com/rest/"})
    assert settings.api_url == "https://git.example.com/rest"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("GITHUB_EVENT_NAME", ""),
        ("GITHUB_EVENT_NAME", "../x"),
        ("GITHUB_EVENT_PATH", "event.json"),
        ("GITHUB_REPOSITORY", "octo-org"),
        ("GITHUB_REPOSITORY", "a/b/c"),
        ("GITHUB_SHA", "main"),
        ("GITHUB_RUN_ID", "1e3"),
        ("GITHUB_RUN_ATTEMPT", "-1"),
        ("GITHUB_WORKSPACE", "relative"),
        ("GITHUB_WORKSPACE", "/no/such/folder"),
        ("GITHUB_API_URL", "file:///etc/passwd"),
        ("GITHUB_API_URL", "https://name:word@example.com"),
        ("GITHUB_SERVER_URL", "https://[broken"),
        ("GITHUB_OUTPUT", "output"),
    ],
)
def test_a_variable_that_the_runner_would_not_set_so_is_an_error(
    environ: dict[str, str], name: str, found: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: found .* expected ") as caught:
        Settings.from_environ(environ | {name: found})
    assert "llm-eval-gate gate" in caught.value.hint


def test_outside_of_a_workflow_the_error_says_what_to_use_instead() -> None:
    with pytest.raises(ConfigError, match="found nothing") as caught:
        Settings.from_environ({})
    assert "llm-eval-gate gate" in str(caught.value)


def test_unknown_inputs_are_handed_on_as_warnings(environ: dict[str, str]) -> None:
    warnings = Settings.from_environ(environ | {"INPUT_MAX-COST": "5"}).inputs.warnings
    assert warnings == ("input 'max-cost' does not exist and has no effect; did you mean 'max-cost-usd'?",)


def test_the_report_folder_is_made_below_the_workspace_and_may_be_there_already(environ: dict[str, str]) -> None:
    settings = Settings.from_environ(environ | {"INPUT_REPORT-PATH": "out/gate"})
    folder = make_report_folder(settings)
    assert folder == settings.workspace / "out" / "gate"
    (folder / "result.json").write_text("{}")
    (folder / "cases").mkdir()
    before = open_files()
    assert make_report_folder(settings) == folder
    assert (folder / "result.json").read_text() == "{}"
    assert open_files() == before


def test_a_link_that_a_change_planted_does_not_lead_the_report_out(environ: dict[str, str], tmp_path: Path) -> None:
    workspace, outside = tmp_path / "workspace", tmp_path / "outside"
    outside.mkdir()
    for planted, path in (("report", "report"), ("out", "out/report")):
        (workspace / planted).symlink_to(outside)
        with pytest.raises(ConfigError, match=r"'report-path': .*a symbolic link or a file is in the way"):
            Settings.from_environ(environ | {"INPUT_REPORT-PATH": path})
    assert list(outside.iterdir()) == []


def test_a_link_planted_after_the_start_is_seen_when_the_folder_is_made(
    environ: dict[str, str], tmp_path: Path
) -> None:
    settings = Settings.from_environ(environ)
    outside = tmp_path / "outside"
    outside.mkdir()
    (settings.workspace / "llm-eval-gate-report").symlink_to(outside)
    with pytest.raises(ConfigError, match="report-path"):
        make_report_folder(settings)
    assert list(outside.iterdir()) == []


def test_a_link_inside_the_folder_is_refused_because_writing_would_follow_it(
    environ: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "workspace" / "llm-eval-gate-report"
    folder.mkdir()
    (folder / "result.json").symlink_to(tmp_path / "target")
    with pytest.raises(ConfigError, match=r"holds result\.json, which is no plain file"):
        Settings.from_environ(environ)


def test_a_file_where_the_folder_should_be_is_an_error(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "workspace" / "llm-eval-gate-report").write_text("")
    with pytest.raises(ConfigError, match="a file is in the way"):
        Settings.from_environ(environ)
