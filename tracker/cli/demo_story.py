"""A simulated team of agents: who works on what, how it goes, and when each report is sent.

Pure: `schedule` makes the list, `tracker demo` sends it to a server as time passes, and
`scripts/screenshots.py` writes weeks of it into a database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final, NamedTuple


class Job(NamedTuple):
    """One task of the team. Of those with an `error` some fail, and of these some are tried again;
    of those marked `silent` some stop reporting. What one `asks` of a person, some are never
    answered. `part` is what a sub-agent does for it, and its result."""

    project: str
    title: str
    messages: tuple[str, ...]
    result: str
    metadata: dict[str, Any]
    error: tuple[str, str, str] | None = None
    silent: bool = False
    asks: str | None = None
    part: tuple[str, str] | None = None


class ScheduledReport(NamedTuple):
    """A report that is due `at` seconds after the beginning."""

    at: float
    kind: str
    fields: dict[str, Any]


# Each with its model and what a million of its tokens costs, in dollars; a script has none.
AGENTS: Final[dict[str, tuple[str, float] | None]] = {
    "claude-opus": ("claude-opus-4-5", 5.0),
    "claude-sonnet": ("claude-sonnet-4-5", 3.0),
    "codex": ("gpt-5-codex", 1.25),
    "gemini-pro": ("gemini-2.5-pro", 1.25),
    "nightly-ci": None,
}
_SILENT_AFTER: Final = 12  # seconds, so that whoever watches for a minute sees it
_TOKENS: Final = (40_000, 400_000)  # of a job, from and to

_DEADLOCK: Final = """Traceback (most recent call last):
  File "/srv/billing/jobs/settle.py", line 118, in settle_batch
    ledger.post(entries, on=batch.day)
  File "/srv/billing/ledger.py", line 74, in post
    cursor.executemany(INSERT_ENTRY, rows)
psycopg.errors.DeadlockDetected: deadlock detected
DETAIL:  Process 8121 waits for ShareLock on transaction 40233; blocked by process 8119.
HINT:  See server log for query details."""
_SNAPSHOT: Final = """AssertionError: cart total after coupon
    at Object.<anonymous> (src/checkout/__tests__/coupon.test.ts:61:23)
    at processTicksAndRejections (node:internal/process/task_queues:105:5)
Expected: "€ 41.65"
Received: "€ 41.66\""""
_DISK: Final = """Traceback (most recent call last):
  File "pipeline/load.py", line 42, in <module>
    main()
  File "pipeline/load.py", line 37, in main
    writer.write_table(batch)
OSError: [Errno 28] No space left on device"""

