"""Processes made by hand: found by their whole command line, ended only if they are ours."""

from __future__ import annotations

import random
import subprocess
import time

import pytest

from lab.course import by_hand
from runtime.inspect.source import Live


@pytest.fixture
def sleeper():
    """A process with a command line that no other has."""
    made = []

    def start(seconds: int) -> subprocess.Popen:
        made.append(subprocess.Popen(["sleep", str(seconds)]))
        return made[-1]

    yield start
    for process in made:
        process.kill()
        process.wait()


def number() -> int:
    return random.randrange(10**6, 10**7)


def found(command: str, since_ns: int) -> int:
    """The newest pid, as soon as the fork has become the program."""
    deadline = time.monotonic() + 5
    while not (pid := by_hand.newest(Live(), command, since_ns)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return pid


def test_a_name_with_a_space_is_a_command_line():
    assert by_hand.is_command("sleep 3607")
    assert not by_hand.is_command("tea")


def test_the_newest_with_exactly_that_command_line_is_found(sleeper):
    seconds, began = number(), time.time_ns()
    first = sleeper(seconds)
    assert found(f"sleep {seconds}", began) == first.pid
    sleeper(seconds * 10)
    time.sleep(0.02)
    second = sleeper(seconds)
    assert [one.pid for one in by_hand.find(Live(), f"sleep {seconds}", began)][-1] == first.pid
    deadline = time.monotonic() + 5
    while by_hand.newest(Live(), f"sleep {seconds}", began) != second.pid:
        assert time.monotonic() < deadline
    assert by_hand.newest(Live(), f"sleep {seconds} more", began) == 0


def test_what_ran_before_the_attempt_is_nobody_of_ours(sleeper):
    seconds, began = number(), time.time_ns()
    sleeper(seconds)
    assert found(f"sleep {seconds}", began)
    assert by_hand.find(Live(), f"sleep {seconds}", time.time_ns() + 10 * 10**9) == []


def test_it_is_ended_once_and_not_one_that_got_its_number(sleeper):
    seconds, began = number(), time.time_ns()
    process = sleeper(seconds)
    assert found(f"sleep {seconds}", began)
    (made,) = by_hand.find(Live(), f"sleep {seconds}", began)
    another = by_hand.Made(made.pid, made.start_ticks - 1, made.command)
    assert not by_hand.end(Live(), another)
    assert process.poll() is None
    assert by_hand.end(Live(), made)
    assert process.wait() == -9
    assert not by_hand.end(Live(), made)
