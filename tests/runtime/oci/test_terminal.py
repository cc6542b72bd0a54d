"""A container's terminal, seen from both ends of its pty."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from runtime.kernel import terminals
from runtime.oci import create, plan
from tests.runtime.oci.bundles import Bundle

pytestmark = pytest.mark.kernel
SCRIPT = ("test -t 0 && test -t 1 && test -t 2 && echo all; readlink /proc/$$/fd/0; "
          "stat -c %F /dev/console; echo tty > /dev/tty; read line; echo got $line; stty size")


def read_until(master: int, word: bytes) -> bytes:
    seen = b""
    while word not in seen:
        assert select.select([master], [], [], 10)[0], seen
        try:
            seen += os.read(master, 4096)
        except OSError:  # the other side has been closed
            break
    return seen


def test_both_ends(bundle: Bundle) -> None:
    (bundle.rootfs / "bin/stty").symlink_to("busybox")
    bundle.process.update(terminal=True, consoleSize={"height": 33, "width": 99})
    bundle.script(SCRIPT)
    bundle.write()
    reader, writer = os.pipe()
    # The shim's part, in a child: creating needs a process that may be forked from.
    child = os.fork()
    if child == 0:
        null = os.open("/dev/null", os.O_RDWR)
        init = create.create(plan.load(str(bundle.folder)), bundle.cgroup(), (null,) * 3,
                             str(bundle.folder))
        assert init.master is not None
        init.start()
        assert terminals.window_size(init.master) == (33, 99)
        os.write(writer, read_until(init.master, b"tty\r\n"))
        os.write(init.master, b"hello\n")
        terminals.set_window_size(init.master, 20, 60)
        os.write(writer, read_until(init.master, b"20 60"))
        os.waitpid(init.pid, 0)
        os._exit(0)
    os.close(writer)
    seen = b""
    while chunk := os.read(reader, 4096):
        seen += chunk
    os.close(reader)
    assert os.waitpid(child, 0)[1] == 0
    lines = seen.decode().split("\r\n")
    assert lines[:4] == ["all", "/dev/pts/0", "character special file", "tty"]
    assert "got hello" in lines
    assert Path("/dev/pts").exists()
