"""Every screen at 80×24 and 120×40, driven by keys over views made by hand: what it says."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from textual import events
from textual.color import Color

from lab.course.loader import Course
from lab.course.progress import Progress
from lab.messages import CommandEnded, CommandOutput, CommandStarted, Sampled
from lab.program import Lab
from lab.screens.doctor import doctor_lines
from lab.screens.free import FreeScreen
from lab.screens.lesson import LessonScreen
from lab.snapshot import Row, Snapshot
from lab.widgets.live import LiveSide
from lab.widgets.pane import Pane
from runtime.inspect.facts import Item
from runtime.inspect.host import Report
from runtime.inspect.host_rootless import Way
from runtime.inspect.layers import PathState
from runtime.inspect.requirements import Requirement
from runtime.inspect.source import Recording
from tests.lab.conftest import StillSampler

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])


def text(lab) -> str:
    """The screen as a terminal shows it."""
    rows = lab.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in row) for row in rows)


async def settle(pilot, snapshot: Snapshot | None = None) -> None:
    if snapshot is not None:
        pilot.app.post_message(Sampled(snapshot))
    await pilot.pause(0.05)


async def open_limits(pilot, snapshot: Snapshot) -> None:
    """From home into the lesson on limits."""
    await settle(pilot, snapshot)
    await pilot.press("right", "right", "enter")
    await settle(pilot, snapshot)


async def drive(lab, size, story) -> None:
    async with lab.run_test(size=size) as pilot:
        await story(pilot)


def run(story, lab, size):
    import asyncio

    asyncio.run(drive(lab, size, story))


@SIZES
def test_home_is_the_course_map(lab, shown, size):
    async def story(pilot):
        await settle(pilot, shown)
        seen = text(lab)
        assert "root · Linux 6.18 · cgroup v1 ✔" in seen
        for track in lab.course.tracks:
            assert f"{track.number} {track.title}" in seen
        assert "▸ ○ " in seen and "min" in seen
        assert "Begin with the first lesson" in seen
        assert "enter open" in seen.splitlines()[-1]

    run(story, lab, size)


class Poor:
    """The doctor's report of a host without memory cgroups."""

    items = (Item("cgroups", "missing", "no memory controller",
                  "the kernel was booted without it", "add cgroup_enable=memory"),)

    def unmet(self, requires):
        lacks = Requirement("cgroup:memory", False, "no memory controller", "add cgroup_enable=…")
        return [lacks] if "cgroup:memory" in requires else []


def test_home_says_why_a_lesson_is_closed_and_the_doctor_what_would_change_it(lab, shown):
    async def story(pilot):
        await settle(pilot, shown)
        lab.report = Poor()
        lab._examined()
        await pilot.press("right", "right")
        await settle(pilot)
        assert "◌ Throttled, and killed" in text(lab) and "no memory controller" in text(lab)
        await pilot.press("enter")
        await settle(pilot)
        assert "To be read only, on this host: no memory controller." in text(lab)
        await pilot.press("q", "d")
        await settle(pilot)
        seen = text(lab)
        assert "◌ cgroups" in seen and "$ add cgroup_enable=memory" in seen
        assert "◌ Throttled, and killed" in seen

    run(story, lab, (80, 24))


def test_home_without_root_says_what_still_works(lab, shown):
    async def story(pilot):
        lab.report = None
        await settle(pilot, replace(shown, host=replace(shown.host, root=False)))
        lab.screen.paint()
        await settle(pilot)
        assert "not root" in text(lab) and "which way containers run, d says" in text(lab)
        lab.report = Report("/", (), {}, Way("sudo", "sudo container-lab runs them."))
        lab.screen.paint()
        await settle(pilot)
        assert "sudo container-lab runs them." in text(lab)

    run(story, lab, (80, 24))


def test_a_damaged_progress_is_said_on_the_home_screen(lab, shown):
    async def story(pilot):
        await settle(pilot, shown)
        lab.trouble = "progress.json was damaged and is set aside"
        lab.screen.paint()
        await settle(pilot)
        assert "was damaged and is set aside" in text(lab)

    run(story, lab, (80, 24))


def test_what_nobody_foresaw_ends_in_one_line(lab, shown, tmp_path):
    async def story(pilot):
        lab._handle_exception(ValueError("a bad day"))

    with pytest.raises(ValueError):
        run(story, lab, (80, 24))
    assert "ValueError: a bad day (the whole story is in " in lab.failure
    assert "ValueError: a bad day" in (tmp_path / "lab-error.log").read_text()


