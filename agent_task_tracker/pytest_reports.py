"""What `pytest --tracker-report` reports: the run as a task, and each test as a child of it."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest

from agent_task_tracker.naming import id_of
from agent_task_tracker.tracking import Tracker

# Seconds between two reports of how far the run is.
_INTERVAL: Final = 1.0

# Seconds that the end of the run may take.
_PATIENCE: Final = 2.0

# The order in which outcomes are told, as pytest has it.
_OUTCOMES: Final = ("failed", "passed", "skipped", "xfailed", "xpassed", "errors")

_PASSED: Final = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class TestReports:
    """Reports tests as pytest tells of them. With pytest-xdist it hears of all workers' tests.

    A test's task is named by its node id, so that a later run is a further attempt at it. Skipped
    and expected failures are completed, and say so.
    """

    __test__ = False  # for pytest itself

    def __init__(self, tracker: Tracker, title: str) -> None:
        self._tracker = tracker
        self._title = title
        self._run_id = f"pytest-{secrets.token_hex(6)}"
        self._total = 0
        self._counts: Counter[str] = Counter()
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self._collection_errors: list[str] = []
        self._told = 0.0
        self._began = time.monotonic()

    def pytest_sessionstart(self) -> None:
        """The run begins."""
        self._of_run("start", {})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported is no test, and fails the run."""
        if report.failed:
            self._collection_errors.append(f"{report.nodeid}\n{report.longreprtext}")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """So many tests there are."""
        self._total = len(session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Likewise, of a worker; all of them collect the same."""
        self._total = len(ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self._reports[nodeid] = []
        self._of_test("start", nodeid, {})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test has ended."""
        self._reports.setdefault(report.nodeid, []).append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test has ended, with all its phases."""
        reports = self._reports.pop(nodeid, [])
        seconds = round(sum(report.duration for report in reports), 3)
        failed = next((report for report in reports if report.failed), None)
        outcome = _outcome(reports)
        self._counts[outcome] += 1
        if failed is not None:
            self._of_test("error", nodeid, _error(failed, seconds))
        else:
            told = {"result": _result(reports, outcome), "duration_seconds": seconds}
            self._of_test("finish", nodeid, told)
        if time.monotonic() - self._told >= _INTERVAL:
            self._told = time.monotonic()
            done = sum(self._counts.values())
            progress = 100 * done / max(self._total, done)
            self._of_run("status", {"progress": progress, "message": self._summary()})

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """The run has ended."""
        for nodeid in list(self._reports):  # as where a worker crashed
            self.pytest_runtest_logfinish(nodeid)
        summary = self._summary() or "no tests"
        seconds = round(time.monotonic() - self._began, 3)
        if exitstatus in _PASSED:
            self._of_run("finish", {"result": summary, "duration_seconds": seconds})
            return
        named = {
            pytest.ExitCode.TESTS_FAILED: "TestsFailed",
            pytest.ExitCode.INTERRUPTED: "Interrupted",
        }
        known = exitstatus in {code.value for code in pytest.ExitCode}
        error = {
            "error_type": named.get(pytest.ExitCode(exitstatus), "PytestError")
            if known
            else "Error",
            "error_message": f"exit code {int(exitstatus)}: {summary}",
            "stack_trace": "\n\n".join(self._collection_errors) or None,
            "metadata": {"exit_code": int(exitstatus), "duration_seconds": seconds},
        }
        self._of_run("error", error)

    def pytest_unconfigure(self) -> None:
        """What the server does not take in time is kept for later."""
        self._tracker.close(_PATIENCE)

    def _of_run(self, kind: str, told: Mapping[str, Any]) -> None:
        names = {"task": self._title, "task_id": self._run_id}
        self._tracker.report(kind, {**told, **names})

    def _of_test(self, kind: str, nodeid: str, told: Mapping[str, Any]) -> None:
        names = {"task": nodeid, "task_id": id_of(nodeid), "parent_task_id": self._run_id}
        self._tracker.report(kind, {**told, **names})

    def _summary(self) -> str:
        """As pytest's last line."""
        counts = dict(self._counts)
        if self._collection_errors:
            counts["errors"] = counts.get("errors", 0) + len(self._collection_errors)
        return ", ".join(f"{counts[name]} {name}" for name in _OUTCOMES if counts.get(name))


def tracker_of(environment: Mapping[str, str] = os.environ) -> Tracker:
    """Where the environment says; the agent is called pytest unless it is named there."""
    return Tracker(agent=environment.get("TRACKER_AGENT") or "pytest")


def _outcome(reports: Sequence[pytest.TestReport]) -> str:
    for report in reports:
        expected = hasattr(report, "wasxfail")
        if report.failed:
            return "failed" if report.when == "call" else "errors"
        if report.skipped:
            return "xfailed" if expected else "skipped"
        if expected and report.when == "call":
            return "xpassed"
    return "passed"


def _result(reports: Sequence[pytest.TestReport], outcome: str) -> str:
    """The outcome, and why, if that is not that it passed."""
    for report in reports:
        reason = getattr(report, "wasxfail", "")
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = reason or report.longrepr[2].removeprefix("Skipped: ")
        if reason:
            return f"{outcome}: {reason}"
    return outcome


def _error(report: pytest.TestReport, seconds: float) -> dict[str, Any]:
    crash = getattr(report.longrepr, "reprcrash", None)
    message = getattr(crash, "message", None) or report.longreprtext or "failed"
    first = message.partition("\n")[0]
    named = re.match(r"([A-Za-z_][\w.]*): ?", first)
    return {
        "error_type": named[1] if named else "Failed",
        "error_message": message[named.end() :] or first if named else message,
        "stack_trace": report.longreprtext or None,
        "metadata": {"phase": report.when, "duration_seconds": seconds},
    }
