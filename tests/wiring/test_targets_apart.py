"""Base and head run side by side: modules, files, ports and users of one never reach the other."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.pipeline.commands import Said, command, right
from tests.setup.wheels import make_wheel
from tests.standin.threaded import running
from tests.wiring.process_apps import PYTHON, config, process_app

COMMAND = "{{command: python3 app.py, provider: standin}}"
TELL = """
import json, sys
for line in sys.stdin:
    question = json.loads(line)
    try:
        output = look(question)
    except Exception as error:
        output = type(error).__name__
    print(json.dumps({"id": question["id"], "output": output}), flush=True)
"""


def look(tmp_path: Path, body: str, *, text: str = "", base: str = "", **environ: str) -> Said:
    """A gate whose app answers what `look` gives at head."""
    base_app = f"import os, sys\nWHO = 'base'\ndef look(question):\n  {base or body}\n{TELL}"
    head_app = f"import os, sys\nWHO = 'head'\ndef look(question):\n  {body}\n{TELL}"
    with running(right) as server:
        repo = process_app(
            tmp_path / "app", server.url, text or config(COMMAND), cases=2,
            base={"app_dot_py": base_app, "own_dot_py": "WHO = 'base'"},
            head={"app_dot_py": head_app, "own_dot_py": "WHO = 'head'"},
        )  # fmt: skip
        return command(tmp_path / "home", "gate", "--repo", str(repo), "--json", cwd=None, **environ)


def said_by(said: Said, side: str) -> list[object]:
    assert said.out, said.err
    return [case[side]["data"] if case[side]["text"] is None else case[side]["text"] for case in said.json["cases"]]


def test_each_side_imports_its_own_modules_in_its_own_checkout(tmp_path: Path) -> None:
    body = "import own; return [own.WHO, os.path.realpath(own.__file__) == os.path.join(os.getcwd(), 'own.py')]"
    said = look(tmp_path, body, PYTHONPATH="/nowhere")
    assert said_by(said, "base") == [["base", True]] * 2
    assert said_by(said, "head") == [["head", True]] * 2


def test_an_app_sees_an_environment_of_its_own(tmp_path: Path) -> None:
    text = config(COMMAND, more="sandbox: {{env: [ALLOWED]}}\n")
    said = look(
        tmp_path, "return dict(os.environ)", text=text, ALLOWED="yes", GITHUB_TOKEN="ghs-secret", PYTHONPATH="/x"
    )
    base, head = (cast("list[Any]", said_by(said, side)[0]) for side in ("base", "head"))
    assert isinstance(base, dict) and isinstance(head, dict)
    for seen in (base, head):
        assert seen["ALLOWED"] == "yes"
        assert not {"GITHUB_TOKEN", "PYTHONPATH", "STANDIN_KEY"} & set(seen)
        assert "secret" not in json.dumps(seen)
        assert seen["HOME"] == seen["TMPDIR"]
        assert seen["OPENAI_API_KEY"].startswith("sk-door-")
    for name in ("HOME", "PYTHONPYCACHEPREFIX", "OPENAI_API_KEY"):
        assert base[name] != head[name]


def test_what_head_writes_base_does_not_find(tmp_path: Path) -> None:
    body = (
        "open('own.py', 'w').write('x = 1'); open(os.path.join(os.environ['TMPDIR'], 'f'), 'w').write('x');"
        " return sorted(os.listdir('.')) + sorted(n for n in os.listdir(os.environ['TMPDIR']) if n[0] != '.')"
    )
    said = look(tmp_path, body, base="import own; return [own.WHO, os.listdir(os.environ['TMPDIR'])]")
    assert "f" in str(said_by(said, "head")[0])
    assert all(row == ["base", []] or str(row).startswith("['base', ['.") for row in said_by(said, "base"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives each side a user of its own")
def test_each_side_has_a_user_of_its_own_and_the_others_folder_is_closed(tmp_path: Path) -> None:
    body = (
        "import glob; mine = os.getcwd(); other = mine.replace('/head', '/base') if WHO == 'head' else mine.replace('/base', '/head');"
        " found = []\n  for path in (other + '/own.py', os.environ['HOME'].replace(WHO, 'base' if WHO == 'head' else 'head') + '/x'):\n"
        "    try: open(path).read(); found.append('read ' + path)\n    except OSError as error: found.append(type(error).__name__)\n"
        "  return [os.getuid(), os.getgid(), os.getgroups(), found]"
    )
    said = look(tmp_path, body)
    base, head = (cast("list[Any]", said_by(said, side)[0]) for side in ("base", "head"))
    assert base[2:] == head[2:] == [[], ["PermissionError", "PermissionError"]]
    assert base[0] == base[1] >= 61_000
    assert head[0] == head[1] == base[0] + 1


def test_head_cannot_widen_its_own_cage(tmp_path: Path) -> None:
    body = "import socket\n  try: socket.create_connection(('127.0.0.1', int(question['input'].split()[-1]) + 22), 1); return 'out'\n  except OSError as error: return error.errno"
    text = config(COMMAND)
    base_app = f"import os\ndef look(question):\n  {body}\n{TELL}"
    with running(right) as server:
        repo = process_app(
            tmp_path / "app", server.url, text, cases=2, base={"app_dot_py": base_app},
            head={"llm-eval-gate_dot_yml": text.format(url=server.url) + "sandbox: {network: allow}\n"},
        )  # fmt: skip
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    assert said_by(said, "head") == [13, 13], said.json["notes"]  # EACCES: not merely nobody there
    assert any(
        "sandbox" in change["what"] or change["path"] == "llm-eval-gate.yml" for change in said.json["policy_changes"]
    )


def test_two_servers_have_ports_of_their_own_and_cannot_ask_each_other(tmp_path: Path) -> None:
    code = """
