"""The API document's examples as it prints them, with the fields that were added to it."""

from __future__ import annotations

from typing import Any, Final

from tracker.api.answers import Task

_TIME: Final = "2024-01-15T10:00:00.000Z"
_ENDED: Final = "2024-01-15T11:00:00.000Z"

_TASK: Final = {
    "project": "my-project",
    "task": "Разработка новой фичи",
    "task_id": "task-123",
    "agent": "claude-3-5-sonnet",
}

START: Final = {
    **_TASK,
    "metadata": {
        "priority": "high",
        "estimated_duration": 3600,
        "dependencies": ["task-100", "task-101"],
    },
}
STARTED: Final = {
    "status": "started",
    "task_id": "task-123",
    "message": "Task started successfully",
    "timestamp": _TIME,
    "event_id": 1,
}
BATCH: Final = {
    "reports": [
        {"kind": "start", "idempotency_key": "a-key-of-your-own", **START},
        {"kind": "status", **_TASK, "progress": 175},
    ]
}
BATCH_RECORDED: Final = {
    "results": [
        {
            "status": 201,
            "task_id": "task-123",
            "message": "Task started successfully",
            "timestamp": _TIME,
            "event_id": 1,
        },
        {
            "status": 422,
            "error": {
                "code": "VALIDATION_ERROR",
                "message": "Invalid data format",
                "details": {
                    "field": "progress",
                    "issue": "Input should be less than or equal to 100",
                    "errors": [
                        {
                            "field": "progress",
                            "issue": "Input should be less than or equal to 100",
                        }
                    ],
                },
            },
        },
    ]
}
STATUS: Final = {
    **_TASK,
    "status": "running",
    "progress": 75,
    "message": "Implementing core functionality, 75% complete",
}
UPDATED: Final = {
    "status": "updated",
    "task_id": "task-123",
    "message": "Task status updated successfully",
    "timestamp": "2024-01-15T10:45:00.000Z",
    "event_id": 2,
}
FINISH: Final = {
    **_TASK,
    "result": "Feature successfully implemented with all tests passing",
    "duration_seconds": 3450,
    "metadata": {
        "files_created": ["feature.py", "test_feature.py"],
        "lines_of_code": 250,
        "test_coverage": 95,
    },
}
FINISHED: Final = {
    "status": "completed",
    "task_id": "task-123",
    "message": "Task completed successfully",
    "duration_seconds": 3450,
    "timestamp": _ENDED,
    "event_id": 3,
}
ERROR: Final = {
    **_TASK,
    "error_type": "RuntimeError",
    "error_message": "Failed to connect to database",
    "stack_trace": "Traceback (most recent call last):\n"
    '  File "main.py", line 42\n'
    "    db.connect()\n"
    "RuntimeError: Failed to connect to database",
    "metadata": {"retry_count": 3, "error_code": "DB_CONN_ERROR"},
}
ERROR_RECORDED: Final = {
    "status": "error_recorded",
    "task_id": "task-123",
    "message": "Error recorded successfully",
    "timestamp": "2024-01-15T10:30:00.000Z",
    "event_id": 4,
}

