"""Progress survives: crashes, cut files, full disks, two writers; and its story cannot be bent."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from lab.course import progress as progress_module
from lab.course.attempt import Attempt, Record
from lab.course.progress import Progress, folder, verify


@pytest.fixture
def root(tmp_path):
    return str(tmp_path)


def attempt(lesson="oom", **more) -> Attempt:
    return Attempt(lesson, 1, 7, {"name": "ink"}, **more)


def begun(root) -> Progress:
    """A student in the middle of one lesson, with the other one done."""
    progress = Progress.load(root)
    first = attempt("copy")
    progress.tell(first, "", "began", vars=first.vars)
    first.finished = True
    progress.keep(first)
    progress.tell(first, "end", "finished")
    second = attempt("oom", index=2)
    progress.tell(second, "", "began", vars=second.vars)
    second.steps["guess"] = Record(5, True, prediction="killed", sure="sure")
    progress.tell(second, "guess", "predicted", option="killed", sure="sure")
    progress.tell(second, "guess", "passed", next=2)
    progress.keep(second)
    return progress


def test_a_new_student_has_a_new_id_and_nothing_done(root):
    progress = Progress.load(root)
    assert progress.student
    assert progress.state("oom") == "new"
    assert (progress.last(), progress.attempt("oom"), progress.step("oom")) == (None, None, 0)


def test_what_was_kept_is_there_again(root):
    student = begun(root).student
    progress = Progress.load(root)
    assert progress.student == student
    assert progress.state("oom") == "open"
    assert progress.state("copy") == "done"
    assert progress.step("oom") == 2
    assert progress.last() == "oom"
    assert progress.attempt("oom").steps["guess"].prediction == "killed"


def test_the_end_with_steps_skipped_is_seen_and_done_once_they_are_passed(root):
    progress = Progress.load(root)
    first = attempt("copy", finished=True)
    first.steps = {"guess": Record(5, True, prediction="x"), "run": Record(6, skipped=True)}
    progress.tell(first, "", "began", vars=first.vars)
    progress.tell(first, "guess", "passed", next=1)
    progress.tell(first, "run", "skipped", next=1)
    progress.tell(first, "run", "finished")
    progress.keep(first)
    assert (progress.state("copy"), progress.skipped("copy")) == ("seen", 1)
    (folder(root) / "progress.json").unlink()
    again = Progress.load(root)
    assert (again.state("copy"), again.skipped("copy")) == ("seen", 1)
    first.steps["run"].passed = True
    again.keep(first)
    assert (again.state("copy"), again.skipped("copy")) == ("done", 0)


def test_done_stays_done_when_it_is_played_again(root):
    progress = begun(root)
    progress.keep(attempt("copy"))
    assert Progress.load(root).state("copy") == "done"


@pytest.mark.parametrize("cut", ["", "{", '{"format": 1, "lessons": {"oom"', "[]", "null",
                                 '{"format": 1, "student": "x", "lessons": {"a": 5}}',
                                 '{"format": 99, "student": "x", "lessons": {}}'])
def test_a_damaged_file_is_set_aside_and_rebuilt_from_the_story(root, cut):
    student = begun(root).student
    path = folder(root) / "progress.json"
    path.write_text(cut)
    progress = Progress.load(root)
    assert "\n" not in progress.notice
    assert f"{path}.damaged-1" in progress.notice
    assert (path.parent / "progress.json.damaged-1").read_text() == cut
    assert progress.student == student
    assert progress.state("copy") == "done"
    assert progress.state("oom") == "open"
    assert progress.step("oom") == 2
    assert progress.attempt("oom").vars == {"name": "ink"}
    progress.keep(progress.attempt("oom"))
    assert Progress.load(root).notice == ""


def test_a_second_damage_does_not_overwrite_the_first(root):
    begun(root)
    path = folder(root) / "progress.json"
    for number in (1, 2):
        path.write_text(f"cut {number}")
        Progress.load(root)
    assert (path.parent / "progress.json.damaged-1").read_text() == "cut 1"
    assert (path.parent / "progress.json.damaged-2").read_text() == "cut 2"


def test_a_damaged_file_without_a_story_says_so(root):
    folder(root).mkdir()
    (folder(root) / "progress.json").write_text("{")
    assert "no story to rebuild it from" in Progress.load(root).notice


def test_the_story_is_chained_and_whole(root):
    begun(root)
    lines = [json.loads(line) for line in open(folder(root) / "attempts.jsonl")]
    assert [line["what"] for line in lines] == ["began", "finished", "began", "predicted",
                                                "passed"]
    assert all(after["previous"] == before["hash"]
               for before, after in zip(lines, lines[1:], strict=False))
    assert verify(folder(root)) == []


def test_a_changed_or_missing_line_is_noticed(root):
    begun(root)
    path = folder(root) / "attempts.jsonl"
    whole = path.read_text()
    path.write_text(whole.replace('"killed"', '"slow"'))
    assert verify(folder(root)) == ["attempts.jsonl:4: changed after it was written"]
    lines = whole.splitlines(keepends=True)
    path.write_text("".join(lines[:1] + lines[2:]))
    assert verify(folder(root)) == [
        "attempts.jsonl:2: a line before it is missing or changed"]


def test_a_line_cut_by_a_crash_keeps_the_others_and_the_chain(root):
    progress = begun(root)
    path = folder(root) / "attempts.jsonl"
    with open(path, "a") as file:
        file.write('{"time_ns": 5, "lesson": "oo')
    progress.tell(attempt(), "run", "hint", number=1)
    assert verify(folder(root)) == ["attempts.jsonl:6: cut short"]
    assert path.read_text().count("\n") == 7
    assert Progress.load(root).step("oom") == 2


def test_a_full_disk_is_a_notice_and_the_old_state_stays(root, monkeypatch):
    progress = begun(root)

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(progress_module.documents, "write", full)
    progress.keep(attempt(index=3))
    assert progress.notice.endswith("no space left on device")
    assert Progress.load(root).step("oom") == 2


def test_two_programs_do_not_undo_each_other(root):
    first, second = Progress.load(root), Progress.load(root)
    first.keep(attempt("copy", index=1))
    second.keep(attempt("oom", index=2))
    assert Progress.load(root).step("copy") == 1
    assert Progress.load(root).step("oom") == 2


def test_the_program_may_be_killed_at_any_moment(root):
    code = ("import sys; from lab.course.progress import Progress\n"
            "from lab.course.attempt import Attempt\n"
            "progress = Progress.load(sys.argv[1])\n"
            "for index in range(10**6):\n"
            "    progress.keep(Attempt('oom', 1, 7, {}, index % 9))\n"
            "    progress.tell(Attempt('oom'), 'run', 'hint', number=index)\n")
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", code, root])
        deadline = time.monotonic() + 20
        story = folder(root) / "attempts.jsonl"
        size = story.stat().st_size if story.exists() else 0
        while not story.exists() or story.stat().st_size < size + 2000:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        writer.kill()
        writer.wait()
        progress = Progress.load(root)
        assert progress.notice == ""
        assert progress.attempt("oom") is not None
    assert [line for line in verify(folder(root)) if "cut short" not in line] == []


def test_where_it_is_kept(monkeypatch, tmp_path):
    monkeypatch.delenv("CONTAINER_LAB_ROOT", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert folder() == tmp_path / "container-lab"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder() == tmp_path / ".local/state/container-lab"
    monkeypatch.setenv("CONTAINER_LAB_ROOT", str(tmp_path / "root"))
    assert folder() == tmp_path / "root/progress"
    assert folder("/else") == progress_module.Path("/else/progress")


def test_a_file_that_cannot_be_read_is_a_notice(root):
    (folder(root) / "progress.json").mkdir(parents=True)
    assert "progress starts empty" in Progress.load(root).notice


def test_an_attempt_of_a_newer_version_is_read_as_far_as_known():
    data = attempt(index=1).to_data() | {"colour": "blue"}
    data["steps"] = {"run": {"passed": True, "mood": "good"}}
    again = Attempt.from_data(data)
    assert (again.index, again.steps["run"].passed) == (1, True)
