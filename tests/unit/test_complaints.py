"""What goes wrong while reporting is logged once a minute, and never in the job's own threads."""

from __future__ import annotations

import logging

import pytest

from agent_task_tracker.complaints import Complaints


class Listener(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Failing(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError("no")


def listening(name: str) -> tuple[logging.Logger, Listener]:
    logger, listener = logging.getLogger(name), Listener()
    logger.addHandler(listener)
    return logger, listener


def test_each_kind_is_said_once_a_minute_and_not_where_it_is_noticed() -> None:
    logger, listener = listening("complaints of this test")
    now = 100.0
    complaints = Complaints(logger, lambda: now)
    for _ in range(3):
        complaints.say("send", "no server")
        complaints.say_once("disk", "no disk")
        complaints.note("progress: left out")
    assert listener.lines == []
    complaints.speak()
    said = ["no server", "no disk", "a report's progress: left out"]
    assert listener.lines == said
    now += 61
    complaints.say("send", "still no server")
    complaints.say_once("disk", "still no disk")
    complaints.speak()
    assert listener.lines == [*said, "still no server"]


def test_there_is_an_end_to_what_may_be_said() -> None:
    logger, listener = listening("many complaints of this test")
    complaints = Complaints(logger)
    for number in range(5_000):
        complaints.note(f"field {number}: left out")
    complaints.speak()
    assert 0 < len(listener.lines) < 200
    complaints.say("send", "no server")
    complaints.speak()
    assert listener.lines[-1] == "no server"


def test_a_handler_that_fails_is_not_ours() -> None:
    logger, listener = listening("failing complaints of this test")
    logger.handlers.insert(0, Failing())
    complaints = Complaints(logger)
    complaints.say("a", "first")
    complaints.say("b", "second")
    complaints.speak()
    logger.handlers.pop(0)
    complaints.say("c", "third")
    complaints.speak()
    assert listener.lines == ["third"]


def test_where_nobody_has_set_logging_up_nothing_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("nobody's complaints of this test")
    monkeypatch.setattr(logger, "parent", None)
    complaints = Complaints(logger)
    complaints.say("a", "first")
    complaints.speak()
    assert capsys.readouterr() == ("", "")
