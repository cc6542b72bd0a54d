"""What a process on its way to be a program tells of itself: its operations, and its last word.

Runs in init and in exec's process, which nobody can look into once they have entered: the film goes
to a file in memory that the shim has open as well, an error over the socket, as data. It does
nothing else. Sources: trace/recorder.py, sync.py.
"""

from __future__ import annotations

import errno
import os
from time import monotonic_ns

from runtime.errors import LabError, to_data
from runtime.oci import sync
from runtime.trace.operation import current_phase
from runtime.trace.recorder import Recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from runtime.trace.operation import Operation


class Teller:
    """Init's observer: keeps the operations, and after `aloud` writes each down before it happens.

    Aloud, because from seccomp on the process may not be allowed to write anything any more.
    """

    def __init__(self, record: int | None) -> None:
        self.recorder = Recorder("init", None, record)
        self.aloud = False

    def before(self, operation: Operation) -> None:
        self.recorder.before(operation)
        if self.aloud and operation.name != "execve":
            operation.start_ns = monotonic_ns()
            try:
                self.recorder.flush()
            except OSError as error:
                # RLIMIT_FSIZE, the program's and by now ours: the film ends here.
                if error.errno != errno.EFBIG:
                    raise

    def after(self, operation: Operation) -> None:
        self.recorder.after(operation)


def tell_failure(sock: _socket.socket, error: BaseException, teller: Teller) -> None:
    """Send the error and all that was done so far; then there is nothing left to do."""
    if not isinstance(error, (LabError, OSError)):
        # A mistake of ours. Python's traceback is a file, which may be out of reach in here.
        error = LabError(f"{type(error).__name__}: {error}", where(error))
    try:
        teller.recorder.flush()
        sync.send(sock, {"error": to_data(error), "phase": current_phase()})
    except OSError:
        os._exit(1)


def where(error: BaseException) -> str:
    """Where it was raised: "runtime/oci/init.py:161"."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/runtime/')[2]}:{trace.tb_lineno}"
