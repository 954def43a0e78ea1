"""What is kept from run to run hangs on lock files alone; anything that may read more is made anew."""

import shlex
from pathlib import Path

import pytest

from evaluator.setup.inputs import lock_inputs


def inputs(root: Path, *commands: str) -> dict[str, bytes] | None:
    return lock_inputs([shlex.split(command) for command in commands], root)


@pytest.mark.parametrize(
    "command",
    [
        "uv pip install -r requirements.txt",
        "uv pip sync requirements.txt",
        "pip install --quiet --no-deps --require-hashes --requirement=requirements.txt",
        "python -m pip install -U -r requirements.txt -c constraints.txt",
        "pip install 'openai>=2,<3' pydantic[email]==2.1 'x; python_version < \"3.9\"'",
        "pip install --index-url https://index.example/simple httpx",
        "pip install 'git+https://example.org/x.git@0123' 'x @ https://example.org/x-1.whl'",
    ],
)
def test_installing_packages_hangs_on_lock_files(tmp_path: Path, command: str) -> None:
    (tmp_path / "requirements.txt").write_text("httpx==1  # why\n-r more/base.txt\n\nx==1 \\\n  --hash=sha256:0\n")
    (tmp_path / "constraints.txt").write_text("anyio<5\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.txt").write_text("-c ../constraints.txt\n")
    (tmp_path / "uv.lock").write_text("lock")
    (tmp_path / "app.py").write_text("code")
    if "requirements" in command:  # `..` is no path that we follow
        assert inputs(tmp_path, command) is None
    (tmp_path / "more" / "base.txt").write_text("anyio==4\n--index-url https://index.example/simple\n")
    found = inputs(tmp_path, command)
    assert found is not None
    assert {"requirements.txt", "constraints.txt", "uv.lock"} <= set(found)
    assert "app.py" not in found
    assert ("more/base.txt" in found) == ("requirements" in command)


@pytest.mark.parametrize(
    "command",
    [
        "pip install .", "pip install -e .", "uv pip install --editable .", "pip install ./pkg", "pip install pkg/",
        "pip install dist/x-1.whl", "pip install x.whl", "pip install /opt/x", "pip install file:x",
        "pip install x@file:///x", "pip install --find-links wheels x", "pip install -t . x", "pip install -r missing.txt",
        "pip install -r ../other.txt", "pip install -r /etc/requirements.txt", "pip install --index-url wheels x",
        "pip install --index-url http://index.example x", "pip download x", "uv sync", "uv sync --no-install-project", "uv sync --frozen",
        "uv sync --frozen --no-install-project", "uv pip install -r pyproject.toml",
        "npm ci", "poetry install", "make", "sh -c 'pip install x'", "./pip install x", "python setup.py develop", "pip",
        "python -m pip install --config-settings=a=b x", "uv pip install -r pyproject.toml --extra x", "pip install -r",
    ],
)  # fmt: skip
def test_anything_else_may_read_the_checkout(tmp_path: Path, command: str) -> None:
    (tmp_path / "pkg").mkdir()
    assert inputs(tmp_path, command) is None


@pytest.mark.parametrize(
    "text",
    [
        "-e .", "--editable=.", ".", "./pkg", "../pkg", "/opt/pkg", "file:pkg", "pkg @ file:///opt", "x-1.whl", "dir/x",
        "-r https://example.org/r.txt", "--find-links wheels", "-f wheels", "--index-url wheels", "-r other.txt",
        "x @ ./y", "\xff",
    ],
)  # fmt: skip
def test_a_requirement_file_that_reaches_for_the_checkout_is_not_trusted(tmp_path: Path, text: str) -> None:
    (tmp_path / "requirements.txt").write_bytes(b"httpx\n" + text.encode("latin-1") + b"\n")
    assert inputs(tmp_path, "pip install -r requirements.txt") is None


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("httpx\n")
    (tmp_path / "requirements.txt").symlink_to("real.txt")
    assert inputs(tmp_path, "pip install -r requirements.txt") is None
    (tmp_path / "folder").symlink_to(tmp_path)
    assert inputs(tmp_path, "pip install -r folder/real.txt") is None
    found = inputs(tmp_path, "pip install -r real.txt")
    assert found == {"real.txt": b"httpx\n"}


def test_files_that_include_one_another_end(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r b.txt\n")
    (tmp_path / "b.txt").write_text("-r requirements.txt\nhttpx\n")
    found = inputs(tmp_path, "pip install -r requirements.txt")
    assert found is not None
    assert set(found) == {"requirements.txt", "b.txt"}
