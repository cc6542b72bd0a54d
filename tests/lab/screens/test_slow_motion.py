"""Slow motion on the screen, driven by keys: a film, a start that is held, and two side by side."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.screens.difference import DifferenceScreen
from lab.screens.films import FilmsScreen, begun
from lab.screens.lesson import LessonScreen
from lab.screens.slow_motion import SlowMotionScreen
from lab.widgets import slow_motion as lines
from runtime.client.film import FILE, Breakpoints, Film
from runtime.client.motion import Motion
from runtime.errors import Invalid
from runtime.inspect import moments
from tests.lab.screens.test_screens import SIZES, settle, text
from tests.runtime.client.test_film import kept, moment, operation

RUNC = Path(__file__).parents[2] / "runtime" / "inspect" / "recordings" / "runc.strace"
OVERLAY = {"source": "overlay", "target": "/x/" + "a" * 64 + "/rootfs", "kind": "overlay",
           "flags": "0", "options": "lowerdir=/l"}
OPERATIONS = [
    operation("mkdir", "prepare", 5, by="shim",
              arguments={"path": "/sys/fs/cgroup/cpu/lab/tea", "mode": "0755"},
              symbol="runtime/cgroup/cgroup.py:Cgroup.make_directory"),
    operation("clone3", "isolate", 10, by="shim", arguments={"flags": "CLONE_NEWNS|CLONE_NEWPID"},
              symbol="runtime/oci/create.py:clone", result=[48213, 9]),
    operation("mount", "root", 20, arguments=OVERLAY, symbol="runtime/oci/rootfs.py:prepare"),
    operation("pivot_root", "root", 30, arguments={"new_root": ".", "put_old": "."}),
    operation("umount2", "root", 35, arguments={"target": ".", "flags": 2}),
    operation("capset", "drop", 38, arguments={
        "effective": "a80425fb", "permitted": "a80425fb", "inheritable": "0"},
        symbol="runtime/oci/identity.py:drop"),
    operation("execve", "exec", 40, arguments={"path": "/bin/sh", "arguments": ["sh"]},
              symbol="runtime/oci/init.py:become_container"),
]
KEPT = [kept(each["name"], each["start_ns"], 20 + at) for at, each in enumerate(OPERATIONS)][2:] + [
    {"by": "host", "moment": moments.to_data(moment(20))},
    {"by": "last", "moment": moments.to_data(moment(99))}]


def film(stepped: bool = True) -> Film:
    return Film([dict(each) for each in OPERATIONS], KEPT if stepped else [])


class Held(Motion):
    """A start that is held, over the frames of the film: no engine, no kernel."""

    def __init__(self) -> None:
        self.film = film()
        self.frames = []
        self.end, self.error = "", None
        self.host, self.last = moment(20), None
        self.container = SimpleNamespace(name="tea", directory="/nowhere")
        self.gave_up = self.abandoned = False

    def begin(self) -> None:
        self._hold()

    def _hold(self) -> None:
        for frame in self.frames:
            frame.operation = self.film.frames[frame.n - 1].operation
        frame = self.film.frames[len(self.frames)]
        made = type(frame)(frame.n, {**frame.operation, "ns": -1}, frame.by, frame.pid,
                           frame.moment)
        self.frames.append(made)

    def step(self) -> bool:
        if len(self.frames) == len(OPERATIONS):
            self.end, self.last = "running", moment(99)
        else:
            self._hold()
        return not self.end

    def give_up(self) -> None:
        self.gave_up, self.end = True, "failed"

    def abandon(self) -> None:
        self.abandoned = True


def play(lab, screen, story, size=(80, 24)):
    async def drive():
        async with lab.run_test(size=size) as pilot:
            await settle(pilot)
            lab.push_screen(screen)
            await settle(pilot)
            await pilot.pause(0.2)
            await story(pilot)

    asyncio.run(drive())


async def press(pilot, *keys):
    """Keys, each with the time that what it set off needs."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause(0.05)
        for _ in range(200):
            if not getattr(pilot.app.screen, "busy", False):
                break
            await pilot.pause(0.02)
        await pilot.pause(0.05)


