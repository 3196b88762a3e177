"""The bodies of `/hooks/AGENT` and `/v1/SIGNAL`, as `/openapi.json` shows them. They are the
agents' own, whatever fields they have."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class HookBody(BaseModel):
    """An agent's payload, in which it names its session."""

    model_config = ConfigDict(extra="allow")

    session_id: str = Field(
        min_length=1,
        examples=["2f6c1a"],
        description="Of Claude Code and most agents; others name it otherwise.",
    )


class LogsBody(BaseModel):
    """OTLP's ExportLogsServiceRequest."""

    model_config = ConfigDict(extra="allow")

    resourceLogs: list[dict[str, Any]] | None = None  # noqa: N815 - OTLP's names


class MetricsBody(BaseModel):
    """OTLP's ExportMetricsServiceRequest."""

    model_config = ConfigDict(extra="allow")

    resourceMetrics: list[dict[str, Any]] | None = None  # noqa: N815


class TracesBody(BaseModel):
    """OTLP's ExportTraceServiceRequest."""

    model_config = ConfigDict(extra="allow")

    resourceSpans: list[dict[str, Any]] | None = None  # noqa: N815
