"""Who may import whom, which library is whose, and where collaborators are made.

The rule is drawn in docs/design/tree.md: one part can be read, tested and replaced without the
others.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import agent_task_tracker
import tracker
from tests.support.markdown import ROOT, Document

PACKAGE = Path(tracker.__file__).parent
SDK = agent_task_tracker.__name__

TREE = Document("docs/design/tree.md")

# Room: the modules and packages of it, and the rooms it may import besides itself.
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    # Users' code imports it: a project's own tracker.py may hide `tracker` from it.
    "sdk": ({SDK}, set()),
    # Former names of the SDK, for users' code alone.
    "former": ({"client", "pytest_plugin"}, {"sdk"}),
    "leaves": ({"errors", "clock", "files", "text", "timeouts", "addresses"}, {"sdk"}),
    "domain": ({"domain"}, {"sdk", "leaves"}),
    "config": ({"config"}, {"sdk", "leaves"}),
    "keys": ({"auth.keys"}, {"sdk", "leaves", "config"}),
    "auth": ({"auth"}, {"sdk", "leaves", "domain", "keys"}),
    "shared": ({"store.group", "store.changes"}, {"leaves", "domain"}),
    "sqlite": ({"store.sqlite"}, {"sdk", "leaves", "domain", "config", "shared"}),
    "admin": ({"store.sqlite.admin"}, {"sdk", "leaves", "domain", "sqlite"}),
    "store": ({"store"}, {"leaves", "domain", "config", "sqlite"}),
    "ws": ({"ws"}, {"leaves", "domain"}),
    "agents": ({"agents"}, {"sdk", "leaves", "domain"}),
    "mcp": ({"mcp"}, {"sdk", "leaves", "domain"}),
    "api": (
        {"api"},
        {"sdk", "leaves", "domain", "config", "keys", "auth", "ws", "agents", "mcp"},
    ),
    "app": (
        {"app"},
        {"leaves", "domain", "config", "keys", "auth", "store", "ws", "agents", "api"},
    ),
    "server": ({"server"}, {"sdk", "leaves", "domain", "config", "keys", "ws", "api"}),
    "connect": ({"agents.connect"}, {"sdk", "leaves"}),
    # Nearly all of it is imported before a command runs, or while it does.
    "run": ({"run"}, {"sdk", "leaves"}),
    "cli": ({"cli", "__main__"}, {"sdk", "leaves", "domain", "config", "run", "mcp"}),
    "serve": ({"cli.serve"}, {"config", "cli", "app", "server"}),
    "database commands": (
        {
            *("cli.backup", "cli.export", "cli.records", "cli.prune", "cli.doctor"),
            *("cli.key", "cli.audit", "cli.keyholders", "cli.key_database"),
            *("cli.connect", "cli.uninstall", "cli.agents", "cli.agent_states", "cli.hook_keys"),
        },
        {"sdk", "leaves", "domain", "config", "keys", "cli", "admin", "connect"},
    ),
}

# Packages whose __init__.py is more than its docstring: their face.
FACES = {"", SDK, "cli", "store.sqlite.migrations"}

# Library: the modules and packages that alone may import it.
LIBRARIES = {
    "apsw": {"store.sqlite"},
    "filelock": {"store.sqlite"},
    "falcon": {"api", "app", "ws.socket"},
    # A file that is imported is looked at as a request is.
    "pydantic": {"api", "domain.fields", "domain.messages", "store.sqlite.admin.records"},
    "uvicorn": {"server"},
    "websockets": {"server.websocket", "cli.connectivity"},
    "click": {"cli"},
    "rich": {"cli"},
    "dotenv": {"cli"},
}

# What is made wherever it is needed: values, not collaborators.
RECORDS = {"NamedTuple", "BaseModel", "Exception", "TrackerError", "Enum", "StrEnum", "Protocol"}


def name_of(path: Path) -> str:
    """`ws.hub` for tracker/ws/hub.py, "" for the package itself; what is not of the
    package `tracker` has its full name."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return short(".".join(parts).removesuffix("__init__").rstrip("."))


def short(name: str) -> str:
    """A module's name as the tables here have it."""
    return "" if name == "tracker" else name.removeprefix("tracker.")


MODULES = {
    name_of(path): path
    for package in (PACKAGE, PACKAGE.with_name(SDK))
    for path in package.rglob("*.py")
}


@cache
def trees() -> dict[str, ast.Module]:
    """What is in them. Not read when tests are collected, which each worker does."""
    return {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in MODULES.items()}


PACKAGES = {
    name_of(path)
    for package in (PACKAGE, PACKAGE.with_name(SDK))
    for path in package.rglob("__init__.py")
}


