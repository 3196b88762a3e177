"""Modules of the dashboard that need no browser, run by Node."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracker

LIB = Path(tracker.__file__).parent / "web" / "app" / "lib"
SCRIPTS = Path(__file__).parents[2] / "scripts"

PYTHON = """\
Traceback (most recent call last):
  File "/srv/shop/main.py", line 42, in <module>
    pay(order)
    ~~~^^^^^^^
  File "/srv/shop/pay.py", line 7, in pay
    client.post(url)
  File "/srv/shop/.venv/lib/python3.12/site-packages/httpx/_client.py", line 1144, in post
    return self.request(
  File "/usr/lib/python3.12/socket.py", line 850, in create_connection
    raise exceptions[0]
  [Previous line repeated 3 more times]
httpx.ConnectError: [Errno 111] Connection refused
"""
PYTHON_TWO = """\
Traceback (most recent call last):
  File "a.py", line 1, in f
    x()
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "b.py", line 2, in g
  File "C:\\Python312\\Lib\\json\\decoder.py", line 3, in decode
MyProblem
"""
JAVASCRIPT = """\
TypeError: Cannot read properties of undefined (reading 'total')
    at Array.map (<anonymous>)
    at total (/srv/shop/src/cart.js:12:9)
    at async handle (/srv/shop/node_modules/express/lib/router.js:3:1)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
    at file:///srv/shop/src/main.js:4:2
"""
JAVA = """\
Exception in thread "main" java.lang.IllegalStateException: no cart
\tat com.acme.shop.Cart.total(Cart.java:12)
\tat java.base/java.util.ArrayList.forEach(ArrayList.java:1511)
\tat org.springframework.web.Servlet.run(Servlet.java:3)
Caused by: java.io.IOException: closed
\tat java.base/java.io.Reader.read(Reader.java:9)
\tat com.acme.shop.Store.read(Store.java:7)
\t... 2 more
"""
GO = """\
panic: runtime error: index out of range [3] with length 2 [recovered]

goroutine 1 [running]:
testing.tRunner.func1.2({0x4f, 0x5})
\t/usr/local/go/src/testing/testing.go:1396 +0x24e
main.total(...)
\t/home/ann/shop/cart.go:12
github.com/gin-gonic/gin.(*Context).Next(0xc0)
\t/home/ann/go/pkg/mod/github.com/gin-gonic/gin@v1.9.1/context.go:174 +0x2b
created by main.main in goroutine 1
\t/home/ann/shop/main.go:5 +0x1d
exit status 2
"""
RUST = """\
thread 'main' panicked at src/cart.rs:12:5:
no cart
stack backtrace:
   0: rust_begin_unwind
             at /rustc/90b35a6/library/std/src/panicking.rs:645:5
   1: core::panicking::panic_fmt
             at /rustc/90b35a6/library/core/src/panicking.rs:72:14
   2: shop::cart::total
             at ./src/cart.rs:12:5
   3: serde_json::from_str
             at /home/ann/.cargo/registry/src/index.crates.io-6f17d22/serde_json-1.0/src/de.rs:2:1
   4: shop::main
   5: core::ops::function::FnOnce::call_once
note: Some details are omitted
"""


def run(script: str, given: Any) -> Any:
    """What `script` makes of `given`, both by JSON."""
    sys.path.append(str(SCRIPTS))
    try:
        from _environment import Environment
    finally:
        sys.path.remove(str(SCRIPTS))
    whole = (
        f"{script}\nlet text = '';\nfor await (const part of process.stdin) text += part;\n"
        "console.log(JSON.stringify(make(JSON.parse(text))));"
    )
    done = subprocess.run(
        [*Environment().node().node, "--input-type=module", "-e", whole],
        input=json.dumps(given),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    return json.loads(done.stdout)


def read_trace(trace: str) -> list[dict[str, Any]]:
    lines = run(
        f"import {{ readTrace }} from {json.dumps((LIB / 'trace.js').as_uri())};\n"
        "const make = readTrace;",
        trace,
    )
    assert [line["text"] for line in lines] == trace.split("\n")
    return list(lines)


def said(lines: list[dict[str, Any]]) -> list[str]:
    """A letter a line: Error, Frame, detail, words; small and with an l, of a library."""
    letters = {"error": "E", "frame": "F", "detail": "d", "words": "-"}
    return [
        letters[line["kind"]] + ("l" if line["library"] else "") + ("!" if line["origin"] else "")
        for line in lines
    ]


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        (PYTHON, "- F d d F! d Fl dl Fl dl dl E -"),
        (PYTHON_TWO, "- F d E - - - - F! Fl E -"),
        (JAVASCRIPT, "E Fl F! Fl Fl F -"),
        (JAVA, "E F Fl Fl E Fl F! d -"),
        (GO, "E - - dl Fl d F! dl Fl d F - -"),
        (RUST, "E E - Fl dl Fl dl F! d Fl dl F Fl - -"),
        ("just words\nof two lines", "- -"),
        ("", "-"),
    ],
    ids=["python", "python-two", "javascript", "java", "go", "rust", "words", "none"],
)
def test_a_trace_is_told_by_line(trace: str, expected: str) -> None:
    assert said(read_trace(trace)) == expected.split()


@pytest.mark.parametrize(
    "line", ["at " + "a." * 5000, "  at " + "(" * 10_000, '  File "' * 1500, " " * 10_240]
)
def test_a_trace_made_to_take_long_takes_no_time(line: str) -> None:
    assert len(read_trace(line + "\n" + "  at x (y.js:1:1)")) == 2


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://a.example/b?c#d", "https://a.example/b?c#d"),
        ("HTTP://A.example", "http://a.example/"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("https://a.example/\u202etxt", "https://a.example/%E2%80%AEtxt"),
        ("https://аррӏе.example", "https://xn--80ak6aa92e.example/"),
        *((one, None) for one in ("javascript:alert(1)", " java\nscript:alert(1)", "data:,x")),
        *((one, None) for one in ("vbscript:x", "file:///etc/passwd", "/docs", "//a.b", "", "a")),
        *((one, None) for one in ("https://", "x" * 5000, 7, None)),
    ],
)
def test_only_these_are_links(address: object, safe: str | None) -> None:
    script = f"import {{ safeLink }} from {json.dumps((LIB / 'markdown.js').as_uri())};"
    assert run(f"{script}\nconst make = safeLink;", address) == safe


def test_texts_that_take_a_parser_long_are_not_parsed() -> None:
    units = [
        "[",
        "]",
        "*_",
        "_a*",
        "1. ",
        ">- ",
        ">a\n\n",
        "===\n",
        "- a\n",
        "[a]: b\n",
        "]a[",
        "`~",
    ]
    texts = [unit * (100_000 // len(unit)) for unit in units]
    ordinary = ["# A\n\n" + "Some **bold** words, [a link](https://a.b) and `code`.\n\n" * 800]
    script = f"import {{ isStrange }} from {json.dumps((LIB / 'markdown.js').as_uri())};"
    strange = run(f"{script}\nconst make = (texts) => texts.map(isStrange);", texts + ordinary)
    assert strange == [True] * len(units) + [False]


def related(root: str, tasks: list[dict[str, Any]], most: int = 200) -> Any:
    script = f"import {{ related }} from {json.dumps((LIB / 'graph.js').as_uri())};\n"
    script += "const make = ([root, all, most]) => "
    script += "related(root, new Map(all.map((one) => [one.task_id, one])), most);"
    return run(script, [root, tasks, most])


def test_what_belongs_to_a_task_is_found_by_how_near_it_is() -> None:
    def task(name: str, parent: str | None = None, needs: object = None) -> dict[str, Any]:
        return {"task_id": name, "parent_task_id": parent, "metadata": {"dependencies": needs}}

    tasks = [
        task("me", "lead", ["base", "me", 5, None, "gone"]),
        task("lead", "boss", ["before"]),
        task("boss", "me"),  # a circle
        task("sibling", "lead"),
        task("child", "me", ["side"]),
        task("grandchild", "child"),
        task("base", "elsewhere", ["deep"]),
        task("of base", "base"),
        task("after", None, ["me"]),
        task("alone", None, "me"),
    ]
    found = related("me", tasks)
    assert set(found["ids"]) == {
        *("me", "lead", "boss", "base", "gone", "deep", "before"),
        *("child", "side", "grandchild", "after"),
    }
    assert found["left"] == 0
    assert {"from": "base", "to": "me", "kind": "needs"} in found["edges"]
    assert {"from": "me", "to": "child", "kind": "started"} in found["edges"]
    few = related("me", tasks, 3)
    assert (len(few["ids"]), few["ids"][0], few["left"]) == (3, "me", 8)
    assert all({edge["from"], edge["to"]} <= set(few["ids"]) for edge in few["edges"])
    assert related("none", []) == {"ids": ["none"], "edges": [], "left": 0}


@settings(max_examples=3, deadline=None)
@given(st.lists(st.tuples(st.floats(1e-6, 1e12), st.booleans()), min_size=50, max_size=80))
def test_an_axis_has_a_few_round_marks(some: list[tuple[float, bool]]) -> None:
    some = [(float(round(most) if is_whole else most), is_whole) for most, is_whole in some]
    heard = run(
        f"import {{ ticksTo }} from {json.dumps((LIB / 'ticks.js').as_uri())};\n"
        "const make = (some) => some.map((one) => ticksTo(...one));",
        [*some, (0, True)],
    )
    assert heard[-1] == [0, 1]
    for (most, is_whole), ticks in zip(some, heard, strict=False):
        step = ticks[1]
        assert 2 <= len(ticks) <= 5
        assert ticks == pytest.approx([number * step for number in range(len(ticks))])
        assert ticks[-1] >= most * (1 - 1e-9)
        assert ticks[-1] - step < max(most, 1 if is_whole else 0)
        assert f"{step:.0e}"[0] in "125"
        assert not is_whole or step == int(step)


WORD = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["failed", "running,pending"]),
        "agent": st.lists(WORD, min_size=1, max_size=3).map(" ".join),
        "project": WORD,
        "session": WORD,
        "since": st.sampled_from(["2h", "30d", "2024-01-15"]),
        "title": st.lists(WORD, min_size=1, max_size=3).map(" ".join),
        "date_from": st.just("2024-01-15"),
        "date_to": st.sampled_from(["2024-01-15", "2024-01-15T21:59:59.999Z"]),
        "attention": st.just("1"),
        "silent": st.just("1"),
        "attempt_min": st.just("2"),
        "cost_min": st.sampled_from(["1", "0.5"]),
        "q": st.lists(WORD, min_size=1, max_size=3).map(" ".join),
    },
)


@settings(max_examples=3, deadline=None)
@given(st.lists(FILTERS, min_size=50, max_size=80))
def test_a_line_of_tokens_says_what_it_was_made_of(some: list[dict[str, str]]) -> None:
    heard = run(
        f"import {{ formatTokens, parseTokens }} from {json.dumps((LIB / 'tokens.js').as_uri())};\n"
        "const make = (some) => some.map((one) => parseTokens(formatTokens(one)));",
        some,
    )
    assert heard == [{"filters": one, "wrong": []} for one in some]


def test_tokens_that_say_nothing_are_told() -> None:
    line = "status:done colour:red is:odd cost:much since:soon until:2h agent: http://a.b/c plain"
    heard = run(
        f"import {{ parseTokens }} from {json.dumps((LIB / 'tokens.js').as_uri())};\n"
        "const make = parseTokens;",
        line,
    )
    assert heard["filters"] == {"q": "http://a.b/c plain"}
    wrong = ["status:done", "colour:red", "is:odd", "cost:much", "since:soon", "until:2h"]
    assert heard["wrong"][: len(wrong)] == wrong


BARS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from("ab"),
        st.integers(0, 30),
        st.integers(0, 20),
        st.none() | st.integers(0, 9),
    ),
    max_size=10,
    unique_by=lambda bar: bar[0],
)


@settings(max_examples=5, deadline=None)
@given(st.lists(BARS, min_size=20, max_size=20))
def test_bars_lie_beside_one_another_and_what_was_started_below(
    many: list[list[tuple[int, str, int, int, int | None]]],
) -> None:
    given_ = [
        [
            {
                "key": str(key),
                "agent": agent,
                "start": at,
                "end": at + long,
                "parent": None if parent is None else str(parent),
            }
            for key, agent, at, long, parent in bars
        ]
        for bars in many
    ]
    script = f"import {{ lanes }} from {json.dumps((LIB / 'lanes.js').as_uri())};\n"
    script += "const make = (all) => all.map((bars) => lanes(bars, 1, 2));"
    for bars, found in zip(given_, run(script, given_), strict=True):
        placed = [one for lane in found for one in lane["placed"]]
        assert sorted(one["bar"]["key"] for one in placed) == sorted(bar["key"] for bar in bars)
        for lane in found:
            rows: dict[int, list[tuple[int, int]]] = {}
            at = {one["bar"]["key"]: one for one in lane["placed"]}
            for one in lane["placed"]:
                bar, row = one["bar"], one["row"]
                assert 0 <= row < lane["rows"]
                begin, end = bar["start"], max(bar["end"], bar["start"] + 1)
                for other, until in rows.setdefault(row, []):
                    assert end + 2 <= other or until + 2 <= begin
                rows[row].append((begin, end))
                if one["depth"]:
                    assert at[bar["parent"]]["row"] < one["row"]
                    assert at[bar["parent"]]["depth"] == one["depth"] - 1


# The page's time ticks by a timer that only a page has.
JUDGE = f"""
globalThis.document = {{ addEventListener() {{}} }};
globalThis.setInterval = () => 0;
const {{ Judge, holds }} = await import({json.dumps((LIB.parent / "data" / "alerts.js").as_uri())});
"""
MOMENT = "2024-01-15T10:00:00.000Z"
SECONDS_LATER = 1705312805000


def judged(*events: dict[str, Any], now: int = SECONDS_LATER, sessions: Any = ()) -> list[str]:
    """What is told of reports, each `{**data, "type"}`, that were heard at once."""
    script = (
        JUDGE
        + """
    const make = ([events, now, sessions]) => {
        const judge = new Judge();
        const told = [...judge.of(events, now), ...judge.turns(sessions, now)];
        return told.map(({ kind, words }) => `${kind} ${words}`);
    };"""
    )
    names = {"project": "p", "task_id": "a", "title": "A", "agent": "b"}
    made = [
        {"type": data.pop("type", "report"), "timestamp": MOMENT, "data": {**names, **data}}
        for data in (dict(event) for event in events)
    ]
    return list(run(script, [made, now, list(sessions)]))


def test_what_a_person_is_told_of() -> None:
    failed = {"status": "failed", "error_message": "m"}
    asks = {"status": "running", "requests": [{"id": "1", "text": "Which?", "since": MOMENT}]}
    silent = {"type": "task_silent", "status": "running", "silent_since": MOMENT}
    assert judged(failed, asks, asks, silent) == ["failed m", "attention Which?", "silent "]
    asked_before = {
        "requests": [{"id": "1", "text": "Which?", "since": "2024-01-15T09:00:00.000Z"}]
    }
    assert (
        judged(
            {**failed, "late": True},
            {**failed, "error_type": "Interrupted"},
            {**failed, "error_type": "FailedByHand"},
            {**failed, "acknowledged_at": MOMENT},
            {**failed, "type": "task_acknowledged"},
            {**failed, "snoozed_until": "9999-01-01T00:00:00.000Z"},
            {**asks, "snoozed_until": "9999-01-01T00:00:00.000Z"},
            {**silent, "acknowledged_at": MOMENT},
            {"status": "running", **asked_before},
            {"status": "completed"},
            {"type": "task_deleted", "task_id": None},
        )
        == []
    )
    assert judged({**failed, "snoozed_until": MOMENT}) == ["failed m"]
    assert judged(failed, now=SECONDS_LATER + 120_000) == []


def test_whose_turn_it_is_takes_sessions_read_since() -> None:
    ended = {"status": "completed", "session": "s", "result": "Done"}
    session = {"project": "p", "session": "s", "state": "your_turn", "last_report_at": MOMENT}
    assert judged(ended, sessions=[session]) == ["turn Done"]
    before = {**session, "last_report_at": "2024-01-15T09:59:59.999Z"}
    for other in (before, {**session, "state": "working"}, {**session, "project": "q"}):
        assert judged(ended, sessions=[other]) == []
    assert judged({**ended, "parent_task_id": "lead"}, sessions=[session]) == []


def test_whether_it_still_is_so() -> None:
    def holds(kind: str, task: Any, request: str | None = None) -> Any:
        script = JUDGE + "const make = ([alert, task]) => holds(alert, task ?? undefined);"
        return run(script, [{"kind": kind, "request": request}, task])

    asks = {"status": "running", "requests": [{"id": "1"}]}
    assert holds("attention", asks, "1")
    assert not holds("attention", asks, "2")
    assert not holds("attention", {"status": "running"}, "1")
    assert holds("failed", {"status": "failed"})
    assert not holds("failed", {"status": "running"})
    assert not holds("failed", {"status": "failed", "acknowledged_at": MOMENT})
    assert holds("silent", {"status": "running", "silent_since": MOMENT})
    assert not holds("silent", {"status": "running", "silent_since": None})
    assert not holds("failed", None)


NUMBERS = st.tuples(
    st.one_of(
        st.integers(-(10**15), 10**15),
        st.integers(0, 15).map(lambda power: 10**power - 1),
        st.floats(-1e12, 1e12),
        st.floats(1e-15, 0.0101),
    ),
    st.sampled_from(["en-GB", "ru-RU"]),
    st.sampled_from([(0, 0), (0, 1), (2, 2)]),
).filter(lambda one: str(one[0]) != "-0.0")


@given(st.lists(NUMBERS, min_size=100, max_size=150))
@settings(max_examples=5, deadline=None)
def test_numbers_are_written_as_the_browser_would(numbers: list[Any]) -> None:
    script = f"""
    import {{ decimal, thousands, twoDigits }} from {json.dumps((LIB / "numbers.js").as_uri())};
    const small = (value) => value === 0 || (value > 1e-90 && value < 0.01);
    const units = {{
        en: ["", "k", "m", "bn", "tn"],
        ru: ["", "\u00a0тыс.", "\u00a0млн", "\u00a0млрд", "\u00a0трлн"],
    }};
    const make = (all) => all.flatMap(([value, locale, [least, most]]) => {{
        const by = (options) => new Intl.NumberFormat(locale, options).format(value);
        const language = locale.slice(0, 2);
        const all = [[decimal(value, language, least, most),
            by({{ minimumFractionDigits: least, maximumFractionDigits: most }})]];
        if (small(value)) all.push([
            decimal(value, language, 0, twoDigits(value)), by({{ maximumSignificantDigits: 2 }})]);
        if (Number.isInteger(value) && value >= 0 && value < 9e14) all.push([
            decimal(value / 1000 ** thousands(value), language, 0, 1)
                + units[language][thousands(value)],
            by({{ notation: "compact", maximumFractionDigits: 1 }})]);
        return all;
    }});"""
    for ours, theirs in run(script, numbers):
        assert ours == theirs
