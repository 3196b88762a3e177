"""Every command that speaks to a server, as a user calls it."""

from __future__ import annotations

OURS = "our-secret-project"
CLIENT_COMMANDS = [
    *(
        (command, "--project", OURS, "--task", "t", *more)
        for command, more in (
            ("start", ()), ("status", ()), ("finish", ()), ("error", ("--message", "m")),
        )
    ),
    *(("ls",), ("ls", OURS), ("show", OURS, "t"), ("stats",), ("tail",), ("report",)),
    *(("wait", "--ready", "--timeout", "0"), ("wait", "--all-finished", "--timeout", "0")),
    *(("key", "list"), ("key", "revoke", OURS), ("audit",)),
    ("connect", "claude-code", "--anyway"),
    *(("doctor", "--json"), ("rm", OURS, "--yes"), ("open",)),
]  # fmt: skip
