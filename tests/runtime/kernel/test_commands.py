"""Programs of the host, run as they have to be: no descriptor too many, no signal ignored."""

from __future__ import annotations

import os
import signal

import pytest

from runtime.errors import KernelError
from runtime.kernel import commands
from runtime.trace.recorder import recording

pytestmark = pytest.mark.kernel


def said(line: str) -> str:
    reader, writer = os.pipe()
    null = os.open("/dev/null", os.O_RDWR)
    try:
        status = commands.run("sh", "/bin/sh", ["-c", line], (null, writer, writer))
        os.close(writer)
        return f"{status} {os.read(reader, 65536).decode()}"
    finally:
        os.close(reader)
        os.close(null)


def test_status_and_output():
    assert said("echo hi; exit 3") == "3 hi\n"
    assert said("kill -9 $$") == "137 "


def test_no_descriptor_but_three():
    # What whoever runs the tests left open for everybody is not ours.
    theirs = sum(name not in "012" and os.path.exists(f"/proc/self/fd/{name}")
                 and os.get_inheritable(int(name)) for name in os.listdir("/proc/self/fd"))
    # And the one ls looks through.
    assert said("ls /proc/self/fd | wc -l").split() == ["0", str(4 + theirs)]


def test_ignored_signals_are_put_back():
    old = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        ignored = int(said("grep SigIgn /proc/self/status").split()[-1], 16)
    finally:
        signal.signal(signal.SIGTERM, old)
    # glibc has posix_spawn ignore the two that it keeps for its threads.
    assert not ignored & ~(3 << 31)


def test_nothing_of_our_environment(monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("HOME", "/nowhere")
    found = said("env")
    assert "SECRET" not in found and "HOME=/nowhere" in found


def test_a_program_that_cannot_be_run():
    with pytest.raises(KernelError, match="run /etc/passwd: EACCES"):
        commands.begin("x", "/etc/passwd", [], (0, 1, 2))


def test_it_is_an_operation():
    with recording() as recorder:
        said("true")
    (told,) = [each.to_data() for each in recorder.operations]
    assert told["call"] == "posix_spawn(3)" and told["arguments"]["command"] == "sh"


def test_found_where_path_does_not_lead(monkeypatch, tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commands.find("tool") == ""
    tool.chmod(0o755)
    assert commands.find("tool") == str(tool)
    assert commands.find("sh").endswith("/sh") and commands.find("no-such-tool") == ""