JOBS: Final = (
    Job(
        "billing-api",
        "Settle yesterday's card payments",
        ("Reading 18,240 payments", "Matching them with bank statements", "Posting to the ledger"),
        result="18,240 payments settled, 3 left for a human to look at.",
        error=("DeadlockDetected", "deadlock detected while posting ledger entries", _DEADLOCK),
        metadata={"batch": "2026-02-11", "payments": 18240, "retry": {"max": 3, "backoff": "30s"}},
    ),
    Job(
        "billing-api",
        "Add idempotency keys to the refund endpoint",
        ("Reading the handler and its tests", "Writing a failing test", "Making it pass"),
        result="Refunds take an Idempotency-Key now; 14 new tests, all 212 pass.",
        asks="Allow Bash: git push --force-with-lease origin refunds?",
        metadata={"files_changed": ["refunds.py", "test_refunds.py"], "lines_added": 186},
    ),
    Job(
        "billing-api",
        "Обновить зависимости и прогнать тесты",
        ("Читаю список изменений", "Обновляю 12 пакетов", "Прогоняю тесты"),
        result="Обновлено 12 пакетов, все 212 тестов проходят.",
        metadata={"packages": 12, "breaking": []},
    ),
    Job(
        "web/checkout",
        "Fix the rounding of coupons in the cart",
        ("Reproduced with a 15 % coupon", "Rounding each line, not the sum", "Running the tests"),
        result="Each line is rounded half to even; all 96 tests of the cart pass.",
        error=(
            "AssertionError",
            "cart total after coupon: expected € 41.65, got € 41.66",
            _SNAPSHOT,
        ),
        metadata={"issue": 1932, "browser": "chromium"},
    ),
    Job(
        "web/checkout",
        "Make the address form work with a keyboard alone",
        ("Auditing focus order", "Replacing the custom select", "Testing with a screen reader"),
        result="Every field can be reached and left; the audit finds no violations.",
        metadata={"audit": {"before": 11, "after": 0}},
    ),
    Job(
        "web/checkout",
        "Translate the checkout into Portuguese",
        ("Collecting 148 strings", "Translating", "Checking lengths in the layout"),
        result="148 strings translated; 3 shortened to fit their buttons.",
        metadata={"strings": 148, "locale": "pt-BR"},
    ),
    Job(
        "data-pipeline",
        "Backfill page views for January",
        ("Listing 31 partitions", "Loading 2026-01-09", "Loading 2026-01-17", "Loading 2026-01-28"),
        result="31 partitions, 412 million rows, no gaps.",
        metadata={"partitions": 31, "rows": 412_000_000},
    ),
    Job(
        "data-pipeline",
        "Load the vendor's price list",
        ("Downloading 2.1 GB", "Validating against the schema", "Writing parquet"),
        result="1.4 million prices loaded; 212 lines rejected, see rejected.csv.",
        error=("OSError", "[Errno 28] No space left on device", _DISK),
        metadata={"bytes": 2_147_483_648, "host": "etl-3"},
    ),
    Job(
        "data-pipeline",
        "Find why the nightly export is slow",
        ("Profiling the export", "94 % of the time is one query", "Trying an index"),
        result="A missing index on orders(customer_id): 41 min → 50 s.",
        part=("Read the query plan", "A sequential scan over 40 million orders."),
        metadata={"suspect": "orders_by_customer"},
        silent=True,
    ),
    Job(
        "документация",
        "Описать новый API возвратов",
        ("Читаю код и тесты", "Пишу примеры запросов", "Проверяю ссылки"),
        result="Раздел «Возвраты» готов: 6 примеров, все проверены запросами.",
        metadata={"страниц": 4, "примеров": 6},
    ),
    Job(
        "документация",
        "Проверить все ссылки в руководстве",
        ("Обхожу 86 страниц", "Нашёл 3 битые ссылки", "Исправляю"),
        result="86 страниц, 1 204 ссылки, битых больше нет.",
        metadata={"pages": 86, "links": 1204},
    ),
    Job(
        "mobile-app",
        "Reduce the cold start of the Android app",
        ("Tracing the start", "Moving analytics off the main thread", "Measuring on 5 devices"),
        result="Cold start 1.9 s → 1.1 s (median of 5 devices).",
        metadata={"before_ms": 1910, "after_ms": 1120},
    ),
    Job(
        "mobile-app",
        "Review pull request #418: offline mode",
        ("Reading 31 files", "Writing comments"),
        result="7 comments, one of them blocking: edits are lost on a conflict.",
        asks="Edits are lost on a conflict. Request changes, or comment only?",
        part=("Trace how edits are merged", "The last writer wins, without a word to the other."),
        metadata={"pull_request": 418, "comments": 7},
    ),
)


