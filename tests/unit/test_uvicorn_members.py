"""What our connections touch of uvicorn, websockets and httptools, most of it not public, is there
and takes what it took: a new version that moves or renames any of it fails here first.

Found in the source: members of theirs that a subclass of ours uses, defines once more or calls by
`super()`, and members of theirs that are reached by those.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from typing import Any

import httptools
import uvicorn
from uvicorn.lifespan.on import LifespanOn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Close
from websockets.http11 import Response
from websockets.server import ServerProtocol

from tracker.server import http, http_limits, http_pipeline, lifecycle, websocket
from tracker.server.webhook_cycle import WebhookCycle

PACKAGES = ("uvicorn", "websockets", "httptools")
OURS = (
    http.HttpProtocol,
    http_limits.LimitedProtocol,
    http_pipeline.PipelinedProtocol,
    http_pipeline._PipelineFlowControl,
    websocket.WebSocketProtocol,
    websocket._Handshake,
    lifecycle.Server,
)

# Of which class a member of theirs is, where ours go on to members of that.
KINDS: dict[tuple[type, str], type] = {
    (HttpToolsProtocol, "cycle"): RequestResponseCycle,
    (HttpToolsProtocol, "flow"): FlowControl,
    (HttpToolsProtocol, "parser"): httptools.HttpRequestParser,
    (HttpToolsProtocol, "server_state"): ServerState,
    (HttpToolsProtocol, "transport"): asyncio.Transport,
    (HttpToolsProtocol, "_running"): RequestResponseCycle,
    (WebSocketsSansIOProtocol, "config"): uvicorn.Config,
    (WebSocketsSansIOProtocol, "conn"): ServerProtocol,
    (WebSocketsSansIOProtocol, "response"): Response,
    (WebSocketsSansIOProtocol, "transport"): asyncio.Transport,
    (ServerProtocol, "close_sent"): Close,
    (uvicorn.Server, "config"): uvicorn.Config,
    (uvicorn.Server, "lifespan"): LifespanOn,
    (uvicorn.Server, "server_state"): ServerState,
}

# Where a webhook's cycle stands in for uvicorn's: ours alone looks at the one, having seen which
# cycle it is; uvicorn runs its own alone.
OF_WEBHOOKS = (RequestResponseCycle, "opening")
NEVER_RUN = "run_asgi"

# A method is with the names of its parameters; `=`: it may be left out.
MEMBERS = """
Close.code
Close.reason
Config.http_protocol_class
Config.ws_max_size
FlowControl.__init__(transport)
FlowControl.resume_reading()
FlowControl.write_paused
Frame.data
Frame.fin
HttpRequestParser.feed_data
HttpRequestParser.get_http_version
HttpRequestParser.get_method
HttpRequestParser.should_keep_alive
HttpRequestParser.should_upgrade
HttpToolsProtocol.__init__(config, server_state, app_state, _loop=)
HttpToolsProtocol._should_upgrade()
HttpToolsProtocol._start_asgi_task(cycle, app)
HttpToolsProtocol._unset_keepalive_if_required()
HttpToolsProtocol.client
HttpToolsProtocol.connection_lost(exc)
HttpToolsProtocol.connection_made(transport)
HttpToolsProtocol.cycle
HttpToolsProtocol.data_received(data)
HttpToolsProtocol.expect_100_continue
HttpToolsProtocol.flow
HttpToolsProtocol.handle_websocket_upgrade()
HttpToolsProtocol.headers
HttpToolsProtocol.loop
HttpToolsProtocol.on_body(body)
HttpToolsProtocol.on_header(name, value)
HttpToolsProtocol.on_headers_complete()
HttpToolsProtocol.on_message_begin()
HttpToolsProtocol.on_message_complete()
HttpToolsProtocol.on_response_complete()
HttpToolsProtocol.parser
HttpToolsProtocol.pause_writing()
HttpToolsProtocol.pipeline
HttpToolsProtocol.scheme
HttpToolsProtocol.scope
HttpToolsProtocol.send_400_response(msg)
HttpToolsProtocol.server_state
HttpToolsProtocol.timeout_keep_alive
HttpToolsProtocol.transport
HttpToolsProtocol.url
HttpToolsProtocol.ws_protocol_class
async LifespanOn.shutdown()
LifespanOn.state
RequestResponseCycle.body
RequestResponseCycle.disconnected
RequestResponseCycle.message_event
RequestResponseCycle.more_body
RequestResponseCycle.response_complete
RequestResponseCycle.response_started
Response.status_code
Server.__init__(config)
Server._captured_signals
Server.capture_signals()
Server.config
Server.force_exit
Server.handle_exit(sig, frame)
Server.lifespan
async Server.main_loop()
Server.server_state
Server.should_exit
async Server.shutdown(sockets=)
Server.started
async Server.startup(sockets=)
ServerProtocol.__init__(origins=, extensions=, subprotocols=, select_subprotocol=, state=, max_size=, logger=)
ServerProtocol.close_sent
ServerProtocol.data_to_send()
ServerProtocol.eof_sent
ServerProtocol.fail(code, reason=)
ServerProtocol.handshake_exc
ServerProtocol.reject(status, text)
ServerProtocol.send_close(code=, reason=)
ServerState.connections
ServerState.default_headers
ServerState.tasks
ServerState.total_requests
Transport.abort
Transport.can_write_eof
Transport.close
Transport.get_protocol
Transport.get_write_buffer_size
Transport.is_closing
Transport.pause_reading
Transport.resume_reading
Transport.write
Transport.write_eof
WebSocketsSansIOProtocol.__init__(config, server_state, app_state, _loop=)
WebSocketsSansIOProtocol.close_sent
WebSocketsSansIOProtocol.close_timer
WebSocketsSansIOProtocol.config
WebSocketsSansIOProtocol.conn
WebSocketsSansIOProtocol.connection_lost(exc)
WebSocketsSansIOProtocol.connection_made(transport)
WebSocketsSansIOProtocol.curr_msg_data_type
WebSocketsSansIOProtocol.data_received(data)
WebSocketsSansIOProtocol.disconnected
WebSocketsSansIOProtocol.frames
WebSocketsSansIOProtocol.handle_close(event)
WebSocketsSansIOProtocol.handle_connect(event)
WebSocketsSansIOProtocol.handle_cont(event)
WebSocketsSansIOProtocol.handle_parser_exception()
WebSocketsSansIOProtocol.handle_ping()
WebSocketsSansIOProtocol.handshake_complete
WebSocketsSansIOProtocol.handshake_initiated
WebSocketsSansIOProtocol.keepalive_timeout()
WebSocketsSansIOProtocol.logger
WebSocketsSansIOProtocol.loop
WebSocketsSansIOProtocol.pending_ping_payload
WebSocketsSansIOProtocol.pong_timer
WebSocketsSansIOProtocol.queue
WebSocketsSansIOProtocol.read_paused
WebSocketsSansIOProtocol.response
WebSocketsSansIOProtocol.resume_writing()
WebSocketsSansIOProtocol.scope
async WebSocketsSansIOProtocol.receive()
async WebSocketsSansIOProtocol.send(message)
WebSocketsSansIOProtocol.send_receive_event_to_app()
WebSocketsSansIOProtocol.shutdown()
WebSocketsSansIOProtocol.stop_keepalive()
WebSocketsSansIOProtocol.transport
WebSocketsSansIOProtocol.writable
"""  # noqa: E501


def ours(cls: type) -> list[type]:
    """The class, where it is ours, and those of ours that it extends."""
    return [base for base in cls.__mro__ if base.__module__.startswith("tracker")]


def theirs(cls: type) -> type:
    """The class itself, or the one of theirs that it extends."""
    return next(base for base in cls.__mro__ if not base.__module__.startswith("tracker"))


@cache
def tree(cls: type) -> ast.ClassDef:
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(found, ast.ClassDef)
    return found


def functions(cls: type) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree(cls).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@cache
def defined(cls: type) -> frozenset[str]:
    """The names that its body defines, and those that its methods give to `self`."""
    names = {function.name for function in functions(cls)}
    for node in ast.walk(tree(cls)):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names |= {node.attr} if ast.unparse(node.value) == "self" else set()
    return frozenset(names)


def has(cls: type, name: str) -> bool:
    """Whether objects of that class have it: the class has, or it is given in a method."""
    python = (base for base in cls.__mro__ if base.__module__.startswith(("uvicorn", "websockets")))
    return hasattr(cls, name) or any(name in defined(base) for base in python)


def touched(cls: type) -> Iterator[tuple[type, str]]:
    """Each member of theirs that the class touches, with its owner."""
    yield from ((theirs(cls), name) for name in defined(cls) if has(theirs(cls), name))
    for function in functions(cls):
        kind = reader(cls, function)
        for node in ast.walk(function):
            owner = kind(node.value) if isinstance(node, ast.Attribute) else None
            if owner is None or any(node.attr in defined(base) for base in ours(owner)):
                continue
            if (owner, node.attr) != OF_WEBHOOKS:
                yield theirs(owner), node.attr


def reader(
    cls: type, function: ast.FunctionDef | ast.AsyncFunctionDef
) -> Callable[[ast.expr], type | None]:
    """A function that tells of which class an expression is, as far as it is one of theirs."""
    named: dict[str, type | None] = {"self": cls}

    def kind(node: ast.expr) -> type | None:
        match node:
            case ast.Name(name):
                return named.get(name)
            case ast.Call(ast.Name("super")):
                return cls.__base__
            case ast.Attribute(value, name):
                owner = kind(value)
                return None if owner is None else KINDS.get((theirs(owner), name))
        return None

    for argument in function.args.args:
        if isinstance(argument.annotation, ast.Name):
            found = getattr(sys.modules[cls.__module__], argument.annotation.id, None)
            if getattr(found, "__module__", "").startswith(PACKAGES):
                named[argument.arg] = found
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named.setdefault(node.targets[0].id, kind(node.value))
    return kind


def described(owner: type, name: str) -> str:
    member: Any = getattr(owner, name, None)
    if not inspect.isfunction(member) or not owner.__module__.startswith(PACKAGES):
        return f"{owner.__name__}.{name}"
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    parameters = [
        marks.get(given.kind, "") + given.name + "=" * (given.default is not given.empty)
        for given in list(inspect.signature(member).parameters.values())[1:]
    ]
    waits = "async " * inspect.iscoroutinefunction(member)
    return f"{waits}{owner.__name__}.{name}({', '.join(parameters)})"


def versions() -> str:
    return ", ".join(f"{package} {version(package)}" for package in PACKAGES)


def all_touched() -> set[tuple[type, str]]:
    return {found for cls in OURS for found in touched(cls)}


def test_what_we_touch_of_others_is_there() -> None:
    gone = sorted(described(*member) for member in all_touched() if not has(*member))
    assert not gone, f"{versions()} do not have: {', '.join(gone)}"


def test_what_we_touch_of_others_is_what_we_know() -> None:
    """After a change of ours: put into MEMBERS what is new. After an upgrade: read what became of
    what is missing; what is new has a name there now that ours had before: rename ours."""
    found = {described(*member) for member in all_touched()}
    known = set(MEMBERS.strip().splitlines())
    assert found == known, (
        f"{versions()}: no more as it was: {sorted(known - found)}; new: {sorted(found - known)}"
    )


def test_a_webhooks_cycle_has_what_connections_look_for() -> None:
    """uvicorn's own code looks at it too."""
    looked_for = {
        name
        for cls in (HttpToolsProtocol, *ours(http.HttpProtocol))
        for owner, name in touched(cls)
        if owner is RequestResponseCycle
    }
    looked_for.discard(NEVER_RUN)
    missing = sorted(name for name in looked_for if not hasattr(WebhookCycle, name))
    assert not missing, f"{versions()} look for: {', '.join(missing)}"
    assert {"response_complete", "keep_alive", "message_event"} <= looked_for
