"""The least a Python server can do: read the body, send one response. Run by _servers.py.

uvicorn is set up as tracker/server/run.py sets it up for us, so that the two differ by what we do
and not by what it does.
"""

import json
import socket
import sys
from pathlib import Path

import uvicorn


def make_app(status, headers, body):
    """An ASGI application that answers everything alike."""
    start = {"type": "http.response.start", "status": status, "headers": headers}
    end = {"type": "http.response.body", "body": body}

    async def app(_scope, receive, send):
        while (await receive())["more_body"]:
            pass
        await send(start)
        await send(end)

    return app


def main():
    """Serve `argv[1]`, an answer as JSON; write the URL to `argv[2]` once there is one."""
    answer = json.loads(Path(sys.argv[1]).read_text())
    body = answer["body"].encode()
    headers = [(name.lower().encode(), value.encode()) for name, value in answer["headers"]]
    headers.append((b"content-length", b"%d" % len(body)))
    config = uvicorn.Config(
        make_app(answer["status"], headers, body),
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
        ready = Path(sys.argv[2])
        unfinished = ready.with_suffix(".part")
        unfinished.write_text(f"http://127.0.0.1:{listener.getsockname()[1]}")
        unfinished.replace(ready)
        uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
