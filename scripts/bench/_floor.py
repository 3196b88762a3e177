"""The least a Python server can do: read the body, send one response. Run by _servers.py.

uvicorn is set up as tracker/server/run.py sets it up for us, so that the two differ by what we do
and not by what it does.
"""

import json
import socket
import sys
from pathlib import Path

import uvicorn


def make_app(start, end):
    """An ASGI application that answers everything alike."""

    async def app(_scope, receive, send):
        while (await receive())["more_body"]:
            pass
        await send(start)
        await send(end)

    return app


def read_answer(path):
    """The messages that make the answer, which stands in a file as JSON."""
    answer = json.loads(Path(path).read_text())
    body = answer["body"].encode()
    headers = [(name.lower().encode(), value.encode()) for name, value in answer["headers"]]
    headers.append((b"content-length", b"%d" % len(body)))
    start = {"type": "http.response.start", "status": answer["status"], "headers": headers}
    return start, {"type": "http.response.body", "body": body}


def serve(app, ready):
    """Serve `app` on any port; write the URL to the file `ready` once there is one."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
    )
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        unfinished = ready.with_suffix(".part")
        unfinished.write_text(f"http://127.0.0.1:{listener.getsockname()[1]}")
        unfinished.replace(ready)
        uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    serve(make_app(*read_answer(sys.argv[1])), Path(sys.argv[2]))
