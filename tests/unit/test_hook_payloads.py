"""What becomes of an agent's payload before it is kept or sent: no secret, not too long, JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_task_tracker.hook import names
from agent_task_tracker.hook.privacy import without_texts
from agent_task_tracker.hook.reading import MAX_BYTES, parse
from agent_task_tracker.hook.reducing import MAX_PAYLOAD, MAX_TEXT, Reduced
from agent_task_tracker.hook_request import HookRequest
from agent_task_tracker.masking import Masking

NOTHING_KNOWN = Masking({})


def reduced_of(payload: dict[str, Any], masking: Masking) -> Reduced:
    """However long it takes."""
    return Reduced(payload, masking, math.inf)


# Made up; each holds the part that must not be seen.
HIDDEN = "Zq8w3rT5yU1oP7aS9dF2gH4j"
SECRETS = (
    f"sk-ant-api03-{HIDDEN}",
    f"ghp_{HIDDEN}",
    f"github_pat_{HIDDEN}",
    f"xoxb-{HIDDEN}",
    f"xoxp-{HIDDEN}",
    f"AKIA{HIDDEN}",
    f"att_{HIDDEN}",
    f"eyJhbGciOiJIUzI1NiJ9.{HIDDEN}.{HIDDEN}",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{HIDDEN}\n-----END OPENSSH PRIVATE KEY-----",
    f"Authorization: Bearer {HIDDEN}",
    f"password={HIDDEN}",
    f'password: "{HIDDEN}"',
    f'{{"api_key": "{HIDDEN}"}}',
    f'{{\\"api_key\\": \\"{HIDDEN}\\"}}',
    f"export DEPLOY_KEY='{HIDDEN}'",
    f"MY_TOKEN={HIDDEN}",
    f"https://me:{HIDDEN}@host.example/path",
    f"curl --token {HIDDEN} -v",
)
NAMES = ("password", "secret", "token", "api_key", "apiKey", "authorization", "X-API-Key")

secrets = st.sampled_from(SECRETS)
fillers = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["\x1b[31m", "\\n", "\n", '"', "{", "x" * MAX_TEXT, "é " * 9000]),
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A text with a secret anywhere in it, as words stand in texts."""
    before, after = draw(fillers), draw(fillers)
    space = draw(st.sampled_from([" ", "\n", "\t", "; "]))
    return f"{before}{space}{draw(secrets)}{space}{after}"


values = st.recursive(
    st.one_of(texts(), st.integers(), st.floats(), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(max_size=8), texts()), inner, max_size=4),
        st.sampled_from(NAMES).map(lambda name: {name: [HIDDEN, {"a": HIDDEN}]}),
        st.sampled_from(NAMES).map(lambda name: {"name": name, "value": HIDDEN}),
        st.just(["deploy", "--token", HIDDEN]),
        st.just(["-----BEGIN PRIVATE KEY-----", HIDDEN, "-----END PRIVATE KEY-----"]),
    ),
    max_leaves=12,
)
payloads = st.dictionaries(st.sampled_from(["prompt", "tool_input", "x"]), values, max_size=3)


@settings(max_examples=300, deadline=None)
@given(payloads)
def test_no_secret_is_left_wherever_it_stands(payload: dict[str, Any]) -> None:
    reduced = reduced_of(payload, NOTHING_KNOWN)
    assert HIDDEN not in reduced.content.decode()
    assert json.loads(reduced.content) == reduced.payload
    again = reduced_of(reduced.payload, NOTHING_KNOWN)
    assert again.content == reduced.content