@SIZES
def test_a_prediction_is_locked_before_the_kernel_answers(lab, shown, size):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("n")
        await settle(pilot)
        seen = text(lab)
        assert "step 2 of" in seen and "How sure are you?" in seen and "enter locks it" in seen
        await pilot.press("2", "right", "enter")
        await settle(pilot)
        seen = text(lab)
        assert "✔ locked, sure" in seen and "How sure" not in seen
        await pilot.press("1", "enter")
        assert lab.screen.stepper.predicted() == lab.screen.stepper.step.option_keys[1]

    run(story, lab, size)


@SIZES
def test_a_lesson_beside_the_kernel(lab, shown, size):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("n", "enter", "n")
        await settle(pilot, shown)
        await pilot.pause(0.5)
        seen = text(lab)
        assert "step 3 of" in seen and "✖ OOM" in seen
        assert "docker run -d --name" in seen and "r runs it" in seen
        assert "○ " in seen
        assert "oom_kill 1" in seen and "nr_throttled 12" in seen
        assert "max 118→231 · .131 oom_kill 0→1 · .132 hog SIGKILL · .140 exit 137" in seen
        assert "y copies the proof" in seen

    run(story, lab, size)


def test_the_panes_are_tabs_and_zoom(lab, shown):
    wanted = {"2": "private", "3": "overlay", "4": "EXITED 137", "5": "128 + 9 KILL",
              "6": "3 operations", "7": "CHOWN"}

    async def story(pilot):
        await open_limits(pilot, shown)
        for digit, words in wanted.items():
            await pilot.press(digit)
            await settle(pilot)
            assert words in text(lab), digit
        await pilot.press("tab", "z")
        await settle(pilot)
        seen = text(lab)
        assert "▸Limits" in seen and "A cgroup is a directory" not in seen
        await pilot.press("escape")
        await settle(pilot)
        assert "A cgroup is a directory" in text(lab)

    run(story, lab, (80, 24))


def test_a_pane_that_had_nothing_shows_what_comes(lab, shown):
    empty = replace(shown.shown, mounts=(), row=replace(shown.shown.row, status="running"))

    async def story(pilot):
        await open_limits(pilot, replace(shown, shown=empty))
        await pilot.press("3")
        await settle(pilot, replace(shown, shown=empty))
        assert "no mount table" in text(lab)
        await settle(pilot, shown)
        assert "is the root" in text(lab) and "y copies the proof" in text(lab)

    run(story, lab, (80, 24))


