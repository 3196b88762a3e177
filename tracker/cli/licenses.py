"""`tracker licenses`: what this program is made of, and under which licences."""

from __future__ import annotations

import click

from tracker.cli.output import console, print_json
from tracker.text import printable_lines


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each, with the texts.")
@click.option("--texts", is_flag=True, help="With the licences' full texts.")
def licenses(*, as_json: bool, texts: bool) -> None:
    """List the packages this program is made of."""
    from tracker.cli.packages import contained

    packages = contained()
    if as_json:
        for package in packages:
            print_json(package._asdict())
        return

    from rich.text import Text

    from tracker.cli.tables import table

    out = console()
    out.print(
        table(
            ("PACKAGE", "VERSION", "LICENCE"),
            ((package.name, package.version, package.license) for package in packages),
        )
    )
    if texts:
        for package in packages:
            out.print(Text(f"\n{package.name} {package.version}\n", "bold"))
            out.print(Text(printable_lines(package.text)), soft_wrap=True)
