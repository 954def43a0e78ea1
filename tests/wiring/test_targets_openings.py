"""What an app needs and the cage has not: opened where base's config names it, else told, and never a silent failure."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.commands import Said, command, right
from tests.standin.threaded import running
from tests.wiring.process_apps import PYTHON, WORKER, config, process_app

COMMAND = "{{command: python3 app.py, provider: standin}}"
NO_MORE = {"note_dot_md": "nothing of the app"}
APP = WORKER.replace("{BEFORE}", "pass")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that both sides' users can get to, as a person's home often is."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def put(path: Path, text: str) -> Path:
    """A program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def gate(tmp_path: Path, text: str, app: str, *, head: dict[str, str] | None = None, **environ: str) -> Said:
    with running(right) as server:
        repo = process_app(
            tmp_path / "app", server.url, text, cases=2, base={"app_dot_py": app}, head=head or NO_MORE
        )  # fmt: skip
        return command(tmp_path / "home", "gate", "--repo", str(repo), "--json", cwd=None, **environ)


def failures(said: Said) -> list[object]:
    assert said.out, said.err
    return [case[side]["failure"] for case in said.json["cases"] for side in ("base", "head") if case[side]["failure"]]


def test_pyenvs_shims_start_the_app(tmp_path: Path, open_folder: Path) -> None:
    pyenv = open_folder / ".pyenv"
    (pyenv / "versions" / "3" / "bin").mkdir(parents=True)
    (pyenv / "versions" / "3" / "bin" / "python").symlink_to(PYTHON)
    put(pyenv / "libexec" / "pyenv", f'#!/bin/sh\nshift; name=$1; shift; exec "{pyenv}/versions/3/bin/$name" "$@"\n')
    put(pyenv / "shims" / "python", f'#!/bin/sh\nexec "{pyenv}/libexec/pyenv" exec "${{0##*/}}" "$@"\n')
    (open_folder / "secret").write_text("of a person")
    peek = (
        f"import os\ntry:\n  open('{open_folder}/secret')\n  raise SystemExit('read')\nexcept PermissionError: pass\n"
    )
    text = config("{{command: python app.py, provider: standin}}")
    said = gate(tmp_path, text, peek + APP, PATH=f"{pyenv}/shims:/usr/bin:/bin")
    assert failures(said) == []


def test_a_shim_that_finds_nothing_in_the_cage_ends_the_run_before_the_first_case(
    tmp_path: Path, open_folder: Path
) -> None:
    put(open_folder / ".asdf" / "shims" / "python", "#!/bin/sh\nexec asdf exec python\n")
    text = config("{{command: python app.py, provider: standin}}")
    said = gate(tmp_path, text, APP, PATH=f"{open_folder}/.asdf/shims:/usr/bin:/bin")
    assert said.code == 2
    assert "version manager's shim" in said.err


@pytest.mark.parametrize("there", [True, False])
def test_a_program_that_the_set_up_brings_comes_before_a_shim_of_its_name(
    tmp_path: Path, open_folder: Path, *, there: bool
) -> None:
    put(open_folder / ".asdf" / "shims" / "serve", "#!/bin/sh\nexec asdf exec serve\n")
    made = "install -m 755 app.py $VIRTUAL_ENV/bin/serve" if there else "exit 0"
    text = config(
        "{{command: serve, provider: standin}}", more=f"setup: {{{{run: [[sh, -c, {made}]], python: {PYTHON}}}}}\n"
    )
    app = "#!/usr/bin/env python3\nimport sys\nsys.path.insert(0, '.')\n" + APP
    said = gate(tmp_path, text, app, PATH=f"{open_folder}/.asdf/shims:/usr/bin:/bin")
    if there:
        assert failures(said) == []
    else:
        assert (said.code, "version manager's shim" in said.err) == (2, True)


