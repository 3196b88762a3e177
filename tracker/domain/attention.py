"""What a task needs a person for: requests that are open until they are answered or withdrawn
(docs/contract.md, "What agents tell beyond the document"). Times are milliseconds since the epoch.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tracker.domain.limits import MAX_CLEARED_REQUESTS, MAX_OPEN_REQUESTS


class Attention(NamedTuple):
    """What a report says of one request; `id` is empty for the unnamed one. `text` None: it is no
    longer open."""

    id: str
    text: str | None


class Request(NamedTuple):
    """A request that is open since then; `text` None: it was withdrawn, which is remembered so that
    word of it which comes late does not open it again. `told_at`: the time of the newest word."""

    id: str
    text: str | None
    since: int
    told_at: int


class Requests(tuple[Request, ...]):
    """A task's requests, those open for longest first."""

    __slots__ = ()

    @property
    def open(self) -> list[Request]:
        """Those that wait for a person."""
        return [request for request in self if request.text is not None]

    @property
    def oldest(self) -> Request | None:
        """The one that has waited for longest."""
        return next(iter(self.open), None)

    def after(self, said: Attention | None, at: int, *, late: bool) -> Requests:
        """These after a report of the time `at`; `late`: newer ones came before it.

        A report that says nothing of attention withdraws the unnamed request: whoever does not
        name it cannot withdraw it otherwise.
        """
        if said is None:
            return self if late else self._with(Request("", None, at, at))
        if late and (not said.id or self._newest_word(said.id) >= at):
            return self
        return self._with(Request(said.id, said.text, at, at))

    def dump(self) -> list[dict[str, Any]]:
        """As JSON."""
        return [request._asdict() for request in self]

    def _newest_word(self, id_: str) -> int:
        return next((request.told_at for request in self if request.id == id_), -1)

    def _with(self, new: Request) -> Requests:
        known = next((request for request in self if request.id == new.id), None)
        if known is None and new.text is None and not new.id:
            return self
        if known is not None and known.text is not None and new.text is not None:
            new = new._replace(since=known.since)
        others = [request for request in self if request is not known]
        # Nothing that comes late can open the unnamed one, so its end need not be remembered.
        if new.text is not None or new.id:
            others.append(new)
        return _bounded(others)


NO_REQUESTS: Final = Requests()


def load(requests: list[dict[str, Any]]) -> Requests:
    """What `Requests.dump` made."""
    return Requests(Request(**request) for request in requests)


def _bounded(requests: list[Request]) -> Requests:
    """The oldest go, so that no agent makes its task grow without end."""
    requests.sort(key=lambda request: request.since)
    opened = [request for request in requests if request.text is not None]
    cleared = [request for request in requests if request.text is None]
    return Requests((*opened[-MAX_OPEN_REQUESTS:], *cleared[-MAX_CLEARED_REQUESTS:]))
