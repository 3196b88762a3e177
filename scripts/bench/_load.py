"""Load by wrk, pinned to a core, and what it measured."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from _environment import SetupError
from _machine import pinned

KEY = "a-key-for-benchmarks"
PROJECT = "bench"

# Requests are put together by hand, and the length of the number never changes: wrk's Lua has to
# cost less than what it measures. The body is the API document's example of a start.
_POST = """
local body = '{"project":"%(project)s","task":"Implement the feature","task_id":"%(task_id)s",'
  .. '"agent":"claude-3-5-sonnet","metadata":{"priority":"high","estimated_duration":3600,'
  .. '"dependencies":["task-100","task-101"]}}'
local head = 'POST %(path)s HTTP/1.1\\r\\nHost: %(host)s\\r\\n%(headers)s'
  .. 'Content-Length: ' .. #string.format(body, 0) .. '\\r\\n\\r\\n'
local template = head .. body
local number = 0
function request()
  number = number + 1
  return string.format(template, %(argument)s)
end
"""
# What a task of our client sends: its start, three words on its progress, its end; each with a key.
_MIXED = """
local names = '"project":"%(project)s","task":"Implement the feature","task_id":"%(task_id)s",'
  .. '"agent":"claude-3-5-sonnet"'
local status = ',"status":"running","progress":50,"message":"Implementing core functionality"'
local reports = {
  {'start', ',"metadata":{"priority":"high"}'}, {'status', status}, {'status', status},
  {'status', status}, {'finish', ',"result":"Feature successfully implemented"'},
}
local template = {}
for index, one in ipairs(reports) do
  local body = '{' .. names .. one[2] .. '}'
  template[index] = 'POST /webhook/' .. one[1] .. ' HTTP/1.1\\r\\nHost: %(host)s\\r\\n'
    .. 'Accept-Encoding: identity\\r\\n%(headers)sIdempotency-Key: %(task_id)s-' .. index
    .. '\\r\\nContent-Length: ' .. #string.format(body, 0) .. '\\r\\n\\r\\n' .. body
end
local number, index = 0, 5
function request()
  index = index %% 5 + 1
  if index == 1 then number = number + 1 end
  return string.format(template[index], number, number)
end
"""
_BATCH = """
local one = '{"kind":"start","project":"%(project)s","task":"Implement the feature",'
  .. '"task_id":"%(task_id)s","agent":"claude-3-5-sonnet","metadata":{"priority":"high",'
  .. '"estimated_duration":3600,"dependencies":["task-100","task-101"]}}'
local number = 0
function request()
  local reports = {}
  for index = 1, %(size)d do
    number = number + 1
    reports[index] = string.format(one, number)
  end
  local body = '{"reports":[' .. table.concat(reports, ',') .. ']}'
  return 'POST /webhook/batch HTTP/1.1\\r\\nHost: %(host)s\\r\\n%(headers)s'
    .. 'Content-Length: ' .. #body .. '\\r\\n\\r\\n' .. body
end
"""
# The same with all that a report may tell of what it used, and of where it belongs.
_USED = """
local body = '{"project":"%(project)s","task":"Implement the feature","task_id":"%(task_id)s",'
  .. '"agent":"claude-3-5-sonnet","metadata":{"priority":"high","estimated_duration":3600,'
  .. '"dependencies":["task-100","task-101"]},%(told)s'
  .. '"usage":{"model":"claude-sonnet-4-5","input_tokens":1200,"output_tokens":340,'
  .. '"cache_read_tokens":5600,"cache_write_tokens":780,"cost_usd":0.42}}'
local template = 'POST %(path)s HTTP/1.1\\r\\nHost: %(host)s\\r\\n%(headers)s'
  .. 'Content-Length: ' .. #string.format(body, 0) .. '\\r\\n\\r\\n' .. body
local number = 0
function request()
  number = number + 1
  return string.format(template, number)
end
"""
# An agent's run of a framework's, and a call of its model, as they end.
_SPANS = """
local times = '"startTimeUnixNano":"%(now)s","endTimeUnixNano":"%(now)s"'
local function attribute(name, kind, value)
  return '{"key":"' .. name .. '","value":{"' .. kind .. '":"' .. value .. '"}}'
