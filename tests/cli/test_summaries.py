"""`tracker report`: what a page, a reader of JUnit's XML and a program are given."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.support.cli import run as run_anywhere
from tests.support.server import Server
from tracker.cli import summaries

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def run(shared_server: Server, tmp_path: Path) -> Run:
    """Run a command that finds the module's server."""
    return partial(run_anywhere, home=tmp_path, server=shared_server)


def test_the_report_for_a_page(shared_server: Server, run: Run, project: str) -> None:
    shared_server.report("finish", project, "t1", task="<b>|`x`", result="*fine*")
    shared_server.report(
        *("error", project, "t2"),
        task="Broken",
        error_message="</pre> no",
        stack_trace="</pre>\nat",
    )
    shared_server.report("status", project, "t3", progress=40)
    page = run("report", "--project", project).stdout.decode()
    assert "1 completed, 1 running, 1 failed" in page
    assert r"| ✅ | &lt;b&gt;\|\`x\` \(t1\) | agent\-1 |" in page
    assert r"\*fine\*" in page
    assert "<pre>&lt;/pre&gt;\nat</pre>" in page
    assert "| running, 40% |" in page
    # Each row of the table has as many cells as its heading.
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}


def test_the_report_for_readers_of_junit(shared_server: Server, run: Run, project: str) -> None:
    shared_server.report("finish", project, "t1", duration_seconds=2.5)
    shared_server.report(
        *("error", project, "t2"), error_type="E", error_message="no <x>", stack_trace="at \x00 a"
    )
    shared_server.report("start", project, "t3")
    done = run("report", "--format", "junit", "--project", project)
    suite = ET.fromstring(done.stdout)[0]
    assert suite.attrib == {
        "name": project,
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
        "time": suite.get("time"),
    }
    cases = {case.get("name"): case for case in suite}
    assert (cases["Title (t1)"].get("time"), len(cases["Title (t1)"])) == ("2.500", 0)
    failure = cases["Title (t2)"].find("failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("E", "E: no <x>")
    assert failure.text == r"at \x00 a"
    assert cases["Title (t3)"].find("skipped") is not None


def test_the_report_for_programs(shared_server: Server, run: Run, project: str) -> None:
    shared_server.report("finish", project, "t1", result="Готово")
    content = json.loads(run("report", "--format", "json", "--project", project).stdout)
    (only,) = content["projects"]
    assert (only["project"], only["task_stats"]["completed"]) == (project, 1)
    assert only["tasks"][0]["result"] == "Готово"


def test_the_report_of_nothing(server: Server, tmp_path: Path) -> None:
    for format_, expected in (("md", "No task"), ("junit", "<testsuites"), ("json", "[]")):
        done = run_anywhere("report", "--format", format_, home=tmp_path, server=server)
        assert done.returncode == 0
        assert expected in done.stdout.decode()


# What Markdown, HTML, and what GitHub and GitLab do beyond, would make links, pictures, mentions
# and formulas of.
MARKUP = [
    *("[a](http://b)", "![a](b)", "<http://a.b>", "http://a.b", "www.a.b", "a@b.co", "@all"),
    *("[a]: b", "<img src=x>", "<a href=x>", "</summary>", "</pre>", "</details>", "<!--"),
    *("$a$", "$$", "`$a$`", "|", "`", "``", "\\", "\n", "\n\n", "\n# a", "\r", "&lt;", "&#64;"),
    *("***", "~~", "---", " ", "a"),
]


@given(st.lists(st.sampled_from(MARKUP), min_size=1).map("".join) | st.text(min_size=1))
def test_nothing_in_a_page_is_an_agents_markup(text: str) -> None:
    task = {
        **dict.fromkeys(("task_id", "title", "agent", "error_type", "error_message"), text),
        **{"status": "failed", "stack_trace": text, "duration_seconds": 1, "finished_at": None},
    }
    done = {**task, "status": "completed", "result": text}
    figures = {"project": text, "task_stats": {text: 1, "failed": 1}}
    project = summaries.Project(figures, [task, done])
    page = summaries.markdown([project])
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(page)
    tags = Counter(re.findall(r"</?([a-z][a-z0-9]*)", html))
    allowed = {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "span"}
    assert set(tags) <= allowed | {"details", "summary", "pre"}
    assert tags["table"] == tags["details"] == tags["summary"] == 2
    assert tags["tr"] == 6
    seen = re.sub("<pre>.*?</pre>", "", page, flags=re.DOTALL)
    assert not re.search(r"(?<!<span>)[@$]", seen)
    # In a block of HTML, addresses are made links of by nobody.
    assert not re.search(r"https?:|www\.", re.sub("<details>.*", "", seen))
    ET.fromstring(summaries.junit([project]))
