"""A summary of tasks as Markdown (GitHub's and GitLab's), JUnit XML and JSON.

Names and texts are untrusted: each format escapes them.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

from tracker.cli.marks import ICONS
from tracker.cli.output import duration
from tracker.domain.tasks import Status
from tracker.text import json_printable, printable, printable_lines

# GitHub limits a summary page to 1 MiB: so many tasks are listed, and failures shown with traces.
_MAX_LISTED: Final = 500
_MAX_DETAILED: Final = 30

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|~:])")

# No escape keeps these from becoming addresses, mentions and formulas; an own element does.
_LINKED: Final = re.compile("[@$]")
_ISOLATED: Final = r"<span>\g<0></span>"


class Project(NamedTuple):
    """One project: its figures and tasks as the API gives them; failed ones may have a trace."""

    stats: dict[str, Any]
    tasks: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """The project's name."""
        return str(self.stats["project"])


def markdown(projects: list[Project]) -> str:
    """For people, on a page."""
    lines = ["# Tasks", ""]
    if not projects:
        lines.append("No task was reported.")
    for project in projects:
        counts = [f"{n} {status}" for status, n in project.stats["task_stats"].items() if n]
        lines += [f"## {_text(project.name)}", "", _text(", ".join(counts)), ""]
        lines += ["| | Task | Agent | Duration | |", "|---|---|---|---:|---|"]
        lines += [_row(task) for task in project.tasks[:_MAX_LISTED]]
        if len(project.tasks) > _MAX_LISTED:
            lines += ["", f"… and {len(project.tasks) - _MAX_LISTED} more."]
        failed = [task for task in project.tasks if task["status"] == Status.FAILED]
        for task in failed[:_MAX_DETAILED]:
            lines += ["", *_details(task)]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def junit(projects: list[Project]) -> str:
    """For readers of JUnit XML: a suite for each project, a case for each task. A task that has not
    ended counts as skipped."""
    root = ET.Element("testsuites", name="tracker")
    for project in projects:
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_xml(project.name),
            tests=str(len(project.tasks)),
            failures=str(sum(task["status"] == Status.FAILED for task in project.tasks)),
            errors="0",
            skipped=str(sum(task["finished_at"] is None for task in project.tasks)),
            time=f"{sum(task['duration_seconds'] or 0 for task in project.tasks):.3f}",
        )
        for task in project.tasks:
            _case(suite, project.name, task)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )


def as_json(projects: list[Project]) -> str:
    """For programs: the API's own objects."""
    content = {"projects": [{**project.stats, "tasks": project.tasks} for project in projects]}
    return json_printable(json.dumps(content, indent=1)) + "\n"


def _row(task: dict[str, Any]) -> str:
    cells = (
        ICONS.get(task["status"], ""),
        _text(named(task)),
        _text(task["agent"]),
        duration(task["duration_seconds"]),
        _text(outcome(task)),
    )
    return f"| {' | '.join(cells)} |"


def named(task: dict[str, Any]) -> str:
    """The title, and the id unless it is the same."""
    title, task_id = str(task["title"]), task["task_id"]
    return title if title == task_id else f"{title} ({task_id})"


def outcome(task: dict[str, Any]) -> str:
    """What became of it, or how far it is, in a line."""
    if task["status"] == Status.FAILED:
        return _error(task)
    if task["status"] == Status.COMPLETED:
        return _shortened(task["result"] or "")
    return f"{task['status']}, {task['progress']:g}%"


def _error(task: dict[str, Any]) -> str:
    """A status report that ends a task as failed gives no error, but perhaps a message."""
    if task["error_type"] is None:
        return _shortened(task["message"] or "failed")
    return _shortened(f"{task['error_type']}: {task['error_message']}")


def _shortened(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _details(task: dict[str, Any]) -> Iterator[str]:
    if task.get("stack_trace"):
        trace = html.escape(printable_lines(task["stack_trace"]))
        yield f"<details><summary>{ICONS[Status.FAILED]} {_html(task['title'])}</summary>"
        yield ""
        yield f"<pre>{trace}</pre>"
        yield ""
        yield "</details>"


def _text(text: str) -> str:
    """Text that Markdown leaves as it is, in a table too."""
    return _LINKED.sub(_ISOLATED, _MARKDOWN.sub(r"\\\1", html.escape(printable(text), quote=False)))


def _html(text: str) -> str:
    """Text within HTML, in which pages look for mentions and formulas too."""
    return _LINKED.sub(_ISOLATED, html.escape(printable(text)))


def _case(suite: ET.Element, project: str, task: dict[str, Any]) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_xml(project),
        name=_xml(named(task)),
        time=f"{task['duration_seconds'] or 0:.3f}",
    )
    if task["status"] == Status.FAILED:
        failure = ET.SubElement(
            case, "failure", type=_xml(task["error_type"] or "failed"), message=_xml(_error(task))
        )
        failure.text = _xml(task.get("stack_trace") or task["error_message"] or "")
    elif task["status"] != Status.COMPLETED:
        ET.SubElement(case, "skipped", message=_xml(outcome(task)))


def _xml(text: str) -> str:
    """XML 1.0 has no way to write most control characters."""
    return printable_lines(text).replace("\ufffe", "").replace("\uffff", "")
