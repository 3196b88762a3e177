"""Whatever an agent's configuration is: our hooks go in and out, and nothing else in it changes."""

from __future__ import annotations

import codecs
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.configurations import configurations, hooks_of, laid_out
from tracker.agents.connect.changes import Change, Step, carry_out, plan_adding, plan_removing
from tracker.agents.connect.config_file import ConfigFile
from tracker.agents.connect.editors import Editor, Ownership, Unsuitable
from tracker.agents.connect.errors import CannotEdit
from tracker.agents.connect.hooks_json import HooksJson
from tracker.agents.connect.hooks_toml import HooksToml

OURS = "/opt/tracker/bin/tracker hook claude-code"
EVENTS = ("SessionStart", "PreToolUse", "Stop")
TODAY = date(2026, 11, 27)


def entry(command: str = OURS) -> dict[str, Any]:
    return {"hooks": [{"type": "command", "command": command, "timeout": 10}]}


def editor(command: str = OURS) -> HooksJson:
    return HooksJson(Ownership("claude-code"), dict.fromkeys(EVENTS, entry(command)))


def flat() -> HooksJson:
    item = {"command": OURS, "timeout": 10}
    return HooksJson(
        Ownership("claude-code"), dict.fromkeys(EVENTS, item), head={"version": 1}, is_flat=True
    )


def with_ours(value: dict[str, Any]) -> dict[str, Any]:
    hooks = {**value.get("hooks", {})}
    for event in EVENTS:
        hooks[event] = [*hooks.get(event, []), entry()]
    return {**value, "hooks": hooks}


def plain(content: bytes) -> Any:
    return json.loads(content.removeprefix(codecs.BOM_UTF8))


def is_within(part: bytes, whole: bytes) -> bool:
    """Whether all of it is there, in this order, whatever is in between."""
    rest = iter(whole)
    return all(byte in rest for byte in part)


@settings(max_examples=120, deadline=None)
@given(configurations(EVENTS))
def test_in_and_out_again(content: bytes) -> None:
    edited = editor().add(content)
    assert plain(edited.content) == with_ours(plain(content))
    left = edited.content
    for start, size in sorted(edited.spans, reverse=True):
        left = left[:start] + left[start + size :]
    assert left == content
    assert editor().is_current(edited.content)
    assert not editor().is_current(content)


@settings(max_examples=120, deadline=None)
@given(configurations(EVENTS))
def test_out_again_without_knowing_what_was_changed(content: bytes) -> None:
    edited = editor().add(content)
    left = editor().remove(edited.content, edited.containers, made=False)
    assert left is not None
    assert plain(left) == plain(content)
    assert is_within(left, edited.content)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_edits_of_others_in_between_stay(data: st.DataObject) -> None:
    """The user has edited the file, our entries may be anywhere among theirs."""
    edited = editor().add(data.draw(configurations(EVENTS)))
    value = plain(edited.content)
    theirs = data.draw(hooks_of(EVENTS))
    for event, groups in theirs.items():
        before = value["hooks"].setdefault(event, [])
        at = data.draw(st.integers(0, len(before)))
        before[at:at] = groups
    value["new"] = data.draw(st.text())
    now = data.draw(laid_out(value))
    left = editor().remove(now, edited.containers, made=False)
    assert left is not None
    assert is_within(left, now)
    expected = {**value, "hooks": {}}
    for event, groups in value["hooks"].items():
        kept = [group for group in groups if group != entry()]
        if kept or f"hooks.{event}" not in edited.containers:
            expected["hooks"][event] = kept
    if not expected["hooks"] and "hooks" in edited.containers:
        del expected["hooks"]
    assert plain(left) == expected


@settings(max_examples=100, deadline=None)
@given(configurations(()))
def test_the_flat_form(content: bytes) -> None:
    try:
        edited = flat().add(content)
    except Unsuitable:
        hooks = plain(content)["hooks"]
        assert any(event in hooks for event in EVENTS)
        return
    left = flat().remove(edited.content, edited.containers, made=False)
    assert left is not None
    assert plain(left) == plain(content)
    for start, size in sorted(edited.spans, reverse=True):
        edited = edited._replace(content=edited.content[:start] + edited.content[start + size :])
    assert edited.content == content


