"""The base of the mock models: a server on the loopback that answers as its script says.

Which turn comes next is read from the request alone: the conversation that a client sends holds the
prompt, and every turn since. So retries, resumed sessions and sub-agents that ask at the same time
need no state here.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from tests.support.real_agents.turns import Fail, Hold, Script, Text, Tool, Tools, Turn

HOLD_SECONDS = 60  # no client of a test's lives longer

# Where a request asks for no turn of a script: programs ask for titles and summaries beside it.
ASIDE = Text("A title")


class Said(NamedTuple):
    """A message of a conversation: by the user (a text) or the model."""

    by_user: bool
    text: str


class Model:
    """Listens until the end of the block. `requests`: path and body of each, in order."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._changed = threading.Condition()
        self._held = 0
        self._ending = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def said(self, body: dict[str, Any]) -> list[Said]:
        """The conversation in a request, without results of tools."""
        raise NotImplementedError

    def is_aside(self, body: dict[str, Any]) -> bool:
        """Whether the request belongs to no conversation with tools."""
        return not body.get("tools")

    def is_turn(self, path: str) -> bool:
        """Whether a request to this path is for the model to say something."""
        raise NotImplementedError

    def other(self, path: str) -> object | None:
        """What else is answered, with 200; None: 404."""
        return None

    def failure(self, turn: Fail) -> object:
        """The body of a refusal."""
        raise NotImplementedError

    def say(self, reply: Reply, path: str, said: Text | Tools, body: dict[str, Any]) -> None:
        """Answer what the model says."""
        raise NotImplementedError

    def turn(self, body: dict[str, Any]) -> Turn:
        """What the script has for this request."""
        if self.is_aside(body):
            return ASIDE
        said = self.said(body)
        for index in range(len(said) - 1, -1, -1):
            # After a failed turn two prompts may stand in one message: the later one counts.
            places = {said[index].text.rfind(prompt): prompt for prompt in self.script}
            if said[index].by_user and max(places, default=-1) >= 0:
                turns = self.script[places[max(places)]]
                step = sum(not message.by_user for message in said[index:])
                return turns[step] if step < len(turns) else Text("Nothing is left to do.")
        return ASIDE

    def answer(self, reply: Reply, path: str, body: dict[str, Any]) -> None:
        """Answer one request."""
        if not self.is_turn(path):
            found = self.other(path)
            unknown = self.failure(Fail(404, "not_found_error", path))
            reply.json(unknown if found is None else found, 404 if found is None else 200)
            return
        turn = self.turn(body)
        if isinstance(turn, Hold):
            with self._changed:
                self._held += 1
                self._changed.notify_all()
            self._ending.wait(HOLD_SECONDS)
            turn = Fail(503)
        if isinstance(turn, Fail):
            reply.json(self.failure(turn), turn.status)
        else:
            self.say(reply, path, Tools([turn]) if isinstance(turn, Tool) else turn, body)

    def wait_until_held(self, times: int = 1) -> None:
        """Until so many answers were held, since the beginning."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._held >= times, HOLD_SECONDS)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(Reply):
            def do_HEAD(self) -> None:
                self.json({})

            def do_GET(self) -> None:
                self.take({})

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.take(json.loads(self.rfile.read(length) or b"{}"))

            def take(self, body: dict[str, Any]) -> None:
                path = urlsplit(self.path).path
                model.requests.append((path, body))
                try:
                    model.answer(self, path, body)
                except ConnectionError:  # the client was ended, as some are here
                    self.close_connection = True

        return Handler


class Reply(BaseHTTPRequestHandler):
    """The ways to answer."""

    protocol_version = "HTTP/1.1"

    def json(self, content: object, status: int = 200) -> None:
        """Send a whole answer."""
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin_stream(self) -> None:
        """Begin an answer of server-sent events, which ends with the connection."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

    def event(self, content: dict[str, Any], name: str = "") -> None:
        """Send one event."""
        head = f"event: {name}\n" if name else ""
        self.wfile.write(f"{head}data: {json.dumps(content)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Nothing: pytest's output is for the tests."""