import http.server, json, os, socket
WHO = "{WHO}"
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        reached = []
        for port in range(PORT - 60, PORT + 60):
            if port != PORT:
                with socket.socket() as probe:
                    probe.settimeout(0.2)
                    if probe.connect_ex(("127.0.0.1", port)) == 0: reached.append(port)
        door = int(os.environ["OPENAI_BASE_URL"].rpartition(":")[2].partition("/")[0])
        body = json.dumps({"who": WHO, "port": PORT, "reached": [p for p in reached if p != door]}).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
PORT = int(os.environ["PORT"])
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
"""
    text = config("{{http: {{run: python3 app.py, answer: $}}, provider: standin}}")
    with running(right) as server:
        repo = process_app(
            tmp_path / "app", server.url, text, cases=2, base={"app_dot_py": code.replace("{WHO}", "base")},
            head={"app_dot_py": code.replace("{WHO}", "head")},
        )  # fmt: skip
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    rows = {side: said_by(said, side)[0] for side in ("base", "head")}
    assert all(isinstance(row, dict) for row in rows.values()), said.json["notes"]
    assert [row["who"] for row in rows.values() if isinstance(row, dict)] == ["base", "head"]
    assert len({row["port"] for row in rows.values() if isinstance(row, dict)}) == 2
    assert [row["reached"] for row in rows.values() if isinstance(row, dict)] == [[], []]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that both sides' users can read, as an index and a system's programs are."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_each_side_has_the_packages_of_its_own_lock_file(tmp_path: Path, open_folder: Path) -> None:
    wheels, programs = open_folder / "wheels", put_uv(open_folder / "bin")
    for version in ("1.0", "2.0"):
        make_wheel(wheels, "dep", version, f"VERSION = '{version}'\n")
    text = config(
        "{{command: python app.py, provider: standin}}",
        more=(
            f"setup: {{{{run: ['uv pip install --no-index -r requirements.txt'], python: {PYTHON}, env: [UV_FIND_LINKS, UV_LINK_MODE]}}}}\n"
            f"sandbox: {{{{read: [{wheels}]}}}}\n"
        ),
    )
    app = f"import os, sys\ndef look(question):\n  import dep; return [dep.VERSION, sys.prefix != sys.base_prefix]\n{TELL}"
    environ = {"UV_FIND_LINKS": str(wheels), "UV_LINK_MODE": "copy", "PATH": f"{programs}:/usr/bin:/bin"}
    with running(right) as server:
        repo = process_app(
            tmp_path / "app", server.url, text, cases=2,
            base={"app_dot_py": app, "requirements_dot_txt": "dep==1.0\n"}, head={"requirements_dot_txt": "dep==2.0\n"},
        )  # fmt: skip
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json", cwd=None, **environ)
        assert said_by(said, "base") == [["1.0", True]] * 2, said.json["notes"]
        assert said_by(said, "head") == [["2.0", True]] * 2
        assert len(list((tmp_path / "home" / "venvs").iterdir())) == 2
        broken = process_app(
            tmp_path / "broken", server.url, text, cases=2,
            base={"app_dot_py": app, "requirements_dot_txt": "dep==1.0\n"}, head={"requirements_dot_txt": "dep==3.0\n"},
        )  # fmt: skip
        said = command(tmp_path / "home", "gate", "--repo", str(broken), "--json", cwd=None, **environ)
    assert said.code == 2
    assert "setup failed at head" in said.err
    assert "dep" in said.err


def put_uv(folder: Path) -> Path:
    """Put uv where any user can start it."""
    candidates = [Path(sys.base_prefix) / "bin" / "uv", Path(shutil.which("uv") or "/none")]
    found = next((path for path in candidates if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"), None)
    if found is None:
        pytest.skip("needs uv")
    folder.mkdir()
    shutil.copy2(found, folder / "uv")
    return folder


REACHED = """import socket
  own = int(os.environ["OPENAI_BASE_URL"].split(":")[2].split("/")[0])
  lines = [line.split() for line in open("/proc/net/tcp").readlines()[1:]]
  ports = {int(line[1].split(":")[1], 16) for line in lines if line[3] == "0A"}
  def reached(port):
    try:
      socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
      return False
    return True
  return [own, len(ports) > 1, sorted(port for port in ports if reached(port))]"""


def test_each_side_reaches_its_own_port_of_the_gateway_alone(tmp_path: Path) -> None:
    said = look(tmp_path, REACHED)
    ports = {}
    for side in ("base", "head"):
        own, others, reached = cast("list[Any]", said_by(said, side)[0])
        assert others, "there is another port to try"
        assert reached == [own]
        ports[side] = own
    assert ports["base"] != ports["head"]