PROJECT: Final = {
    "id": 1,
    "name": "my-project",
    "created_at": "2024-01-01T10:00:00.000Z",
    "updated_at": _TIME,
    "task_count": 15,
    "active_tasks": 3,
    "completed_tasks": 11,
    "failed_tasks": 1,
}
PROJECTS: Final = {
    "projects": [PROJECT],
    "total": 1,
    "limit": 50,
    "offset": 0,
}
_AMOUNTS: Final = {
    "input_tokens": 1200,
    "output_tokens": 340,
    "cache_read_tokens": 0,
    "cache_write_tokens": 0,
    "cost_usd": 0.42,
    "estimated_cost_usd": 0,
}
_OF_MODEL: Final = {**_AMOUNTS, "model": "claude-sonnet-4-5"}
_SUMS: Final = {**_AMOUNTS, "models": [_OF_MODEL]}
_ENDED_TASK: Final[dict[str, Any]] = {
    **dict.fromkeys(Task.__annotations__),  # what is not said here is null
    "id": 1,
    "task_id": "task-123",
    "title": "Разработка новой фичи",
    "status": "completed",
    "progress": 100,
    "agent": "claude-3-5-sonnet",
    "started_at": _TIME,
    "finished_at": _ENDED,
    "duration_seconds": 3600,
    "result": "Feature successfully implemented",
    "metadata": {"files_created": ["feature.py"], "lines_of_code": 250},
    "attempt": 1,
    "message": "Implementing core functionality",
    "created_at": _TIME,
    "updated_at": _ENDED,
    "requests": [],
    "overdue": False,
    "blocked": False,
    "metadata_truncated": False,
    "truncated": False,
    "reported_at": _ENDED,
    "usage": {**_AMOUNTS, "models": [{**_OF_MODEL, "source": "report"}]},
}
TASKS: Final = {
    "tasks": [_ENDED_TASK],
    "total": 1,
    "limit": 20,
    "offset": 0,
    "filters": {"status": "completed"},
    "figures": {
        "complete": True,
        "sample": 1,
        "task_stats": {"total": 1, "completed": 1, "running": 0, "failed": 0, "pending": 0},
        "performance": {
            "average_duration": 3600.0,
            "success_rate": 100.0,
            "finished_success_rate": 100.0,
            "median_duration": 3600,
        },
        "usage": _AMOUNTS,
    },
}
TASK_OF_PROJECT: Final = {**_ENDED_TASK, "project": "my-project"}
ALL_TASKS: Final = {**TASKS, "tasks": [TASK_OF_PROJECT]}
_EVENT_DATA: Final = {
    "task_id": "task-123",
    "title": "Разработка новой фичи",
    "project": "my-project",
    "agent": "claude-3-5-sonnet",
    "attempt": 1,
    "started_at": _TIME,
}
_EVENTS: Final = [
    {
        "id": 1,
        "type": "task_started",
        "data": {**_EVENT_DATA, "status": "running", "progress": 0},
        "timestamp": _TIME,
    },
    {
        "id": 2,
        "type": "task_status_updated",
        "data": {
            **_EVENT_DATA,
            "status": "running",
            "progress": 75,
            "message": "Implementing core functionality",
        },
        "timestamp": "2024-01-15T10:30:00.000Z",
    },
    {
        "id": 3,
        "type": "task_finished",
        "data": {
            **_EVENT_DATA,
            "status": "completed",
            "progress": 100,
            "finished_at": _ENDED,
            "duration_seconds": 3600,
            "result": "Feature successfully implemented",
        },
        "timestamp": _ENDED,
    },
]
TASK: Final = {
    **_ENDED_TASK,
    "project": "my-project",
    "stack_trace": None,
    "usage_total": _AMOUNTS,
    "events": _EVENTS,
}
EVENT: Final = _EVENTS[0]
EVENTS: Final = {
    "events": _EVENTS,
    "last_id": 3,
    "has_more": False,
    "oldest_id": 1,
    "resync_required": False,
}
STREAM: Final = (
    ": connected\n\n"
    "id: 1\nevent: task_started\n"
    'data: {"id":1,"type":"task_started","data":{"task_id":"task-123","project":"my-project",'
    '"status":"running"},"timestamp":"2024-01-15T10:00:00.000Z"}\n\n'
)

