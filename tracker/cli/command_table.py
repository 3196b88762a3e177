"""The table of commands, and the texts of `--help` and `--version`."""

from __future__ import annotations

import tracker

# Name: module under tracker.cli, and the line in `tracker --help`.
COMMANDS = {
    "serve": ("serve", "Run the server."),
    "connect": ("connect", "Plug an agent in: Claude Code, Codex, opencode, Gemini CLI, others."),
    "disconnect": ("connect", "Take an agent's hooks out again."),
    "agents": ("agents", "List agents: installed, connected, heard of, and what is wrong."),
    "uninstall": ("uninstall", "Take everything away: hooks, keys, reports that wait."),
    "run": ("run", "Run a command and report it: start, last line, progress, end."),
    "start": ("webhooks", "Report that a task begins."),
    "status": ("webhooks", "Report how far a task is."),
    "finish": ("webhooks", "Report that a task is done."),
    "error": ("webhooks", "Report that a task failed."),
    "hook": ("hook", "Report what an agent's hook is told."),
    "mcp": ("mcp", "Speak MCP on standard input and output, for agents."),
    "flush": ("flush", "Deliver the reports that wait for the server."),
    "ls": ("ls", "List projects, or tasks."),
    "show": ("show", "Show one task with its history."),
    "stats": ("stats", "Show figures over everything, or of one project."),
    "open": ("open", "Open the dashboard in the browser, signed in."),
    "rm": ("rm", "Remove a task, or a project, with all history."),
    "tail": ("tail", "Print the newest events; -f goes on as they come."),
    "wait": ("wait", "Wait for the server, or for all tasks to end."),
    "report": ("report", "Summarise tasks for a CI job, a JUnit reader or a program."),
    "key": ("key", "Make, list, rotate and revoke keys, one for each agent, job and frontend."),
    "audit": ("audit", "Show who did what: keys, sign-ins, deletions, restores."),
    "backup": ("backup", "Copy the database to a file while the server goes on."),
    "restore": ("backup", "Put a backup in the database's place."),
    "prune": ("prune", "Remove old tasks that have ended, with their events."),
    "export": ("export", "Write projects, tasks and events as JSON lines or CSV."),
    "import": ("export", "Read what export wrote."),
    "doctor": ("doctor", "Look for what is wrong: settings, database, connection."),
    "demo": ("demo", "Watch the dashboard fill: a simulated team of agents reports for a minute."),
    "completion": ("completion", "Print a shell's completion script."),
    "licenses": ("licenses", "List the packages this program is made of."),
    "version": ("version", "Show the version; --check asks whether there is a newer release."),
}

# docs/cli.md, "Exit codes", tells more.
EXIT_CODES = {
    0: "done",
    1: "failed",
    2: "the command line is wrong",
    69: "no server answers",
    70: "a fault of the tracker itself",
    75: "try again later",
    78: "a setting, a key or a file has to be changed",
    129: "SIGHUP (the terminal was closed) before the work was done",
    130: "Ctrl-C before the work was done",
    141: "nobody reads the output any more",
    143: "SIGTERM before the work was done",
}

_HELP = """\
Usage: tracker [OPTIONS] [COMMAND] [ARGS]...

  AI agents and CI jobs report what they do; SQLite keeps it, everyone sees it live.

  Without a command: serve. `tracker help COMMAND` tells more of one.

Options:
  -V, --version  Show the version and exit.
  -h, --help     Show this message and exit; after a command: its options.

Commands:
{commands}

Exit codes:
{codes}"""

HELP = _HELP.format(
    commands="\n".join(f"  {name:<12}{line}" for name, (_, line) in COMMANDS.items()),
    codes="\n".join(f"  {code:<12}{meaning}" for code, meaning in EXIT_CODES.items()),
)

VERSION = f"tracker, version {tracker.__version__}"