@settings(max_examples=60, deadline=None)
@given(secrets, st.integers(-60, 60), st.sampled_from([MAX_TEXT // 2, MAX_TEXT, 3 * MAX_TEXT]))
def test_no_part_of_a_secret_is_left_where_a_text_is_cut(secret: str, shift: int, at: int) -> None:
    """At the end of the head, at the beginning of the tail, and in between."""
    line = "all is well\n"
    before = (line * 3000)[: at + shift] + "\n"
    for text in (f"{before}{secret}\n{line * 9000}", f"{line * 9000}{secret}\n{before}"):
        reduced = reduced_of({"tool_response": text}, NOTHING_KNOWN)
        assert reduced.is_cut
        shown = reduced.payload["tool_response"]
        assert not any(HIDDEN[start : start + 8] in shown for start in range(len(HIDDEN) - 8))


def test_a_private_key_that_begins_long_before_the_tail_is_hidden_to_its_end() -> None:
    lines = f"{HIDDEN}\n" * 2000
    text = f"-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----\nthe end"
    reduced = reduced_of({"tool_response": text}, NOTHING_KNOWN)
    assert HIDDEN not in reduced.content.decode()
    assert reduced.payload["tool_response"].endswith("the end")


def test_values_of_the_agent_s_own_variables_are_hidden() -> None:
    masking = Masking({"DEPLOY_TOKEN": HIDDEN, "LANG": "de_DE.UTF-8"})
    reduced = reduced_of({"out": f"it is {HIDDEN} in de_DE.UTF-8"}, masking)
    assert reduced.payload == {"out": "it is *** in de_DE.UTF-8"}


def test_what_is_no_secret_stays() -> None:
    payload = {
        "session_id": "2c65b877-8bec-4c9d-bb7a-5caa7eff8240",
        "tool_input": {"command": "pytest -q tests/unit", "timeout": 120.5},
        "usage": {"input_tokens": 12, "totalTokenCount": 40},
        "tags": ["a", "b"],
        "nothing": None,
    }
    reduced = reduced_of(payload, NOTHING_KNOWN)
    assert (reduced.payload, reduced.is_cut) == (payload, False)


@pytest.mark.parametrize("length", [MAX_TEXT - 1, MAX_TEXT, MAX_TEXT + 1, 50_000, 3_000_000])
@pytest.mark.parametrize("unit", ["x", "é", "€", "🙂"])
def test_a_long_text_keeps_its_head_and_its_tail(length: int, unit: str) -> None:
    size = len(unit.encode())
    text = f"first {unit * (length // size)} last"
    reduced = reduced_of({"prompt": text}, NOTHING_KNOWN)
    shown = reduced.payload["prompt"]
    assert reduced.is_cut == (len(text.encode()) > MAX_TEXT)
    if reduced.is_cut:
        assert len(shown.encode()) <= MAX_TEXT
        assert shown.startswith("first ")
        assert shown.endswith(" last")
        (left_out,) = (int(word) for word in shown.split() if word.isdecimal())
        missing = len(text.encode()) - left_out
        assert MAX_TEXT - 60 < missing <= MAX_TEXT, "it says how much"
    else:
        assert shown == text


@pytest.mark.parametrize(
    "payload",
    [
        {"texts": ["x" * 8000] * 1000},
        {"texts": ["\0" * 200] * 40_000},
        {"numbers": list(range(500_000))},
        {f"name {number}": "x" for number in range(300_000)},
        {"\x01" * 200 + str(number): "\x01" * 255 for number in range(30_000)},
        {"deep": [[[{"a": ["\x01" * 9000] * 90}] * 9] * 9] * 9},
    ],
)
def test_all_of_it_is_bounded(payload: dict[str, Any]) -> None:
    reduced = reduced_of(payload, NOTHING_KNOWN)
    assert reduced.is_cut
    assert len(reduced.content) <= MAX_PAYLOAD
    assert json.loads(reduced.content) == reduced.payload


def test_when_time_is_up_ids_and_names_are_told_and_texts_are_not() -> None:
    secret = f"sk-{HIDDEN}"
    payload = {"tool_input": [secret] * 9, "x": {"y": secret}, "prompt": "z" * 999, "id": "s-1"}
    reduced = Reduced(payload, NOTHING_KNOWN, 0)
    assert reduced.is_cut
    assert reduced.payload == {
        "tool_input": [],
        "x": {"y": "***"},
        "prompt": "...",
        "id": "s-1",
    }


def test_what_is_deep_ends_somewhere() -> None:
    nested: Any = "x"
    for _ in range(300):
        nested = [nested]
    reduced = reduced_of({"nested": nested}, NOTHING_KNOWN)
    assert reduced.is_cut
    assert reduced.content.count(b"[") < 100


def test_a_surrogate_alone_and_numbers_without_end_are_mended() -> None:
    payload, is_whole = parse(b'{"a": "x\\ud800y", "b": 1e999, "c": NaN, "\\udfff": 1}')
    assert is_whole
    assert (
        reduced_of(payload, NOTHING_KNOWN).content
        == b'{"a": "x?y", "b": "inf", "c": "NaN", "?": 1}'
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish",
        b"[1]",
        b"17",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"a":' * 50_000,
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_cannot_be_read_is_nothing(content: bytes) -> None:
    assert parse(content) == ({}, False)


def test_of_what_is_too_large_or_broken_off_the_names_are_known() -> None:
    head = b'{"session_id": "s-1", "hook_event_name":"Stop", "prompt": "say \\"cwd\\": \\"/x\\"'
    known = {"session_id": "s-1", "hook_event_name": "Stop"}
    assert parse(head) == (known, False)
    assert parse(head + b"x" * MAX_BYTES) == (known, False)


def test_a_report_of_the_spool_gives_the_same_request_again() -> None:
    """Or the server would take what is sent twice for two things."""
    payload = {"prompt": 'é\n"', "x": [1.5, 10**30, -0.0, None, True]}
    content = reduced_of(payload, NOTHING_KNOWN).content
    request = HookRequest("claude-code", "key", '{"version":1,"cwd":"\\u00e9"}', content)
    assert HookRequest.of(request.report("name.hook", "s").content) == request


TEXT = "words that nobody may read"


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.one_of(st.just(TEXT), st.integers(), st.none()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(["prompt", "type", "id", "args", "x y"]), inner),
        ),
        max_leaves=8,
    )
)
def test_private_sessions_tell_no_texts(value: Any) -> None:
    payload = {"session_id": "s", "hook_event_name": "Stop", "data": value, "tool_input": value}
    kept = without_texts(payload)
    assert TEXT not in json.dumps(kept)
    assert (kept["session_id"], kept["hook_event_name"]) == ("s", "Stop")
    assert "tool_input" not in kept


def test_private_sessions_keep_names_ids_and_numbers() -> None:
    payload = {
        "session_id": "s-1",
        "cwd": "/home/you/a project",
        "transcript_path": "/home/you/x.jsonl",
        "tool_name": "Bash",
        "tool_input": {"command": "ls", "id": "a"},
        "duration_ms": 12,
        "background_tasks": [{"id": "b1", "type": "shell", "description": "words"}, "words"],
        "reason": "words that say more",
        "event": {"type": "session.idle", "properties": {"sessionID": "ses_1", "title": "T"}},
    }
    assert without_texts(payload) == {
        "session_id": "s-1",
        "cwd": "/home/you/a project",
        "tool_name": "Bash",
        "duration_ms": 12,
        "background_tasks": [{"id": "b1", "type": "shell"}],
        "event": {"type": "session.idle", "properties": {"sessionID": "ses_1"}},
    }


def test_private_sessions_tell_no_paths_by_which_something_is_kept() -> None:
    payload = {
        "session_id": "s",
        "changes": {"/home/you/acquisition.md": {"id": 1}, "https://h/x": 2, "a.py": 3},
        "said": "never",
        "paid": "never",
    }
    assert without_texts(payload) == {"session_id": "s", "changes": {}}


def test_private_sessions_may_be_nested_however_deeply() -> None:
    payload: dict[str, Any] = {"session_id": "s"}
    for _ in range(2000):
        payload = {"session_id": "s", "in": payload}
    assert without_texts(payload)["session_id"] == "s"


@pytest.mark.parametrize("before", ["password=", "ghp_", "Authorization: Bearer ", "--token "])
def test_no_half_of_a_secret_is_told_where_a_text_is_cut(before: str) -> None:
    secret = "Zq8sEcReTvAlUe99xYzB4dPqR7sT2uV5wX"
    hidden = f"\ntoken={'x' * 13_000}\n"
    for cut_at in range(-len(before), len(secret)):
        at_tail = f"{before}{secret}{hidden}".ljust(16_384 + len(before) + cut_at)
        at_head = f"token={'x' * (16_370 - cut_at)} {before}{secret}"
        payload = {"a": "word " * 6000 + at_tail, "b": at_head + " word" * 6000}
        told = reduced_of(payload, NOTHING_KNOWN).payload
        assert not any(secret[start : start + 6] in str(told) for start in range(29)), cut_at


@pytest.mark.parametrize(
    ("payload", "named", "is_vital"),
    [
        ({"session_id": "a", "hook_event_name": "Stop"}, ("a", "Stop"), True),
        ({"session_id": "a", "hook_event_name": "PreToolUse"}, ("a", "PreToolUse"), False),
        (
            {"session_id": "a", "hook_event_name": "PreToolUse", "tool_name": "AskUserQuestion"},
            ("a", "PreToolUse"),
            True,
        ),
        ({"sessionId": "a", "hookEventName": "AfterTool"}, ("a", "AfterTool"), False),
        ({"taskId": "a", "hookName": "TaskStart"}, ("a", "TaskStart"), True),
        (
            {"conversation_id": "a", "hook_event_name": "afterFileEdit"},
            ("a", "afterFileEdit"),
            False,
        ),
        ({"thread-id": "a", "type": "agent-turn-complete"}, ("a", "agent-turn-complete"), True),
        ({"hook_event_name": "PermissionRequest"}, ("", "PermissionRequest"), True),
        (
            {"hook": "event", "event": {"type": "session.idle", "properties": {"sessionID": "a"}}},
            ("a", "session.idle"),
            True,
        ),
        (
            {
                "hook": "event",
                "event": {"type": "session.created", "properties": {"info": {"id": "a"}}},
            },
            ("a", "session.created"),
            True,
        ),
        (
            {"hook": "tool.execute.before", "input": {"sessionID": "a"}},
            ("a", "tool.execute.before"),
            False,
        ),
        ({}, ("", ""), True),
        ({"session_id": 7, "event": [], "hook_event_name": {}}, ("", ""), True),
    ],
)
def test_events_and_sessions_are_found(
    payload: dict[str, Any], named: tuple[str, str], *, is_vital: bool
) -> None:
    assert (names.session(payload), names.event(payload)) == named
    assert names.is_vital(payload) == is_vital


def test_the_folder_is_the_agent_s() -> None:
    assert names.folder({"cwd": "/a"}) == "/a"
    assert names.folder({"workspaceRoots": ["/b", "/c"]}) == "/b"
    assert names.folder({"directory": "/d"}) == "/d"
    assert names.folder({"cwd": 7, "workspace_roots": []}) == ""
    assert Path(names.folder({"cwd": "."}) or "/") == Path()
