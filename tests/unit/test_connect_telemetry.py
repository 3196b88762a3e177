"""An agent's telemetry goes to the tracker by its configuration, in which nothing else changes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.configurations import configurations, laid_out
from tests.unit.test_connect_editing import is_within, plain
from tracker.agents.connect.base import HookCommand, Place
from tracker.agents.connect.claude_code import ClaudeCode
from tracker.agents.connect.codex import Codex
from tracker.agents.connect.editors import Editor, Ownership
from tracker.agents.connect.telemetry import HELPER, Telemetry, is_private

EVENTS = ("SessionStart", "PreToolUse", "Stop")
THEIRS = st.dictionaries(st.sampled_from(["A", "LANG", "ANTHROPIC_MODEL", "é"]), st.text())


def editor(url: str | None = "http://127.0.0.1:8000", key: str = "k") -> Editor:
    telemetry = None if url is None else Telemetry(url, key)
    command = HookCommand(Path("/opt/tracker/bin/tracker"), "claude-code", telemetry)
    return ClaudeCode().editor(Path("settings.json"), command, Ownership("claude-code"))


@st.composite
def with_env(draw: st.DrawFn) -> bytes:
    """A file that has variables, or not."""
    content = draw(configurations(EVENTS))
    value = plain(content)
    if "env" in value or HELPER in value:
        value = {}
    if draw(st.booleans()):
        value = {"env": draw(THEIRS), **value} if draw(st.booleans()) else {**value, "env": {}}
        content = draw(laid_out(value))
    return content


def undone(content: bytes, spans: Any) -> bytes:
    for start, size in sorted(spans, reverse=True):
        content = content[:start] + content[start + size :]
    return content


@settings(max_examples=150, deadline=None)
@given(with_env())
def test_in_and_out_again(content: bytes) -> None:
    edited = editor().add(content)
    value = plain(edited.content)
    assert value["env"]["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"] == "http://127.0.0.1:8000/v1/logs"
    assert value[HELPER] == "/opt/tracker/bin/tracker hook claude-code --telemetry"
    assert plain(content).get("env", {}).items() <= value["env"].items()
    assert undone(edited.content, edited.spans) == content
    assert editor().is_current(edited.content)
    assert not editor("https://example.org").is_current(edited.content)
    assert not editor(None).is_current(edited.content)


@settings(max_examples=150, deadline=None)
@given(with_env())
def test_out_again_without_knowing_what_was_changed(content: bytes) -> None:
    edited = editor().add(content)
    left = editor(None).remove(edited.content, edited.containers, made=False)
    assert left is not None
    assert plain(left) == plain(content)
    assert is_within(left, edited.content)


@settings(max_examples=60, deadline=None)
@given(with_env(), st.sampled_from(["OTEL_EXPORTER_OTLP_ENDPOINT", "CLAUDE_CODE_ENABLE_TELEMETRY"]))
def test_where_there_is_an_exporter_nothing_of_it_changes(content: bytes, name: str) -> None:
    value = plain(content)
    value["env"] = {**value.get("env", {}), name: "http://collector:4318"}
    theirs = json.dumps(value).encode()
    edited = editor().add(theirs)
    assert plain(edited.content)["env"] == value["env"]
    assert HELPER not in plain(edited.content)
    assert undone(edited.content, edited.spans) == theirs
    assert editor().is_current(edited.content)


def test_what_its_user_has_changed_of_it_stays() -> None:
    edited = editor().add(b'{"env": {"A": "1"}}')
    value = plain(edited.content)
    value["env"]["OTEL_LOGS_EXPORTER"] = "console"
    left = editor(None).remove(json.dumps(value).encode(), edited.containers, made=False)
    assert left is not None
    assert plain(left) == {"env": {"A": "1", "OTEL_LOGS_EXPORTER": "console"}}


@pytest.mark.parametrize("where", ["environment", "user", "project"])
def test_an_exporter_of_its_users_is_found(tmp_path: Path, where: str) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    project = tmp_path / "app"
    folder = {"user": tmp_path, "project": project}.get(where)
    if folder is not None:
        (folder / ".claude").mkdir(parents=True)
        settings_file = folder / ".claude" / "settings.json"
        settings_file.write_text(json.dumps({"env": variables}), encoding="utf-8")
    environment = variables if where == "environment" else {}
    place = Place(environment, tmp_path, project)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in str(ClaudeCode().others_telemetry(place))
    assert ClaudeCode().others_telemetry(Place({}, tmp_path / "other")) is None


def test_a_key_is_put_where_others_do_not_read_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert is_private(file)
    file.write_text("", encoding="utf-8")
    file.chmod(0o644)
    tmp_path.chmod(0o700)
    assert is_private(file)
    (tmp_path / ".git").mkdir()
    assert not is_private(file)


TABLES = [
    *("", "\n", "a = 1", "a = 1\n", 'a = "é"\r\n[b]\r\nc = 2\r\n', "# only this"),
    *("[hooks.state]\n", '[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ncommand = "x"\n', "[b.c]\nd = []"),
]


def codex(key: str | None = "k", config: Path = Path("config.toml")) -> Editor:
    telemetry = None if key is None else Telemetry("http://127.0.0.1:8000/", key)
    command = HookCommand(Path("/opt/tracker/bin/tracker"), "codex", telemetry)
    return Codex().editor(config, command, Ownership("codex"))


@pytest.mark.parametrize("text", TABLES, ids=repr)
@pytest.mark.parametrize("key", ["k", 'a "quoted" key', "\\ \x7f é"], ids=repr)
def test_codex_has_a_table_of_its_own(tmp_path: Path, text: str, key: str) -> None:
    config = tmp_path / "config.toml"
    config.write_bytes(text.encode())
    ours = codex(key, config)
    edited = ours.add(text.encode())
    assert tomllib.loads(edited.content.decode())["otel"] == {
        "exporter": {
            "otlp-http": {
                "endpoint": "http://127.0.0.1:8000/v1/logs",
                "protocol": "binary",
                "headers": {"x-api-key": key},
            }
        }
    }
    assert undone(edited.content, edited.spans) == text.encode()
    assert ours.is_current(edited.content)
    assert not codex("another", config).is_current(edited.content)
    left = codex(None, config).remove(edited.content + b"[more]\n", (), made=False)
    assert left is not None
    assert tomllib.loads(left.decode()) == {**tomllib.loads(text), "more": {}}
    assert key not in ours.snippet() or key == "k"


def test_a_table_of_its_users_stays() -> None:
    theirs = b'[otel]\nexporter = "none"\n'
    edited = codex().add(theirs)
    assert edited.content == theirs
    assert codex().is_current(theirs)
    assert codex(None).remove(theirs, (), made=False) == theirs


def test_what_became_of_codexs_own_table(tmp_path: Path) -> None:
    folder = tmp_path / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text('[otel]\nexporter = "none"\n', encoding="utf-8")
    place = Place({}, tmp_path)
    assert "[otel]" in str(Codex().others_telemetry(place))
    (folder / "config.toml").write_text("", encoding="utf-8")
    assert Codex().others_telemetry(place) is None
    assert "repository" in str(Codex().others_telemetry(Place({}, tmp_path, tmp_path / "app")))
    (folder / ".git").mkdir()
    assert "git" in str(Codex().others_telemetry(place))
