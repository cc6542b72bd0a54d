"""A watch step on the screen: its key opens the slow motion, halting where the lesson says."""

from __future__ import annotations

from lab.course.loader import Course
from lab.course.progress import Progress
from lab.course.stepper import Stepper
from lab.screens.lesson import LessonScreen
from lab.screens.lesson_work import WorkKeys
from lab.screens.slow_motion import SlowMotionScreen
from runtime.errors import Conflict
from runtime.inspect.source import Recording
from tests.lab.course.conftest import World
from tests.lab.screens.test_screens import settle, text
from tests.lab.screens.test_slow_motion import Held, play, press


def watching(tmp_path) -> Stepper:
    """A student at the step of the lesson on names that watches its start."""
    world = World()
    stepper = Stepper(Course.load().lesson("uts"), None, Recording(world.files),
                      Progress.load(str(tmp_path)), world)
    while stepper.step.id != "start":
        stepper.skip()
    return stepper


def test_s_and_r_open_the_slow_motion_with_the_lessons_halts(lab, tmp_path, monkeypatch):
    stepper, held = watching(tmp_path), []
    monkeypatch.setattr(WorkKeys, "_held", lambda self, line: held.append(Held()) or held[-1])

    async def story(pilot):
        assert "s steps through it" in text(lab) and "r runs it" not in text(lab)
        assert "s slow motion" in text(lab).splitlines()[-1]
        for key in ("s", "r"):
            await press(pilot, key)
            assert isinstance(lab.screen, SlowMotionScreen)
            assert lab.screen.stops.names == {"clone3", "sethostname"}
            assert "stops at clone3 sethostname" in text(lab)
            await press(pilot, "c", "c", "q")
            await settle(pilot)
            assert isinstance(lab.screen, LessonScreen)

    play(lab, LessonScreen(stepper), story)
    assert len(held) == 2 and all(one.end == "running" for one in held)


def test_a_name_that_is_taken_is_said_in_the_lesson(lab, tmp_path, monkeypatch):
    def taken(self, line):
        raise Conflict("the name is already in use")

    monkeypatch.setattr(WorkKeys, "_held", taken)

    async def story(pilot):
        await press(pilot, "s")
        assert isinstance(lab.screen, LessonScreen)
        assert "the name is already in use" in text(lab)

    play(lab, LessonScreen(watching(tmp_path)), story)


def test_a_step_without_a_start_to_watch_names_the_other_key(lab, tmp_path):
    stepper = watching(tmp_path)
    stepper.back()

    async def story(pilot):
        await press(pilot, "s")
        assert "m plays the film of one that is over" in text(lab)

    play(lab, LessonScreen(stepper), story)
