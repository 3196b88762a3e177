"""Agents are plugged in and out by command: files, keys, what is kept of them."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from agent_task_tracker.destination import Destination
from agent_task_tracker.keys import public_id
from agent_task_tracker.report import Report
from agent_task_tracker.spool import Spool
from tests.support.cli import Terminal
from tests.support.connecting import AGENTS, Home, commands_in
from tests.support.keys import client_with
from tests.support.platforms import needs_posix
from tests.support.server import KEY, Server, environment
from tracker.cli.connect import in_the_open

pytestmark = needs_posix

SETTINGS = '{\r\n\t"model": "opus",\r\n\t"hooks": {"Stop": [{"hooks": []}]}, "z": "\\u00e9"}'


@pytest.fixture
def home(shared_server: Server, tmp_path: Path) -> Home:
    return Home(tmp_path / "home", shared_server)


def keys(home: Home) -> set[str]:
    assert home.server is not None
    found = home.server.http.get("/api/keys").json()["keys"]
    return {key["name"] for key in found if str(home.path) or key}


@pytest.fixture(autouse=True)
def no_keys_are_left(request: pytest.FixtureRequest, shared_server: Server) -> None:
    """Tests share a server: each begins without keys of agents."""
    for key in shared_server.http.get("/api/keys").json()["keys"]:
        shared_server.http.delete(f"/api/keys/{key['name']}")


@pytest.mark.parametrize("agent", AGENTS)
def test_in_and_out_again(home: Home, agent: str) -> None:
    before = home.files()
    said = home.connect(agent)
    assert home.connection(agent)["key"] not in said
    assert len(home.files()) > len(before)
    after = home.files()
    home.connect(agent)
    assert home.files() == after
    assert [name for name in keys(home) if name.startswith(f"hook-{agent}-")]
    state = home.agents()[agent]
    assert state["connected"]
    assert state["files"]
    assert state["url"] == (home.server and home.server.url)
    home.disconnect(agent)
    assert home.files() == before
    assert keys(home) == set()
    assert not home.agents()[agent]["connected"]
    home.disconnect(agent)  # nothing is left to be done, and that is no failure


@pytest.mark.parametrize("agent", AGENTS)
def test_a_dry_run_changes_nothing(home: Home, agent: str) -> None:
    before = home.files()
    said = home.connect(agent, "--dry-run")
    assert "--- /dev/null" in said
    assert "+++ " in said
    assert home.files() == before
    assert not home.ledger.exists()
    assert keys(home) == set()
    home.connect(agent)
    connected = home.files()
    assert "+++ /dev/null" in home.disconnect(agent, "--dry-run")
    assert home.files() == connected


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("claude-code", ".claude/settings.json"),
        ("codex", ".codex/hooks.json"),
        ("qwen-code", ".qwen/settings.json"),
    ],
)
def test_nothing_else_in_the_file_changes(home: Home, agent: str, name: str) -> None:
    path = home.path / name
    path.parent.mkdir()
    path.write_bytes(SETTINGS.encode())
    path.chmod(0o640)
    home.connect(agent)
    content = path.read_bytes().decode()
    head, _, _ = SETTINGS.partition('{"hooks": []}')
    assert content.startswith(head + '{"hooks": []}')
    rest = iter(content)
    assert all(character in rest for character in SETTINGS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    (backup,) = path.parent.glob("*.before-tracker-*")
    assert backup.read_bytes() == SETTINGS.encode()
    assert stat.S_IMODE(backup.stat().st_mode) == 0o640
    home.disconnect(agent)
    assert path.read_bytes() == SETTINGS.encode()
    assert list(path.parent.iterdir()) == [path]


def test_what_the_user_edited_since_stays(home: Home) -> None:
    path = home.path / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_text('{"a": 1}\n')
    home.connect("claude-code")
    value = json.loads(path.read_text())
    value["a"] = 2
    value["hooks"]["Stop"].append({"hooks": [{"type": "command", "command": "say done"}]})
    path.write_text(json.dumps(value, indent=4))
    home.disconnect("claude-code")
    (backup,) = path.parent.glob("*.before-tracker-*")
    assert backup.read_text() == '{"a": 1}\n'
    assert json.loads(path.read_text()) == {
        "a": 2,
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]},
    }
    assert '    "a": 2' in path.read_text()


def test_the_command_is_absolute_and_says_nothing_that_may_change(home: Home) -> None:
    home.connect("claude-code")
    home.connect("codex")
    for name, agent in ((".claude/settings.json", "claude-code"), (".codex/hooks.json", "codex")):
        (command,) = set(commands_in(home.path / name))
        executable = command.removesuffix(f" hook {agent}")
        assert os.access(executable, os.X_OK), command
        assert Path(executable).is_absolute()


def test_claude_waits_for_few_hooks_and_long_enough(home: Home) -> None:
    home.connect("claude-code")
    hooks = json.loads((home.path / ".claude/settings.json").read_text())["hooks"]
    waits = {event for event, (group) in hooks.items() if "async" not in group[0]["hooks"][0]}
    assert waits == {"SessionStart", "UserPromptSubmit", "Stop", "StopFailure", "SessionEnd"}
    assert {group[0]["hooks"][0]["timeout"] for group in hooks.values()} == {10}
    assert not set(hooks) & {
        "MessageDisplay",
        "FileChanged",
        "InstructionsLoaded",
        "WorktreeCreate",
    }


def test_codex_gets_no_timeout_that_it_warns_of(home: Home) -> None:
    home.connect("codex")
    hooks = json.loads((home.path / ".codex/hooks.json").read_text())["hooks"]
    timeouts = {event: groups[0]["hooks"][0]["timeout"] for event, groups in hooks.items()}
    assert timeouts["SessionEnd"] == timeouts["Interrupt"] == 3
    assert all("async" not in groups[0]["hooks"][0] for groups in hooks.values())


def test_what_would_harm_is_not_installed(home: Home) -> None:
    for agent in ("copilot", "gemini-cli", "cursor"):
        home.connect(agent)
    copilot, *_ = home.path.glob(".copilot/hooks/*.json")
    assert "pretooluse" not in copilot.read_text().lower()
    gemini, *_ = home.path.glob(".gemini/extensions/*/hooks/hooks.json")
    hooks = json.loads(gemini.read_text())["hooks"]
    assert not set(hooks) & {"AfterModel", "BeforeModel", "BeforeToolSelection", "PreCompress"}
    assert {group["hooks"][0]["timeout"] for (group,) in hooks.values()} == {10_000}
    cursor = json.loads((home.path / ".cursor/hooks.json").read_text())["hooks"]
    assert "notification" not in cursor


def test_where_variables_say(home: Home, tmp_path: Path) -> None:
    home.connect("claude-code", CLAUDE_CONFIG_DIR=str(tmp_path / "c"))
    home.connect("codex", CODEX_HOME=str(tmp_path / "x"))
    home.connect("copilot", COPILOT_HOME=str(tmp_path / "p"))
    home.connect("gemini-cli", GEMINI_CLI_HOME=str(tmp_path / "g"))
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")}
    assert {"c/settings.json", "x/hooks.json", "p/hooks/agent-task-tracker.json"} <= made
    assert "g/.gemini/extensions/agent-task-tracker/hooks/hooks.json" in made
    for agent in ("claude-code", "codex", "copilot", "gemini-cli"):
        home.disconnect(agent)  # without the variable: what was changed is known
    assert [path for name in "cxpg" for path in (tmp_path / name).rglob("*")] == []


def test_codex_hooks_go_where_the_users_are(home: Home) -> None:
    config = home.path / ".codex" / "config.toml"
    config.parent.mkdir()
    text = 'a = 1 # b\n[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = "command"\ncommand = "x"\n'
    config.write_text(text)
    home.connect("codex")
    assert config.read_text().startswith(text)
    assert not (config.parent / "hooks.json").exists()
    home.disconnect("codex")
    assert config.read_text() == text
    config.write_text('[hooks.state."a"]\ntrusted_hash = "b"\n')  # that is no hook
    home.connect("codex")
    assert (config.parent / "hooks.json").exists()


@pytest.mark.parametrize("agent", AGENTS)
def test_in_a_project(home: Home, tmp_path: Path, agent: str) -> None:
    project = tmp_path / "work"
    (project / ".git").mkdir(parents=True)
    (project / "deep").mkdir()
    before = home.files()
    home.connect(agent, "--project", cwd=project / "deep")
    assert home.files() == before
    made = [path for path in project.rglob("*") if path.is_file()]
    assert made
    assert home.connection(agent)["key"].encode() not in b"".join(p.read_bytes() for p in made)
    home.disconnect(agent)  # from anywhere
    assert sorted(path.name for path in project.iterdir()) == [".git", "deep"]


def test_what_a_project_ignores_is_not_copied_into_it(home: Home, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    path = project / ".claude" / "settings.local.json"
    path.parent.mkdir()
    path.write_text('{"env": {"MY_TOKEN": "x"}}')
    home.connect("claude-code", "--project", cwd=project)
    assert list(path.parent.iterdir()) == [path]
    (backup,) = (home.ledger.parent / "before-tracker").iterdir()
    assert backup.read_text() == '{"env": {"MY_TOKEN": "x"}}'
    home.disconnect("claude-code")
    assert path.read_text() == '{"env": {"MY_TOKEN": "x"}}'
    assert not backup.exists()


def test_both_of_project_and_user_are_said(home: Home, tmp_path: Path) -> None:
    project = tmp_path / "work"
    project.mkdir()
    home.connect("codex")
    home.connect("codex", "--project", cwd=project)
    done = home.run("agents", "--json", cwd=project)
    assert done.returncode == 1
    (codex,) = [one for one in json.loads(done.stdout)["agents"] if one["agent"] == "codex"]
    assert any("reported twice" in problem for problem in codex["problems"])
    done = home.run("disconnect", "codex", "--project", cwd=project)
    assert b"elsewhere it still is" in done.stdout
    assert list(project.iterdir()) == []
    assert home.connection("codex")["changed"]


def test_the_ledger_is_private(home: Home) -> None:
    home.connect("claude-code", "--private")
    assert stat.S_IMODE(home.ledger.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.ledger.parent.stat().st_mode) == 0o700
    connection = home.connection("claude-code")
    assert connection["options"] == {"private": True}
    assert connection["key_name"].startswith("hook-claude-code-")
    home.connect("claude-code")
    assert home.connection("claude-code") == connection  # the same key, as private as before
    home.connect("claude-code", "--no-private")
    assert home.connection("claude-code")["options"] == {"private": False}


def test_a_key_that_may_only_report(home: Home, shared_server: Server) -> None:
    home.connect("claude-code")
    key = home.connection("claude-code")["key"]
    with client_with(shared_server, key) as client:
        assert client.get("/api/projects").status_code == 403
        assert client.post("/webhook/batch", json={"reports": []}).status_code == 200


def test_a_given_key_that_may_only_report_is_used_itself(home: Home, shared_server: Server) -> None:
    made = shared_server.http.post("/api/keys", json={"name": "mine", "role": "report"}).json()
    home.connect("claude-code", "--api-key", made["key"])
    connection = home.connection("claude-code")
    assert (connection["key"], connection["key_name"]) == (made["key"], None)
    home.disconnect("claude-code")
    assert keys(home) == {"mine"}


def test_a_wrong_key_changes_nothing(home: Home) -> None:
    before = home.files()
    said = home.connect("claude-code", "--api-key", "not-the-servers-key", code=1)
    assert "does not accept the API key (from --api-key)" in said
    assert home.files() == before


def test_no_server(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    said = home.connect("claude-code", TRACKER_URL="http://127.0.0.1:9", code=69)
    assert "tracker serve" in said
    assert home.files() == {}


def test_a_key_that_was_revoked_is_replaced(home: Home, shared_server: Server) -> None:
    home.connect("claude-code")
    before = home.connection("claude-code")
    shared_server.http.delete(f"/api/keys/{before['key_name']}")
    (problem,) = home.agents()["claude-code"]["problems"]
    assert "does not take its key any more" in problem
    home.connect("claude-code")
    assert home.connection("claude-code")["key"] != before["key"]
    assert home.agents()["claude-code"]["problems"] == []


def test_what_waits_with_a_key_that_was_revoked_is_sent_with_the_next(
    home: Home, shared_server: Server, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    payload = json.dumps({"hook_event_name": "SessionStart", "session_id": "waited"})
    for agent in ("codex", "claude-code"):
        home.connect(agent)
        shared_server.http.delete(f"/api/keys/{home.connection(agent)['key_name']}")
        home.run("hook", agent, payload, TRACKER_SPOOL=str(spool.folder))
    told = home.connect("claude-code", TRACKER_SPOOL=str(spool.folder))
    assert "1 reports that waited" in told
    home.run("flush", TRACKER_SPOOL=str(spool.folder))
    (kept,) = spool.contents()  # the other agent's
    assert kept.reports == 1
    assert kept.destination.key_id == public_id(home.connection("codex")["key"])


def test_another_program_on_the_port_is_said(home: Home) -> None:
    home.connect("claude-code")
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        thread = Thread(target=other.serve_forever)
        thread.start()
        kept = json.loads(home.ledger.read_text())
        url = f"http://127.0.0.1:{other.server_port}"
        kept["connections"]["claude-code"]["url"] = url
        home.ledger.write_text(json.dumps(kept))
        try:
            told = home.connect("claude-code", "--url", url, code=69)
        finally:
            other.shutdown()
            thread.join()
    assert "did not prove that it has the key" in told


def test_keys_of_others_are_left_alone(home: Home, shared_server: Server, tmp_path: Path) -> None:
    other = Home(tmp_path / "other", shared_server)
    other.connect("claude-code")
    home.connect("claude-code")
    names = [each.connection("claude-code")["key_name"] for each in (other, home)]
    assert names[1] == f"{names[0]}-2"
    home.disconnect("claude-code")
    assert keys(home) == {names[0]}


def test_the_server_is_away_when_it_is_disconnected(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server()
    home = Home(tmp_path / "home", server)
    home.connect("claude-code")
    server.stop()
    said = home.disconnect("claude-code")
    assert "is not revoked yet" in said
    assert home.files() == {}
    assert json.loads(home.ledger.read_text())["connections"] == {}
    assert len(home.to_revoke()) == 1
    again = Server.start(server.folder, "--port", str(server.ready["port"]))
    try:
        assert len(again.http.get("/api/keys").json()["keys"]) == 1
        home.disconnect("claude-code")
        assert again.http.get("/api/keys").json()["keys"] == []
        assert home.to_revoke() == []
    finally:
        again.stop()


def test_another_server(home: Home, start_server: Callable[..., Server]) -> None:
    home.connect("claude-code")
    other = start_server()
    assert home.server is not None
    first, home.server = home.server, other
    said = home.connect("claude-code")
    assert "is not revoked yet" in said
    assert home.connection("claude-code")["url"] == other.url
    home.server = first
    home.disconnect("codex")
    assert keys(home) == set()


# What is wrong.


def test_what_keeps_hooks_from_running_is_told(home: Home) -> None:
    for agent in ("claude-code", "codex", "gemini-cli"):
        home.connect(agent)
    assert [p for p in home.agents()["codex"]["problems"] if "/hooks" in p]
    settings = home.path / ".claude" / "settings.json"
    value = {**json.loads(settings.read_text()), "disableAllHooks": True}
    settings.write_text(json.dumps(value))
    config = home.path / ".codex" / "config.toml"
    hooks = home.path / ".codex" / "hooks.json"
    before = config.read_text()
    config.write_text(f"[features]\nhooks = false\n{before}")
    (home.path / ".gemini" / "settings.json").write_text('{"hooksConfig": {"enabled": false}}')
    told = home.agents()
    assert "disableAllHooks" in told["claude-code"]["problems"][0]
    assert "hooks = false" in told["codex"]["problems"][0]
    assert "hooksConfig.enabled" in told["gemini-cli"]["problems"][0]
    done = home.run("doctor", "--json")
    problems = json.loads(done.stdout)["problems"]
    assert any("disableAllHooks" in problem for problem in problems)
    assert done.returncode == 1
    events = json.loads(hooks.read_text())["hooks"]
    config.write_text(
        before
        + "".join(
            f'[hooks.state."{hooks}:{"".join("_" + c.lower() if c.isupper() else c for c in e)[1:]}'
            ':0:0"]\ntrusted_hash = "sha256:0"\n'
            for e in events
        )
    )
    assert home.agents()["codex"]["problems"] == []


def test_hooks_that_are_gone_and_a_moved_executable(home: Home) -> None:
    home.connect("claude-code")
    (home.path / ".claude" / "settings.json").unlink()
    content = json.loads(home.ledger.read_text())
    content["connections"]["claude-code"]["executable"] = "/nowhere/tracker"
    home.ledger.write_text(json.dumps(content))
    first, second = home.agents()["claude-code"]["problems"]
    assert "what connecting added is gone" in first
    assert "/nowhere/tracker: is not there any more" in second
    home.connect("claude-code")
    assert home.agents()["claude-code"]["problems"] == []


def test_a_ledger_in_a_work_tree_is_refused(home: Home) -> None:
    (home.path / ".git").mkdir()
    said = home.connect("claude-code", code=78)
    assert "git work tree" in said
    assert "TRACKER_CONNECTIONS" in said
    assert not home.ledger.exists()
    elsewhere = home.path.parent / "elsewhere" / "connections.json"
    home.connect("claude-code", TRACKER_CONNECTIONS=str(elsewhere))
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o600


def test_an_executable_that_will_not_stay_is_refused(home: Home) -> None:
    folder = Path(sys.executable).parent
    variables = {"XDG_CACHE_HOME": str(folder.parent)}
    done = home.run("connect", "claude-code", **variables)
    assert done.returncode == 78
    assert b"uv tool install" in done.stderr or b"one file" in done.stderr
    assert not home.ledger.exists()


def test_claude_code_that_is_too_old(home: Home, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho '2.1.80 (Claude Code)'\n")
    program.chmod(0o700)
    path = f"{program.parent}:{environment(home.path).get('PATH', '/usr/bin:/bin')}"
    said = home.connect("claude-code", code=78, PATH=path)
    assert "2.1.80" in said
    program.write_text("#!/bin/sh\necho '2.1.332 (Claude Code)'\n")
    home.connect("claude-code", PATH=path)
    state = home.agents(PATH=path)["claude-code"]
    assert state["program"] == str(program)


# Taking everything away.


def test_uninstall(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server()
    home = Home(tmp_path / "home", server)
    before = home.files()
    for agent in AGENTS:
        home.connect(agent)
    variables = {"TRACKER_DB": str(server.database), "TRACKER_SPOOL": str(tmp_path / "spool")}
    task = ("--project", "p", "--task", "t", "--quiet")
    home.run(
        "start", *task, TRACKER_URL="http://127.0.0.1:9", TRACKER_SPOOL=str(tmp_path / "spool")
    )
    asked = home.run("uninstall", **variables)
    assert asked.returncode == 2
    assert b"--yes" in asked.stderr
    done = home.run("uninstall", "--yes", **variables)
    assert done.returncode == 0, done.stderr
    assert home.files() == before
    assert not home.ledger.parent.exists()
    assert not (tmp_path / "spool").exists()
    assert server.http.get("/api/keys").json()["keys"] == []
    assert server.database.exists()
    assert b"--database removes it" in done.stdout
    used = home.run("uninstall", "--yes", "--database", **variables)
    assert used.returncode == 75
    server.stop()
    gone = home.run("uninstall", "--yes", "--database", **variables)
    assert gone.returncode == 0, gone.stderr
    assert not list(server.folder.glob("tracker.db*"))


def test_the_master_key_is_nowhere(home: Home) -> None:
    for agent in AGENTS:
        assert KEY not in home.connect(agent)
    contents = [path.read_bytes() for path in home.path.rglob("*") if path.is_file()]
    assert not [content for content in contents if KEY.encode() in content]


def test_a_name_that_was_to_be_revoked_is_free_again(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server()
    home = Home(tmp_path / "home", server)
    home.connect("claude-code")
    name = home.connection("claude-code")["key_name"]
    home.disconnect("claude-code", API_KEY="not-the-servers-key")
    assert len(home.to_revoke()) == 1
    server.http.delete(f"/api/keys/{name}")  # by hand
    home.connect("claude-code")
    assert home.connection("claude-code")["key_name"] == name
    assert home.agents()["claude-code"]["problems"] == []


def test_what_was_rejected_is_counted(home: Home, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for number in range(3):
        content = {"kind": "hook", "agent": "codex", "payload": {"number": number}}
        name = f"0179577589590171434{number}-0000001-000000.hook"
        report = Report(name, "codex", "s", json.dumps(content).encode())
        spool.reject(report, Destination("http://localhost:8000", "k"), "no")
    told = home.agents(TRACKER_SPOOL=str(spool.folder))
    assert (told["codex"]["rejected"], told["claude-code"]["rejected"]) == (3, 0)


def test_uninstall_asks_on_a_terminal(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server()
    home = Home(tmp_path / "home", server)
    home.connect("claude-code")
    variables = {"TRACKER_DB": str(server.database), "TRACKER_SPOOL": str(tmp_path / "spool")}
    for answer, left in (("n", True), ("y", False)):
        terminal = Terminal("uninstall", home=home.path, server=server, variables=variables)
        try:
            terminal.read_until("[y/N]")
            terminal.press(f"{answer}\n")
            if not left:
                terminal.read_until("Remove the database")
                terminal.press("n\n")
            terminal.read_all()
        finally:
            terminal.close()
        assert bool(home.files()) == left
    assert server.database.exists()


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("http://tracker.example:8000", True),
        ("https://tracker.example", False),
        ("http://[::1]:8000", False),
        ("unix:/run/tracker.sock", False),
    ],
)
def test_a_key_on_an_open_way_is_warned_of(url: str, is_open: bool) -> None:
    assert bool(in_the_open(url)) == is_open
