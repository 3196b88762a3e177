"""Configuration that cannot be edited, or not now: it is whole, and as it was, whatever happens."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import run_here
from tests.support.connecting import Home
from tests.support.platforms import needs_posix
from tests.support.server import COMMAND, KEY, Server, environment

pytestmark = needs_posix

TEXT = '{\n  "theme": "dark"\n}\n'


@pytest.fixture
def home(shared_server: Server, tmp_path: Path) -> Home:
    for key in shared_server.http.get("/api/keys").json()["keys"]:
        shared_server.http.delete(f"/api/keys/{key['name']}")
    return Home(tmp_path / "home", shared_server)


@pytest.fixture
def settings(home: Home) -> Path:
    path = home.path / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


def left_beside(path: Path) -> list[str]:
    return sorted(other.name for other in path.parent.iterdir() if other != path)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("folder", "a folder is where a file should be"),
        ("pipe", "no regular file"),
        ("device", "no regular file"),
        ("loop", "cannot be read"),
        ("dangling", "a link to nowhere, which is not there"),
        ("large", "larger than"),
        ("comment", "line 1: a comment"),
        ("read-only", "is read-only"),
        ("hard link", "has another name"),
        ("not UTF-8", "not UTF-8"),
    ],
)
def test_what_cannot_be_edited_is_left_and_the_way_out_is_shown(
    home: Home, settings: Path, kind: str, why: str
) -> None:
    settings.unlink()
    match kind:
        case "folder":
            settings.mkdir()
        case "pipe":
            os.mkfifo(settings)
        case "device":
            settings.symlink_to("/dev/zero")
        case "loop":
            settings.symlink_to(settings)
        case "dangling":
            settings.symlink_to("nowhere")
        case "large":
            settings.write_bytes(b"[" + b" " * 50 * 2**20 + b"]")
        case "comment":
            settings.write_text(f"// mine\n{TEXT}")
        case "read-only":
            settings.write_text(TEXT)
            settings.chmod(0o444)
        case "hard link":
            settings.write_text(TEXT)
            (settings.parent / "other").hardlink_to(settings)
        case "not UTF-8":
            settings.write_bytes(b'{"a": "\xff"}')
    before = settings.lstat()
    beside = left_beside(settings)
    said = home.connect("claude-code", code=78)
    assert why in said
    assert said.count("tracker: ") == 1
    after = settings.lstat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert left_beside(settings) == beside
    if kind in ("comment", "not UTF-8", "read-only", "hard link"):
        assert "by hand" in said
        snippet = said[said.index("{\n") : said.rindex("}\n") + 2]
        assert "hook claude-code" in str(json.loads(snippet)["hooks"]["Stop"])
        assert home.connection("claude-code")["key"]  # so that it works once added


def test_what_was_added_by_hand_counts(home: Home, settings: Path) -> None:
    settings.write_text(f"// mine\n{TEXT}")
    said = home.connect("claude-code", code=78)
    (problem,) = home.agents()["claude-code"]["problems"]
    assert "no hooks" in problem
    snippet = said[said.index("{\n") : said.rindex("}\n") + 2]
    settings.write_text(f"// mine\n{snippet}")
    assert home.agents()["claude-code"]["problems"] == []
    said = home.disconnect("claude-code", code=78)
    assert "remove from it what runs `tracker hook`" in said
    assert settings.read_text().startswith("// mine")
    settings.write_text(f"// mine\n{TEXT}")
    home.disconnect("claude-code")
    assert settings.read_text() == f"// mine\n{TEXT}"
    assert not home.agents()["claude-code"]["connected"]


def test_links_are_followed_and_kept(home: Home, settings: Path) -> None:
    dotfiles = home.path / "dotfiles"
    (dotfiles / ".git").mkdir(parents=True)
    target = dotfiles / "claude.json"
    settings.rename(target)
    settings.symlink_to("../dotfiles/claude.json")
    home.connect("claude-code")
    assert settings.is_symlink()
    assert "hook claude-code" in target.read_text()
    assert home.connection("claude-code")["key"] not in target.read_text()
    home.disconnect("claude-code")
    assert settings.is_symlink()
    assert target.read_text() == TEXT
    assert left_beside(target) == [".git"]


def test_a_folder_that_is_a_link(home: Home) -> None:
    (home.path / "real").mkdir()
    (home.path / ".claude").symlink_to("real")
    home.connect("claude-code")
    assert (home.path / "real" / "settings.json").exists()
    home.disconnect("claude-code")
    assert (home.path / ".claude").is_symlink()
    assert list((home.path / "real").iterdir()) == []


def test_owner_and_mode_stay(home: Home, settings: Path) -> None:
    settings.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(settings, 12345, 12345)
    before = settings.stat()
    home.connect("claude-code")
    for path in (settings, *settings.parent.glob("*.before-tracker-*")):
        after = path.stat()
        assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
        assert stat.S_IMODE(after.st_mode) == 0o664


def test_a_full_disk(home: Home, settings: Path) -> None:
    """Of files beyond a size: the settings can be read, and nothing of that size written."""
    settings.write_text(json.dumps({"a": "x" * 100_000}))
    before = settings.read_bytes()
    done = subprocess.run(
        [*COMMAND, "connect", "claude-code", "--anyway"],
        check=False,
        cwd=home.path,
        env=environment(home.path, TRACKER_URL=home.server.url, API_KEY=KEY),  # type: ignore[union-attr]
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert done.returncode == 1, done
    assert b"the disk is full" in done.stderr
    assert settings.read_bytes() == before
    assert left_beside(settings) == []
    home.connect("claude-code")
    home.disconnect("claude-code")
    assert settings.read_bytes() == before


# Kills the process before the n-th call that changes a folder of the user's.
KILLER = """
import os, signal, sys
import tracker.files, agent_task_tracker.connections
count = int(sys.argv.pop(1))
def deadly(function):
    def called(*arguments, **options):
        global count
        count -= str(arguments[0]).startswith(os.environ["HOME"])
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return called
for name in ("replace", "rename", "unlink", "link", "mkdir", "rmdir"):
    setattr(os, name, deadly(getattr(os, name)))