def test_the_set_up_starts_a_program_in_a_home_and_what_it_may_not_start_is_told(
    tmp_path: Path, open_folder: Path
) -> None:
    tool = put(open_folder / ".local" / "bin" / "tool", '#!/bin/sh\n[ $# = 0 ] || exec "$@"\n')
    other = put(open_folder / ".local" / "bin" / "other", "#!/bin/sh\n")
    path = f"{tool.parent}:/usr/bin:/bin"
    said = gate(tmp_path / "a", config(COMMAND, more=f"setup: {{{{run: [tool], python: {PYTHON}}}}}\n"), APP, PATH=path)
    assert failures(said) == []
    text = config(COMMAND, more=f"setup: {{{{run: [tool {other}], python: {PYTHON}}}}}\n")
    said = gate(tmp_path / "b", text, APP, PATH=path)
    assert said.code == 2
    assert "sandbox: {read: [...]}" in said.err
    assert "closed in the sandbox" in said.err


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("open('/tmp/llm-eval-gate-never', 'w')", True),
        ("import multiprocessing; multiprocessing.Lock()", True),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", True),
        ("import socket; socket.getaddrinfo('example.org', 443)", True),
        ("raise ValueError('a mistake of its own')", False),
    ],
)
def test_an_app_that_meets_a_closed_door_is_told_of_the_sandbox_once(tmp_path: Path, before: str, told: bool) -> None:
    said = gate(tmp_path, config(COMMAND), WORKER.replace("{BEFORE}", before))
    assert len(failures(said)) == 4
    assert sum("perhaps the sandbox" in note for note in said.json["notes"]) == told


def test_a_python_function_that_meets_a_closed_door_is_told_too(tmp_path: Path) -> None:
    text = config(f"{{{{python: {{{{function: 'app:answer', interpreter: {PYTHON}}}}}, provider: standin}}}}")
    said = gate(tmp_path, text, "def answer(question):\n  open('/tmp/llm-eval-gate-never', 'w')\n")
    assert len(failures(said)) == 4
    assert sum("perhaps the sandbox" in note for note in said.json["notes"]) == 1


def test_a_server_on_a_port_of_its_own_choice_is_told_that_it_is_closed(tmp_path: Path) -> None:
    text = config("{{http: {{run: python3 app.py, answer: $.text}}, provider: standin}}")
    app = "import socket, sys\ntry:\n  socket.create_server(('127.0.0.1', 8765))\nexcept OSError as error:\n  sys.exit(str(error))\n"
    said = gate(tmp_path, text, app)
    assert said.code == 2
    assert "Permission denied" in said.err
    assert "in the sandbox all other ports are closed to it" in said.err


def test_an_app_that_cannot_start_behind_a_closed_door_is_told_of_the_sandbox(tmp_path: Path) -> None:
    text = config(f"{{{{python: {{{{function: 'app:answer', interpreter: {PYTHON}}}}}, provider: standin}}}}")
    said = gate(tmp_path, text, "open('/tmp/llm-eval-gate-never', 'w')\n")
    assert said.code == 2
    assert "perhaps the sandbox: it closes /tmp" in said.err


def test_what_the_config_opens_and_is_not_here_is_a_note_and_a_warning(tmp_path: Path) -> None:
    text = config(
        "{{command: {{run: python3 app.py, env: [THERE, APP_FLAG]}}, provider: standin}}",
        more="sandbox: {{read: [/opt/no-such-data, /usr], env: [FLAGS]}}\n",
    )
    said = gate(tmp_path, text, APP, THERE="")
    told = [
        "llm-eval-gate.yml:15: sandbox.read: /opt/no-such-data is not there, or not for us to see",
        "llm-eval-gate.yml:15: sandbox.env: not set here: FLAGS",
        "llm-eval-gate.yml:3: target.command.env: not set here: APP_FLAG",
    ]
    assert [note for note in said.json["notes"] if "not set here" in note or "sandbox.read" in note] == told
    checked = command(tmp_path / "home", "validate", "--repo", str(tmp_path / "app"), THERE="")
    assert checked.code == 0
    for line in told:
        assert f"warning: {line}\n" in checked.out
    fine = command(
        tmp_path / "home", "validate", "--repo", str(tmp_path / "app"), THERE="", FLAGS="a", APP_FLAG="secret"
    )
    assert "not set here" not in fine.out
    assert "secret" not in fine.out + checked.out
