"""What `tracker doctor` found, for people."""

from __future__ import annotations

from typing import Any

from tracker.cli.database import size
from tracker.cli.output import local_time, print_text


def print_report(result: dict[str, Any]) -> None:
    """Print what `tracker doctor --json` gives to programs."""
    print_text("Settings")
    for variable, setting in result["settings"].items():
        if setting["from"] != "default":
            print_text(f"  {variable} = {setting['value']}  ({setting['from']})")
    print_text("  the rest: defaults")
    print_text("Database")
    database = result["database"]
    if database["exists"]:
        print_text(
            f"  {database['file']}: {size(database['bytes'])}, and {size(database['wal_bytes'])} "
            f"of WAL; {size(database['free_bytes'])} free"
        )
        print_text(
            f"  {database['projects']} projects, {database['tasks']} tasks, {database['events']} "
            f"events; SQLite {database['sqlite_version']}, schema {database['schema']}"
        )
    elif database["exists"] is False:
        print_text(f"  {database['file']}: there is none yet; the server makes it")
    for key in database.get("expiring_keys", ()):
        verb = "has expired" if key["expired"] else "expires"
        print_text(f"  key {key['name']}: {verb} ({local_time(key['expires_at'])})")
    for leftover in database["leftovers"]:
        print_text(f"  {leftover['file']}: {size(leftover['bytes'])}, {leftover['kind']}")
    _print_spool(result["spool"])
    for agent in result["agents"]:
        where = ", ".join(agent["files"])
        print_text(f"Agent {agent['agent']}: reports to {agent['url'] or 'nobody'}, by {where}")
    print_text(f"Connection to {result['connection']['url'] or 'nobody'}")
    for finding in result["connection"]["tried"]:
        if finding["problem"] is None:
            print_text(f"  {finding['what']}: works, {finding['milliseconds']} ms")
    print_text("Problems" if result["problems"] else "Nothing is wrong.")
    for problem in result["problems"]:
        print_text(f"  {problem}")


def _print_spool(spool: dict[str, Any]) -> None:
    if not spool["kept"] and not spool["rejected"]:
        return
    print_text(f"Reports that wait, in {spool['folder']}")
    for kept in spool["kept"]:
        print_text(f"  {kept['reports']} for {kept['to']}, {size(kept['bytes'])}")
    if spool["rejected"]:
        print_text(f"  {spool['rejected']} rejected, which no server takes; see `tracker flush`")