def test_one_handler_of_several_goes_alone() -> None:
    theirs = {"type": "command", "command": "say done"}
    ours = {"type": "command", "command": OURS}
    text = json.dumps({"hooks": {"Stop": [{"hooks": [theirs, ours]}]}}, indent=1)
    left = editor().remove(text.encode(), (), made=False)
    assert left == json.dumps({"hooks": {"Stop": [{"hooks": [theirs]}]}}, indent=1).encode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON value"),
        ("// mine\n{}", "line 1: a comment"),
        ('{"a": 1,}', "a comma after the last one"),
        ('{"a": 1} {}', "something follows"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"x": [{"b": 1, "\\u0062": 2}]}', "twice"),
        ('{"a": NaN}', "no JSON value"),
        ('{"a": 01}', "missing"),
        ("{'a': 1}", "no JSON value"),
        ("{a: 1}", "no JSON value"),
        ('{"a": "\t"}', "no JSON value"),
        ('{"a": ' + "9" * 5000 + "}", "too long"),
        ("[" * 200 + "]" * 200, "nested too deeply"),
        ("[]", "no JSON object"),
        ("null", "no JSON object"),
        ('{"hooks": []}', '"hooks" is no object'),
        ('{"hooks": null}', '"hooks" is no object'),
        ('{"hooks": {"Stop": {}}}', "no list"),
        ('{"hooks": {"Stop": ["x"]}}', "unknown shape"),
        ('{"hooks": {"Stop": [{"command": "x"}]}}', "unknown shape"),
        ('{"hooks": {"Stop": [{"hooks": "x"}]}}', "unknown shape"),
        ("\ufeff\ufeff{}", "no JSON value"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, why: str) -> None:
    with pytest.raises(Unsuitable, match=why):
        editor().add(text.encode())


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(Unsuitable, match=r"not UTF-8 \(byte 6\)"):
        editor().add(b'{"a": \xff}')


@pytest.mark.parametrize(
    "command",
    [
        "/usr/bin/tracker hook claude-code",
        "'/home/a b/tracker' hook claude-code",
        '"C:/Program Files/tracker.exe" hook claude-code',
        "C:\\t\\tracker.EXE hook claude-code ",
        "tracker hook claude-code",
        "/x/agent-task-tracker hook claude-code",
        "/x/tracker-linux-x64 hook claude-code",
        '& "C:/a b/tracker.exe" hook claude-code',
    ],
)
def test_ours_by_any_path(command: str) -> None:
    assert Ownership("claude-code")(command)
    assert not Ownership("codex")(command)


@pytest.mark.parametrize(
    "command",
    [
        "/usr/bin/timetracker hook claude-code",
        "tracker hook claude-code-2",
        "tracker hook claude-code && rm x",
        "echo tracker hook claude-code",
        "tracker hooks claude-code",
        "my tracker hook claude-code",
        "/usr/bin/audit.sh; /opt/tracker hook claude-code",
        "/usr/bin/audit.sh;/opt/tracker hook claude-code",
        "/usr/bin/audit.sh\n/opt/tracker hook claude-code",
        "tee -a /tmp/log | /opt/tracker hook claude-code",
        "say 'a' && '/opt/a b/tracker' hook claude-code",
        "$(/usr/bin/which-one)/tracker hook claude-code",
        ["tracker", "hook", "claude-code"],
        None,
    ],
)
def test_others_that_look_alike(command: object) -> None:
    assert not Ownership("claude-code")(command)


# TOML.

TOML = """\
model = "x"  # mine
[hooks.state."/h/hooks.json:stop:0:0"]
trusted_hash = "sha256:00"

[[hooks.Stop]]
matcher = 'a'
[[hooks.Stop.hooks]]
type = "command"
command = "say done"
"""


