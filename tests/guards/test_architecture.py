"""The rules that keep the house in order, held against the code itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "whatworks"
MODULES: Final = sorted(PACKAGE.rglob("*.py"))
LONGEST_MODULE: Final = 400
LONGEST_FUNCTION: Final = 50

# From the ground up: a module imports from the rows above its own, and from its own.
FLOORS: Final = (
    "errors clock settings models stats guides",
    "db mail signed storage currencies api_docs",
    "idempotency people catalogue export",
    "store",
    "gateways execution upgrades",
    "shop",
    "notices",
    "checkout",
    "refunds",
    "reconcile",
    "results",
    "evidence",
    "advice reminders retractions",
    "jobs",
    "web",
    "app backup",
    "server demo wsgi",
    "cli",
    "__main__",
)
FLOOR: Final = {name: number for number, row in enumerate(FLOORS) for name in row.split()}


def name_of(path: Path) -> str:
    """`web.http` for whatworks/web/http.py; "" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


NAMES: Final = {name_of(path) for path in MODULES}


def imports(path: Path) -> Iterator[str]:
    """Modules of ours that a module imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("whatworks"):
            base = str(node.module).removeprefix("whatworks").removeprefix(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".lstrip(".")
                yield full if full in NAMES else base
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("whatworks."):
                    yield alias.name.removeprefix("whatworks.")


def floor(name: str) -> int:
    head = name.split(".", maxsplit=1)[0]
    assert head in FLOOR, f"give {head} its place in FLOORS"
    return FLOOR[head]


def test_imports_lead_down() -> None:
    wrong = [
        f"{name_of(path)} imports {other}"
        for path in MODULES
        for other in imports(path)
        if other and name_of(path) and floor(other) > floor(name_of(path))
    ]
    assert wrong == []


def test_imports_make_no_circle() -> None:
    below = {name_of(path): {o for o in imports(path) if o != name_of(path)} for path in MODULES}
    while below:
        free = [name for name, others in below.items() if not others & below.keys()]
        assert free, f"a circle among {sorted(below)}"
        for name in free:
            del below[name]


def test_rooms_make_no_circle() -> None:
    """Packages are rooms: no two need each other, not even by way of different modules."""
    below: dict[str, set[str]] = {}
    for path in MODULES:
        room = name_of(path).split(".", maxsplit=1)[0]
        below.setdefault(room, set()).update(o.split(".", maxsplit=1)[0] for o in imports(path))
    while below:
        free = [room for room, others in below.items() if not others - {room} & below.keys()]
        assert free, f"a circle among {sorted(below)}"
        for room in free:
            del below[room]


def test_imports_stand_at_the_top() -> None:
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inside = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
                assert not inside, f"{path}: {node.name} imports"
        assert "TYPE_CHECKING" not in path.read_text(encoding="utf-8"), path


def dotted(node: ast.AST) -> str:
    """`time.time` for what is written so."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "…"


def mentions(path: Path) -> Iterator[tuple[int, str]]:
    """Names and attributes in use; what is called with nothing has () behind it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Name | ast.Attribute):
            yield node.lineno, dotted(node)
        elif isinstance(node, ast.Call) and not node.args and not node.keywords:
            yield node.lineno, f"{dotted(node.func)}()"


ONLY: Final = {
    "reads the environment": (
        r"os\.(environb?|getenvb?|putenv|unsetenv|path\.expandvars)",
        {"settings"},
    ),
    "knows the time": (
        r"(datetime|date|dt)\.(.*\.)?(now|utcnow|today)|time\.(time|time_ns|localtime|gmtime|ctime)"
        r"|uuid(_utils)?\.uuid[167]|formatdate\(\)",
        {"clock"},
    ),
    "commits": (r".*\.(commit|begin_nested)", {"db"}),
    "makes an engine": (r"create_engine|sessionmaker|db\.engine", {"db", "upgrades", "backup"}),
    "prints": (r"print|input|breakpoint", set[str]()),
    "runs text": (r"eval|exec|compile|__import__|importlib\..*|pickle\..*", set[str]()),
}


@pytest.mark.parametrize("what", ONLY)
def test_only_one_room(what: str) -> None:
    pattern, allowed = ONLY[what]
    for path in MODULES:
        if name_of(path).split(".", maxsplit=1)[0] not in allowed:
            for line, found in mentions(path):
                assert not re.fullmatch(pattern, found), f"{path}:{line} {found}"


def test_transactions_end_only_in_db() -> None:
    for path in MODULES:
        if name_of(path).split(".", maxsplit=1)[0] in ("db", "upgrades"):
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                ends = re.fullmatch(r"(BEGIN|COMMIT|ROLLBACK|SAVEPOINT)\b[A-Z ]*;?", node.value)
                assert not ends, f"{path}:{node.lineno}"


def test_doors_and_pages_ask_no_database() -> None:
    for path in (PACKAGE / "web").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\bsqlalchemy\b|\bselect\(|whatworks\.models", text), path
    for path in (PACKAGE / "templates").rglob("*.*"):
        assert not re.search(r"\bSELECT\b.*\bFROM\b|\|\s*tojson\s*\|\s*safe", path.read_text()), (
            path
        )


def test_rooms_know_no_flask() -> None:
    for path in MODULES:
        name = name_of(path)
        if name.split(".")[0] not in {"web", "app", "server"}:
            found = re.search(r"^(from|import) (flask|werkzeug)\b", path.read_text(), re.MULTILINE)
            assert not found, path


def test_statistics_are_pure() -> None:
    for path in (PACKAGE / "stats").rglob("*.py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = getattr(node, "module", None) or node.names[0].name
                pure = r"(__future__|math|statistics|functools|itertools|collections|typing|numpy"
                pure += r"|dataclasses|whatworks\.stats)(\..*)?"
                assert re.fullmatch(pure, named), f"{path}:{node.lineno} {named}"


def test_sizes() -> None:
    for path in MODULES:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= LONGEST_MODULE, f"{path}: {lines} lines"
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                long = (node.end_lineno or node.lineno) - node.lineno + 1
                assert long <= LONGEST_FUNCTION, f"{path}: {node.name} has {long} lines"


def test_everything_public_says_what_it_promises() -> None:
    for path in MODULES:
        assert ast.get_docstring(tree(path)), path
        if name_of(path).startswith("db."):  # its promises stand in db itself
            continue
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path}: {node.name}"


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "base"}
    assert not [path for path in MODULES if path.stem in drawers]


def test_the_package_speaks_only_of_itself() -> None:
    unfinished = "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3))
    strangers = r"/work/|/tmp/|\bthis machine\b|\bhelper\b|\bassistant\b|\bcolleague"
    hosts = r"(pypi|pythonhosted|npmjs|deb\.debian)\.(org|com)"
    pattern = re.compile(rf"\b({unfinished})\b|{strangers}|{hosts}")
    texts = [*MODULES, *(PACKAGE / "templates").rglob("*.*"), *ROOT.glob("*.md")]
    texts += [*(ROOT / "docs").rglob("*.md"), *(ROOT / "alembic").rglob("*.py")]
    for path in texts:
        found = pattern.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path}: {found}"