def schedule(
    seconds: float, seed: int, run: str, *, pace: tuple[float, float]
) -> list[ScheduledReport]:
    """The reports of a team that works for so many seconds, in the order they are due.

    Each agent takes one job after the other, each for `pace` seconds (least, most). Task ids begin
    with `run`, so that a second run adds tasks rather than attempts.
    """
    random = Random(seed)  # noqa: S311 - not a secret
    jobs = list(JOBS)
    random.shuffle(jobs)
    reports: list[ScheduledReport] = []
    number = 0
    for index, agent in enumerate(AGENTS):
        at = index * pace[0] / 8
        while at < seconds:
            job = jobs[number % len(jobs)]
            number += 1
            seconds_taken = random.uniform(*pace)
            identity = {
                "project": job.project,
                "task": job.title,
                "task_id": f"{run}-{number}",
                "agent": agent,
                "session": f"{run}-{agent}",
            }
            tokens = random.randint(*_TOKENS)
            reports += [
                ScheduledReport(
                    at + share * seconds_taken,
                    kind,
                    {**identity, **_used(agent, kind, share * tokens), **fields},
                )
                for share, kind, fields in (*_reports_of(job, random), *_part_of(job, identity))
            ]
            at += seconds_taken + random.uniform(*pace) / 10
    return sorted(
        (report for report in reports if report.at < seconds), key=lambda report: report.at
    )


def ends(reports: Sequence[ScheduledReport]) -> list[ScheduledReport]:
    """What ends the tasks of these reports that they leave open; sub-agents' first, as in life."""
    last = {(report.fields["project"], report.fields["task_id"]): report for report in reports}
    names = ("project", "task", "task_id", "agent", "session")
    return [
        ScheduledReport(
            report.at,
            "finish",
            {**{name: report.fields[name] for name in names}, "result": "The demo has ended."},
        )
        for report in reversed(last.values())
        if report.kind not in ("finish", "error")
    ]


def _used(agent: str, kind: str, tokens: float) -> dict[str, Any]:
    """What an attempt has used so far, as its agent tells it; a sub-agent's, its own."""
    model = AGENTS[agent]
    if model is None or kind == "start":
        return {}
    name, cost = model
    used = {"input_tokens": round(tokens * 0.9), "output_tokens": round(tokens * 0.1)}
    return {"usage": {"model": name, **used, "cost_usd": round(tokens * cost / 1e6, 4)}}


def _reports_of(job: Job, random: Random) -> Iterator[tuple[float, str, dict[str, Any]]]:
    """A job's reports: when (as a share of its time), which webhook, and its own fields."""
    if job.silent and random.random() < 0.4:
        yield from list(_work(job, 0.0, 1.0, random))[:-1]
    elif job.asks and random.random() < 0.5:
        yield from _work(job, 0.0, 1.0, random)
    elif job.error is None or random.random() < 0.4:
        yield from _work(job, 0.0, 1.0, random)
        yield 1.0, "finish", {"result": job.result}
    else:
        tried_again = random.random() < 0.5
        fails_at = 0.5 if tried_again else 1.0
        kind, words, trace = job.error
        yield from _work(job, 0.0, fails_at, random)
        error = {"error_type": kind, "error_message": words, "stack_trace": trace}
        yield fails_at, "error", error
        if tried_again:
            yield from _work(job, 0.55, 1.0, random)
            yield 1.0, "finish", {"result": job.result}


def _part_of(job: Job, identity: dict[str, Any]) -> Iterator[tuple[float, str, dict[str, Any]]]:
    """What a sub-agent reports: of a task of its own, in the same session."""
    if job.part is None:
        return
    title, result = job.part
    part = {
        "task": title,
        "task_id": f"{identity['task_id']}-1",
        "agent": f"{identity['agent']}/explore",
        "parent_task_id": identity["task_id"],
    }
    yield 0.1, "start", part
    yield 0.5, "finish", {**part, "result": result}


def _work(
    job: Job, begin: float, end: float, random: Random
) -> Iterator[tuple[float, str, dict[str, Any]]]:
    """The reports of one attempt, without its end. What it asks, it asks last."""
    quiet = {"stale_after_seconds": _SILENT_AFTER} if job.silent else {}
    yield begin, "start", {"metadata": job.metadata, **quiet}
    steps = len(job.messages)
    for step, message in enumerate(job.messages, start=1):
        share = step / (steps + 1) + random.uniform(-0.05, 0.05)
        at = begin + share * (end - begin)
        asks = {"attention": job.asks} if job.asks and step == steps else {}
        yield at, "status", {"progress": round(share * 100), "message": message, **asks}
