"""What the race says: the table, the ratios against their goals, and the one last sentence.

Run by bench_start; pure functions from Rows to text. D is the bundle with Docker's seccomp profile,
P the same without: D flatters who keeps a compiled filter, P is the hard one. Ratios are of the
medians; the range behind is the quartiles of the rounds' own ratios, which a drifting host shifts
less.
"""

from __future__ import annotations

import statistics

from tests.benchmarks.contestants import COMMAND, NEWER_CRUN, RUN, WARM
from tests.benchmarks.rounds import QUIET_LOAD, Host, Row

# (who, bundle, against whom, at most)
GOALS = (
    (WARM, "D", "crun", 0.4), (COMMAND, "D", "runc", 0.6),
    (WARM, "P", "crun", 1.0), (COMMAND, "P", "runc", 0.9),
    (WARM, "D", NEWER_CRUN, 1.0),
)
# Judged where `oci run` is not to be had.
INSTEAD = {COMMAND: RUN}
SHORT = {WARM: "warm", COMMAND: "by command line", RUN: "by container-lab run"}
BUNDLE_WORDS = {"D": "with seccomp", "P": "without"}


def table(rows: list[Row], left_out: list[str], host: Host) -> list[str]:
    """Every row, those left out, and the ratios."""
    lines = ["start to exit of true after a rest, ms; D: Docker-like with seccomp, P: without", "",
             f"{'':34}{'n':>4}{'min':>8}{'q1':>8}{'median':>8}{'q3':>8}{'spread':>8}{'CPU':>8}"]
    for row in rows:
        first, third = row.quartiles
        lines.append(f"{row.name:30}{row.bundle:>4}{len(row.times):4}{min(row.times):8.1f}"
                     f"{first:8.1f}{row.median:8.1f}{third:8.1f}{row.spread:8.0%}"
                     f"{statistics.median(row.cpu):8.1f}")
    lines += [f"left out: {reason}" for reason in left_out]
    lines += ["", f"load before {host.load:.2f}; others used {host.others:.2f} CPUs meanwhile"]
    for who, bundle, against, goal in GOALS:
        ours, theirs = find(rows, who, bundle), find(rows, against, bundle)
        if ours and theirs:
            first, third = paired(ours, theirs)
            ratio = ours.median / theirs.median
            lines.append(f"{SHORT[who]:16} {bundle}: {ratio:.2f} x {against} "
                         f"(rounds {first:.2f} to {third:.2f}; CPU {cpu_ratio(ours, theirs):.2f}), "
                         f"goal {goal}: {judge(ratio, goal, host)}")
    return lines


def judge(ratio: float, goal: float, host: Host) -> str:
    """One word; none above the load where ratios mean little."""
    if not host.quiet:
        return f"not judged above a load of {QUIET_LOAD:g}"
    return "met" if ratio <= goal else "MISSED"


def sentence(rows: list[Row], host: Host) -> str:
    """The last line."""
    parts, missed = [], 0
    for who, bundle, against, goal in GOALS:
        theirs = find(rows, against, bundle)
        ours = find(rows, who, bundle)
        label = SHORT[who]
        if ours is None and who in INSTEAD and bundle == "D":
            ours, label = find(rows, INSTEAD[who], "lab"), SHORT[INSTEAD[who]]
        if ours is None or theirs is None:
            if against != NEWER_CRUN:
                parts.append(f"{label} {BUNDLE_WORDS[bundle]} not timed")
            continue
        ratio = ours.median / theirs.median
        missed += ratio > goal
        parts.append(f"{label} {BUNDLE_WORDS[bundle]} {ours.median:.1f} ms = {ratio:.2f} x "
                     f"{against} (goal {goal})")
    if not host.quiet:
        end = f"not judged at a load of {max(host.load, host.others):.1f}"
    else:
        end = f"{missed} missed" if missed else "every goal that was timed is met"
        end += f" at a load of {max(host.load, host.others):.1f}"
    return f"Starting true: {'; '.join(parts)}; {end}."


def find(rows: list[Row], name: str, bundle: str) -> Row | None:
    """The row, if it took part."""
    return next((row for row in rows if (row.name, row.bundle) == (name, bundle)), None)


def paired(ours: Row, theirs: Row) -> tuple[float, float]:
    """Quartiles of the ratios of the same round."""
    ratios = [mine / other for mine, other in zip(ours.times, theirs.times, strict=True)]
    first, _, third = statistics.quantiles(ratios, n=4, method="inclusive")
    return first, third


def cpu_ratio(ours: Row, theirs: Row) -> float:
    """Ratio of the median CPU times."""
    return statistics.median(ours.cpu) / (statistics.median(theirs.cpu) or float("nan"))
