"""What the loader accepts, and the one line it says about everything else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.course import loader, schema
from lab.course.loader import Course
from runtime.errors import Invalid, NotFound

LIMITS = "30-limits/throttled-and-killed"


def change(folder, path, old, new):
    file = folder / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def said(folder) -> str:
    with pytest.raises(Invalid) as caught:
        Course.load(folder=str(folder))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_real_course_loads_and_keeps_its_ids():
    course = Course.load()
    ids = [lesson.id for lesson in course.lessons()]
    known = ["tour", "doctor", "just-a-process", "uts", "pid", "mount", "cgroup",
             "throttled-and-killed", "states-and-signals", "copy-up"]
    assert [one for one in ids if one in known] == known
    numbers = [track.number for track in course.tracks]
    assert numbers == sorted(set(numbers)) and numbers[0] == 1
    lesson = course.lesson("3.1")
    assert lesson is course.lesson("3·1") is course.lesson("throttled-and-killed")
    step = lesson.step("run")
    assert "docker run --name ink-hog --memory 48m" in step.text({"eater": "ink-hog",
                                                                  "limit": "48m"})
    assert [key for key, _ in lesson.step("guess-memory").options] == [
        "error", "killed", "slow", "fine"]


def test_an_unknown_lesson_names_the_near_one():
    with pytest.raises(NotFound, match='did you mean "copy-up"'):
        Course.load().lesson("copyup")


@pytest.mark.parametrize(("old", "new", "words"), [
    ("check = [", "chek = [", 'lesson.toml: step throttle: unknown key "chek" '
                              '(did you mean "check"?)'),
    ("kind  = \"do\"", "kind  = \"doo\"", 'kind "doo" (did you mean "do"?)'),
    ("minutes  = 12", "minutes  = \"12\"", "minutes = '12': should be a whole number"),
    ("minutes  = 12\n", "", "minutes is missing"),
    ("sure    = true", "sure    = 1", "sure = 1: should be true or false"),
    ("{ container = \"$name\", state = \"running\", sticky = true }",
     "{ contaner = \"$name\", state = \"running\" }",
     'unknown predicate "contaner" (did you mean "container"?)'),
    ("state = \"running\", sticky", "state = \"runing\", sticky",
     'state = "runing" (did you mean "running"?)'),
    ("key = \"nr_throttled\", delta_ge = 5", "key = \"nr_throttled\", delta_gt = 5",
     'cgroup: unknown key "delta_gt" (did you mean "delta_ge"?)'),
    ("within = \"30s\"", "within = \"30\"", "should be a time such as"),
    ("eq = \"$limit\"", "eq = \"$limits\"", 'unknown variable $limits (did you mean "limit"?)'),
    ("needs = [\"guess-cpu\"]", "needs = [\"guess-gpu\"]",
     '"guess-gpu" is no step before it (did you mean "guess-cpu"?)'),
    ("at = \"throttle\"", "at = \"kill\"", '"kill" is no step before it'),
    ("requires = [\"cgroup:cpu\"", "requires = [\"cgroup:cpus\"", 'requires "cgroup:cpus"'),
    ("level    = \"core\"", "level    = \"easy\"", 'level "easy"'),
    ("answer  = \"stopgo\"", "answer  = \"stop\"", 'answer "stop" (did you mean "stopgo"?)'),
    ("id   = \"room\"", "id   = \"debrief\"", "step"),
    ("hints = 3", "hints = 4", "3 hints, lesson.toml says 4"),
    ("say = \"nolimit\"", "say = \"nolimits\"", 'say "nolimit" is missing in lesson.toml'),
    ("value = \"$name-hog\"", "valeu = \"$name-hog\"", 'unknown key "valeu"'),
    ("[vars]", "[vars", "lesson.toml: "),
    ("format   = 1", "format   = 9", "format 9 (this program reads 1)"),
])
def test_a_wrong_lesson_toml_is_one_clear_line(course_copy, old, new, words):
    change(course_copy, f"{LIMITS}/lesson.toml", old, new)
    message = said(course_copy)
    assert message.startswith(f"lessons/{LIMITS}/")
    assert words in message


@pytest.mark.parametrize(("old", "new", "words"), [
    ("## step: room", "## step: rom", "section ## step: room is missing"),
    ("### hint 1", "### hint one", "unknown heading '### hint one'"),
    ("### hint 2", "### hint 3", "hint 3 stands twice in this step"),
    ("### say: nolimit", "### say: limitless", 'say "limitless" is missing in lesson.toml'),
    ("- slow: it runs", "- slowly: it runs", "are not those of lesson.toml"),
    ("# Throttled, and killed", "Throttled, and killed", "text before the first step"),
])
def test_wrong_prose_is_one_clear_line(course_copy, old, new, words):
    change(course_copy, f"{LIMITS}/text.en.md", old, new)
    message = said(course_copy)
    assert words in message
    assert message.startswith(f"lessons/{LIMITS}/")


def test_missing_files_are_named(course_copy):
    (course_copy / LIMITS / "text.en.md").unlink()
    assert said(course_copy) == f"lessons/{LIMITS}/text.en.md: no such file or directory"
    (course_copy / "course.toml").unlink()
    assert said(course_copy) == "lessons/course.toml: no such file or directory"


def test_another_language_that_is_not_there_is_named(course_copy):
    with pytest.raises(Invalid, match="has no words for 'ru'"):
        Course.load("ru", str(course_copy))


def test_a_file_that_is_no_text_is_named(course_copy):
    (course_copy / LIMITS / "text.en.md").write_bytes(b"\xff\xfe\x00")
    assert said(course_copy) == f"lessons/{LIMITS}/text.en.md: not UTF-8"


def test_the_authors_table_names_every_predicate_and_its_words():
    """lessons/README.md is what an author reads; schema.py is what the loader accepts."""
    table = (Path(loader.default_folder()) / "README.md").read_text().split("## Checks")[1]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE))
    for name, words in schema.PREDICATES.items():
        if name not in ("event", "predicted", "answer", "value"):
            assert set(re.findall(r"`(\w+)`", rows[name])) == set(words) - {name}, name
    for word in (*schema.COMBINATORS, *schema.MODIFIER, "predicted", "event", "value"):
        assert f"`{word}" in table
