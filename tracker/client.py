"""The Python SDK under its former name. New code imports it from `agent_task_tracker`."""

from __future__ import annotations

from agent_task_tracker.client import Client
from agent_task_tracker.errors import (
    ClientError,
    NoTracker,
    Refused,
    TooLarge,
    Unreachable,
    Unverified,
)
from agent_task_tracker.trimming import MAX_STACK_TRACE_BYTES, trim_stack_trace

__all__ = [
    "MAX_STACK_TRACE_BYTES",
    "Client",
    "ClientError",
    "NoTracker",
    "Refused",
    "TooLarge",
    "Unreachable",
    "Unverified",
    "trim_stack_trace",
]
