"""The house: rooms import only downwards, no circles, no crowded files, packages that each live in one room."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "evaluator"

ROOMS = (  # from the top floor to the cellar; a room imports only rooms below it
    "cli", "action", "starter", "noise", "pipeline", "comparison", "runner", "engines", "results", "wiring", "policy", "journal", "target", "scoring", "setup", "gateway", "worker", "sandbox", "gate", "stats",
    "github", "report", "source", "dataset", "config", "resources", "starting", "stopping", "records", "calls", "errors",
)  # fmt: skip
HOME_OF = {
    "openai": {"gateway"},
    "github": {"github"},
    "pyarrow": {"dataset"},
    "aiohttp": {"gateway", "target"},  # the app under test may be a server
    "aiodocker": {"target"},
    "genai_prices": {"gateway"},
    "ray": {"engines"},
    "xllamacpp": {"gateway"},
    # Arrays: statistics, and the two places that read them from files.
    "numpy": {"stats", "gate", "dataset", "results", "runner", "comparison", "noise"},
}
LONGEST = 350


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), path


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def test_every_room_is_on_a_floor() -> None:
    found = {room(name) for name, _ in modules()} - {"evaluator"}
    assert found <= set(ROOMS), found - set(ROOMS)


def test_rooms_import_only_rooms_below_them() -> None:
    names = {name for name, _ in modules()}
    wrong = []
    for name, path in modules():
        if name == "evaluator":
            continue
        for imported in imports(path) & names - {"evaluator"}:
            if ROOMS.index(room(imported)) < ROOMS.index(room(name)):
                wrong.append(f"{name} imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_by_a_detour() -> None:
    names = {name for name, _ in modules()}
    graph = {name: imports(path) & names - {name} for name, path in modules()}
    state: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if state.get(name) == 2:
            return
        assert state.get(name) != 1, " -> ".join((*trail, name))
        state[name] = 1
        for imported in graph[name]:
            # A package's __init__ hands on its own modules' names: that is no circle.
            if not name.startswith(f"{imported}."):
                visit(imported, (*trail, name))
        state[name] = 2

    for name in graph:
        visit(name, ())


def test_each_heavy_package_lives_in_its_own_rooms() -> None:
    wrong = []
    for name, path in modules():
        for imported in imports(path):
            homes = HOME_OF.get(imported.split(".")[0])
            if homes is not None and room(name) not in homes:
                wrong.append(f"{name} imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_no_file_is_crowded() -> None:
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
    long = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {path: count for path, count in long.items() if count > LONGEST} == {}


def test_init_files_only_hand_names_on() -> None:
    wrong = []
    for name, path in modules():
        if path.name == "__init__.py" and name != "evaluator":
            body = ast.parse(path.read_text("utf-8")).body
            allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.Expr)
            wrong += [f"{name}:{node.lineno}" for node in body if not isinstance(node, allowed)]
    assert not wrong, wrong
