"""`container-lab vm`: the lab, or one command, in a machine of its own.

    container-lab vm                          the lab, in this terminal
    container-lab vm -- COMMAND ARGUMENT…     one command; its streams and its exit code
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from lab.vm import boot, kernel, machine, session
from runtime.errors import Invalid, LabError

SOURCE = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """The command's exit code; 125 with one line if there was no machine to run it in."""
    before, command = split(arguments)
    try:
        options = parse(before)
        if options.fetch_kernel:
            found = kernel.fetch(boot.cache_directory(), say)
            options.kernel = options.kernel or str(found.image)
            if not command:
                return 0
        return run(wish_of(options), command, options.timings)
    except LabError as error:
        sys.stderr.write(f"container-lab: vm: {error}\n")
        return 125
    except KeyboardInterrupt:
        return 130


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """(ours, the command's): `--` stands between them."""
    if "--" in arguments:
        at = arguments.index("--")
        return arguments[:at], arguments[at + 1:]
    return arguments, []


def parse(arguments: list[str]) -> argparse.Namespace:
    """Our own options."""
    parser = argparse.ArgumentParser(
        prog="container-lab vm", usage="container-lab vm [OPTIONS] [-- COMMAND ARGUMENT...]",
        description="A throw-away machine with a stock kernel, pure cgroup v2 and this host's "
                    "files, which it cannot change. Without a command it opens the lab.")
    add = parser.add_argument
    add("--memory", default="2G", metavar="SIZE", help="memory of the machine (2G)")
    add("--cpus", type=int, default=2, metavar="N", help="its processors (2)")
    add("--disk", default="256M", metavar="SIZE", help="its spare disk, /dev/vda (256M)")
    add("--share", metavar="DIR", help="a directory that it may write to")
    add("--kernel", metavar="PATH", help="a vmlinuz, with its modules beside it as in its package")
    add("--fetch-kernel", action="store_true",
        help="have apt download the distribution's kernel package; it is unpacked, not installed")
    add("--cold", action="store_true", help="boot, even if there is a snapshot")
    add("--timings", action="store_true", help="say how long each part took")
    return parser.parse_args(arguments)


def wish_of(options: argparse.Namespace) -> machine.Wish:
    """The options, judged."""
    memory, disk = mebibytes(options.memory, "--memory"), mebibytes(options.disk, "--disk")
    if memory < 512:
        raise Invalid(f"--memory {options.memory}: the machine needs 512M")
    available = free_mebibytes()
    if memory > available:
        raise Invalid(f"--memory {options.memory}: this host has {available}M free")
    if not 1 <= options.cpus <= 64:
        raise Invalid(f"--cpus {options.cpus}: from 1 to 64")
    share = None
    if options.share is not None:
        share = os.path.abspath(options.share)
        if not os.path.isdir(share):
            raise Invalid(f"--share {options.share}: no such directory")
    return machine.Wish(memory, options.cpus, disk, share, options.kernel, options.cold)


def mebibytes(text: str, what: str) -> int:
    """2G → 2048."""
    number, unit = text[:-1], text[-1:].upper()
    if unit.isdigit():
        number, unit = text, "M"
    if unit not in "MG" or not number.isdigit():
        raise Invalid(f"{what} {text}: a number with M or G, as 512M")
    return int(number) * (1024 if unit == "G" else 1)


def free_mebibytes() -> int:
    """MemAvailable of the host."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 1 << 20


def run(wish: machine.Wish, command: list[str], timings: bool) -> int:
    """Boot, run, and leave nothing."""
    started = time.monotonic()
    marks: list[tuple[str, float]] = []

    def mark(name: str) -> None:
        marks.append((name, time.monotonic() - started))

    say_progress("the machine's files")
    files = boot.Boot(wish.kernel)
    mark("files")
    with tempfile.TemporaryDirectory(prefix="container-lab-vm-") as work:
        guest = machine.Machine(files, wish, Path(work), say)
        try:
            say_progress("the machine")
            sock = guest.start()
            mark("machine")
            session.go(guest, sock, swap=256 << 20)
            say_progress("")
            code = session.Session(guest, sock).run(command or lab_command(), not command)
            mark("command")
        finally:
            guest.stop()
    if timings:
        for name, moment in marks:
            sys.stderr.write(f"{name:8s} {moment:6.2f} s\n")
    return code


def lab_command() -> list[str]:
    """The lab itself, by its own files."""
    return [str(SOURCE / "lab" / "start.py")]


def say(text: str) -> None:
    """A line for the user, beside the command's own output."""
    sys.stderr.write(text + "\n")


def say_progress(what: str) -> None:
    """What is waited for, on a terminal; the line goes when the wait is over."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{'starting ' + what + ' …' if what else ''}")
        sys.stderr.flush()
