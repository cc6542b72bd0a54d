"""Films: what they show of a start, breakpoints in them, and what belongs to another start."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.client.film import Breakpoints, Film, Frame
from runtime.inspect import moments


def operation(name: str, phase: str, start_ns: int, by: str = "init", **more: Any
              ) -> dict[str, Any]:
    return {"name": name, "phase": phase, "call": f"{name}(2)", "arguments": {}, "by": by,
            "symbol": "runtime/oci/rootfs.py:enter_rootfs", "start_ns": start_ns, "ns": 41000,
            "result": None, "errno": 0, **more}


def kept(name: str, start_ns: int, mounts: int) -> dict[str, Any]:
    return {"by": "init", "name": name, "start_ns": start_ns,
            "moment": moments.to_data(moment(mounts))}


def moment(mounts: int) -> moments.Moment:
    return moments.Moment(7, 1, {"mnt": 4}, "overlay", "0:50", mounts, {"memory": "/tea"}, 5, 5,
                          False, 0, 0, 0, "tea", "sh")


FILM = [operation("clone3", "isolate", 10, by="shim"), operation("mount", "root", 20),
        operation("pivot_root", "root", 30), operation("execve", "exec", 40)]


@pytest.mark.parametrize(("name", "hit"), [
    ("pivot_root", [2]), ("root", [1, 2]), ("exec", [3]), ("enter_rootfs", [0, 1, 2, 3]),
    ("mount", [1]), ("nothing", []),
])
def test_a_breakpoint_is_an_operation_a_phase_or_a_function(name: str, hit: list[int]) -> None:
    frames = Film(FILM).frames
    stops = Breakpoints({name})
    assert [at for at, frame in enumerate(frames) if stops.hit(frame)] == hit
    assert not stops.toggle(name) and stops.toggle(name)


def test_a_film_shows_what_the_kernel_showed() -> None:
    lines = [kept("mount", 20, 31), kept("pivot_root", 30, 32), kept("execve", 0, 33),
             {"by": "host", "moment": moments.to_data(moment(20))}, {"by": "last", "moment": None}]
    film = Film(FILM, lines)
    counts = [frame.moment.mounts if frame.moment else None for frame in film.frames]
    assert counts == [None, 31, 32, 33]
    assert film.after(0) == film.frames[1].moment and film.after(3) is None
    assert film.host is not None and film.host.mounts == 20


def test_what_was_kept_of_another_start_is_not_shown() -> None:
    film = Film(FILM, [kept("mount", 19, 31), {"by": "host", "moment": None}])
    assert [frame.moment for frame in film.frames] == [None] * 4 and film.host is None


def test_frames_know_what_they_are() -> None:
    frame = Frame(3, FILM[2], "init", 7, None)
    assert (frame.name, frame.phase, frame.symbol) == (
        "pivot_root", "root", "runtime/oci/rootfs.py:enter_rootfs")
