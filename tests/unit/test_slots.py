"""Which connections give way to others."""

from __future__ import annotations

import logging

import pytest

from tracker.server.slots import MAX_KEYLESS, RESERVED, Slot, Slots

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return round(self.seconds * 1000)


class Connection:
    """Holds a slot."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.answers = False
        self.is_open = True
        slot.holder = self

    def is_answering(self) -> bool:
        return self.answers

    def abort(self) -> None:
        self.is_open = False
        self.slot.free()  # as its end does


class Scene:
    def __init__(self, descriptors: int = 10_000) -> None:
        self.clock = Clock()
        self.slots = Slots(descriptors, self.clock)

    def connect(self, count: int = 1, address: str = HERE) -> list[Connection]:
        return [Connection(self.slots.take(address)) for _ in range(count)]


def test_the_oldest_of_an_address_gives_way() -> None:
    scene = Scene()
    there = scene.connect(MAX_KEYLESS, THERE)
    here = scene.connect(MAX_KEYLESS)
    assert all(one.is_open for one in here + there)
    scene.connect(2)
    assert [one.is_open for one in here] == [False] * 2 + [True] * (MAX_KEYLESS - 2)
    assert all(one.is_open for one in there)


def test_one_that_asked_since_stays_for_longer() -> None:
    scene = Scene()
    here = scene.connect(MAX_KEYLESS)
    here[0].slot.touch()
    scene.connect(MAX_KEYLESS - 1)
    assert here[0].is_open
    assert not any(one.is_open for one in here[1:])
    scene.connect()
    assert not here[0].is_open


def test_one_that_is_being_answered_stays() -> None:
    scene = Scene()
    here = scene.connect(MAX_KEYLESS)
    for one in here[:-1]:
        one.answers = True
    scene.clock.seconds += 1
    scene.connect()
    assert [one for one in here if not one.is_open] == here[-1:]


def test_but_newcomers_do_not_close_each_other() -> None:
    """Whoever reads byte by byte is answered for long."""
    scene = Scene()
    slow = scene.connect(MAX_KEYLESS)
    for one in slow:
        one.answers = True
    scene.clock.seconds += 1
    newcomers = scene.connect(MAX_KEYLESS)
    assert all(one.is_open for one in newcomers)
    assert not any(one.is_open for one in slow)


def test_one_with_a_key_stays_and_does_not_count() -> None:
    scene = Scene()
    agents = scene.connect(MAX_KEYLESS)
    for agent in agents:
        agent.slot.keep()
        agent.slot.keep()
        agent.slot.touch()
    here = scene.connect(MAX_KEYLESS)
    assert all(one.is_open for one in here + agents)
    scene.connect(MAX_KEYLESS)
    assert all(agent.is_open for agent in agents)


def test_one_whose_key_is_over_gives_way_again() -> None:
    scene = Scene(RESERVED + 100)
    agents = []
    for _ in range(100):
        agents += scene.connect()
        agents[-1].slot.keep()
        agents[-1].slot.settle()
    for agent in agents[:50]:
        agent.slot.touch()  # a request, which has no accepted key
        agent.slot.settle()
    for agent in agents[50:]:
        agent.slot.touch()
        agent.slot.keep()
        agent.slot.settle()
    scene.clock.seconds += 1
    newcomers = scene.connect(50, THERE)
    assert [agent.is_open for agent in agents] == [False] * 50 + [True] * 50
    assert all(newcomer.is_open for newcomer in newcomers)


def test_one_address_takes_no_more_than_half() -> None:
    scene = Scene(RESERVED + 100)
    there = scene.connect(50, THERE)
    scene.connect(1000)
    assert all(one.is_open for one in there)


def test_a_limit_that_is_lower_than_what_is_reserved_leaves_some() -> None:
    scene = Scene(20)
    (agent,) = scene.connect()
    agent.slot.keep()
    scene.connect(20)
    assert agent.is_open


def test_without_any_left_the_oldest_of_all_gives_way_after_a_second() -> None:
    scene = Scene(RESERVED + 100)
    first = scene.connect(50, THERE)
    assert not scene.slots.are_taken()
    scene.connect(50)
    assert scene.slots.are_taken()
    scene.clock.seconds += 1
    assert not scene.slots.are_taken()
    scene.connect(1, "192.0.2.3")
    assert [one.is_open for one in first] == [False] + [True] * 49


def test_those_with_keys_are_waited_for() -> None:
    scene = Scene(RESERVED + 100)
    agents = []
    for _ in range(100):
        agents += scene.connect()
        agents[-1].slot.keep()
    scene.clock.seconds += 3600
    assert scene.slots.are_taken()
    agents[0].abort()
    assert not scene.slots.are_taken()


def test_the_end_is_counted_once() -> None:
    scene = Scene(RESERVED + 10)
    for _ in range(3):
        for one in scene.connect(10):
            one.slot.keep()
            one.slot.free()
            one.slot.free()
            one.slot.keep()
            one.slot.touch()
        assert not scene.slots.are_taken()


def test_it_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    with caplog.at_level(logging.WARNING):
        scene.connect(MAX_KEYLESS + 10)
        scene.connect(MAX_KEYLESS + 10, THERE)
        assert len(caplog.messages) == 1
        assert caplog.messages[0].startswith(f"Over {MAX_KEYLESS} connections from {HERE} ")
        scene.clock.seconds += 60
        scene.connect(10)
        assert len(caplog.messages) == 2
