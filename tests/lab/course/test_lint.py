"""The course reads well; and what the linter finds when it does not."""

from __future__ import annotations

import pytest

from lab.course.lint import lint

LIMITS = "30-limits/throttled-and-killed"


def test_our_own_lessons_are_clean():
    assert lint() == []


@pytest.mark.parametrize(("path", "old", "new", "words"), [
    (f"{LIMITS}/lesson.toml", 'needs    = ["terminal"', 'needs    = ["magic"',
     'throttled-and-killed: needs "magic", which no lesson before it teaches'),
    (f"{LIMITS}/lesson.toml", '"cgroup-directory"', '"namespace"',
     'teaches "namespace", which is known already'),
    (f"{LIMITS}/lesson.toml", "minutes  = 12", "minutes  = 40", "40 minutes"),
    (f"{LIMITS}/text.en.md", "### hint 2\n`docker kill`, not",
     "### hint 2\nType docker kill $name, not", "step kill: hint 2 holds the solution"),
    (f"{LIMITS}/text.en.md", "### hint 1\n137 = 128 + ?", "### hint 1\n?",
     "step signal: hint 1 is empty"),
    (f"{LIMITS}/text.en.md", "`runtime/cgroup/stats.py:read_file`",
     "`runtime/cgroup/stats.py:read_fils`", "there is no read_fils in runtime/cgroup/stats.py"),
    (f"{LIMITS}/text.en.md", "Find out:\n", "Find out with $nmae:\n", "unknown variable $nmae"),
    (f"{LIMITS}/text.en.md", "Find out:\n", "Find out: " + "x" * 70 + "\n", "80 columns wide"),
    (f"{LIMITS}/text.en.md", "> Two containers", "Two", "text before the first step"),
    (f"{LIMITS}/lesson.toml", '{ container = "$name", state = "running", sticky = true }',
     '{ gone = "$name" }', "gone $name without a step before it that makes it"),
    ("30-limits/track.toml", 'lessons = ["throttled-and-killed"]', "lessons = []",
     "no track.toml lists it"),
    ("90-security/capabilities/lesson.toml", 'lacks = ["SYS_ADMIN", "SYS_TIME"]',
     'lacks = ["SYS_ADMN", "SYS_TIME"]', 'lacks "SYS_ADMN" (did you mean "SYS_ADMIN"?)'),
    ("40-lifecycle/states-and-signals/lesson.toml", 'field = "SigCgt", has = "TERM"',
     'field = "SigCgt", has = "TREM"', 'has "TREM" (did you mean "TERM"?)'),
    ("course.toml", "tracks = [", "trakcs = [", 'unknown key "trakcs"'),
])
def test_findings(course_copy, path, old, new, words):
    file = course_copy / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    assert any(words in finding for finding in lint(str(course_copy))), lint(str(course_copy))


def test_a_missing_reveal_and_missing_hints(course_copy):
    file = course_copy / LIMITS / "text.en.md"
    text = file.read_text()
    start = text.index("### reveal\nSIGKILL.")
    file.write_text(text[:start] + text[text.index("## step: guess-again"):])
    assert any("step signal: no reveal" in finding for finding in lint(str(course_copy)))


def test_every_finding_is_one_line(course_copy):
    (course_copy / LIMITS / "lesson.toml").write_text("format = 1\n")
    (finding,) = lint(str(course_copy))
    assert finding == f"lessons/{LIMITS}/lesson.toml: id is missing"
