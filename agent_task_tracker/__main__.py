"""The `tracker` command, as console scripts and `python -m agent_task_tracker` start it.

It imports the package `tracker` beside this one, even if a project's own `tracker.py` comes first
on the import path, by PYTHONPATH or from the working directory.
"""

from __future__ import annotations

import signal
import sys


def end_at_interrupt() -> None:
    """Have Ctrl-C end the process without a traceback until a command minds it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not if it is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_hook() -> None:
    """`tracker hook AGENT`, and nothing after it: an agent waits, so nothing else is imported."""
    if sys.argv[1:2] == ["hook"] and sys.argv[2:3] not in ([], ["--help"], ["-h"]):
        from agent_task_tracker.hook.command import main as hook

        hook(sys.argv[2:])


def main() -> None:
    """Run the command. In this process `tracker` is our package from now on."""
    end_at_interrupt()
    run_hook()
    from importlib import import_module
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec
    from pathlib import Path

    beside = str(Path(__file__).parents[1])
    spec = PathFinder.find_spec("tracker", [beside])
    if spec is None or spec.loader is None:
        sys.exit(f"agent-task-tracker: {beside} has no program beside the SDK; install it again")
    package = sys.modules["tracker"] = module_from_spec(spec)
    spec.loader.exec_module(package)
    import_module("tracker.cli").main()


if __name__ == "__main__":
    main()
