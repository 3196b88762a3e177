"""The sender in the background: takes what waits for a connected agent's server there, when the
hook could not.

There is one for each destination, which holds its lock `.sender`. A hook puts its report, and then
looks whether somebody has that lock; a sender lets go of it, and then looks whether something
waits: whoever comes second sees the other.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

from agent_task_tracker import connections, user_folders
from agent_task_tracker.hook.problems import note
from agent_task_tracker.light_typing import Final
from agent_task_tracker.locks import let_go
from agent_task_tracker.spool_files import SENDER, has_sender, lock_file, names, private_folder

# Seconds until what was not taken is tried again: twice as long each time.
_FIRST_PAUSE: Final = 0.2
_MAX_PAUSE: Final = 5.0

# Seconds without success after which it is left to the next event, and to the server's start.
_PATIENCE: Final = 300.0


def ensure_sender(agent: str, folder: str, *, make_room: bool) -> None:
    """Start a sender unless there is one. `folder`: of the destination in the spool. Raises
    OSError."""
    if make_room or not has_sender(folder):
        _start(agent, make_room=make_room)


def send_in_background(agent: str, *, make_room: bool) -> None:
    """What the sender does, until nothing is left or there is no hope for now."""
    from agent_task_tracker.folders import spool_folder
    from agent_task_tracker.spool import Spool

    environment = os.environ
    if make_room:
        Spool(spool_folder(environment)).make_room()
    spool = user_folders.spool(environment)
    entry = connections.load(connections.path(environment)).get(agent)
    if entry is None:
        return
    to = connections.connection(entry).destination
    folder = private_folder(spool, to.folder_name)
    while names(folder, 1):
        descriptor, is_ours = lock_file(folder, SENDER)
        try:
            if not is_ours:
                return
            os.truncate(descriptor, 0)
            os.write(descriptor, b"%d" % os.getpid())  # for whoever wants it to end
            if not _deliver(agent, folder):
                return
        finally:
            let_go(descriptor)


def _deliver(agent: str, folder: str) -> bool:
    """Whether nothing is left."""
    from agent_task_tracker.address import Address
    from agent_task_tracker.courier import Courier
    from agent_task_tracker.credentials import of_connection
    from agent_task_tracker.folders import spool_folder
    from agent_task_tracker.sender import Sender, patient
    from agent_task_tracker.spool import Spool

    file = connections.path(os.environ)
    pause, hope = _FIRST_PAUSE, time.monotonic() + _PATIENCE
    while time.monotonic() < hope:
        entry = connections.load(file).get(agent)
        if entry is None:  # it was disconnected meanwhile
            return False
        to = connections.connection(entry)
        courier = Courier(Address(to.url, to.ca_file), of_connection(to))
        try:
            sender = Sender(Spool(spool_folder(os.environ)), courier, to.destination)
            delivery = sender.deliver(patient(_MAX_PAUSE))
        finally:
            courier.close()
        if not names(folder, 1):
            return True
        if delivery is not None and delivery.sent:
            pause, hope = _FIRST_PAUSE, time.monotonic() + _PATIENCE
        time.sleep(pause)
        pause = min(2 * pause, _MAX_PAUSE)
    return False


def _start(agent: str, *, make_room: bool) -> None:
    if not hasattr(os, "fork") or _unpacks_itself():
        _start_anew(agent, make_room=make_room)
        return
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:  # nothing of the hook's may be done twice, whatever happens
        os.setsid()
        if not os.fork():
            _let_go_of_all()
            send_in_background(agent, make_room=make_room)
    except Exception as error:  # noqa: BLE001 - nobody else would hear of it
        note(error)
    finally:
        os._exit(0)


def _let_go_of_all() -> None:
    """The agent waits for the ends of pipes, and folders may be unmounted."""
    with contextlib.suppress(OSError):
        os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    os.closerange(3, 65_536)


def _start_anew(agent: str, *, make_room: bool) -> None:
    """Where a process cannot go on by itself: the system has no fork, or the program's files are
    removed when the hook ends."""
    import subprocess

    is_program = getattr(sys, "frozen", False)
    program = [sys.executable] if is_program else [sys.executable, "-m", "agent_task_tracker"]
    flags = getattr(subprocess, "DETACHED_PROCESS", 0)
    subprocess.Popen(  # noqa: S603
        [*program, "hook", agent, "--send", *(["--make-room"] if make_room else [])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYINSTALLER_RESET_ENVIRONMENT": "1"},
        start_new_session=True,
        creationflags=flags,
    )


def _unpacks_itself() -> bool:
    """Whether this is the executable in one file."""
    folder = getattr(sys, "_MEIPASS", None)
    program = os.path.dirname(os.path.realpath(sys.executable))
    return folder is not None and not os.path.realpath(folder).startswith(program)