end
local trace = '"traceId":"%(run)016x%%016x"'
local call = '{' .. trace .. ',"spanId":"%(run)07x1%%08x","parentSpanId":"%(run)07x2%%08x",'
  .. times .. ',"name":"chat","attributes":['
  .. attribute('gen_ai.operation.name', 'stringValue', 'chat')
  .. ',' .. attribute('gen_ai.response.model', 'stringValue', 'claude-sonnet-4-5')
  .. ',' .. attribute('gen_ai.usage.input_tokens', 'intValue', '1200')
  .. ',' .. attribute('gen_ai.usage.output_tokens', 'intValue', '340') .. ']}'
local run = '{' .. trace .. ',"spanId":"%(run)07x2%%08x",' .. times
  .. ',"name":"invoke_agent","attributes":['
  .. attribute('gen_ai.operation.name', 'stringValue', 'invoke_agent')
  .. ',' .. attribute('gen_ai.agent.name', 'stringValue', 'planner') .. ']}'
local body = '{"resourceSpans":[{"resource":{"attributes":['
  .. attribute('service.name', 'stringValue', '%(project)s')
  .. ']},"scopeSpans":[{"spans":[' .. call .. ',' .. run .. ']}]}]}'
local template = 'POST /v1/traces HTTP/1.1\\r\\nHost: %(host)s\\r\\n%(headers)s'
  .. 'Content-Length: ' .. #string.format(body, 0, 0, 0, 0, 0) .. '\\r\\n\\r\\n' .. body
local number = 0
function request()
  number = number + 1
  return string.format(template, number, number, number, number, number)
end
"""
_GET = """
local template = 'GET %(path)s HTTP/1.1\\r\\nHost: %(host)s\\r\\nX-API-Key: %(key)s\\r\\n\\r\\n'
function request()
  return template
end
"""
_DONE = """
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests":%d,"us":%d,"refused":%d,"broken":%d,"p50":%f,"p99":%f,"max":%f}\\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
"""

_JSON = "Content-Type: application/json\\r\\n"
_KEY = f"X-API-Key: {KEY}\\r\\n"

NAMED: Final = "a report key for this project"

# What users' requests look like besides the plain one; `%%s` is the task's id.
VARIANTS: Final = {
    "plain": _KEY + _JSON,
    "Authorization: Bearer": f"Authorization: Bearer {KEY}\\r\\n{_JSON}",
    "charset=utf-8": f"{_KEY}Content-Type: application/json; charset=utf-8\\r\\n",
    "an allowed Origin": f"{_KEY}{_JSON}Origin: http://localhost:3000\\r\\n",
    "Idempotency-Key": f"{_KEY}{_JSON}Idempotency-Key: %(task_id)s\\r\\n",
    NAMED: f"X-API-Key: %(named_key)s\\r\\n{_JSON}",
}
MIXED: Final = "start, status × 3, finish, each with a key"
USED: Final = "usage"
SESSION: Final = "usage, session and parent"
_TOLD: Final = {
    USED: "",
    SESSION: '"session":"2f6c1a","parent_task_id":"task-100","stale_after_seconds":3600,',
}
BATCH_SIZE: Final = 100
BATCH: Final = f"batches of {BATCH_SIZE}"

_runs = itertools.count()


class Load(NamedTuple):
    """One run of wrk. Latencies in milliseconds; `busy` is wrk's share of its core."""

    requests: int
    seconds: float
    refused: int  # answers of status 400 and up
    broken: int  # connections that failed, and answers that took over 2 s
    p50: float
    p99: float
    longest: float
    busy: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def failures(self, whose: str) -> list[str]:
        """What may not happen in a run whose numbers count."""
        found = []
        if self.refused:
            found.append(f"{whose}: {self.refused} answers were not 2xx")
        if self.broken:
            found.append(f"{whose}: {self.broken} connections failed or timed out")
        if not self.requests:
            found.append(f"{whose}: no request was answered")
        return found