STATS: Final = {
    "overview": {
        "total_projects": 5,
        "total_tasks": 42,
        "active_tasks": 3,
        "completed_tasks": 35,
        "failed_tasks": 4,
    },
    "performance": {
        "average_duration": 2450.5,
        "success_rate": 87.5,
        "finished_success_rate": 89.7,
        "total_duration": 102900,
    },
    "agents": [
        {
            "name": "claude-3-5-sonnet",
            "task_count": 25,
            "success_rate": 92.0,
            "finished_success_rate": 95.8,
            "average_duration": 2100,
            "usage": _AMOUNTS,
        }
    ],
    "recent_activity": [
        {
            "project": "my-project",
            "task_id": "task-124",
            "status": "completed",
            "timestamp": "2024-01-15T12:00:00.000Z",
        }
    ],
    "usage": _SUMS,
}
_LINE: Final = {
    "id": 1,
    "project": "my-project",
    "task_id": "task-123",
    "title": "Разработка новой фичи",
    "status": "running",
    "progress": 75,
    "agent": "claude-3-5-sonnet",
    "attempt": 1,
    "started_at": _TIME,
    "finished_at": None,
    "duration_seconds": None,
    "message": "Implementing core functionality, 75% complete",
    "result": None,
    "error_type": None,
    "error_message": None,
    "updated_at": "2024-01-15T10:45:00.000Z",
    "session": None,
    "parent_task_id": None,
    "attention": None,
    "attention_since": None,
    "requests": [],
    "silent_since": None,
    "acknowledged_at": None,
    "snoozed_until": None,
    "overdue": False,
    "blocked": False,
}
SESSIONS: Final = {
    "sessions": [
        {
            "project": "my-project",
            "session": "2f6c1a",
            "agent": "claude-3-5-sonnet",
            "host": None,
            "first_report_at": _TIME,
            "last_report_at": "2024-01-15T10:45:00.000Z",
            "state": "working",
            "tasks": {"total": 1, "completed": 0, "running": 1, "failed": 0, "pending": 0},
            "usage": _AMOUNTS,
            "active": [_LINE],
            "last_task": _LINE,
        }
    ],
    "total": 1,
    "limit": 50,
    "offset": 0,
}
HOOK: Final = {
    "session_id": "2f6c1a",
    "prompt_id": "p1",
    "cwd": "/home/you/app",
    "hook_event_name": "UserPromptSubmit",
    "prompt": "Mend the tests",
}
HEARD: Final = {
    "status": "recorded",
    "agent": "claude-code",
    "session": "2f6c1a",
    "event_ids": [1],
    "timestamp": _TIME,
}
AGENTS: Final = {
    "agents": [
        {"agent": "claude-code", "sessions": 2, "payloads": 40, "last_at": _TIME, "unknown": {}}
    ]
}
NOW: Final = {
    "today": {"completed": 3, "failed": 0},
    "active": [_LINE],
    "ended": [],
    "last_id": 2,
}
FOUND: Final = {"tasks": [_LINE]}
TRENDS: Final = {
    "timeline": [{"date": "2024-01-15", "completed": 3, "failed": 0}],
    "durations": {
        "sample": 3,
        "median": 1800,
        "histogram": [{"up_to": 3600, "count": 3}, {"up_to": None, "count": 0}],
    },
    "agents": [{"name": "claude-3-5-sonnet", "sample": 3, "median_duration": 1800}],
}
INFO: Final = {
    "version": "1.0.0",
    "database": "/home/me/.local/share/agent-task-tracker/tracker.db",
    "api_key_file": "/home/me/.local/share/agent-task-tracker/tracker.db.api-key",
    "exposed": False,
    "durability": "full",
    "limits": {
        "webhooks_per_minute": 100,
        "api_requests_per_minute": 1000,
        "agents_payloads_per_minute": 6000,
        "websockets_per_project": 10,
        "body_bytes": 1_048_576,
        "stack_trace_bytes": 10_240,
        "retain_days": 90,
        "retain_bytes": 0,
        "retain_audit_days": 365,
        "keep_messages": 14,
    },
    "last_id": 42,
    "timestamp": _TIME,
    "access": {"name": "master", "role": "admin", "projects": None, "expires_at": None},
}
SESSION: Final = {"expires_at": "2024-01-15T22:00:00.000Z"}
PROJECT_STATS: Final = {
    "project": "my-project",
    "task_stats": {"total": 15, "completed": 12, "running": 2, "failed": 1, "pending": 0},
    "performance": {
        "average_duration": 1800,
        "success_rate": 80.0,
        "finished_success_rate": 92.3,
    },
    "timeline": [{"date": "2024-01-15", "completed": 3, "failed": 0}],
    "usage": {**_SUMS, "days": [{"date": "2024-01-15", **_AMOUNTS}]},
}
WEBSOCKET_STATS: Final = {
    "total_connections": 5,
    "project_connections": {"my-project": 3, "another-project": 2},
    "uptime": 86400,
    "messages_sent": 150,
    "messages_received": 25,
}

