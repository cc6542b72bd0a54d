"""Processes: a recorded container, and live ones beside ps and pstree's source of truth."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from runtime.inspect import processes
from runtime.inspect.source import Live, Recording

LIVE = Live()


def test_a_recorded_container_process(host: Recording) -> None:
    sh = processes.process(host, 4213)
    assert sh is not None
    assert (sh.pid, sh.ppid, sh.comm, sh.state, sh.start_ticks) == (4213, 4200, "sh", "S", 9001)
    assert sh.ns_pids == (4213, 1) and sh.inner_pid == 1
    assert sh.cmdline[:2] == ("sh", "-c") and sh.command.startswith("sh -c trap")
    assert sh.seccomp == 2 and sh.no_new_privs and sh.rss_bytes == 896 * 1024
    assert processes.caught_signals(sh) == ["TERM", "CHLD"]
    assert processes.ignored_signals(sh) == ["PIPE"]


def test_no_process_is_none(host: Recording) -> None:
    assert processes.process(host, 9999) is None
    assert processes.start_ticks(host, 9999) is None
    assert processes.tree(host, 9999) is None


def test_the_tree_of_a_container(host: Recording) -> None:
    rows = processes.flatten(processes.tree(host, 4200))
    assert [(row.depth, row.process.pid) for row in rows] == [
        (0, 4200), (1, 4213), (2, 4300), (2, 4301)]
    zombie = rows[-1].process
    assert zombie.is_zombie and zombie.command == "[chatter]" and zombie.state_word == "zombie"


def test_children_are_found_without_the_children_file() -> None:
    stat = "{pid} (a) b) S {ppid} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0 0"
    there = Recording({"/proc": ["1", "5", "6", "self"], **{
        f"/proc/{pid}/stat": stat.format(pid=pid, ppid=ppid)
        for pid, ppid in ((1, 0), (5, 1), (6, 5))}})
    assert processes.children(there, 1) == [5]
    assert processes.parents(there) == {1: 0, 5: 1, 6: 5}
    assert processes.parse_stat(there.read("/proc/5/stat")) is not None
    assert processes.start_ticks(there, 5) == 77


def test_age_comes_from_the_clock_since_boot(host: Recording) -> None:
    sh = processes.process(host, 4213)
    assert sh is not None
    assert processes.age_s(host, sh) == pytest.approx(200 - 9001 / os.sysconf("SC_CLK_TCK"))


@pytest.mark.parametrize(("code", "word"), [
    (0, "success"), (137, "128 + 9 (KILL)"), (143, "128 + 15 (TERM)"),
    (127, "command not found"), (3, "the program's own code"),
])
def test_exit_codes_in_words(code: int, word: str) -> None:
    assert processes.exit_word(code) == word


@pytest.mark.kernel
def test_a_live_process_is_what_ps_says(start: Callable[..., int]) -> None:
    pid = start("unshare", "--pid", "--fork", "--kill-child",
                script="trap : TERM; ready; while :; do sleep 1; done")
    mine = processes.process(LIVE, pid)
    said = subprocess.run(["ps", "-o", "pid=,ppid=,stat=,uid=,comm=", "-p", str(pid)],
                          capture_output=True, text=True, check=True).stdout.split()
    assert mine is not None
    assert [str(mine.pid), str(mine.ppid), str(mine.uid), mine.comm] == [
        said[0], said[1], said[3], said[4]]
    assert mine.ns_pids == (pid, 1)
    assert "TERM" in processes.caught_signals(mine)


@pytest.mark.kernel
def test_live_children_are_those_that_ps_lists(start: Callable[..., int]) -> None:
    pid = start("env", script="sleep 300 & sleep 300 & ready; wait")
    said = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)],
                          capture_output=True, text=True, check=True).stdout.split()
    mine = processes.children(LIVE, pid)
    assert mine == sorted(int(word) for word in said) and len(mine) == 2
    tree = processes.tree(LIVE, pid)
    assert tree is not None and [node.process.comm for node in tree.children] == ["sleep"] * 2
    for child in mine:
        os.kill(child, 9)


@pytest.mark.kernel
def test_a_dead_process_is_none_in_every_function() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert processes.process(LIVE, process.pid) is None
    assert processes.children(LIVE, process.pid) == []
    assert processes.command_line(LIVE, process.pid) == ()
