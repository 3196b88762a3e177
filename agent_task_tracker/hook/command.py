"""The command: an agent's event becomes a report in the spool, and is sent if that is quick.

Whatever happens, the exit code is 0, and nothing is printed but what the agent demands.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence

from agent_task_tracker.light_typing import Any, Final, NoReturn

# What an agent demands on standard output. Others take nothing for "no opinion".
_ANSWERS: Final = {"cline": b'{"cancel": false}\n'}

_Handler = Callable[[int, Any], Any] | int

# They run a program when they wait for their user, and tell it nothing; what they give it as
# standard input is the user's terminal.
_SILENT: Final = frozenset({"aider"})

_SIGNALS: Final = ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")


def main(arguments: Sequence[str]) -> NoReturn:
    """The command. `arguments`: the agent, and its payload if it is not on standard input."""
    started_ns = time.time_ns()
    try:
        _on_signals(_leave)
        _run(arguments, started_ns)
    except BaseException as error:  # noqa: BLE001 - an agent is never to notice
        from agent_task_tracker.hook.problems import note

        note(error)
    finally:
        os._exit(0)


def _run(arguments: Sequence[str], started_ns: int) -> None:
    # Not before there are handlers: an agent may be interrupted at any time.
    from agent_task_tracker import connections
    from agent_task_tracker.hook_request import is_agent

    match arguments:
        case [agent, "--send", *options]:
            from agent_task_tracker.hook.background import send_in_background

            send_in_background(agent, make_room="--make-room" in options)
        case [agent, "--telemetry"]:
            _give_headers(agent)
        case [agent, *payload] if is_agent(agent):
            _answer(agent)
            is_silent = agent in _SILENT
            given = payload[-1].encode("utf-8", "replace") if payload else b""
            if not payload and not is_silent:
                from agent_task_tracker.hook.reading import read_input

                given = read_input()
            if given or is_silent:
                entries = connections.load(connections.path(os.environ))
                if agent in entries:
                    _on_signals(signal.SIG_IGN)  # until it is kept
                    from agent_task_tracker.hook.event import Event

                    Event(agent, entries, lambda: _on_signals(_leave)).tell(given, started_ns)


def _give_headers(agent: str) -> None:
    """An object in any case: an agent would complain, or send nothing any more."""
    from agent_task_tracker import connections

    found = "{}"
    try:
        entry = connections.load(connections.path(os.environ)).get(agent)
        if entry is not None:
            from agent_task_tracker.hook.telemetry import headers

            found = headers(connections.connection(entry))
    finally:
        os.write(1, found.encode())


def _answer(agent: str) -> None:
    answer = _ANSWERS.get(agent)
    if answer is not None:
        with contextlib.suppress(OSError):  # closed
            os.write(1, answer)


def _on_signals(handler: _Handler) -> None:
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, handler)


def _leave(_number: int, _frame: object) -> None:
    os._exit(0)
