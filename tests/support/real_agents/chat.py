"""A mock of OpenAI's chat completions and responses, not streamed, which frameworks speak: it calls
the first tool that it is offered once, and then answers."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

ANSWER = "Sunny."
CITY = "Oslo"
INPUT, CACHED, OUTPUT = 120, 20, 7
"""Of each call; what the cache had is counted in."""


class ChatModel:
    """Listens until the end of the block. `calls`: how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                model.calls += 1
                is_chat = self.path.endswith("/chat/completions")
                answer = json.dumps(_chat(body) if is_chat else _response(body)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        return Handler


def _call(function: dict[str, Any]) -> tuple[str, str]:
    """A call of a tool: each of its arguments is the city, or the answer where it ends the run."""
    value = ANSWER if function["name"] == "final_answer" else CITY
    names = function["parameters"].get("properties", {})
    return function["name"], json.dumps(dict.fromkeys(names, value))


def _chat(body: dict[str, Any]) -> dict[str, Any]:
    tools = [tool["function"] for tool in body.get("tools") or ()]
    # smolagents tells what a tool has said as one more role of its own making.
    said = json.dumps(body["messages"])
    if any(message["role"] == "tool" for message in body["messages"]) or "Observation" in said:
        tools = [tool for tool in tools if tool["name"] == "final_answer"]
    if tools:
        name, arguments = _call(tools[0])
        function = {"name": name, "arguments": arguments}
        calls = [{"id": "call_1", "type": "function", "function": function}]
        message = {"role": "assistant", "content": None, "tool_calls": calls}
    else:
        message = {"role": "assistant", "content": ANSWER}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if tools else "stop"}
    usage = {
        **{"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT},
        "prompt_tokens_details": {"cached_tokens": CACHED},
    }
    made = {"id": "chat_1", "object": "chat.completion", "created": 1, "model": "mock-1"}
    return {**made, "choices": [choice], "usage": usage}


def _response(body: dict[str, Any]) -> dict[str, Any]:
    tools = body.get("tools") or []
    said = body["input"] if isinstance(body["input"], list) else []
    if tools and not any(one.get("type") == "function_call_output" for one in said):
        name, arguments = _call(tools[0])
        ids = {"id": "fc_1", "call_id": "call_1", "status": "completed"}
        output = {"type": "function_call", "name": name, "arguments": arguments, **ids}
    else:
        content = [{"type": "output_text", "text": ANSWER, "annotations": []}]
        ids = {"id": "msg_1", "status": "completed"}
        output = {"type": "message", "role": "assistant", "content": content, **ids}
    usage = {
        **{"input_tokens": INPUT, "output_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT},
        "input_tokens_details": {"cached_tokens": CACHED},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    made = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed"}
    rest = {"model": "mock-1", "parallel_tool_calls": False, "tool_choice": "auto", "tools": []}
    return {**made, **rest, "output": [output], "usage": usage}
