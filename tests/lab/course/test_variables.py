"""The values of an attempt: the same for a student, different for the neighbour, never a clash."""

from __future__ import annotations

from lab.course.variables import choose

MADE = {"name": {"pick": ["ink", "tea", "elm"]}, "twin": {"value": "$name-2"},
        "limit": {"pick": ["32m", "48m"]}, "code": {"int": [3, 60]}}


def test_one_seed_gives_one_set_of_values():
    chosen = choose(MADE, "student/lesson/1")
    assert chosen == choose(MADE, "student/lesson/1")
    assert chosen["twin"] == chosen["name"] + "-2"
    assert 3 <= int(chosen["code"]) <= 60


def test_students_get_different_values():
    assert len({tuple(choose(MADE, f"{who}/lesson/1").values()) for who in range(20)}) > 3


def test_a_name_that_is_taken_is_passed_over():
    for seed in range(20):
        assert choose(MADE, str(seed), ["name"], {"ink", "tea"})["name"] == "elm"
    assert choose(MADE, "x", ["name"], {"ink", "tea", "elm"})["name"][-1] == "2"


def test_only_names_avoid_what_is_taken():
    assert choose(MADE, "x", ["name"], {"32m", "48m"})["limit"] in ("32m", "48m")