def toml() -> HooksToml:
    return HooksToml(Ownership("claude-code"), dict.fromkeys(EVENTS, entry()))


@pytest.mark.parametrize("text", [TOML, TOML.replace("\n", "\r\n"), TOML.rstrip(), "", "a = 1"])
def test_toml_in_and_out_again(text: str) -> None:
    edited = toml().add(text.encode())
    assert toml().is_current(edited.content)
    assert edited.content.startswith(text.encode())
    ((start, size),) = edited.spans
    assert edited.content[:start] + edited.content[start + size :] == text.encode()
    left = toml().remove(edited.content, (), made=False)
    assert left is not None
    assert left.rstrip() == text.encode().rstrip()


def test_toml_into_which_codex_wrote_meanwhile() -> None:
    edited = toml().add(TOML.encode()).content.decode()
    trust = '[hooks.state."/h/config.toml:stop:1:0"]\ntrusted_hash = "sha256:11"\n'
    now = edited.replace("[[hooks.PreToolUse]]", f"{trust}\n[[hooks.PreToolUse]]") + trust.replace(
        ":1:0", ":2:0"
    )
    left = toml().remove(now.encode(), (), made=False)
    assert left is not None
    text = left.decode()
    assert text.startswith(TOML)
    assert text.count("trusted_hash") == 3
    assert "tracker" not in text


def test_toml_that_somebody_rewrote_is_refused() -> None:
    text = f'[hooks]\nStop = [{{ hooks = [{{ type = "command", command = "{OURS}" }}] }}]\n'
    with pytest.raises(Unsuitable, match="moved or changed"):
        toml().remove(text.encode(), (), made=False)
    with pytest.raises(Unsuitable, match="cannot be added to"):
        toml().add(text.replace(OURS, "x").encode())


# Files.


class Notes(list[Change]):
    """What carrying out keeps."""


def put(path: Path, wanted: Editor, before: Change | None = None) -> tuple[Step, Change]:
    notes = Notes()
    plan = lambda: plan_adding(ConfigFile(path), wanted, before, Change(path))  # noqa: E731
    step, _ = carry_out(plan, notes.append, TODAY)
    return step, notes[-1]


def take(path: Path, before: Change | None) -> Step:
    plan = lambda: plan_removing(ConfigFile(path), editor(), before, b"hook")  # noqa: E731
    return carry_out(plan, lambda _: None, TODAY)[0]


def test_a_new_executable_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(original := b'{\t"a":1}')
    _, first = put(path, editor("/old/tracker hook claude-code"))
    step, second = put(path, editor(), first)
    assert step.changes
    assert plain(path.read_bytes()) == with_ours({"a": 1})
    assert take(path, second).after == path.read_bytes() == original


class Meddling(HooksJson):
    """Somebody writes the file while it is edited, so many times."""

    def __init__(self, path: Path, times: int) -> None:
        super().__init__(Ownership("claude-code"), dict.fromkeys(EVENTS, entry()))
        self.path, self.times = path, times

    def add(self, content: bytes | None) -> Any:
        if self.times:
            self.times -= 1
            self.path.write_text(json.dumps({"written": self.times}))
        return super().add(content)


@pytest.mark.parametrize("existed", [True, False])
def test_what_was_written_meanwhile_is_not_overwritten(tmp_path: Path, existed: bool) -> None:
    path = tmp_path / "settings.json"
    if existed:
        path.write_text("{}")
    _, change = put(path, Meddling(path, 2))
    assert plain(path.read_bytes()) == with_ours({"written": 0})
    take(path, change)
    assert path.read_text() == '{"written": 0}'


def test_a_file_that_changes_all_the_time_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    with pytest.raises(CannotEdit, match="changes it all the time"):
        put(path, Meddling(path, 99))
    assert "written" in path.read_text()
    assert [file.name for file in tmp_path.iterdir() if "before" not in file.name] == [path.name]