@SIZES
def test_a_held_start_is_stepped_and_every_part_is_there(lab, size):
    held = Held()

    async def story(pilot):
        seen = text(lab)
        assert "slow motion · docker run lab/base" in seen and "operation 1 " in seen
        assert "── PREPARE 1 " in seen and "▸  1 mkdir cpu/…/tea" in seen
        assert "Makes a control group." in seen and "held" in seen
        await press(pilot, "space", "space", "space")
        seen = text(lab)
        assert "── ROOT 2 " in seen and "▸  4 pivot_root" in seen
        assert "Makes the overlay the root of this mount namespace." in seen
        assert "Why not chroot?" in seen and "init, pid 7, which will be pid 1 inside" in seen
        assert "runtime/oci/rootfs.py  enter_rootfs" in seen and "pivot_root(2)" in seen
        assert "41 µs" in seen and "space step" in seen.splitlines()[-1]

    play(lab, SlowMotionScreen("docker run lab/base", "tea", held), story, size)
    assert held.abandoned, "the program ends with a start in the middle"


def test_winding_back_shows_the_kernel_as_it_was(lab):
    async def story(pilot):
        await press(pilot, "space", "space", "space", "space")
        assert "mounts    23" in text(lab) or "mounts  ≠ 24" in text(lab)
        await press(pilot, "b", "b")
        seen = text(lab)
        assert "operation 3" in seen and "▸  3 mount overlay on …/rootfs" in seen
        assert "22 → 23" in seen, "what that operation moved"
        await press(pilot, "end")
        assert "operation 5" in text(lab) and "held" in text(lab)
        await press(pilot, "home")
        assert "operation 1" in text(lab) and "b back" not in text(lab)

    play(lab, SlowMotionScreen("docker run lab/base", "tea", Held()), story)


def test_phases_breakpoints_and_the_end(lab):
    async def story(pilot):
        await press(pilot, "p")
        assert "── ISOLATE 1 " in text(lab)
        await press(pilot, "colon")
        await press(pilot, *"execve", "enter")
        await pilot.pause(0.3)
        seen = text(lab)
        assert "▸  7 execve sh" in seen and "stops at execve" in seen and "held" in seen
        await press(pilot, "space")
        await pilot.pause(0.3)
        seen = text(lab)
        assert "● RUN" in seen and "tea runs; b winds the film back" in seen
        assert "7 of 7" in seen and "space step" not in seen
        await press(pilot, "colon")
        await press(pilot, *"pivot_root", "enter")
        assert "▸  4 pivot_root" in text(lab), "wound back"
        await press(pilot, "colon")
        await press(pilot, *"nothing", "enter")
        assert "nothing of that name in this film" in text(lab)
        await press(pilot, "colon")
        await press(pilot, "2", "enter")
        assert "▸  2 clone3" in text(lab)
        await press(pilot, "q")
        assert not isinstance(lab.screen, SlowMotionScreen)

    play(lab, SlowMotionScreen("docker run lab/base", "tea", Held()), story)


def test_q_asks_before_it_gives_a_start_up(lab):
    held = Held()

    async def story(pilot):
        await press(pilot, "space", "q")
        assert "q again gives the start up" in text(lab) and not held.gave_up
        await press(pilot, "b")
        await press(pilot, "q")
        assert not held.gave_up, "any other key is a no"
        await press(pilot, "q")
        await pilot.pause(0.3)
        assert held.gave_up and not isinstance(lab.screen, SlowMotionScreen)

    play(lab, SlowMotionScreen("docker run lab/base", "tea", held), story)


