"""`tracker completion`: what a shell needs to complete our commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script.

    \b
    bash, in ~/.bashrc:                  eval "$(tracker completion bash)"
    zsh, in ~/.zshrc after compinit:     eval "$(tracker completion zsh)"
    fish, in ~/.config/fish/config.fish: tracker completion fish | source
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"No completion for {shell}.")
    click.echo(kind(ctx.find_root().command, {}, "tracker", "_TRACKER_COMPLETE").source())