_CHECKED: Final = "2024-01-15T12:00:00.000Z"
HEALTH: Final = {"status": "healthy", "timestamp": _CHECKED, "version": "1.0.0"}
ALIVE: Final = {"status": "ok"}
READY: Final = {"status": "ready"}
NOT_READY: Final = {"status": "unavailable"}
PROOF: Final = {"proof": "q0TOTO-WwRPTcP1w_rAhbSDKFkYPRrXN7nGjZB3Gc9c"}
DATABASE: Final = {
    "status": "connected",
    "database": "sqlite",
    "sqlite_version": "3.50.4",
    "size_bytes": 98304,
    "wal_size_bytes": 144232,
    "timestamp": _CHECKED,
}
DATABASE_FAILURE: Final = {
    "status": "error",
    "database": "sqlite",
    "message": "The database is locked by another program; try again.",
    "timestamp": _CHECKED,
}
HUB: Final = {
    "status": "connected",
    "redis_version": None,
    "backend": "in-process",
    "timestamp": _CHECKED,
}
HUB_FAILURE: Final = {**HUB, "status": "error"}

# Keys.

NEW_KEY: Final = {"name": "ci", "role": "report", "projects": ["my-project"]}
_KEY: Final = {
    "name": "ci",
    "role": "report",
    "projects": ["my-project"],
    "created_at": "2024-01-15T10:00:00.000Z",
    "expires_at": None,
    "last_used_at": None,
    "last_used_from": None,
    "rotating_until": None,
}
KEY_MADE: Final = {**_KEY, "key": "att_t8okOmlhM73kpnAZjWbPB19VCPjsUOpL9WB671bW3mB1M4gQv"}
ROTATION: Final = {"overlap_seconds": 3600}
_USED: Final = {"last_used_at": "2024-01-15T11:00:00.000Z", "last_used_from": "127.0.0.1"}
KEY_ROTATED: Final = {
    **KEY_MADE,
    **_USED,
    "rotating_until": "2024-01-15T12:00:00.000Z",
    "key": "att_2vq0TaYb8vNcXq1sJ5mZr7LwKd9HfEgU3oPiRtWyQx0BZ4kNp",
}
KEYS: Final = {"keys": [{**_KEY, **_USED}]}
AUDIT: Final = {
    "entries": [
        {
            "id": 1,
            "first_at": "2024-01-15T10:00:00.000Z",
            "last_at": "2024-01-15T10:00:00.000Z",
            "count": 1,
            "action": "key_created",
            "by": "master",
            "address": "127.0.0.1",
            "subject": "ci",
            "details": {"role": "report", "projects": ["my-project"], "expires_at": None},
        }
    ],
    "has_more": False,
}


def _attribute(key: str, kind: str, value: object) -> dict[str, Any]:
    return {"key": key, "value": {kind: value}}


_RESOURCE: Final = {"attributes": [_attribute("service.name", "stringValue", "claude-code")]}

