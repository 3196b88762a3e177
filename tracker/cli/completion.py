"""`tracker completion`: what a shell needs to complete our commands, options and names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from agent_task_tracker.address import Address
from agent_task_tracker.client import Client
from agent_task_tracker.errors import ClientError
from agent_task_tracker.keys import is_loopback
from agent_task_tracker.transport import Transport
from tracker.cli.reporting import discover
from tracker.errors import StartupError

# Names of tasks and projects are agents' words, and a shell runs what stands on its line: only
# those that mean nothing to any shell are offered.
_HARMLESS: Final = re.compile(r"[\w.@%+][\w./@%+-]*")

# Names that are offered, and seconds that a server has to tell them.
_MOST: Final = 200
_TIMEOUT: Final = 1.0

_SERVER: Final = ("url", "ready_file", "api_key", "ca_file")

_POWERSHELL: Final = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $env:COMP_WORDS = $commandAst.ToString()
    $env:COMP_CWORD = $wordToComplete
    $env:%(complete_var)s = "powershell_complete"
    try {
        %(prog_name)s | ForEach-Object {
            $type, $value, $help = $_ -split "`t", 3
            if (-not $help) { $help = $value }
            [System.Management.Automation.CompletionResult]::new(
                $value, $value, "ParameterValue", $help)
        }
    } finally {
        Remove-Item Env:COMP_WORDS, Env:COMP_CWORD, Env:%(complete_var)s -ErrorAction Ignore
    }
}
"""


class PowerShell(ShellComplete):
    """PowerShell's, which click does not have."""

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """See click's ShellComplete."""
        words = split_arg_string(os.environ.get("COMP_WORDS", ""))[1:]
        incomplete = os.environ.get("COMP_CWORD", "")
        if incomplete and words and words[-1] == incomplete:
            words.pop()
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """See click's ShellComplete."""
        return f"{item.type}\t{item.value}\t{item.help or ''}"


class _LiveNames(click.ParamType[str]):
    """Names that the server has at the moment."""

    name = "text"

    def __init__(self, names: Callable[[Client, dict[str, Any]], Iterable[str]]) -> None:
        self._names = names

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """See click.ParamType."""
        del param
        try:
            given = {name: ctx.params.get(name) for name in _SERVER}
            found, _ = discover(**given)
            if not (_is_chosen(given) or is_loopback(Address(found.url).host)):
                return []  # a key that is pressed asks no server that a stranger's .env names
            transport = Transport(found.url, found.credentials, _TIMEOUT, 0, found.ca_file)
            names = self._names(Client.over(transport), ctx.params)
            return [CompletionItem(name) for name in _offered(names, incomplete)]
        except (ClientError, StartupError, OSError):
            return []  # no server, no names: the user types on


def _is_chosen(given: dict[str, Any]) -> bool:
    names = ("TRACKER_URL", "TRACKER_READY_FILE")
    return bool(given["url"] or given["ready_file"]) or any(map(os.environ.get, names))


def _offered(names: Iterable[str], incomplete: str) -> Iterator[str]:
    fitting = (name for name in dict.fromkeys(names) if name.startswith(incomplete))
    return islice(filter(_HARMLESS.fullmatch, fitting), _MOST)


_NAMES: Final = {
    "project": _LiveNames(lambda client, _: (p["name"] for p in client.projects())),
    "task_id": _LiveNames(
        lambda client, given: (task["task_id"] for task in _tasks(client, given))
    ),
    "agent": _LiveNames(lambda client, _: (a["name"] for a in client.stats()["agents"])),
}


def _tasks(client: Client, given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The newest of the project that stands on the line, or of all."""
    return islice(client.tasks(given.get("project")), 5 * _MOST)


def offer_live_names(command: click.Command) -> None:
    """Have the command's parameters that name a project, a task or an agent offer those there
    are."""
    for parameter in command.params:
        if parameter.name in _NAMES and isinstance(parameter.type, click.types.StringParamType):
            parameter.type = _NAMES[parameter.name]


def prepare() -> None:
    """Before a shell is answered."""
    add_completion_class(PowerShell)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "powershell"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script.

    It completes commands, options, their values, and the names of projects, tasks and agents that
    the server has at the moment, as far as they mean nothing to a shell.

    \b
    bash, in ~/.bashrc:                  eval "$(tracker completion bash)"
    zsh, in ~/.zshrc after compinit:     eval "$(tracker completion zsh)"
    fish, in ~/.config/fish/config.fish: tracker completion fish | source
    PowerShell, in $PROFILE: tracker completion powershell | Out-String | Invoke-Expression
    """
    prepare()
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"No completion for {shell}.")
    click.echo(kind(ctx.find_root().command, {}, "tracker", "_TRACKER_COMPLETE").source())
