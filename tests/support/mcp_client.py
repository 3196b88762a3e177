"""The official client of Python, in a process of its own: its imports change uvicorn. Prints what
it did as one line of JSON.

MCP_KEY=KEY python -m tests.support.mcp_client http|stdio auto|legacy URL PROJECT HOME
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

ROOT = Path(__file__).parents[2]


async def drive(way: str, mode: str, url: str, project: str, home: str) -> dict[str, Any]:
    key = os.environ["MCP_KEY"]
    async with AsyncExitStack() as stack:
        if way == "stdio":
            env = {"HOME": home, "TRACKER_URL": url, "API_KEY": key, "PYTHONPATH": str(ROOT)}
            words = ["-m", "tracker", "mcp"]
            transport = stdio_client(
                StdioServerParameters(command=sys.executable, args=words, env=env)
            )
        else:
            headers = {"Authorization": f"Bearer {key}"}
            http = httpx2.AsyncClient(headers=headers, trust_env=False)
            await stack.enter_async_context(http)
            transport = streamable_http_client(f"{url}/mcp", http_client=http)
        client = await stack.enter_async_context(Client(transport, mode=mode))
        own = {"project": project, "task_id": "Задача"}
        begun = await client.call_tool("start_task", {"title": "Задача", "project": project})
        await client.call_tool("fail_task", {**own, "error_message": "boom"})
        read = await client.call_tool("get_task", own)
        wrong = await client.call_tool("fail_task", own)
        (resource,) = (await client.read_resource(f"tracker://projects/{project}")).contents
        filled = await client.get_prompt("what_failed", {"project": project})
        return {
            "tools": len((await client.list_tools()).tools),
            "begun": begun.structured_content,
            "task": read.structured_content["data"],
            "wrong": [wrong.is_error, wrong.content[0].text],
            "resources": len((await client.list_resources()).resources),
            "project": json.loads(resource.text)["data"],
            "prompt": filled.messages[1].content.text,
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(drive(*sys.argv[1:]))))