LOGS: Final = {
    "resourceLogs": [
        {
            "resource": _RESOURCE,
            "scopeLogs": [
                {
                    "logRecords": [
                        {
                            "timeUnixNano": "1705312800000000000",
                            "body": {"stringValue": "claude_code.api_request"},
                            "attributes": [
                                _attribute("event.name", "stringValue", "api_request"),
                                _attribute("session.id", "stringValue", "2f6c1a"),
                                _attribute("prompt.id", "stringValue", "7"),
                                _attribute("model", "stringValue", "claude-opus-4-5"),
                                _attribute("input_tokens", "intValue", "120"),
                                _attribute("output_tokens", "intValue", "34"),
                                _attribute("cost_usd", "doubleValue", 0.0123),
                            ],
                        }
                    ]
                }
            ],
        }
    ]
}
METRICS: Final = {
    "resourceMetrics": [
        {
            "resource": _RESOURCE,
            "scopeMetrics": [
                {
                    "metrics": [
                        {
                            "name": "claude_code.token.usage",
                            "sum": {
                                "aggregationTemporality": 1,
                                "dataPoints": [
                                    {
                                        "timeUnixNano": "1705312800000000000",
                                        "asInt": "120",
                                        "attributes": [
                                            _attribute("session.id", "stringValue", "2f6c1a"),
                                            _attribute("type", "stringValue", "input"),
                                            _attribute("model", "stringValue", "claude-opus-4-5"),
                                        ],
                                    }
                                ],
                            },
                        }
                    ]
                }
            ],
        }
    ]
}
TRACES: Final = {
    "resourceSpans": [
        {
            "resource": {"attributes": [_attribute("service.name", "stringValue", "my-agents")]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "eee19b7ec3c1b174",
                            "name": "invoke_agent helper",
                            "startTimeUnixNano": "1705312800000000000",
                            "endTimeUnixNano": "1705312805000000000",
                            "attributes": [
                                _attribute("gen_ai.operation.name", "stringValue", "invoke_agent"),
                                _attribute("gen_ai.agent.name", "stringValue", "helper"),
                            ],
                        }
                    ]
                }
            ],
        }
    ]
}

_TRACK: Final = {
    "task_stats": {"total": 1, "completed": 1, "running": 0, "failed": 0, "pending": 0},
    "running": [0, 1],
    "completed": [0, 1],
    "failed": [0, 0],
}
_NO_TRACK: Final = {
    "task_stats": dict.fromkeys(_TRACK["task_stats"], 0),
    **{name: [0, 0] for name in ("running", "completed", "failed")},
}
TIMELINE: Final = {
    "from": _TIME,
    "to": _ENDED,
    "bin_seconds": 1800,
    "total": 1,
    "agents": [{"agent": "claude-3-5-sonnet", **_TRACK}],
    "others": {"agents": 0, **_NO_TRACK},
    "intervals": [
        {
            "id": 1,
            "project": "my-project",
            "task_id": "task-123",
            "title": "Разработка новой фичи",
            "agent": "claude-3-5-sonnet",
            "status": "completed",
            "attempt": 1,
            "started_at": _TIME,
            "finished_at": _ENDED,
            "parent_task_id": None,
            "session": None,
        }
    ],
    "left_out": 0,
}

_FIGURES: Final = {
    "completed": 1,
    "failed": 0,
    "finished_success_rate": 100.0,
    "average_duration": 3600.0,
    "median_duration": 3600,
    "usage": _AMOUNTS,
}
INSIGHTS: Final = {
    "tz": "120",
    "from": "2024-01-14T22:00:00.000Z",
    "to": "2024-01-15T22:00:00.000Z",
    "total": 1,
    "complete": True,
    "overall": _FIGURES,
    "days": [{"date": "2024-01-15", **_FIGURES}],
    "projects": [{"project": "my-project", **_FIGURES}],
    "agents": [{"agent": "claude-3-5-sonnet", **_FIGURES}],
    "models": [{"model": "claude-sonnet-4-5", **_FIGURES}],
    "titles": [{"project": "my-project", "title": "Разработка новой фичи", **_FIGURES}],
    "kinds": {"projects": 1, "agents": 1, "models": 1, "titles": 1},
}
FAILURES: Final = {
    "total": 1,
    "complete": True,
    "kinds": 1,
    "groups": [
        {
            "project": "my-project",
            "error_type": "RuntimeError",
            "message": "No answer after <n> s",
            "example": "No answer after 30 s",
            "count": 1,
            "first_seen": _ENDED,
            "last_seen": _ENDED,
            "tasks": [{"task_id": "task-123", "agent": "claude-3-5-sonnet", "finished_at": _ENDED}],
            "agents": [{"agent": "claude-3-5-sonnet", "count": 1}],
        }
    ],
}