def test_the_source_the_manual_and_the_shell_line(lab):
    async def story(pilot):
        await press(pilot, "colon")
        await press(pilot, "4", "enter")
        await press(pilot, "u")
        seen = text(lab)
        assert "def enter_rootfs(" in seen and 'mounts.pivot_root(".", ".")' in seen
        assert "▸" in next(row for row in seen.splitlines() if "mounts.pivot_root(" in row)
        await press(pilot, "pagedown", "pageup", "escape")
        assert "def enter_rootfs(" not in text(lab)
        await press(pilot, "y")
        assert lab.clipboard == "pivot_root . ." and "$ pivot_root . ." in text(lab)
        await press(pilot, "m")
        assert lab.clipboard == "man 2 pivot_root"
        await press(pilot, "space")
        assert "Lets go of the old root" in text(lab)

    play(lab, SlowMotionScreen("docker run lab/base", "tea", film()), story)


@SIZES
def test_the_film_of_a_start_that_nobody_stepped(lab, size):
    async def story(pilot):
        await press(pilot, "space", "space")
        seen = text(lab)
        assert "3 of 7" in seen and "its arguments" in seen and "lowerdir=/l" in seen
        assert "kept of a start that was stepped" in " ".join(seen.replace("│", " ").split())
        assert "── ROOT 1 of 3 " in seen

    play(lab, SlowMotionScreen("docker run lab/base", "tea", film(False)), story, size)


def test_a_start_that_fails_says_why(lab):
    held = Held()

    def fail() -> bool:
        held.end = "failed"
        held.error = Invalid("OCI … error during container init: exec: no such file")
        return False

    held.step = fail

    async def story(pilot):
        await press(pilot, "space")
        await pilot.pause(0.3)
        assert "✖ FAILED" in text(lab) and "exec: no such file" in text(lab)

    play(lab, SlowMotionScreen("docker run lab/base", "tea", held), story)


class Container(SimpleNamespace):
    """A container with a directory."""


def with_films(engine, tmp_path) -> None:
    from runtime import documents

    for name in ("ink", "tea"):
        folder = tmp_path / name
        folder.mkdir()
        engine.made.append(Container(
            id=name, name=name, directory=str(folder), status="exited", cgroup="/x", config={
                "Name": f"/{name}", "Config": {"Image": "lab/base", "Cmd": ["true"]},
                "HostConfig": {}}, state={"Status": "exited"}))
    (tmp_path / "tea" / FILE).write_text("".join(documents.encode(line) + "\n" for line in KEPT))
    other = [dict(each) for each in OPERATIONS]
    other[5] = {**other[5], "arguments": {**other[5]["arguments"], "effective": "0"}}
    engine.operations = lambda ref: other if ref == "ink" else [dict(e) for e in OPERATIONS]


def test_the_list_of_films_and_two_side_by_side(lab, engine, tmp_path):
    with_films(engine, tmp_path)

    async def story(pilot):
        seen = text(lab)
        assert "a new start  $ docker run --name elm lab/base sleep 600" in seen
        assert "stepped  7 operations" in seen and seen.count("7 operations") == 2
        await press(pilot, "down", "enter")
        assert isinstance(lab.screen, SlowMotionScreen) and "of 7" in text(lab)
        await press(pilot, "q", "space", "down", "enter")
        assert isinstance(lab.screen, DifferenceScreen)
        seen = text(lab)
        assert "… 4 the same" in seen and "| " in seen and "1 with other arguments (|)" in seen
        await press(pilot, "space")
        assert "the same\n" not in text(lab).split("──")[1] and "pivot_root" in text(lab)
        await press(pilot, "down", "up", "q", "question_mark")
        assert "mark a film" in text(lab)

    play(lab, FilmsScreen(), story)


def test_a_trace_of_runc_is_a_film_as_well(lab, engine, tmp_path):
    with_films(engine, tmp_path)

    async def story(pilot):
        await press(pilot, "n")
        lab.screen.query_one("#ask-line").value = str(RUNC)
        await press(pilot, "enter")
        seen = text(lab)
        assert "▸ runc.strace" in seen and "strace" in seen
        await press(pilot, "enter", "end")
        seen = text(lab)
        assert "execve true" in seen and "not ours: a trace of strace" in seen
        await press(pilot, "b", "b")
        assert "capset" in text(lab) and "14 of 41" in text(lab)
        await press(pilot, "q", "space", "up", "enter")
        seen = text(lab)
        assert isinstance(lab.screen, DifferenceScreen) and "only runc.strace" in seen
        await press(pilot, "q", "n")
        lab.screen.query_one("#ask-line").value = "/etc/passwd"
        await press(pilot, "enter")
        assert "there is no system call in it" in text(lab)

    play(lab, FilmsScreen(), story)


