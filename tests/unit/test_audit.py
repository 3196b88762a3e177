"""What is noted for the audit log: bounded, whoever makes requests from however many addresses."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.support.clocked import ManualClock
from tests.support.loop import on_loop
from tracker.auth import saving
from tracker.auth.audit import Audit
from tracker.domain.audit import Action, Actor, AuditPage, AuditQuery, Deed
from tracker.errors import Unavailable


class HourClock(ManualClock):
    """Stands still until an hour has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.hours = 0

    def monotonic(self) -> float:
        return self.hours * 3600.0


class Kept:
    """Keeps what is saved, unless its disk is full."""

    def __init__(self) -> None:
        self.deeds: Counter[Deed] = Counter()
        self.is_full = False

    async def save_deeds(self, deeds: Sequence[tuple[Deed, int]]) -> None:
        if self.is_full:
            raise Unavailable("full")
        for deed, times in deeds:
            self.deeds[deed._replace(details=())] += times  # type: ignore[arg-type]

    async def note_settings(self, settings: object) -> None:
        raise NotImplementedError

    async def audit(self, query: AuditQuery) -> AuditPage:
        raise NotImplementedError

    @property
    def actors(self) -> list[Actor]:
        return [deed.actor for deed in self.deeds]


@on_loop
async def test_one_key_at_many_addresses_hides_no_other() -> None:
    kept, clock = Kept(), HourClock()
    audit = Audit(kept, clock)
    for saves in range(20):
        for number in range(1000):
            address = f"2001:db8::{saves:x}:{number:x}"
            audit.note(Action.FORBIDDEN, Actor("hostile", address), "read")
            audit.note(Action.WRONG_KEY, Actor("", address))
        audit.note(Action.SIGNED_IN, Actor("owner", f"192.0.2.{saves}"))
        await audit.save()
    assert [actor.address for actor in kept.actors if actor.name == "owner"] == [
        f"192.0.2.{number}" for number in range(20)
    ]
    by_name = Counter(actor.name for actor in kept.actors)
    assert by_name["hostile"] == by_name[""] <= 101
    assert kept.deeds.total() == 40_020  # all of them are counted
    clock.hours += 1
    audit.note(Action.FORBIDDEN, Actor("hostile", "2001:db8::ffff:1"), "read")
    await audit.save()
    assert Actor("hostile", "2001:db8::ffff:1") in kept.actors


@on_loop
async def test_what_cannot_be_stored_waits() -> None:
    kept = Kept()
    audit = Audit(kept, HourClock())
    kept.is_full = True
    for number in range(200):
        audit.note(Action.FORBIDDEN, Actor("a", f"{number}"), "read")
    with pytest.raises(Unavailable):
        await audit.save()
    audit.note(Action.FORBIDDEN, Actor("a", "0"), "read")
    kept.is_full = False
    await audit.save()
    await audit.save()
    assert kept.deeds.total() == 201
    assert kept.deeds[Deed(Action.FORBIDDEN, Actor("a", "0"), "read", ())] == 2  # type: ignore[arg-type]


@on_loop
async def test_the_servers_stop_counts_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "_INTERVAL", 0.0)
    kept, begun, may_end = Kept(), asyncio.Event(), asyncio.Event()

    class Slow(Kept):
        async def save_deeds(self, deeds: Sequence[tuple[Deed, int]]) -> None:
            await kept.save_deeds(deeds)  # submitted, and not to be taken back
            begun.set()
            await may_end.wait()

    audit = Audit(Slow(), HourClock())
    background = saving.Saving([audit.save])
    audit.note(Action.SIGNED_IN, Actor("a", "192.0.2.1"))
    background.start()
    await begun.wait()
    stopping = asyncio.create_task(background.stop())
    await asyncio.sleep(0)
    may_end.set()
    await asyncio.wait_for(stopping, 20)
    assert kept.deeds.total() == 1
