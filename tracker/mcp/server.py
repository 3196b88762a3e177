"""Answers MCP's messages; what is asked of tasks is asked of a `Backend`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import orjson

import tracker
from tracker.mcp import catalogue
from tracker.mcp.messages import (
    INVALID_PARAMS,
    LEGACY,
    METHOD_NOT_FOUND,
    MODERN,
    SERVER_KEY,
    Request,
    RpcError,
    check_headers,
    check_version,
    invalid,
    read,
)

_CAPABILITIES: Final[Mapping[str, Any]] = {"tools": {}, "resources": {}, "prompts": {}}
_INFO: Final = {
    "name": "agent-task-tracker",
    "title": "Agent Task Tracker",
    "version": tracker.__version__,
}

# Messages in one batch, which 2025-03-26 alone has.
_MOST_AT_ONCE: Final = 100

# Bytes: once the answers to a batch have so many, what is left of it is refused.
_MOST_ANSWERED: Final = 8 * 1024 * 1024

# Of what is wrong with a call: the model has read enough.
_MOST_PROBLEMS: Final = 10

# What is the same for all, and what changes with every report, in milliseconds.
_FIXED: Final = {"ttlMs": 3_600_000, "cacheScope": "private"}
_CHANGING: Final = {"ttlMs": 0, "cacheScope": "private"}


class Backend(Protocol):
    """Who knows the tasks. Any method may raise RpcError."""

    def tools(self) -> list[catalogue.Tool]:
        """Those that whoever asks may call."""

    async def call(self, tool: catalogue.Tool, arguments: dict[str, Any], client: str) -> Any:
        """The result of a tool, as `tools/call` has it."""

    async def resources(self, cursor: str | None) -> dict[str, Any]:
        """A page of them, as `resources/list` has it."""

    async def read(self, uri: str) -> list[dict[str, Any]]:
        """The contents of a resource."""

    async def prompt(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """A prompt that is filled in, as `prompts/get` has it."""


class Answer(NamedTuple):
    """What is answered; `content` None: nothing, to notifications. `status`: in HTTP."""

    status: int
    content: Any


_Handler = Callable[[Request], Awaitable[dict[str, Any]]]


class McpServer:
    """Answers the messages of one client. It remembers none: each says all that is needed."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._handlers: Mapping[str, _Handler] = {
            "server/discover": self._discover,
            "initialize": self._initialize,
            "ping": self._ping,
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
            "resources/list": self._list_resources,
            "resources/templates/list": self._list_templates,
            "resources/read": self._read_resource,
            "prompts/list": self._list_prompts,
            "prompts/get": self._get_prompt,
        }

    async def answer(self, message: object, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to what was sent. `headers`: of an HTTP request, their names in lower case;
        None: there are none, on standard input."""
        if not isinstance(message, list):
            return await self._answer_one(message, headers)
        if not message or len(message) > _MOST_AT_ONCE:
            error = invalid(f"A batch has 1 to {_MOST_AT_ONCE} messages.")
            return Answer(error.status, error.response(None))
        contents: list[orjson.Fragment] = []
        size = 0
        for one in message:
            answer = await self._answer_one(one, headers, has_room=size < _MOST_ANSWERED)
            if answer.content is not None:
                content = orjson.dumps(answer.content)
                contents.append(orjson.Fragment(content))
                size += len(content)
        return Answer(200, contents) if contents else Answer(202, None)

    async def _answer_one(
        self, message: object, headers: Mapping[str, str] | None, *, has_room: bool = True
    ) -> Answer:
        request_id = None
        try:
            request = read(message)
            request_id = request.request_id
            if request.is_notification:
                return Answer(202, None)
            if headers is None:
                check_version(request.version)
            else:
                check_headers(request, headers)
            if not has_room:
                raise invalid("The answers to this batch are too large; send this one by itself.")
            return Answer(200, await self._result(request))
        except RpcError as error:
            known_id = error.request_id if request_id is None else request_id
            return Answer(error.status, error.response(known_id))

    async def _result(self, request: Request) -> dict[str, Any]:
        handler = self._handlers.get(request.method)
        if handler is None:
            raise RpcError(
                METHOD_NOT_FOUND,
                f"There is no method {request.method!r} here.",
                status=404 if request.is_modern else 200,
            )
        result = await handler(request)
        if request.is_modern:
            result = {"resultType": "complete", **result, "_meta": {SERVER_KEY: _INFO}}
        return {"jsonrpc": "2.0", "id": request.request_id, "result": result}

    async def _discover(self, _request: Request) -> dict[str, Any]:
        return {
            "supportedVersions": [MODERN],
            "capabilities": _CAPABILITIES,
            "instructions": catalogue.INSTRUCTIONS,
            **_FIXED,
        }

    async def _initialize(self, request: Request) -> dict[str, Any]:
        wanted = request.params.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in LEGACY else LEGACY[0],
            "capabilities": _CAPABILITIES,
            "serverInfo": _INFO,
            "instructions": catalogue.INSTRUCTIONS,
        }

    async def _ping(self, _request: Request) -> dict[str, Any]:
        return {}

    async def _list_tools(self, _request: Request) -> dict[str, Any]:
        return {"tools": [tool.described() for tool in self._backend.tools()], **_FIXED}

    async def _call_tool(self, request: Request) -> dict[str, Any]:
        name = _text(request, "name")
        tool = catalogue.BY_NAME.get(name)
        if tool is None:
            known = ", ".join(catalogue.BY_NAME)
            raise RpcError(INVALID_PARAMS, f"There is no tool {name!r}; there are {known}.")
        given = _arguments(request)
        arguments = {name: value for name, value in given.items() if value is not None}
        problems = tool.problems(arguments)
        if problems:
            return failed(f"{tool.name}: {'; '.join(problems[:_MOST_PROBLEMS])}.")
        result: dict[str, Any] = await self._backend.call(tool, arguments, request.client)
        return result

    async def _list_resources(self, request: Request) -> dict[str, Any]:
        cursor = request.params.get("cursor")
        if not isinstance(cursor, str | None):
            raise RpcError(INVALID_PARAMS, "`cursor` has to be a string.")
        return {**await self._backend.resources(cursor), **_CHANGING}

    async def _list_templates(self, _request: Request) -> dict[str, Any]:
        return {"resourceTemplates": list(catalogue.TEMPLATES), **_FIXED}

    async def _read_resource(self, request: Request) -> dict[str, Any]:
        return {"contents": await self._backend.read(_text(request, "uri")), **_CHANGING}

    async def _list_prompts(self, _request: Request) -> dict[str, Any]:
        return {"prompts": list(catalogue.PROMPTS), **_FIXED}

    async def _get_prompt(self, request: Request) -> dict[str, Any]:
        return await self._backend.prompt(_text(request, "name"), _arguments(request))


def failed(text: str) -> dict[str, Any]:
    """The result of a tool that could not do its work: the model reads why."""
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _text(request: Request, name: str) -> str:
    value = request.params.get(name)
    if not isinstance(value, str) or not value:
        raise RpcError(INVALID_PARAMS, f"`{name}` has to be a string.")
    return value


def _arguments(request: Request) -> dict[str, Any]:
    arguments = request.params.get("arguments")
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, dict):
        raise RpcError(INVALID_PARAMS, "`arguments` has to be an object.")
    return arguments
