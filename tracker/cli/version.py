"""`tracker version`, and with --check whether there is a newer one: nothing else ever asks."""

from __future__ import annotations

import re
from http.client import HTTPException, HTTPResponse
from typing import Any, Final

import click

import tracker
from agent_task_tracker import bounded
from agent_task_tracker.address import Address
from agent_task_tracker.errors import ClientError, TooLarge, Unreachable
from tracker.cli.command_table import VERSION
from tracker.cli.output import print_json, print_text

REPOSITORY: Final = "OWNER/agent-task-tracker"
"""As pyproject.toml has it (project.urls), which an executable does not carry."""

# docs.github.com, "Get the latest release": neither drafts nor versions before a release.
NEWEST: Final = f"https://api.github.com/repos/{REPOSITORY}/releases/latest"
UPGRADING: Final = f"https://github.com/{REPOSITORY}/blob/main/docs/upgrading.md"

_TIMEOUT: Final = 5.0  # seconds of silence

# A tag; `scripts/release.py` takes no other.
_TAG: Final = re.compile(r"v(\d{1,9}(?:\.\d{1,9}){1,3})")


class TooOften(ClientError):
    exit_code = 75


@click.command()
@click.option("--check", is_flag=True, help="Ask whether there is a newer release.")
@click.option(
    "--from",
    "address",
    metavar="URL",
    default=NEWEST,
    show_default=True,
    help="With --check: who is asked.",
)
@click.option("--ca-file", metavar="FILE", help="With --check: trusted certificates in PEM.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def version(*, check: bool, address: str, ca_file: str | None, as_json: bool) -> None:
    """Show the version; --check asks whether there is a newer release."""
    told: dict[str, Any] = {"version": tracker.__version__}
    if check:
        newest = _newest(Address(address, ca_file))
        told |= {"newest": newest, "is_newest": _parts(newest) <= _parts(tracker.__version__)}
    if as_json:
        print_json(told)
    elif not check:
        print_text(VERSION)
    elif told["is_newest"]:
        print_text(f"{VERSION}: there is no newer release")
    else:
        print_text(f"{VERSION}; {told['newest']} is there. How to upgrade: {UPGRADING}")


def _newest(address: Address) -> str:
    """The version of the newest release. Raises ClientError."""
    try:
        connection = address.connection(_TIMEOUT)
        try:
            connection.request("GET", address.prefix or "/", headers=_HEADERS)
            response = connection.getresponse()
            body = bounded.read(response)
        finally:
            connection.close()
    except TooLarge:
        raise _rubbish(address) from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreachable(f"{address.url}: no answer ({reason})") from None
    except ValueError:  # the host's name is invalid, or the head is
        raise _rubbish(address) from None
    if response.status != 200:
        raise _refused(address, response)
    try:
        tag = _TAG.fullmatch(bounded.loads(body)["tag_name"])
    except (ValueError, KeyError, TypeError):
        tag = None
    if tag is None:
        raise _rubbish(address)
    return tag[1]


_HEADERS: Final = {
    "Accept": "application/json",
    "User-Agent": "agent-task-tracker",  # GitHub's API wants one; of the version it says nothing
}


def _refused(address: Address, response: HTTPResponse) -> ClientError:
    if response.status == 404:
        return ClientError(f"{address.url}: there is no release yet")
    if response.status == 429 or response.getheader("X-RateLimit-Remaining") == "0":
        return TooOften(f"{address.url}: was asked too often from here; try again in an hour")
    if location := response.getheader("Location"):
        return ClientError(f"{address.url}: has moved to {location}; ask there by --from")
    return ClientError(f"{address.url}: answered {response.status} {response.reason}")


def _rubbish(address: Address) -> ClientError:
    return ClientError(f"{address.url}: what answers there tells of no release")


def _parts(version: str) -> tuple[int, ...]:
    """To be compared: 1.10 is newer than 1.9, 1.2 is 1.2.0."""
    numbers = [int(number) for number in re.findall(r"\d+", version)]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
