"""`tracker serve`: flags from the table of settings, then the server."""

from __future__ import annotations

import sys
from typing import Any

import click

from tracker.cli import env_file
from tracker.config.paths import without_old_ready_file
from tracker.config.settings import SETTINGS, Setting


class _Value(click.ParamType[Any]):
    """A setting's own parser as a click type."""

    def __init__(self, setting: Setting) -> None:
        self.name = setting.metavar.lower()
        self._parse = setting.parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click.ParamType."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(f"expected {error}", param, ctx)


def _switch(setting: Setting) -> dict[str, Any]:
    """Of another option `is_flag=False` would let the value be left out."""
    return {"is_flag": True, "flag_value": "true"} if setting.switch else {}


def _options() -> list[click.Parameter]:
    return [
        click.Option(
            [setting.flag, setting.name],
            type=_Value(setting),
            metavar=None if setting.switch else setting.metavar,
            multiple=setting.repeats,
            **_switch(setting),
            help=f"{setting.help}  [{setting.variable}; default: {setting.default}]",
        )
        for setting in SETTINGS
        if setting.flag is not None
    ]


def _serve(**flags: Any) -> None:
    given = {name: value for name, value in flags.items() if value not in (None, ())}
    settings, _, warnings = env_file.load_settings(given)
    with without_old_ready_file(settings):  # before the server is loaded, which takes a while
        from tracker.app import create_app
        from tracker.cli.signals import tidy_end
        from tracker.server.run import run

        with tidy_end("SIGTERM"):  # until the server listens, and takes it for the wish to stop
            code = run(create_app, settings, warnings=warnings)
    sys.exit(code)


serve = click.Command(
    "serve",
    callback=_serve,
    params=_options(),
    help="Run the server.\n\n"
    "Each flag may be given as the environment variable in brackets instead, or in the file .env "
    "of the working directory: keys, limits and logging always, the rest only if the same file "
    "sets TRACKER_DB inside its folder. SECRET_KEY, which signs browser sessions, has no flag.",
)
