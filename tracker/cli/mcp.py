"""`tracker mcp`: the Model Context Protocol on standard input and output, for agents that start
their servers themselves. It reads by the tracker's `/mcp`, and reports as jobs do: what the tracker
does not take at once is kept and delivered later."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import click
import orjson

from agent_task_tracker import shapes
from agent_task_tracker.defaults import project_name
from agent_task_tracker.errors import ClientError
from tracker.cli.connection import with_options
from tracker.cli.reporting import discover, find_reporter
from tracker.domain.parsing import parse
from tracker.errors import StartupError, TrackerError
from tracker.mcp import catalogue
from tracker.mcp.messages import INTERNAL_ERROR, PARSE_ERROR, RpcError
from tracker.mcp.server import McpServer, failed

# Bytes of a line: the server takes no longer body.
_MAX_LINE: Final = 1024 * 1024

# Seconds: an agent waits. What is read is asked for again for so long; what is reported is kept.
_PATIENCE: Final = 2.0

_NO_TRACKER: Final = "What answers at the tracker's address is no tracker."


@click.command()
@with_options
def mcp(**options: str | None) -> None:
    """Speak MCP on standard input and output, for agents.

    Tools to report tasks and to read those of others. An agent is told of it once, as by
    `claude mcp add tracker -- tracker mcp`. The project is TRACKER_PROJECT, else the repository's
    folder.
    """
    server = McpServer(_Bridge(options, project_name(os.environ)))
    with asyncio.Runner() as runner:
        while line := sys.stdin.buffer.readline(_MAX_LINE):
            answer = runner.run(_answer(server, line))
            if answer is not None:
                sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
                sys.stdout.buffer.flush()


async def _answer(server: McpServer, line: bytes) -> Any:
    if not line.endswith(b"\n") and len(line) == _MAX_LINE:
        while (rest := sys.stdin.buffer.readline(_MAX_LINE)) and not rest.endswith(b"\n"):
            continue
        return RpcError(PARSE_ERROR, "A message has 1 MiB at most.").response(None)
    if not line.strip():
        return None
    try:
        message = parse(line)
    except TrackerError as error:
        return RpcError(PARSE_ERROR, error.message).response(None)
    return (await server.answer(message)).content


class _Bridge:
    """See `tracker.mcp.server.Backend`. The server is looked for at each call: it may come and
    go."""

    def __init__(self, options: Mapping[str, str | None], project: str) -> None:
        self._options = options
        # As reports are sent: a folder's name that is not UTF-8 has lone surrogates in it.
        self._project = project.encode(errors="replace").decode()

    def tools(self) -> list[catalogue.Tool]:
        """All: which the key is for is not known before the server is there."""
        return list(catalogue.TOOLS)

    async def call(
        self, tool: catalogue.Tool, arguments: dict[str, Any], client: str
    ) -> dict[str, Any]:
        """Report, or ask the server."""
        if tool.kind is None:
            try:
                return self._ask("tools/call", {"name": tool.name, "arguments": arguments})
            except (ClientError, StartupError) as error:
                return failed(str(error))
        fields = catalogue.report_fields(tool, {"project": self._project, **arguments}, client)
        return self._report(tool.kind, fields)

    async def resources(self, cursor: str | None) -> dict[str, Any]:
        """Those of the server."""
        return self._demand("resources/list", {} if cursor is None else {"cursor": cursor})

    async def read(self, uri: str) -> list[dict[str, Any]]:
        """Likewise."""
        contents = self._demand("resources/read", {"uri": uri}).get("contents")
        if not isinstance(contents, list):
            raise RpcError(INTERNAL_ERROR, _NO_TRACKER)
        return contents

    async def prompt(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Likewise."""
        return self._demand("prompts/get", {"name": name, "arguments": arguments})

    def _report(self, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        try:
            reporter = find_reporter(**self._options, quiet=True)
        except (ClientError, StartupError) as error:
            return failed(f"It was not reported: {error}")
        reporter.report(kind, fields)
        closed = reporter.close(_PATIENCE)
        if closed.lost or closed.rejected:
            return failed(f"It was not reported: {closed.problem}")
        answer = {name: fields[name] for name in ("project", "task_id")}
        answer["status"] = "kept; the tracker gets it when it answers" if closed.spooled else "ok"
        text = orjson.dumps(answer).decode()
        return {"content": [{"type": "text", "text": text}], "structuredContent": answer}

    def _demand(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._ask(method, params)
        except (ClientError, StartupError) as error:
            raise RpcError(INTERNAL_ERROR, str(error)) from None

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        found, _warnings = discover(**self._options)
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = found.transport(_PATIENCE).send("POST", "/mcp", message, shapes.RPC)
        try:
            orjson.dumps(answer)
        except TypeError:  # a larger integer or half a character: it could not be passed on
            raise ClientError(_NO_TRACKER) from None
        if "error" in answer:
            error = answer["error"]
            raise RpcError(error["code"], error["message"], error.get("data"))
        result: dict[str, Any] = answer.get("result", {})
        return result
