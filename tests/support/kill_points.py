"""Kills a command at any of its steps that matter to a file: before the nth rename, link, removal,
fsync, or write of SQLite's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.cli import package_environment

# Of SQLite's writes, which are many, only every nth is a step.
_EVERY_WRITE: Final = 25

# One process that forks, so that modules are imported once.
_TRIALS: Final = f"""
import json, os, shutil, signal, sys
import apsw
import tracker.cli.group, tracker.cli.records
import tracker.store.sqlite.admin.importing
import tracker.store.sqlite.admin.leftovers
import tracker.store.sqlite.admin.prune
from tracker.cli import main

every = {_EVERY_WRITE}
original, trials, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.argv = ["tracker", *sys.argv[4:]]
limit, seen, writes = 0, [], 0

def point(what):
    seen.append(what)
    if len(seen) == limit:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(name):
    call = getattr(os, name)
    def wrapped(*arguments, **named):
        point(name)
        return call(*arguments, **named)
    setattr(os, name, wrapped)

class Disk(apsw.VFS):
    def __init__(self):
        super().__init__("counted", "unix", makedefault=True)
    def xOpen(self, name, flags):
        return File(name, flags)
    def xDelete(self, name, sync):
        point("SQLite removes")
        super().xDelete(name, sync)

class File(apsw.VFSFile):
    def __init__(self, name, flags):
        super().__init__("unix", name, flags)
    def xWrite(self, data, offset):
        global writes
        writes += 1
        if writes % every == 1:
            point("SQLite writes")
        super().xWrite(data, offset)
    def xSync(self, flags):
        point("SQLite syncs")
        super().xSync(flags)
    def xTruncate(self, size):
        point("SQLite truncates")
        super().xTruncate(size)

def trial(number):
    global limit
    folder = os.path.join(trials, str(number))
    shutil.copytree(original, folder)
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), folder
    limit = number
    os.chdir(folder)
    os.dup2(os.open("stderr.txt", os.O_CREAT | os.O_WRONLY), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for name in ("rename", "replace", "link", "unlink", "fsync"):
        counted(name)
    disk = Disk()
    code = 0
    try:
        main()
    except SystemExit as ends:
        code = ends.code or 0
    with open("steps.json", "w") as file:
        json.dump(seen, file)
    os._exit(code)

code, folder = trial(0)
assert code == 0, open(os.path.join(folder, "stderr.txt")).read()
steps = list(enumerate(json.load(open(os.path.join(folder, "steps.json"))), start=1))
inner = [step for step, before in steps if before.startswith("SQLite")]
chosen = set(inner[:: max(1, len(inner) // most)])
found = []
for step, before in steps:
    if step in chosen or step not in inner:
        code, folder = trial(step)
        assert code == -signal.SIGKILL, (step, before, code)
        found.append([step, before, folder])
print(json.dumps(found))
"""


class Killed(NamedTuple):
    """The step before which the command was killed, its name, and the folder that was left."""

    step: int
    before: str
    folder: Path


def kill_at_each_step(home: Path, *command: str, most: int = 6) -> list[Killed]:
    """Run `tracker` with these arguments in copies of the folder `home`/original, and kill it
    before each step; of SQLite's own steps before no more than about `most`."""
    done = subprocess.run(
        [sys.executable, "-c", _TRIALS, home / "original", home / "trials", str(most), *command],
        check=False,
        cwd=home,
        env=package_environment(home),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return [Killed(step, before, Path(folder)) for step, before, folder in json.loads(done.stdout)]
