"""The lesson command: lists, JSON, exit codes, and one line for whatever is wrong."""

from __future__ import annotations

import json

import pytest

from lab.course import cli, session
from lab.course.loader import Course
from lab.course.progress import Progress


@pytest.fixture
def lesson(tmp_path, capsys, monkeypatch):
    """Run the command in a lab of its own: (exit code, stdout, stderr)."""
    monkeypatch.delenv("CONTAINER_LAB_ROOT", raising=False)

    def run(*arguments):
        code = cli.main(list(arguments), str(tmp_path))
        return code, *capsys.readouterr()
    return run


def test_list_as_json_has_what_a_program_needs(lesson):
    code, out, err = lesson("list", "--json")
    rows = json.loads(out)
    assert (code, err) == (0, "")
    assert rows[0]["id"] == "tour"
    assert {"just-a-process", "throttled-and-killed", "copy-up"} <= {row["id"] for row in rows}
    for row in rows:
        assert {"id", "level", "track", "minutes", "state"} <= set(row)
        assert (row["level"], row["state"]) == ("core", "new")
        assert 3 <= row["minutes"] <= 12


def test_list_for_people(lesson):
    code, out, _ = lesson("list")
    assert out.startswith("1 Orientation\n  1·1 tour: ")
    assert "3·1 throttled-and-killed: Throttled, and killed (12 min, core, new)" in out


def test_a_lesson_by_commands_alone(lesson, tmp_path):
    assert lesson("show", "3.1")[1].startswith("3·1 Throttled, and killed, step 1 of 12: room")
    code, out, _ = lesson("check")
    assert (code, out) == (0, "\nNext: step 2 of 12, "
                              "container-lab lesson show throttled-and-killed\n")
    code, out, _ = lesson("check")
    assert code == 1
    assert "waits for your answer" in out
    code, out, _ = lesson("check", "3.1", "3", "--sure", "fairly")
    assert code == 0
    assert "Locked." in out
    code, out, _ = lesson("check", "--json")
    data = json.loads(out)
    assert (code, data["step"], data["passed"]) == (1, "throttle", False)
    assert [result["passed"] for result in data["results"]] == [False] * 3
    assert data["commands"][0].startswith("docker run -d --name ")
    assert lesson("hint")[1].startswith("hint 1 of 3: Docker's flag")
    assert [lesson("hint")[0] for _ in range(3)] == [0, 0, 1]
    assert Progress.load(str(tmp_path)).state("throttled-and-killed") == "open"
    assert lesson("reset")[0] == 0
    assert Progress.load(str(tmp_path)).state("throttled-and-killed") == "new"


def test_another_step_can_be_shown(lesson):
    code, out, _ = lesson("show", "copy-up", "--step", "device", "--json")
    assert json.loads(out)["id"] == "copy-up"
    assert "UpperDir" in json.loads(out)["text"]
    assert lesson("show", "copy-up", "--step", "nine")[0] == 1


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["run", "copyup"], 1, 'no such lesson: copyup (did you mean "copy-up"?)'),
    (["show"], 2, "which lesson?"),
    (["dance"], 2, "invalid choice: 'dance'"),
    ([], 2, "COMMAND"),
    (["list", "--colour"], 2, "unrecognized arguments: --colour"),
    (["check", "3.1", "nonsense"], 1, "step room asks no question"),
    (["lint", "/nowhere"], 1, ""),
])
def test_mistakes_are_one_line_and_an_exit_code(lesson, arguments, code, words):
    given, out, err = lesson(*arguments)
    assert given == code
    assert words in err
    assert err.count("\n") <= 1
    assert "Traceback" not in out + err


def test_lint(lesson, course_copy):
    assert lesson("lint")[:2] == (0, "the course reads well\n")
    toml = course_copy / "30-limits/throttled-and-killed/lesson.toml"
    toml.write_text(toml.read_text().replace("check = [", "chek = [", 1))
    code, out, _ = lesson("lint", str(course_copy))
    assert code == 1
    assert out == ("lessons/30-limits/throttled-and-killed/lesson.toml: step throttle: "
                   'unknown key "chek" (did you mean "check"?)\n')


def test_damaged_progress_is_one_line_and_the_command_goes_on(lesson, tmp_path):
    (tmp_path / "progress").mkdir()
    (tmp_path / "progress" / "progress.json").write_text('{"format": 1, "les')
    code, out, err = lesson("list")
    assert code == 0
    assert "copy-up" in out
    assert err.count("\n") == 1
    assert "was damaged and is set aside as" in err


def test_a_step_without_hints_says_so(lesson):
    lesson("check", "3.1")
    code, out, _ = lesson("hint")
    assert (code, out) == (1, "This step has no hints.\n")


def test_a_wrong_answer_says_where_to_look(lesson):
    lesson("check", "1.3")
    code, out, _ = lesson("check", "1.3", "5")
    assert code == 1
    assert out.startswith("Not that: you said 5; read it at /proc/self/ns/pid.\n")
    data = json.loads(lesson("check", "1.3", "5", "--json")[1])
    assert data["results"][-1]["sentence"] == (
        "not that: you said 5; read it at /proc/self/ns/pid")


def test_a_wrong_explanation_says_the_right_one(lesson, tmp_path):
    at_step(tmp_path, "throttled-and-killed", "explain")
    code, out, _ = lesson("check", "3.1", "3")
    assert code == 0
    assert out.startswith("You said: 3: docker stats shows that memory was nearly full. "
                          "It is: 2: the group's oom_kill counter")


def test_a_lesson_that_was_skipped_through_is_seen_not_done(lesson, tmp_path):
    at_step(tmp_path, "throttled-and-killed", "debrief")
    assert "The end of Throttled, and killed. 10 of" in lesson("check", "3.1")[1]
    assert "(12 min, core, seen, 10 skipped)" in lesson("list")[1]
    row = next(one for one in json.loads(lesson("list", "--json")[1])
               if one["id"] == "throttled-and-killed")
    assert (row["state"], row["skipped"]) == ("seen", 10)


def at_step(tmp_path, lesson_id, step_id):
    """Skip ahead, as a student does who only reads."""
    stepper = session.Session(str(tmp_path), False).stepper(Course.load().lesson(lesson_id))
    while stepper.step.id != step_id:
        stepper.skip()


def test_a_reset_is_refused_in_json_too(lesson, monkeypatch):
    lesson("check", "3.1")
    monkeypatch.setattr(session.Stepper, "preview_reset", lambda *_: ["container ink (exited): …"])
    code, out, err = lesson("reset", "--json")
    assert (code, err) == (1, "")
    assert json.loads(out) == {"reset": [], "scope": "lesson", "removed": [],
                               "would_remove": ["container ink (exited): …"]}


def test_standard_input_that_is_closed_is_one_line(lesson, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    code, _, err = lesson("run", "1.3")
    assert (code, err.count("\n")) == (1, 1)
    assert "standard input is closed" in err
    assert lesson("reset", "1.3", "--yes")[0] == 0


def test_a_state_that_may_not_be_read_is_one_line(lesson, monkeypatch):
    def denied(*_args, **_more):
        raise PermissionError(13, "Permission denied", "/var/lib/container-lab/containers")

    monkeypatch.setattr(session.Stepper, "check", denied)
    code, _, err = lesson("check", "3.1")
    assert (code, err) == (1, "container-lab: use /var/lib/container-lab/containers: permission "
                              "denied (sudo, or --root DIR for a lab of your own)\n")


def test_help_is_no_mistake(lesson):
    code, out, _ = lesson("--help")
    assert code == 0
    assert "reset" in out
