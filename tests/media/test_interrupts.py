"""Ctrl-C is raised when a library has ended, not in the midst of it, and nowhere else than in the main thread."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from postpipe.media.interrupts import held_back, let_through


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_it_is_raised_at_the_end_and_the_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    done = []

    def work() -> None:
        with held_back():
            press()
            done.append("all")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all"]
    assert signal.getsignal(signal.SIGINT) is before


def test_it_interrupts_what_is_let_through_and_takes_the_place_of_no_other_error() -> None:
    with held_back():
        with pytest.raises(KeyboardInterrupt), let_through():
            press()
        with pytest.raises(ValueError, match="other"), held_back():
            raise ValueError("other")


def test_other_threads_change_nothing() -> None:
    def work() -> object:
        with held_back(), let_through():
            return signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() is signal.getsignal(signal.SIGINT)
