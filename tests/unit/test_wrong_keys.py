"""How wrong keys are counted: by window and address, in bounded memory, with few words."""

from __future__ import annotations

import logging
import re

import pytest

from tracker.auth.wrong_keys import WrongKeys
from tracker.timeouts import DEFAULT_TIMEOUTS


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return round(self.seconds * 1000)


class Scene:
    def __init__(self) -> None:
        self.clock = Clock()
        self.counted = WrongKeys(self.clock, DEFAULT_TIMEOUTS.guesses)

    def guess(self, host: str = "192.0.2.1", times: int = 1) -> list[int]:
        return [self.counted.take((host, 4711)) for _ in range(times)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_ten_a_minute_are_answered(scene: Scene) -> None:
    assert scene.guess(times=10) == [0] * 10
    scene.clock.seconds += 12.5
    assert scene.guess(times=2) == [48, 48]  # rounded up: waiting so long is enough
    scene.clock.seconds += 47.5
    assert scene.guess(times=11) == [0] * 10 + [60]


def test_addresses_are_counted_apart(scene: Scene) -> None:
    scene.guess("192.0.2.1", times=11)
    assert scene.guess("192.0.2.2", times=11) == [0] * 10 + [60]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("127.0.0.1", "127.8.15.47", True),
        ("127.0.0.1", "::1", True),
        ("testclient", "testclient", True),
    ],
)
def test_who_has_a_network_has_one_count(scene: Scene, one: str, other: str, *, same: bool) -> None:
    scene.guess(one, times=10)
    assert bool(scene.guess(other)[0]) == same


def test_a_connection_without_an_address_is_counted(scene: Scene) -> None:
    assert [scene.counted.take(None) for _ in range(11)][9:] != [0, 0]


def test_memory_is_bounded_and_the_oldest_goes(scene: Scene) -> None:
    scene.guess("192.0.2.1", times=11)
    for number in range(5000):
        scene.guess(f"10.0.{number // 250}.{number % 250}")
        if number % 1000 == 0:
            assert scene.guess("192.0.2.1") > [0]  # not the oldest, for it goes on
    assert len(scene.counted._guessers) == 1024
    assert scene.guess("10.0.0.7", times=10) == [0] * 10


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return found


def test_the_log_hears_of_powers_of_ten(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2000):
            scene.guess()
            scene.clock.seconds += 5
    assert [int(line.rpartition(" ")[2]) for line in lines(caplog)] == [1, 10, 100, 1000]


def test_the_log_hears_again_after_an_hour(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    for seconds, told in ((0, 1), (3599, 0), (3600, 1)):
        scene.clock.seconds += seconds
        with caplog.at_level(logging.WARNING):
            scene.guess()
        assert len(lines(caplog)) == told


def test_many_addresses_do_not_flood_the_log(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for number in range(3000):
            scene.guess(f"10.0.{number // 250}.{number % 250}")
        told = lines(caplog)
        assert len(told) == 20
        assert re.search("no more are named this minute", told[-1])
        scene.clock.seconds += 60
        scene.guess("192.0.2.1")
        assert lines(caplog) == ["Wrong API keys from 192.0.2.1: 1"]
