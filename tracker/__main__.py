"""`python -m tracker` is the `tracker` command; the executable starts here, too."""

from agent_task_tracker.__main__ import run_hook

if __name__ == "__main__":
    run_hook()
    from tracker.cli import main

    main()
