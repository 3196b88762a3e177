"""`tracker hook`: what agents run. Here is its help alone: see `agent_task_tracker.hook`."""

from __future__ import annotations

import click

from agent_task_tracker.hook.command import main


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("agent")
@click.argument("payload", required=False)
def hook(*, agent: str, payload: str | None) -> None:
    """Report what an agent's hook is told.

    Agents run it: `tracker connect` writes it into their configuration. It reads the event from
    standard input, or from the last argument, masks what looks like a secret, and sends it to the
    server that the agent is connected to; without one it waits in the spool. It always exits with 0
    and prints nothing but what the agent demands, and does nothing for an agent that is not
    connected.
    """
    main([agent] if payload is None else [agent, payload])
