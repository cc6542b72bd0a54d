"""The verdict on made-up rows: ratios, goals, and no judgement on a busy host."""

from __future__ import annotations

from tests.benchmarks.contestants import COMMAND, NEWER_CRUN, RUN, WARM
from tests.benchmarks.rounds import Host, Row
from tests.benchmarks.verdict import find, judge, paired, sentence, table

QUIET, BUSY, CROWDED = Host(0.3, 0.1), Host(2.5, 0.1), Host(0.2, 1.4)


def row(name: str, bundle: str, *times: float) -> Row:
    return Row(name, bundle, lambda n: None, times=list(times), cpu=list(times))


ROWS = [
    row("crun", "D", 30, 34, 38), row("runc", "D", 40, 45, 50), row("crun", "P", 10, 12, 14),
    row("runc", "P", 30, 33, 36), row(WARM, "D", 9, 10, 11), row(WARM, "P", 14, 15, 16),
    row(COMMAND, "D", 19, 20, 21), row(COMMAND, "P", 19, 20, 21),
]


def test_the_sentence_has_the_numbers_and_the_goals() -> None:
    said = sentence(ROWS, QUIET)
    assert "warm with seccomp 10.0 ms = 0.29 x crun (goal 0.4)" in said
    assert "by command line without 20.0 ms = 0.61 x runc (goal 0.9)" in said
    assert "warm without 15.0 ms = 1.25 x crun (goal 1.0)" in said
    assert said.endswith("1 missed at a load of 0.3.")
    assert "\n" not in said


def test_a_busy_host_is_not_judged() -> None:
    for host, load in ((BUSY, "2.5"), (CROWDED, "1.4")):
        assert sentence(ROWS, host).endswith(f"not judged at a load of {load}.")
        assert judge(0.1, 0.4, host) == "not judged above a load of 1"
        assert not any("met" in line or "MISSED" in line for line in table(ROWS, [], host))


def test_a_newer_crun_adds_a_goal() -> None:
    assert NEWER_CRUN not in sentence(ROWS, QUIET)
    rows = [*ROWS, row(NEWER_CRUN, "D", 9.5, 10.5, 12)]
    assert f"warm with seccomp 10.0 ms = 0.95 x {NEWER_CRUN} (goal 1.0)" in sentence(rows, QUIET)


def test_missing_rows_are_said() -> None:
    rows = [each for each in ROWS if each.name not in (COMMAND, "crun")]
    rows.append(row(RUN, "lab", 27, 27, 27))
    said = sentence(rows, QUIET)
    assert "by container-lab run with seccomp 27.0 ms = 0.60 x runc (goal 0.6)" in said
    assert "warm with seccomp not timed" in said
    assert "left out: crun D: refused" in table(rows, ["crun D: refused"], QUIET)


def test_paired_ratios_are_of_the_same_round() -> None:
    ours, theirs = row("a", "D", 1, 2, 4), row("b", "D", 2, 4, 8)
    assert paired(ours, theirs) == (0.5, 0.5)
    assert ours.quartiles == (1.5, 3.0)
    assert find([ours, theirs], "b", "D") is theirs
    assert find([ours], "b", "D") is None
