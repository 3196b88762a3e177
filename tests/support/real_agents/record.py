"""The recording hook: writes what an agent gives it into a folder, a file an event.

Run as a program by the agent: FOLDER, then perhaps the payload as the last argument. It says
nothing and never fails the agent.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Write the payload, named by the time at which it came."""
    stamp = time.time_ns()
    payload = sys.argv[2] if len(sys.argv) > 2 else sys.stdin.read()
    name = f"{stamp}-{json.loads(payload).get('hook_event_name', 'event')}.json"
    Path(sys.argv[1], name).write_text(payload, encoding="utf-8")


if __name__ == "__main__":
    main()
