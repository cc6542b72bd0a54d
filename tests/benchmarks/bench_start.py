"""Start to exit of `true`: us warm, us by command line, and what else starts containers here.

`make bench ARGS="--rounds 30 --rest-ms 50"`, as root, or the file itself; the costs of the small
parts come first (bench_operations). Two processes: this one forks the one that races, waits, and
removes whatever is left, also after Ctrl-C. The race has a mount namespace of its own: crun 1.8
refuses a hybrid host while it sees /sys/fs/cgroup/unified, and the host's mounts are not touched.
Above a load of 1 the ratios are printed and not judged. The last line is one sentence with the
numbers and the goals.
"""

from __future__ import annotations

# Nothing else up here: the zygote is forked from this process, and is to be as light as the lab's.
import _signal  # type: ignore[import-not-found]
import os
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, SOURCE)

from runtime.kernel import mounts, namespaces, processes  # noqa: E402  (the path comes first)
from runtime.shim.zygote import Zygote  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.benchmarks.rounds import Host, Row

UNIFIED = "/sys/fs/cgroup/unified"
ROUNDS = 30


def main() -> int:
    """Fork the race, wait for it, clean up."""
    if os.geteuid() != 0:
        print("bench_start: not root: control groups and namespaces need it; nothing was timed")
        return 0
    # What an installed program has: bytecode on disk, whatever this shell says about writing it.
    sys.dont_write_bytecode = False
    os.environ["PYTHONPATH"] = SOURCE
    os.spawnv(os.P_WAIT, sys.executable,
              [sys.executable, "-m", "tests.benchmarks.bench_operations"])
    work, group = f"/tmp/lab-bench-{os.getpid()}", f"/lab-bench-{os.getpid()}"
    os.mkdir(work, 0o700)
    processes.set_child_subreaper()
    child = os.fork()
    if child == 0:
        # Said again, because a shell starts its background jobs with SIGINT ignored.
        for number in (_signal.SIGINT, _signal.SIGTERM):
            _signal.signal(number, _signal.default_int_handler)
        code = 1
        try:
            code = race_inside(work, group)
        except KeyboardInterrupt:
            print("interrupted; cleaning up")
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    return wait_and_sweep(child, work, group)


def wait_and_sweep(child: int, work: str, group: str) -> int:
    """The race's exit code, once everything it made is gone."""
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)  # the terminal sends it to the child as well
    _signal.signal(_signal.SIGTERM, lambda *_: os.kill(child, _signal.SIGTERM))
    status = os.waitpid(child, 0)[1]
    from tests.benchmarks import rounds, sweep

    sweep.remove_everything(work, group)
    rounds.reap(frozenset())
    return os.waitstatus_to_exitcode(status)


def race_inside(work: str, group: str) -> int:
    """In the child: hide unified, fork the zygote, and only then import what is heavy."""
    private_mounts()
    enter_cpu_group(group)
    processes.set_child_subreaper()
    zygote = Zygote.start()
    try:
        from tests.benchmarks import bundles, contestants, rounds

        bundles.write_bundles(work, group)
        rows, left_out = [], []
        keep = frozenset([zygote.pid])
        for row in contestants.all_rows(work, group, zygote):
            reason = contestants.try_once(row, keep)
            if reason:
                left_out.append(f"{row.name} {row.bundle}: {reason}")
            else:
                rows.append(row)
        host = rounds.race(rows, int(option("--rounds", ROUNDS)), keep,
                           option("--rest-ms", rounds.REST_S * 1000) / 1000)
        print_report(rows, left_out, host)
        return 0
    finally:
        zygote.stop()


def option(name: str, default: float) -> float:
    """The number behind an option, without argparse: the zygote is forked from here."""
    return float(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else default


def private_mounts() -> None:
    """A mount namespace of our own, without the bare v2 hierarchy of a hybrid host."""
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.mount(None, "/", flags=mounts.MS_REC | mounts.MS_PRIVATE)
    if os.path.ismount(UNIFIED):
        mounts.umount2(UNIFIED, mounts.MNT_DETACH)


def enter_cpu_group(group: str) -> None:
    """Be counted: the zygote's shims and (below the same group) their containers."""
    from runtime.cgroup import hierarchies

    found = hierarchies.find()
    mount = found.controllers["cpuacct"] if found.version == 1 else found.unified
    os.makedirs(f"{mount}{group}/caller", exist_ok=True)
    with open(f"{mount}{group}/caller/cgroup.procs", "w") as file:
        file.write("0")


def print_report(rows: list[Row], left_out: list[str], host: Host) -> None:
    """The table, the ratios, the sentence."""
    from tests.benchmarks import verdict

    print("\n".join(verdict.table(rows, left_out, host)))
    print(verdict.sentence(rows, host))


if __name__ == "__main__":
    sys.exit(main())
