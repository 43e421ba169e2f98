"""Calls on several threads: in order, few ahead, and nothing left running."""

import threading

import pytest
from crosslens.execution.thread_map import map_in_order


def test_results_come_in_order_though_later_calls_end_sooner():
    later = threading.Event()

    def call(part):
        assert later.wait(10) if part == 0 else not later.set()
        return part

    assert list(map_in_order(call, range(7), 2)) == list(range(7))


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_no_more_is_begun_than_one_result_beyond_the_threads(at_once):
    begun = []
    found = map_in_order(lambda part: begun.append(part) or part, range(100), at_once)
    assert not begun
    for read in range(1, 20):
        next(found)
        assert len(begun) <= read + at_once
    found.close()


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_failure_is_raised_in_its_place_and_ends_the_calls(at_once):
    begun = []

    def call(part):
        begun.append(part)
        return 6 // (2 - part)

    found = map_in_order(call, range(100), at_once)
    assert [next(found), next(found)] == [3, 6]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert len(begun) <= 3 + at_once
    assert list(found) == []


def test_nothing_runs_any_more_once_it_is_closed():
    before, running = threading.active_count(), []

    def call(part):
        running.append(part)
        try:
            return part
        finally:
            running.remove(part)

    found = map_in_order(call, range(100), 2)
    next(found)
    assert threading.active_count() > before
    found.close()
    assert not running
    assert threading.active_count() == before
