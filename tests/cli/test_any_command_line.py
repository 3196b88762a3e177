"""Whatever is typed, set and written in files: a documented exit code, a line or three that say
why, and never a traceback."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import click
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.cli import run_here
from tests.support.platforms import needs_posix
from tracker.cli.command_table import COMMANDS, EXIT_CODES
from tracker.cli.group import cli
from tracker.config.settings import SETTINGS
from tracker.config.variables import CLIENT_VARIABLES
from tracker.errors import InUse

DOCUMENTED = EXIT_CODES.keys() - {70}  # which would be a fault of ours

# They end the process that they run in: tests of their own.
_NOT_HERE = {"run", "hook"}

_UNTYPED = "\x00/"  # no argument has NUL; a slash might lead out of the test's folder

_VALUES = (
    *("", "-", "--", "1", "0", "-1", "1e999", "nan", "9" * 30, "name", "data", "ready.json", "."),
    *("claude-code", "create", "json", "csv", "bash", "{}", "[]", ":memory:", "1d", "0s", "*"),
    *("http://localhost:99999", "http://localhost:abc", "http://[::1", "http://local host:80"),
    *("http://a]b", "http://exa..mple", f"http://{'a' * 70}.x", "http://\udcff", "unix:", "//x"),
    *("http://127.0.0.1:1", "https://127.0.0.1:1", f"unix:{'a' * 200}", "http://é.x/é", "ftp://x"),
    *("name\udcff", "\x1b[31m", "a\nb", "missing/file", "é" * 300, "2024-13-01", "::1", "true"),
)


def _text(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(_VALUES), st.text(alphabet, max_size=12))


_CHARACTERS = st.one_of(
    st.characters(exclude_characters=_UNTYPED, exclude_categories=("Cs",)),
    st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=("Cs",)),
)
_WORDS = _text(_CHARACTERS)
_VARIABLES = (
    *(setting.variable for setting in SETTINGS),
    *(name for name in CLIENT_VARIABLES if name != "TRACKER_TRACEBACK"),
    *("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "TRACKER_X", "TRACKER_PROT"),
    *("COLUMNS", "NO_COLOR", "LANG", "TRACKER_DB", "TRACKER_URL", "API_KEY"),
)


def _given(parameter: click.Parameter) -> st.SearchStrategy[list[str]]:
    """An option or an argument, mostly as it should be."""
    value = _WORDS
    if isinstance(parameter.type, click.Choice):
        value = st.one_of(st.sampled_from(list(parameter.type.choices)), value)
    elif isinstance(parameter.type, click.FloatRange | click.IntRange):
        value = st.one_of(st.sampled_from(["1", "2.5"]), value)
    if isinstance(parameter, click.Argument):
        return value.map(lambda word: [word])
    name = parameter.opts[-1]
    is_flag = isinstance(parameter, click.Option) and parameter.is_flag
    return st.just([name]) if is_flag else value.map(lambda word: [name, word])


def _arguments(command: click.Command) -> st.SearchStrategy[list[str]]:
    if isinstance(command, click.Group):
        below = [
            _arguments(inner).map(lambda rest, n=n: [n, *rest])
            for n, inner in command.commands.items()
        ]
        return st.one_of(below)
    required = [_given(parameter) for parameter in command.params if parameter.required]
    others = [_given(parameter) for parameter in command.params if not parameter.required]
    parts = st.tuples(
        st.tuples(*required), st.lists(st.one_of(others), max_size=3) if others else st.just([])
    )
    return parts.map(lambda found: [word for some in found for words in some for word in words])


def _lines() -> st.SearchStrategy[list[str]]:
    context = click.Context(cli)

    def of(name: str) -> st.SearchStrategy[list[str]]:
        command = cli.get_command(context, name)
        assert command is not None
        return _arguments(command).map(lambda rest: [name, *rest])

    known = st.sampled_from(sorted(COMMANDS.keys() - _NOT_HERE)).flatmap(of)
    strange = st.tuples(known, st.lists(_WORDS, max_size=2)).map(lambda both: [*both[0], *both[1]])
    unknown = st.lists(_WORDS, max_size=3).filter(lambda words: not _NOT_HERE & {*words[:1]})
    return st.one_of(known, known, strange, unknown)


_FILES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"API_KEY=\xff\xfe",
            b"TRACKER_URL=http://[::1\nAPI_KEY=a-key-of-mine",
            b"TRACKER_DB=own.db\nTRACKER_PORT=x\n=\n",
            b'{"url": "http://localhost:99999", "pid": 1, "key": "\xc3\xa9"}',
            b'{"url": 3}',
            b"[" * 100_000,
            b"SQLite format 3\x00" + b"\x01" * 200,
        ]
    ),
)


class _Clock:
    """Time that passes at once."""

    def __init__(self) -> None:
        self._monotonic = time.monotonic
        self._slept = 0.0

    def sleep(self, seconds: float) -> None:
        self._slept += seconds

    def monotonic(self) -> float:
        return self._monotonic() + self._slept


def _refuse(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
    """No network; but what is no name of a host fails as it does."""
    address[0].encode("idna")
    raise ConnectionRefusedError(111, "Connection refused")


@contextlib.contextmanager
def _alone() -> Iterator[Path]:
    """In an empty folder, without network, user and time."""
    clock, folder = _Clock(), tempfile.mkdtemp()
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, clear=True),
        mock.patch.object(time, "sleep", clock.sleep),
        mock.patch.object(time, "monotonic", clock.monotonic),
        mock.patch.object(socket, "create_connection", _refuse),
        mock.patch("tracker.server.run._listen", side_effect=InUse("127.0.0.1:8000: taken")),
        mock.patch("pwd.getpwuid", side_effect=KeyError("no such user")),
    ):
        yield Path(folder)
    shutil.rmtree(folder, ignore_errors=True)


@needs_posix
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
@given(
    words=_lines(),
    variables=st.dictionaries(st.sampled_from(_VARIABLES), _WORDS, max_size=4),
    files=st.dictionaries(st.sampled_from([".env", "ready.json", "data"]), _FILES, max_size=3),
    home=st.booleans(),
    gone=st.booleans(),
)
@example(words=["serve"], variables={}, files={}, home=False, gone=False)
@example(words=["doctor"], variables={}, files={}, home=False, gone=False)
@example(words=["serve", "--db", "a.db"], variables={}, files={}, home=True, gone=True)
@example(words=["export", "."], variables={}, files={}, home=True, gone=False)
@example(words=["doctor"], variables={}, files={".env": b"API_KEY=\xff"}, home=True, gone=False)
@example(words=["ls", "--url", "http://[::1"], variables={}, files={}, home=True, gone=False)
@example(
    words=["ls"], variables={"TRACKER_URL": "http://localhost:abc"}, files={}, home=True, gone=False
)
def test_anything_ends_in_a_documented_code_and_a_few_lines(
    words: list[str], variables: dict[str, str], files: dict[str, bytes], home: bool, gone: bool
) -> None:
    """`home`: whether the user has one; `gone`: the working directory was removed meanwhile."""
    with _alone() as folder:
        os.environ.update({**({"HOME": str(folder)} if home else {}), **variables})
        for name, content in files.items():
            (folder / name).write_bytes(content)
        if gone:
            os.chdir(tempfile.mkdtemp(dir=folder))
            Path.cwd().rmdir()
        done = run_here(*words)
    assert done.code in DOCUMENTED, done
    assert "Traceback" not in done.stdout + done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    if done.code:
        assert done.stderr or done.stdout
        assert len(done.stderr.splitlines()) <= 3, done
