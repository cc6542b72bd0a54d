"""What the small parts of a start cost: the choke point, the profile, the image, the imports.

`python -m tests.benchmarks.bench_operations`; no root. Each number is the median of several
batches, in microseconds. The last line is one sentence with the goal: a decorated call costs less
than 1 µs more than a plain one while nobody observes.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from runtime.engine.defaults import CAPABILITIES
from runtime.engine.seccomp_profile import default_profile
from runtime.image.store import Store
from runtime.oci import seccomp
from runtime.oci.seccomp_compiler import compile_with_report
from runtime.trace.operation import observe, operation
from runtime.trace.recorder import Recorder

BATCHES = 15
GOAL_US = 1.0
START_PATH = ("runtime.shim.zygote", "runtime.client.cli", "runtime.engine.engine", "lab.app")


def plain(source: str, target: str, flags: int = 0) -> int:
    """A function as small as a system call's wrapper."""
    return flags


@operation("none(2)")
def decorated(source: str, target: str, flags: int = 0) -> int:
    """The same, as an operation."""
    return flags


def cost_us(action: Callable[[], object], times: int) -> float:
    """Median cost of one call, over batches of so many."""
    batches = []
    gc.disable()
    for _ in range(BATCHES):
        start = time.perf_counter_ns()
        for _ in range(times):
            action()
        batches.append((time.perf_counter_ns() - start) / times / 1000)
    gc.enable()
    return statistics.median(batches)


def choke_point() -> tuple[float, float]:
    """(what the decorator adds, observer off; the same with a Recorder), per call."""
    bare = cost_us(lambda: plain("a", "b", flags=3), 20_000)
    off = cost_us(lambda: decorated("a", "b", flags=3), 20_000)
    before = observe(Recorder("bench"))
    try:
        on = cost_us(lambda: decorated("a", "b", flags=3), 500)
    finally:
        observe(before)
    return off - bare, on - bare


def seccomp_costs(cache: str) -> list[tuple[str, float]]:
    """Compiling Docker's profile, and what a warm start pays instead."""
    profile, machine = default_profile(CAPABILITIES), os.uname().machine
    report = compile_with_report(profile, machine)[1]
    seccomp.filter_for(profile, cache)
    return [
        (f"seccomp: compile, {report.instructions} instructions",
         cost_us(lambda: compile_with_report(profile, machine), 5)),
        ("seccomp: filter_for from the cache",
         cost_us(lambda: seccomp.filter_for(profile, cache), 50)),
        ("seccomp: default_profile", cost_us(lambda: default_profile(CAPABILITIES), 200)),
    ]


def resolve_cost(root: str) -> list[tuple[str, float]]:
    """Finding lab/base in the store; the first time builds it and does not count."""
    store = Store(os.path.join(root, "images"))
    store.resolve("lab/base")
    return [("image: resolve lab/base", cost_us(lambda: store.resolve("lab/base"), 20)),
            ("image: open the store and resolve",
             cost_us(lambda: Store(os.path.join(root, "images")).resolve("lab/base"), 20))]


def import_costs() -> list[tuple[str, float]]:
    """Importing a module in a fresh interpreter, its bytecode cached, less the interpreter."""
    environment = {name: value for name, value in os.environ.items()
                   if name != "PYTHONDONTWRITEBYTECODE"}

    def run(line: str) -> float | None:
        times = []
        for _ in range(5):
            start = time.perf_counter_ns()
            done = subprocess.run([sys.executable, "-S", "-c", line], capture_output=True,
                                  env=environment)
            if done.returncode:
                return None
            times.append((time.perf_counter_ns() - start) / 1000)
        return min(times)

    path = f"import sys; sys.path[:0] = {[entry for entry in sys.path if entry]!r}; "
    bare = run(path) or 0.0
    costs = ((name, run(f"{path}import {name}")) for name in START_PATH)
    return [(f"import {name}", cost - bare) for name, cost in costs if cost is not None]


def main() -> None:
    """Print the costs and the sentence."""
    off, on = choke_point()
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as work:
        rows = [("operation: decorated, observer off, more than plain", off),
                ("operation: the same, recorded", on),
                *seccomp_costs(os.path.join(work, "seccomp")), *resolve_cost(work),
                *import_costs()]
    for name, cost in rows:
        print(f"{name:56}{cost:12.2f} µs")
    word = "met" if off < GOAL_US else "MISSED"
    print(f"An operation nobody observes costs {off:.2f} µs more than a plain call "
          f"(goal < {GOAL_US:g}: {word}), recorded {on:.1f} µs, at a load of "
          f"{os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