class Wrk:
    """A running wrk: one thread, keep-alive connections."""

    def __init__(self, script: str, url: str, connections: int, seconds: int, core: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        (folder / "load.lua").write_text(script + _DONE)
        self._output = folder / "output"
        with self._output.open("wb") as output, pinned(core):
            self._process = subprocess.Popen(
                [
                    *(_find_wrk(), "--threads", "1", "--connections", str(connections)),
                    *("--duration", f"{seconds}s", "--script", str(folder / "load.lua"), url),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def poll(self, options: int = os.WNOHANG) -> Load | None:
        """What was measured, once it has ended."""
        pid, status, usage = os.wait4(self._process.pid, options)
        if not pid:
            return None
        self._process.returncode = os.waitstatus_to_exitcode(status)
        text = self._output.read_text()
        self._folder.cleanup()
        line = next((line for line in text.splitlines() if line.startswith("RESULT ")), None)
        if line is None:
            raise SetupError(f"wrk failed:\n{text}")
        result = json.loads(line.removeprefix("RESULT "))
        seconds = result["us"] / 1e6
        return Load(
            requests=result["requests"],
            seconds=seconds,
            refused=result["refused"],
            broken=result["broken"],
            p50=result["p50"] / 1000,
            p99=result["p99"] / 1000,
            longest=result["max"] / 1000,
            busy=(usage.ru_utime + usage.ru_stime) / seconds,
        )

    def wait(self) -> Load:
        """What was measured, at its end."""
        load = self.poll(options=0)
        assert load is not None
        return load


def post(
    url: str,
    connections: int,
    seconds: int,
    core: int,
    *,
    project: str = PROJECT,
    scattered: bool = False,
    variant: str = "plain",
    named_key: str = "",
) -> Wrk:
    """Report the start of one new task a request, unlike any other run's by their ids.

    `scattered`: ids in no order, like UUIDs, so that each lands elsewhere in the index; else
    counted up. `variant`: what the requests look like, see VARIANTS, MIXED, USED, SESSION
    and BATCH;
    `named_key`: the key of NAMED.
    """
    run = f"{os.getpid():x}-{next(_runs):x}"
    task_id = f"%08x-{run}" if scattered else f"{run}-%09d"
    argument = "number * 2654435761 % 4294967296" if scattered else "number"
    values = {"project": project, "task_id": task_id, "headers": VARIANTS["plain"]}
    if variant == MIXED:
        script = _fill(_MIXED, url, **values)
    elif variant in _TOLD:
        script = _fill(_USED, url, told=_TOLD[variant], **values)
    elif variant == BATCH:
        script = _fill(_BATCH, url, size=BATCH_SIZE, **values)
    else:
        values["headers"] = VARIANTS[variant] % {"task_id": task_id, "named_key": named_key}
        arguments = ", ".join([argument] * (2 if "%" in values["headers"] else 1))
        script = _fill(_POST, url, argument=arguments, **values)
    return Wrk(script, url, connections, seconds, core)


def export(url: str, seconds: int, core: int, project: str = PROJECT) -> Wrk:
    """Export the spans of one new run of an agent a request, one at a time."""
    run = os.getpid() * 1000 + next(_runs)
    values = {"project": project, "headers": VARIANTS["plain"], "run": run % 0xFFFFFFF}
    script = _fill(_SPANS, url, now=time.time_ns(), **values)
    return Wrk(script, url, 1, seconds, core)


def get(url: str, seconds: int, core: int, key: str = KEY) -> Wrk:
    """Read the same resource again and again, one request at a time."""
    return Wrk(_fill(_GET, url, key=key), url, 1, seconds, core)


def _fill(script: str, url: str, **values: Any) -> str:
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return script % {"path": path, "host": parts.netloc, "key": KEY, **values}


def _find_wrk() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise SetupError(
            "The load is made by wrk, which is not installed. On Debian and Ubuntu: "
            "apt install wrk (elsewhere: https://github.com/wg/wrk)"
        )
    return found
