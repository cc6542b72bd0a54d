"""A pty: both ends, its size, and the session it controls."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from runtime.errors import KernelError
from runtime.kernel import processes, terminals

PTMX = "/dev/ptmx"
pytestmark = pytest.mark.skipif(not os.access(PTMX, os.R_OK | os.W_OK), reason="no pty here")


def test_both_ends_and_its_number() -> None:
    master, slave, number = terminals.open_pty(PTMX)
    assert os.ttyname(slave) == f"/dev/pts/{number}"
    assert not os.get_inheritable(master) and not os.get_inheritable(slave)
    terminals.set_window_size(master, 33, 99)
    assert terminals.window_size(slave) == (33, 99)
    os.write(slave, b"x\n")
    assert select.select([master], [], [], 5)[0] and os.read(master, 9) == b"x\r\n"
    os.close(master), os.close(slave)


def test_it_controls_the_session() -> None:
    master, slave, _ = terminals.open_pty(PTMX)
    pid = os.fork()
    if pid == 0:
        processes.setsid()
        terminals.set_controlling_terminal(slave)
        os.close(os.open("/dev/tty", os.O_RDWR))
        os.write(slave, b"here\n")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(master, 20).startswith(b"here")
    os.close(master), os.close(slave)


def test_no_terminal_is_said(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="open_pty .*ENOENT"):
        terminals.open_pty(str(tmp_path / "none"))
    with pytest.raises(OSError), open("/dev/null") as null:
        terminals.window_size(null.fileno())