sys.argv = ["tracker", *sys.argv[1:]]
from tracker.cli import main
main()
"""


def here(home: Home, *arguments: str) -> None:
    """Run a command in this process, which is faster."""
    assert home.server is not None
    variables = {"TRACKER_URL": home.server.url, "API_KEY": KEY}
    done = run_here(*arguments, home=home.path, **variables)
    assert done.code == 0, done


def killed_at(home: Home, step: int, *arguments: str) -> int:
    assert home.server is not None
    variables = {"TRACKER_URL": home.server.url, "API_KEY": KEY}
    variables["PYTHONPATH"] = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-c", KILLER, str(step), *arguments],
        check=False,
        cwd=home.path,
        env={**environment(home.path), **variables},
        capture_output=True,
        timeout=60,
    ).returncode


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_any_moment_it_is_whole(home: Home, settings: Path) -> None:
    steps = 0
    for step in range(1, 200):
        steps = step
        code = killed_at(home, step, "connect", "claude-code", "--anyway")
        text = settings.read_text()
        has_hooks = "hook claude-code" in text
        assert text == TEXT or has_hooks
        json.loads(text)
        if has_hooks:  # what undoes it was written before
            assert home.connection("claude-code")["changed"]
        here(home, "disconnect", "claude-code")
        assert settings.read_text() == TEXT
        assert not [name for name in left_beside(settings) if name.endswith(".json")]
        for leftover in settings.parent.glob("*before-tracker*"):
            leftover.unlink()
        if code != -signal.SIGKILL:
            break
    assert steps > 5
    assert code == 0
    assert left_beside(settings) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_disconnecting_killed_at_any_moment(home: Home, settings: Path) -> None:
    for step in range(1, 200):
        here(home, "connect", "claude-code", "--anyway")
        code = killed_at(home, step, "disconnect", "claude-code")
        text = settings.read_text()
        assert text == TEXT or "hook claude-code" in text
        here(home, "disconnect", "claude-code")
        assert settings.read_text() == TEXT
        for leftover in settings.parent.glob("*before-tracker*"):
            leftover.unlink()
        if code != -signal.SIGKILL:
            break
    assert code == 0


def test_two_at_once(home: Home, settings: Path) -> None:
    assert home.server is not None
    variables = environment(home.path, TRACKER_URL=home.server.url, API_KEY=KEY)
    command = [*COMMAND, "connect", "claude-code", "--anyway"]
    running = [
        subprocess.Popen(
            command,
            cwd=home.path,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(4)
    ]
    assert [(one.communicate(timeout=60)[0], one.returncode)[1] for one in running] == [0] * 4
    assert len(home.server.http.get("/api/keys").json()["keys"]) == 1
    assert settings.read_text().count('hook claude-code"') == 17
    home.disconnect("claude-code")
    assert settings.read_text() == TEXT


def test_hostile_names_are_shown_safely(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "\x1b[31mred\u202e"
    folder.mkdir()
    (folder / "settings.json").write_text("{]")
    said = home.connect("claude-code", code=78, CLAUDE_CONFIG_DIR=str(folder))
    done = home.run("agents", CLAUDE_CONFIG_DIR=str(folder))
    dry = home.run("connect", "codex", "--anyway", "--dry-run", CODEX_HOME=str(folder / "x"))
    for text in (said, done.stdout.decode(), done.stderr.decode(), dry.stdout.decode()):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_an_own_file_that_is_somebody_elses(home: Home) -> None:
    path = home.path / ".config" / "opencode" / "plugins" / "agent-task-tracker.js"
    path.parent.mkdir(parents=True)
    path.write_text("// of another program\nexport default 1\n")
    said = home.connect("opencode", code=78)
    assert "is not of this program" in said
    home.disconnect("opencode")
    assert path.read_text().startswith("// of another program")


def test_a_damaged_ledger_is_said_and_left(home: Home, settings: Path) -> None:
    home.ledger.parent.mkdir(parents=True)
    for text in ("{", "[]", '{"version": 1}', '{"version": 99, "connections": {}}'):
        home.ledger.write_text(text)
        for command in (
            ("connect", "claude-code", "--anyway"),
            ("disconnect", "codex"),
            ("agents",),
        ):
            done = home.run(*command)
            assert (done.returncode, done.stderr.count(b"\n")) == (78, 1), (command, done)
            assert b"connections.json" in done.stderr
    assert home.ledger.read_text() == text
    assert settings.read_text() == TEXT


def test_aiders_file_that_the_user_goes_on_with(home: Home) -> None:
    home.connect("aider")
    path = home.path / ".aider.conf.yml"
    text = path.read_text() + "dark-mode: true\n"
    path.write_text(text)
    said = home.disconnect("aider", code=78)
    assert "it was changed since it was made" in said
    assert path.read_text() == text
    path.write_text("dark-mode: true\n")  # by hand, as that said
    home.disconnect("aider")
    assert path.read_text() == "dark-mode: true\n"
    assert "notifications-command" in home.connect("aider", code=78)