def test_wide_screens_have_the_hood_beside(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await settle(pilot, shown)
        rows = text(lab).splitlines()
        assert any("Limits" in row and "Under the hood" in row for row in rows)
        assert any("Lifecycle" in row and "Limits" not in row for row in rows)

    run(story, lab, (200, 60))


def test_y_copies_the_line_that_proves_the_value(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("y")
        await settle(pilot)
        proof = "cat /sys/fs/cgroup/memory/container-lab/ink/memory.usage_in_bytes"
        assert lab.clipboard == proof
        seen = " ".join(text(lab).split())
        assert "sent to the terminal's clipboard" in seen and f"$ {proof}" in seen
        await pilot.press("down", "y")
        assert lab.clipboard.endswith("memory.oom_control")

    run(story, lab, (80, 24))


def test_y_without_a_value_says_so(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        created = replace(shown.shown, usage=None, row=replace(shown.shown.row, status="created"))
        await settle(pilot, replace(shown, shown=created))
        await pilot.press("y")
        await settle(pilot)
        assert lab.clipboard == "" and "nothing to prove here yet" in text(lab)

    run(story, lab, (80, 24))


def test_zoom_keeps_the_cursor_on_its_value(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        for _ in range(4):
            await pilot.press("down")
        side = lab.screen.query_one(LiveSide)
        before = side.pane.current
        assert before.text.split()[0] == "cpu.max"
        for _ in range(2):
            await pilot.press("z")
            await settle(pilot, shown)
            assert side.pane.current.source == before.source
            assert "▸cpu.max" in text(lab)

    run(story, lab, (80, 24))


def test_a_focus_moves_the_cursor_to_its_row_also_when_it_comes_later(lab, shown):
    changed = PathState("/etc/passwd", "copied_up")

    async def story(pilot):
        await open_limits(pilot, shown)
        side = lab.screen.query_one(LiveSide)
        side.point("layers:/etc/passwd")
        await settle(pilot, shown)
        assert "upper" in side.pane.current.text
        now = replace(shown, shown=replace(shown.shown, changes=(changed,)))
        await settle(pilot, now)
        assert "/etc/passwd" in side.pane.current.text
        await pilot.press("up")
        await settle(pilot, now)
        assert "/etc/passwd" not in side.pane.current.text

    run(story, lab, (80, 24))


@pytest.mark.parametrize("size", [(120, 40), (160, 45), (200, 60)])
def test_no_pane_is_shown_twice_and_the_hood_beside_takes_the_keys(lab, shown, size):
    async def story(pilot):
        await open_limits(pilot, shown)
        for digit in "123456":
            await pilot.press(digit)
            await settle(pilot, shown)
            seen = [type(pane) for pane in lab.screen.query(Pane)
                    if pane.display and pane.region.width and pane.region.height]
            assert len(seen) == len(set(seen)), digit
        side = lab.screen.query_one(LiveSide)
        assert side.pane.KIND == "hood"
        first = side.pane.current
        await pilot.press("down")
        await settle(pilot, shown)
        assert side.pane.current is not first and side.pane.size.width
        if size[0] >= 160:
            assert side.pane.id == "hood-beside" and "▸Under the hood" in text(lab)

    run(story, lab, size)


def test_w_shows_why(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("w")
        await settle(pilot)
        seen = text(lab)
        assert "ink is dead. Why?" in seen and "exit 137 = 128 + 9" in seen
        assert "its cgroup had no page left" in seen
        await pilot.press("w")
        await settle(pilot)
        assert "Why?" not in text(lab)

    run(story, lab, (80, 24))


def test_r_shows_the_line_its_output_and_its_exit(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("n", "enter", "n")
        line = lab.screen.stepper.commands()[0]
        lab.post_message(CommandStarted(line))
        await settle(pilot)
        assert "runs" in text(lab)
        lab.post_message(CommandOutput("\x1b[31mUnable to find image\x1b[0m\n"))
        lab.post_message(CommandEnded(line, 125))
        await settle(pilot)
        seen = text(lab)
        assert "exit 125" in seen and "│ Unable to find image" in seen

    run(story, lab, (80, 24))


def test_next_says_what_is_missing_and_then_goes_on_without(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("n", "n")
        await settle(pilot)
        assert "Not yet:" in text(lab) and lab.screen.stepper.index == 1
        await pilot.press("n")
        assert lab.screen.stepper.index == 2

    run(story, lab, (80, 24))


def test_a_locked_prediction_takes_the_notice_away(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("n", "n")
        await settle(pilot)
        assert "Not yet:" in text(lab)
        await pilot.press("2", "enter")
        await settle(pilot)
        assert "✔ locked" in text(lab) and "Not yet:" not in text(lab)

    run(story, lab, (80, 24))


def test_a_burst_of_keys_and_a_paste_reach_the_answer(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("n", "enter", "n", "n", "n")
        await settle(pilot)
        entry = lab.screen.query_one("#answer")
        for number in (5, 0, 3):
            lab.screen.action_digit(number)
        await settle(pilot)
        assert entry.value == "503"
        await pilot.press("escape")
        entry.value = ""
        lab.post_message(events.Paste("50331648\n"))
        await settle(pilot)
        assert entry.value == "50331648" and entry.has_focus

    run(story, lab, (80, 24))


def test_a_hint_and_a_reset_that_asks_first(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("n", "enter", "n", "h")
        await settle(pilot)
        assert "hint 1 of 3" in text(lab)
        await pilot.press("x")
        await settle(pilot)
        assert "x again resets this lesson" in text(lab)
        number = lab.screen.stepper._attempt.number
        await pilot.press("down", "x")
        await settle(pilot)
        assert "x again resets this lesson" in text(lab)
        assert lab.screen.stepper._attempt.number == number
        await pilot.press("x")
        await pilot.pause(0.3)
        assert lab.screen.stepper._attempt.number == number + 1
        assert "step 1 of" in text(lab)

    run(story, lab, (80, 24))


def test_a_reset_of_the_step_alone(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("n", "enter", "n", "h", "x")
        await settle(pilot)
        assert "s resets this step alone and destroys: nothing" in text(lab).replace("\n", " ")
        stepper = lab.screen.stepper
        number, index = stepper._attempt.number, stepper.index
        started = stepper._record.started_ns
        await pilot.press("s")
        await pilot.pause(0.3)
        assert (stepper._attempt.number, stepper.index) == (number, index)
        assert stepper._record.started_ns > started
        await pilot.press("s")
        assert not lab.screen.state.asking_reset

    run(story, lab, (80, 24))


def test_a_wrong_explanation_shows_the_right_one_and_is_locked(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        stepper = lab.screen.stepper
        while stepper.step.id != "explain":
            stepper.skip()
        lab.screen.enter_step()
        await pilot.press("3", "enter")
        await settle(pilot)
        assert "you said         3: " in text(lab)
        assert "it is            2: the group's" in text(lab)
        await pilot.press("n", "b")
        await settle(pilot)
        assert lab.screen.state.locked(stepper) == "memory"

    run(story, lab, (100, 40))


def test_a_wrong_answer_says_so_and_where_to_look(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        stepper = lab.screen.stepper
        while stepper.step.id != "signal":
            stepper.skip()
        lab.screen.enter_step()
        await pilot.press("enter", "5", "enter")
        await settle(pilot)
        assert "○ not that: you said 5; look again" in text(lab)

    run(story, lab, (100, 40))


def test_a_lesson_that_was_skipped_through_is_seen_at_home(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        stepper = lab.screen.stepper
        while stepper.step.id != "debrief":
            stepper.skip()
        stepper.next()
        await pilot.press("escape")
        await settle(pilot)
        assert "seen, 10 skipped" in text(lab)
        assert "0 of 1" in text(lab)

    run(story, lab, (100, 40))


def test_an_answer_is_typed_and_esc_leaves_the_line_not_the_lesson(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("n", "enter", "n", "n", "n")
        await settle(pilot)
        assert lab.screen.stepper.step.kind == "ask"
        await pilot.press("4", "2", "q")
        await settle(pilot)
        assert lab.screen.query_one("#answer").value == "42q"
        assert "esc back to the keys" in text(lab)
        await pilot.press("escape")
        assert isinstance(lab.screen, LessonScreen)
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(lab.screen, LessonScreen)

    run(story, lab, (80, 24))


@SIZES
def test_the_free_lab_lists_and_shows(lab, shown, size):
    async def story(pilot):
        await pilot.press("f")
        await settle(pilot, shown)
        seen = text(lab)
        assert "containers 1" in seen and "▸ ink" in seen and "✖ 137 OOM" in seen
        assert "oom_kill 1" in seen
        assert "d remove" in seen and "k kill" not in seen.splitlines()[-1].lower()
        await pilot.press("slash", "z")
        await settle(pilot)
        assert "no container of that name" in text(lab)
        await pilot.press("escape")
        await settle(pilot)
        assert "▸ ink" in text(lab)
        await pilot.press("d")
        await settle(pilot)
        assert "d again destroys ink" in text(lab)

    run(story, lab, size)


def test_n_takes_a_docker_line(lab, shown, monkeypatch):
    ran: list[list[str]] = []
    monkeypatch.setattr(lab.commands, "run", lambda lines: ran.append(list(lines)) or True)

    async def story(pilot):
        await pilot.press("f", "n")
        await settle(pilot)
        assert isinstance(lab.screen, FreeScreen)
        entry = lab.screen.query_one("#entry")
        assert entry.value.startswith("docker run")
        entry.value = "run --name x lab/base true"
        await pilot.press("enter")
        assert ran == [["docker run --name x lab/base true"]]

    run(story, lab, (80, 24))


def many(shown: Snapshot, count: int = 12) -> Snapshot:
    """A host with that many containers, `ink` the newest."""
    rows = tuple(Row(f"{at:064x}", f"c{at}", "lab/base", "sleep 600") for at in range(count - 1))
    return replace(shown, containers=(*shown.containers, *rows))


def test_a_full_list_pushes_neither_the_line_nor_the_words_out(lab, shown):
    async def story(pilot):
        await pilot.press("f")
        await settle(pilot, many(shown))
        await pilot.press("n")
        await settle(pilot, many(shown))
        assert "docker run -d --name tea lab/base sleep 600" in text(lab)
        await pilot.press("escape")
        await pilot.press("d")
        await settle(pilot)
        assert "d again destroys ink" in text(lab)

    run(story, lab, (80, 24))


def test_the_line_begins_with_a_free_name_and_the_cursor_at_its_end(lab, shown):
    taken = replace(shown, containers=(*shown.containers, Row("b" * 64, "tea")))

    async def story(pilot):
        await pilot.press("f")
        await settle(pilot, taken)
        await pilot.press("n")
        await settle(pilot)
        entry = lab.screen.query_one("#entry")
        assert "--name elm" in entry.value
        await pilot.press("1")
        assert entry.value.endswith("sleep 6001")

    run(story, lab, (80, 24))


def test_an_error_is_said_whole_and_its_advice_after_it(lab, shown):
    error = ('docker: Error response from daemon: Conflict. The container name "/tea" is already '
             f'in use by container "{"f" * 64}".\n\n'
             "Run 'docker run --help' for more information\n")

    async def story(pilot):
        await pilot.press("f")
        await settle(pilot, shown)
        lab.post_message(CommandStarted("docker run --name tea lab/base"))
        lab.post_message(CommandOutput(error))
        lab.post_message(CommandEnded("docker run --name tea lab/base", 125))
        await settle(pilot)
        seen = " ".join(text(lab).split())
        assert "exit 125" in seen and "Conflict. The container name" in seen
        assert "for more information" in seen

    run(story, lab, (80, 24))


def test_every_row_of_an_output_can_be_read(lab, shown):
    async def story(pilot):
        await pilot.press("f")
        await settle(pilot, shown)
        lab.post_message(CommandStarted("docker ps"))
        lab.post_message(CommandOutput("CONTAINER ID   IMAGE\none   lab/base\n"))
        lab.post_message(CommandOutput("two   lab/base\n"))
        lab.post_message(CommandEnded("docker ps", 0))
        await settle(pilot)
        seen = text(lab)
        assert "CONTAINER ID   IMAGE" in seen and " one " in seen and " two " in seen
        await pilot.press("escape")
        await settle(pilot)
        assert "CONTAINER ID" not in text(lab) and isinstance(lab.screen, FreeScreen)

    run(story, lab, (80, 24))


def test_a_zoomed_pane_has_the_arrows(lab, shown):
    async def story(pilot):
        await pilot.press("f")
        await settle(pilot, many(shown))
        await pilot.press("z", "down", "down")
        await settle(pilot, many(shown))
        assert "▸cpu.stat" in text(lab) and lab.screen.chosen == "ink"
        await pilot.press("escape", "down")
        await settle(pilot)
        assert lab.screen.chosen == "c0"

    run(story, lab, (80, 24))


def test_a_filter_moves_the_panes_with_the_list(lab, shown):
    async def story(pilot):
        await pilot.press("f")
        await settle(pilot, many(shown))
        assert lab.sampler.looks[-1][0] == "ink"
        await pilot.press("slash", "c", "3")
        await settle(pilot)
        assert lab.sampler.looks[-1][0] == "c3"

    run(story, lab, (80, 24))


def test_what_is_to_be_destroyed_is_the_container_that_was_named(lab, shown, monkeypatch):
    ran: list[list[str]] = []
    monkeypatch.setattr(lab.commands, "run", lambda lines: ran.append(list(lines)) or True)
    full = many(shown)
    gone = replace(full, containers=full.containers[1:], shown=None)
    other = replace(full.containers[0], id="e" * 64)
    again = replace(gone, containers=(other, *gone.containers))

    async def story(pilot):
        await pilot.press("f")
        await settle(pilot, full)
        await pilot.press("d")
        await settle(pilot, gone)
        assert "ink is gone already" in text(lab)
        await pilot.press("d")
        await settle(pilot, again)
        assert not ran
        await pilot.press("escape", "up", "d")
        await settle(pilot, again)
        await pilot.press("k", "d")
        assert not ran
        await pilot.press("d")
        assert len(ran) == 1

    run(story, lab, (80, 24))


def test_home_says_what_comes_next(lab, shown):
    async def story(pilot):
        await settle(pilot, shown)
        await pilot.press("down")
        await settle(pilot)
        assert "Begin with the first lesson: c." in text(lab)
        first = lab.screen.lessons[0]
        state = lab.progress.state
        lab.progress.state = lambda one: "done" if one == first.id else state(one)
        lab.screen.paint()
        await settle(pilot)
        assert f"Next: {lab.screen.lessons[1].title}: c." in text(lab)
        lab.progress.state = lambda one: "done"
        lab.screen.paint()
        await settle(pilot)
        assert "Every lesson is done." in text(lab) and "Begin" not in text(lab)

    run(story, lab, (80, 24))


@pytest.mark.parametrize("size", [(20, 5), (59, 24), (80, 17)])
def test_a_terminal_too_small_says_what_it_needs(lab, shown, size):
    async def story(pilot):
        await settle(pilot, shown)
        seen = " ".join(text(lab).split())
        assert "needs 60×18" in seen and f"{size[0]}×{size[1]}" in seen
        await pilot.resize_terminal(80, 24)
        await settle(pilot, shown)
        assert "container-lab" in text(lab) and "needs 60×18" not in text(lab)

    run(story, lab, size)


@pytest.mark.parametrize("screen", ["home", "free"])
def test_help_is_made_from_the_registry(lab, shown, screen):
    from lab.actions import for_screen

    async def story(pilot):
        if screen == "free":
            await pilot.press("f")
        await pilot.press("question_mark")
        await settle(pilot)
        seen = text(lab)
        assert for_screen(screen)[0].help in seen
        await pilot.press("escape")

    run(story, lab, (80, 40))


def test_both_themes_and_no_colour(lab, shown):
    async def story(pilot):
        await settle(pilot, shown)
        before = lab.theme
        await pilot.press("t")
        assert lab.theme != before
        await settle(pilot)
        assert "root · Linux" in text(lab)

    run(story, lab, (80, 24))


def test_no_colour_means_the_terminals_own_two(engine, tmp_path, monkeypatch, shown):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(Lab, "examine", lambda self: None)
    root = str(tmp_path)
    lab = Lab(engine, Recording({}), root, Course.load(), Progress.load(root),
              look_with=StillSampler)

    async def story(pilot):
        await open_limits(pilot, shown)
        segments = [segment for row in lab.screen._compositor.render_strips()
                    for segment in row.apply_filter(lab.get_line_filters()[0], Color(0, 0, 0))]
        colours = {part.name for segment in segments if segment.style
                   for part in (segment.style.color, segment.style.bgcolor) if part}
        assert colours <= {"default"}
        oom = next(segment for segment in segments if "OOM" in segment.text)
        assert oom.style.reverse and oom.style.bold
        assert len(lab.get_line_filters()) == 1

    run(story, lab, (80, 24))


def test_ctrl_c_names_the_key_that_leaves(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await pilot.press("ctrl+c")
        await settle(pilot)
        assert "q goes back" in text(lab) and "ctrl+q" not in text(lab)

    run(story, lab, (80, 24))


def test_the_doctor_wraps_and_counts_what_is_below(lab, shown):
    kinds = [Item(kind, "ok", "can be made", group="namespaces") for kind in ("mnt", "pid")]
    long = Item("root", "ok", "you are root (uid 0), without SYS_RESOURCE: hard limits cannot be "
                              "raised by anything that runs in here")
    rows = [row.text for row in doctor_lines(SimpleNamespace(items=[long, *kinds]), [], 79)]
    assert all(len(row) <= 79 for row in rows)
    assert " ✔ namespaces     mnt pid: can be made" in rows
    assert rows[2].startswith(" " * 18) and rows[2].strip()

    async def story(pilot):
        await settle(pilot, shown)
        items = [replace(long, name=f"item {number}") for number in range(20)]
        lab.report = SimpleNamespace(items=items, unmet=lambda requires: [])
        await pilot.press("d")
        await settle(pilot)
        assert "more rows below" in text(lab)

    run(story, lab, (80, 24))


def test_an_end_with_0_has_one_sign_in_the_list_and_the_title(lab, shown):
    ended = replace(shown.shown.row, exit_code=0, oom_killed=False)
    now = replace(shown, containers=(ended,), shown=replace(shown.shown, row=ended))

    async def story(pilot):
        await pilot.press("f")
        await settle(pilot, now)
        assert text(lab).count("✔ EXIT 0") == 2

    run(story, lab, (80, 24))


def test_a_snapshot_that_comes_too_early_or_too_late_breaks_nothing(lab, shown):
    async def story(pilot):
        screen = FreeScreen()
        pushed = lab.push_screen(screen)
        lab.on_sampled(Sampled(shown))
        await pushed
        await settle(pilot, shown)
        lab.post_message(Sampled(shown))
        await screen.remove_children()
        lab.on_sampled(Sampled(shown))
        assert lab.failure == ""

    run(story, lab, (80, 24))


def test_only_what_is_seen_is_read(lab, shown):
    async def story(pilot):
        await open_limits(pilot, shown)
        await settle(pilot)
        assert lab.sampler.looks[-1][1] == frozenset({"usage"})
        await pilot.press("3")
        await settle(pilot)
        assert lab.sampler.looks[-1][1] == frozenset({"mounts", "changes", "effects"})

    run(story, lab, (80, 24))
