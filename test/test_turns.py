"""Questions wait for a model in the order in which they came, not for ever."""

from __future__ import annotations

import threading
import time

import pytest

from spatial_vlm_ros.reasoning.answer import Cancelled
from spatial_vlm_ros.serving.turns import Turns


def test_first_come_first_served() -> None:
    turns, order, inside = Turns(30), list[int](), list[int]()
    first_may_end = threading.Event()

    def ask(number: int) -> None:
        with turns.turn(lambda: False):
            inside.append(number)
            assert len(inside) == 1  # one at a time
            if number == 0:
                first_may_end.wait(10)
            order.append(number)
            inside.remove(number)

    threads = []
    for number in range(6):
        threads.append(threading.Thread(target=ask, args=(number,)))
        threads[-1].start()
        deadline = time.monotonic() + 10
        while turns.waiting <= number and time.monotonic() < deadline:
            time.sleep(0.002)
    first_may_end.set()
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4, 5]


def test_a_wait_ends_and_says_why() -> None:
    turns = Turns(0.1)
    expected = pytest.raises(TimeoutError, match=r"no turn within 0.1 s: 1 other")
    with turns.turn(lambda: False), expected, turns.turn(lambda: False):
        pass
    with turns.turn(lambda: False):  # who gave up is not in the way
        assert turns.waiting == 1


def test_who_is_gone_waits_no_more() -> None:
    turns = Turns(30)
    with turns.turn(lambda: False):
        start = time.monotonic()
        with pytest.raises(Cancelled), turns.turn(lambda: time.monotonic() > start + 0.1):
            pass
        assert time.monotonic() - start < 5
    assert turns.waiting == 0


def test_a_turn_ends_with_an_error_too() -> None:
    turns = Turns(0.1)
    with pytest.raises(ValueError, match="no"), turns.turn(lambda: False):
        raise ValueError("no")
    with turns.turn(lambda: False):
        pass
