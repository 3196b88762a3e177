"""How long, how large and how many things may be, and why sockets are closed: each rule once.

Texts are counted in characters, times and durations in milliseconds, unless names say otherwise.
What states, kinds and events there are stands beside them, in `tracker.domain.tasks`. The
migrations and the SDK have copies, which tests compare with these.
"""

from __future__ import annotations

from typing import Final

# Of a project, a task (by its agent) or an agent.
MAX_NAME: Final = 255
MAX_TITLE: Final = 1000
MAX_MESSAGE: Final = 10_000
MAX_STACK_TRACE_BYTES: Final = 10_240  # of UTF-8
MAX_ATTENTION: Final = 1000
MAX_OPEN_REQUESTS: Final = 100  # for a person's attention, of one task
MAX_CLEARED_REQUESTS: Final = 20  # that are remembered, of one task
MAX_STALE_AFTER_SECONDS: Final = 30 * 86_400
MAX_MODELS: Final = 100  # whose usage is kept, of one attempt; and that are answered
MAX_LISTED_MODELS: Final = 10  # of a task on a page of tasks
MAX_TOKENS: Final = 10**12  # of one kind, of an attempt
MAX_COST_USD: Final = 10**6  # of an attempt; as many micro-dollars as `MAX_TOKENS`
MAX_USAGE_SUM: Final = 2**53 - 1  # of tokens, or of micro-dollars; sums stay there
MAX_DESCENDANTS: Final = 10_000  # whose usage a task is shown with
MAX_ATTEMPT: Final = 2**31 - 1
MAX_DURATION_SECONDS: Final = 100 * 366 * 86_400

# The last day that every time zone can show, 9999-12-31T00:00Z.
MAX_TIME: Final = 253_402_214_400_000

# A task that is first seen by its end began that long before it.
EARLIEST_START: Final = -MAX_DURATION_SECONDS * 1000

# A measured duration may be longer than a reported one may be: a task that began so early, and that
# fails today.
MAX_DURATION: Final = 3 * MAX_DURATION_SECONDS * 1000

# When a report says that it happened: so long before it arrived, at most, and so long after, by
# another clock.
MAX_AGE_OF_REPORT: Final = 30 * 86_400_000
MAX_CLOCK_AHEAD: Final = 60_000

# Ids stay below this: up to 2^53 JavaScript's integers are exact (docs/contract.md, "Events").
ID_LIMIT: Final = 2**53

# The largest id that is imported. As many again are left above it, so that no imported file can use
# up a tracker's ids.
MAX_ID: Final = 2**52 - 1

# The largest integer that SQLite holds: no id is greater.
MAX_INTEGER: Final = 2**63 - 1

# Requests.
MAX_BODY_BYTES: Final = 1_048_576
MAX_TELEMETRY_BYTES: Final = 8 * 1024 * 1024  # of OTLP
MAX_DEPTH: Final = 100  # levels of a body's JSON
MAX_HEADER_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 100
MAX_IDEMPOTENCY_KEY: Final = 255
MAX_BATCH_REPORTS: Final = 500  # in a batch
MAX_SEARCH_TEXT: Final = 1000
MAX_PROJECTS_ASKED: Final = 100  # by name, of which tasks are listed
MAX_WEBSOCKET_MESSAGE_BYTES: Final = 64 * 1024  # of a client

# Answers: so many items on a page, at most.
MAX_PAGE: Final = 500
MAX_EVENTS_PAGE: Final = 1000
MAX_DAYS: Final = 3660
MAX_LOCAL_DAYS: Final = 366  # of somebody's time zone
MAX_BINS: Final = 500  # of a range of time
MAX_ACTIVITY_DAYS: Final = 100

MAX_PAGE_BYTES: Final = 8 * 1024 * 1024
MAX_METADATA_BYTES: Final = 256 * 1024  # of a task, as JSON
MAX_MESSAGE_BYTES: Final = 256 * 1024  # of WebSockets, streams and pages of events

# How many of its events a task is shown with; `/api/events` has the rest.
MAX_HISTORY: Final = 1000

# In lists of tasks over all projects, texts are truncated to this length.
MAX_LINE_TEXT: Final = 500


class CloseCode:
    """Why the server closes a WebSocket. 3xxx: IANA's registry of close codes; else RFC 6455."""

    GOING_AWAY: Final = 1001
    INVALID_TEXT: Final = 1007
    POLICY_VIOLATION: Final = 1008
    INTERNAL_ERROR: Final = 1011
    TRY_AGAIN_LATER: Final = 1013
    UNAUTHORIZED: Final = 3000
    FORBIDDEN: Final = 3003
    TIMEOUT: Final = 3008
