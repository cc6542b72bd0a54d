"""What a student made by hand in /tmp: a reset removes it, and nothing else."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.course import leaves
from lab.course.attempt import Attempt
from lab.course.loader import load_lesson
from runtime.errors import Invalid
from runtime.inspect.source import Live

TOML = """format = 1
id = "made-up"
level = "extra"
minutes = 3
teaches = []
needs = []
leaves = {leaves}
[vars]
name = {{ pick = ["tea"] }}
file = {{ value = "{file}" }}
[[step]]
id = "room"
kind = "read"
"""


@pytest.fixture
def place():
    path = Path("/tmp") / f"leaves-{uuid.uuid4().hex[:8]}"
    yield path
    subprocess.run(["rm", "-rf", str(path)], check=True)


@pytest.fixture
def lesson(place):
    return SimpleNamespace(leaves=("$place",))


@pytest.fixture
def attempt(lesson, place):
    chosen = {"place": str(place)}
    return Attempt("made-up", 1, time.time_ns() - 10**8, chosen,
                   found=leaves.found_before(lesson, chosen))


def load(tmp_path, listed, file="/tmp/$name.json"):
    (tmp_path / "lesson.toml").write_text(TOML.format(leaves=listed, file=file))
    (tmp_path / "text.en.md").write_text("# Title\n> Why?\n## step: room\nWords.\n")
    return load_lesson(str(tmp_path))


def test_a_lesson_names_what_it_leaves(tmp_path):
    lesson = load(tmp_path, '["/tmp/$name-data", "$file"]')
    assert leaves.paths(lesson, {"name": "tea", "file": "/tmp/tea.json"}) == [
        "/tmp/tea-data", "/tmp/tea.json"]


@pytest.mark.parametrize(("listed", "file", "words"), [
    ('["/tmp/data"]', "x", "with a variable in it"), ('["/etc/$name"]', "x", "should be in /tmp"),
    ('["$file"]', "/etc/$name", "should be in /tmp"), ('["/tmp/../$name"]', "x", "in /tmp"),
    ('["/tmp/$nmae"]', "x", 'unknown variable \\$nmae \\(did you mean "name"'),
])
def test_only_what_is_the_students_own_may_be_named(tmp_path, listed, file, words):
    with pytest.raises(Invalid, match=words):
        load(tmp_path, listed, file)


def test_what_was_made_is_removed_with_all_that_is_in_it(lesson, attempt, place):
    assert leaves.left(lesson, attempt) == []
    (place / "work" / "deep").mkdir(parents=True)
    (place / "file").write_text("hi")
    assert leaves.left(lesson, attempt) == [str(place)]
    assert leaves.describe(str(place)) == f"{place}, with all that is in it"
    assert leaves.clear([str(place)], Live()) == [f"removed {place}"]
    assert not place.exists()


def test_what_was_there_before_stays(lesson, place):
    place.mkdir()
    chosen = {"place": str(place)}
    attempt = Attempt("made-up", 1, time.time_ns() - 10**8, chosen,
                      found=leaves.found_before(lesson, chosen))
    (place / "file").write_text("hi")
    assert leaves.left(lesson, attempt) == []


def test_a_step_takes_what_was_made_in_it(lesson, attempt, place):
    place.write_text("hi")
    assert leaves.left(lesson, attempt, time.time_ns() + 10**9) == []
    assert leaves.left(lesson, attempt, time.time_ns() - 10**9) == [str(place)]


def test_a_link_is_removed_and_not_what_it_leads_to(lesson, attempt, place, tmp_path):
    (tmp_path / "kept").write_text("hi")
    place.symlink_to(tmp_path)
    assert leaves.left(lesson, attempt) == [str(place)]
    leaves.clear([str(place)], Live())
    assert not place.is_symlink() and (tmp_path / "kept").read_text() == "hi"


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_mounts_below_are_let_go_of_first(lesson, attempt, place, tmp_path):
    (tmp_path / "kept").write_text("hi")
    inner = place / "root"
    inner.mkdir(parents=True)
    subprocess.run(["mount", "--bind", str(tmp_path), str(inner)], check=True)
    leaves.clear(leaves.left(lesson, attempt), Live())
    assert not place.exists() and (tmp_path / "kept").read_text() == "hi"
    assert str(place) not in Path("/proc/self/mountinfo").read_text()