def test_home_and_a_lesson_lead_there(lab, shown):
    async def story(pilot):
        await settle(pilot, shown)
        await press(pilot, "q")
        await press(pilot, "s")
        assert isinstance(lab.screen, FilmsScreen)
        await press(pilot, "q", "enter")
        assert isinstance(lab.screen, LessonScreen)
        await press(pilot, "m")
        told = lab.screen.state.notice
        assert told in (("nothing has been started here yet",), ("No such container: ink",))

    play(lab, FilmsScreen(), story, (120, 40))


@pytest.mark.parametrize("typed", ["docker ps", "ls", "docker run"])
def test_what_is_no_start_is_refused(engine, typed):
    with pytest.raises(Exception, match="begins with docker run|requires at least 1 argument"):
        begun(engine, typed)


def test_a_wrong_line_is_said_on_the_list(lab):
    async def story(pilot):
        await press(pilot, "enter")
        await pilot.pause(0.3)
        assert "unknown flag: --nope" in text(lab)

    play(lab, FilmsScreen("docker run --nope lab/base"), story)


# The lines alone

@pytest.mark.parametrize("width", [30, 44, 80])
def test_no_line_is_wider_than_its_place(width):
    from lab.widgets.line import width_of

    reel = film()
    for at, frame in enumerate(reel.frames):
        rows = [*lines.kernel_lines(frame, reel.after(at), reel.host, "tea", width, 17),
                *lines.meaning_lines(frame, width)]
        assert all(width_of(row.spans) <= width for row in rows), frame.name


def test_an_error_is_red_and_a_breakpoint_has_a_sign():
    reel = film()
    reel.frames[3].operation = {**reel.frames[3].operation, "errno": 1}
    rows = lines.operation_lines(reel.frames, 0, 60, Breakpoints({"execve"}))
    assert "EPERM" in rows[3].text and any(span.role == "dead" for span in rows[3].spans)
    assert "★" in rows[6].text and "▸" in rows[0].text


def test_what_is_not_ours_is_named_by_its_manual_page():
    reel = Film([operation("reboot", "root", 1, symbol="")])
    rows = lines.meaning_lines(reel.frames[0], 80)
    assert "reboot(2) is not one of ours" in rows[0].text
    assert "a trace of strace" in lines.source_line(reel.frames[0], 80).text
    assert "not a function of ours" in " ".join(row.text for row in lines.code_lines(
        reel.frames[0], 80))


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_real_start_on_the_screen(root, tmp_path):
    """The whole way: type a line, step, wind back, and leave in the middle; nothing is left."""
    from lab.course.loader import Course
    from lab.course.progress import Progress
    from lab.program import Lab
    from runtime.engine.engine import Engine
    from runtime.inspect.source import Live
    from tests.conftest import remains

    real = Lab(Engine(root), Live(), root, Course.load(), Progress.load(root))

    async def story(pilot):
        async def until(words):
            for _ in range(200):
                if words in text(real):
                    return
                await pilot.pause(0.05)
            raise AssertionError(f"{words!r} did not come:\n{text(real)}")

        await press(pilot, "enter")
        await until("PREPARE 1")
        await press(pilot, "colon")
        await press(pilot, *"pivot_root", "enter")
        await until("stops at pivot_root")
        await until("Makes the overlay the root")
        await press(pilot, "space")
        await until("Lets go of the old root")
        await press(pilot, "b")
        await until("→ overlay")
        await press(pilot, "end", "q", "q")
        await until("starts that are over")
        assert Engine(root).find("tea").status == "created"

    play(real, FilmsScreen(), story)
    assert not [left for left in remains(root) if "/tea" in left]
