"""`python -m tracker` is the `tracker` command; the executable starts here, too."""

import sys

from agent_task_tracker.__main__ import end_at_interrupt, run_hook

if __name__ == "__main__":
    end_at_interrupt()
    run_hook()
    from tracker.cli import main, unpacked

    if unpacked_into := getattr(sys, "_MEIPASS", None):
        unpacked.hold(unpacked_into)
    main()
