"""Signals by name and number, compared with the signal module."""

from __future__ import annotations

import signal

import pytest

from runtime.engine import signals
from runtime.errors import Invalid


@pytest.mark.parametrize("known", [each for each in signal.Signals if each.value < 32],
                         ids=lambda each: each.name)
def test_the_kernels_names(known):
    word = known.name.removeprefix("SIG")
    for text in (known.name, word, known.name.lower(), word.lower(), str(known.value)):
        assert signals.number(text) == known.value
    assert signals.number(signals.name(known.value)) == known.value


@pytest.mark.parametrize("text, number", [
    ("RTMIN", 34), ("SIGRTMIN+3", 37), ("rtmin+15", 49), ("RTMAX", 64), ("SIGRTMAX-1", 63),
    ("64", 64)])
def test_real_time_signals(text, number):
    assert signals.number(text) == number
    assert number in (signal.SIGRTMIN, signal.SIGRTMAX) or signal.SIGRTMIN < number <= 64


@pytest.mark.parametrize("text", ["", "0", "-1", "65", "HUPP", "SIG", "9.0", "RTMIN-1", "RTMAX+1",
                                  "RTMIN+40", "RTMIN+x", "KILL KILL", "²"])
def test_none_of_them(text):
    with pytest.raises(Invalid, match="invalid signal: "):
        signals.number(text)


def test_a_number_without_a_name():
    assert signals.name(50) == "signal 50" and signals.name(0) == "signal 0"
