"""A program run to its end: what it gets, what it says, and how long it may take."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from runtime.errors import KernelError
from runtime.kernel import children


def shell(script: str, given: bytes = b"", timeout_s: float | None = 20) -> children.Ended:
    return children.run_program("/bin/sh", ["sh", "-c", script], ["PATH=/usr/bin:/bin", "A=b c"],
                                given, timeout_s)


def test_what_it_gets_and_says() -> None:
    ended = shell('cat; echo "$A" >&2; exit 3', b"given")
    assert (ended.out, ended.err, os.waitstatus_to_exitcode(ended.status)) == (
        b"given", b"b c\n", 3)
    assert not ended.late


def test_its_environment_is_what_it_was_given_and_no_more() -> None:
    names = {line.split(b"=")[0] for line in shell("env").out.splitlines()}
    assert names <= {b"PATH", b"A", b"PWD", b"_", b"SHLVL", b"OLDPWD"}


def test_no_descriptor_of_ours_is_passed_on() -> None:
    read, write = os.pipe()
    for fd in (read, write):
        os.set_inheritable(fd, True)
    try:
        assert shell("ls /proc/self/fd").out.split() == [b"0", b"1", b"2", b"3"]  # 3 is ls's own
    finally:
        os.close(read)
        os.close(write)


def test_much_is_read_and_what_nobody_reads_is_no_mistake() -> None:
    ended = shell("yes | head -c 300000", b"x" * 300000)
    assert ended.status == 0 and len(ended.out) == children.MOST_OUTPUT
    assert shell("cat | wc -c", b"x" * 300000).out.strip() == b"300000"


def test_its_time_is_up() -> None:
    began = time.monotonic()
    ended = shell("sleep 60", timeout_s=0.2)
    assert ended.late and os.WTERMSIG(ended.status) == 9 and time.monotonic() - began < 10


def test_what_it_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = shell(f"sleep 60 & echo $! > {tmp_path}/pid; echo done")
    os.kill(int((tmp_path / "pid").read_text()), 9)
    assert ended.out == b"done\n" and time.monotonic() - began < 10


def test_signals_are_as_new() -> None:
    # Python ignores SIGPIPE, which would go through execve.
    said = shell("grep -E '^Sig(Blk|Ign)' /proc/self/status").out.split()
    assert [int(word, 16) & 0x7FFFFFFF for word in said[1::2]] == [0, 0]


@pytest.mark.parametrize(("path", "name"), [("/no/such", "ENOENT"), ("/etc/passwd", "EACCES")])
def test_what_is_no_program_is_refused(path: str, name: str) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(KernelError, match=name):
        children.run_program(path, [], [], b"")
    assert sorted(os.listdir("/proc/self/fd")) == before