def imported(tree: ast.AST) -> set[str]:
    """Every name that is imported anywhere in the module, in full."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name is from"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def ours(tree: ast.AST) -> set[str]:
    """The modules of our packages that the module imports."""
    modules = set()
    for name in imported(tree):
        if name.split(".")[0] in ("tracker", SDK):
            inner = short(name)
            modules.add(inner if inner in MODULES else inner.rpartition(".")[0])
    return modules


def within(module: str, places: set[str]) -> bool:
    """Whether the module is one of the places, or inside a package that is."""
    parts = module.split(".")
    return any(".".join(parts[:count]) in places for count in range(1, len(parts) + 1))


def room_of(module: str) -> str:
    """The room that names the module most closely."""
    if module == "":
        return "leaves"  # the version
    found = [
        (len(place), room)
        for room, (places, _) in ROOMS.items()
        for place in places
        if within(module, {place})
    ]
    assert found, f"{module} is in no room: add it to the one it belongs to"
    return max(found)[1]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_rooms(module: str) -> None:
    room = room_of(module)
    allowed = ROOMS[room][1] | {room}
    for other in ours(trees()[module]):
        assert room_of(other) in allowed, f"{module} ({room}) imports {other}"


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_allowed_what_they_need(room: str) -> None:
    needed = {
        room_of(other)
        for module, tree in trees().items()
        if room_of(module) == room
        for other in ours(tree)
    }
    assert ROOMS[room][1] <= needed, "nobody imports it any more: take it from the table"


def test_rooms_are_told_of_as_they_are() -> None:
    rows = [line.strip("|").split("|") for line in TREE.text.splitlines() if line[:1] == "|"]
    told = {
        row[0].strip(): (set(re.findall("`(.+?)`", row[1])), set(re.findall("`(.+?)`", row[3])))
        for row in rows
        if len(row) == 4 and row[0].strip() not in ("Room", "---")
    }
    assert told == ROOMS


def test_folders_of_tests_are_told_of() -> None:
    folders = {f"tests/{path.parent.name}" for path in (ROOT / "tests").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(tests/\w+)` \|", TREE.text, re.MULTILINE)) == folders


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_each_folder_says_what_lives_there(package: str) -> None:
    tree = trees()[package]
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1 or package in FACES


def test_no_circles() -> None:
    """What is imported where it is used, inside a function, closes none."""

    def at_once(tree: ast.Module) -> ast.Module:
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        return ast.Module(imports, type_ignores=[])

    graph = {module: ours(at_once(tree)) - {module, ""} for module, tree in trees().items()}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(MODULES) - 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries(library: str) -> None:
    users = {
        module
        for module, tree in trees().items()
        if any(name.split(".")[0] == library for name in imported(tree))
    }
    assert users, "nobody imports it any more: take it from the table"
    strangers = {module for module in users if not within(module, LIBRARIES[library])}
    assert strangers == set()


def test_what_agents_run_needs_little() -> None:
    """So that the commands for agents start fast: the standard library and platformdirs. What is
    not for them may need more."""
    for_agents = {
        *("domain.lease", "domain.limits", "domain.sessions", "domain.tasks"),
        "cli.discovery",
    }
    foreign = {
        (module, library)
        for module, tree in trees().items()
        if room_of(module) in ("leaves", "config", "keys", "auth") or module in for_agents
        for library in {name.split(".")[0] for name in imported(tree)}
        if library not in sys.stdlib_module_names
    }
    assert {library for _, library in foreign} <= {SDK, "tracker", "platformdirs"}, foreign


def test_a_hook_needs_nothing_that_is_slow_to_import() -> None:
    """An agent waits for it."""
    slow = {"argparse", "http", "inspect", "pathlib", "socket", "ssl", "subprocess", "typing"}
    slow |= {"click", "dataclasses", "logging", "platformdirs", "tracker", "urllib"}
    modules = [
        module
        for module in MODULES
        if module.startswith(f"{SDK}.hook.")
        and module not in (f"{SDK}.hook.background", f"{SDK}.hook.telemetry")
    ]
    program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        check=True,
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
    )
    assert set(done.stdout.split()) & slow == set()


def test_the_sdk_needs_nothing() -> None:
    """The standard library; what is of pytest is imported by pytest."""
    foreign = {
        (module, library)
        for module, tree in trees().items()
        if room_of(module) == "sdk"
        for library in {name.split(".")[0] for name in imported(tree)} - {SDK}
        if library not in sys.stdlib_module_names
    }
    foreign -= {(f"{SDK}.digests", name) for name in ("_sha2", "_sha256")}  # one or the other is
    of_pytest = {f"{SDK}.pytest_plugin", f"{SDK}.pytest_reports"}
    assert foreign == {(module, "pytest") for module in of_pytest}


def is_collaborator(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and not node.decorator_list
        and not any(ast.unparse(base).split(".")[-1] in RECORDS for base in node.bases)
        and any(isinstance(item, ast.FunctionDef) and item.name == "__init__" for item in node.body)
    )


def called(tree: ast.AST) -> set[str]:
    """The names that are called as they are imported."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {function.id for function in calls if isinstance(function, ast.Name)}


def test_collaborators_are_made_in_one_place() -> None:
    """Whatever has a constructor of its own is handed to those who use it, not made by them.

    app.py makes the server's; a command of the CLI is a root of its own.
    """
    collaborators = {
        f"tracker.{module}.{node.name}"
        for module, tree in trees().items()
        if within(module, {"api", "auth", "server", "ws", "store"})
        for node in tree.body
        if is_collaborator(node)
    } | {"tracker.clock.SystemClock"}
    names = {name.rpartition(".")[2] for name in collaborators}
    assert {"Store", "Hub", "Stream", "Authenticator"} <= names
    made_elsewhere = {
        (module, collaborator)
        for module, tree in trees().items()
        if not within(module, {"app", "cli"})
        for collaborator in imported(tree) & collaborators
        if collaborator.split(".")[1] != module.split(".")[0]  # a package makes its own parts
        and collaborator.rpartition(".")[2] in called(tree)
    }
    assert made_elsewhere == set()
