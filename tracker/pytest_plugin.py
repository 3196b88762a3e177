"""pytest's plugin under its former name. New code imports it from `agent_task_tracker`."""

from __future__ import annotations

from agent_task_tracker.pytest_plugin import TrackerServer, tracker_server

__all__ = ["TrackerServer", "tracker_server"]
