"""When and where a process runs: its policy, its place in the queue of the disk, its CPUs.

Runs in init and in exec's process, which inherit all of it to what they execve. Values are the
kernel's: policy 1 is SCHED_FIFO, class 3 is IOPRIO_CLASS_IDLE.
Sources: sched_setattr(2), sched(7), ioprio_set(2), sched_setaffinity(2), linux/sched/types.h.
"""

from __future__ import annotations

import os

from runtime.errors import KernelError
from runtime.kernel import foreign
from runtime.kernel.libc import check, int_, number, syscall
from runtime.trace.operation import operation

POLICIES = {"SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_IDLE": 5,
            "SCHED_DEADLINE": 6}
SCHED_FLAGS = {"SCHED_FLAG_RESET_ON_FORK": 0x01, "SCHED_FLAG_RECLAIM": 0x02,
               "SCHED_FLAG_DL_OVERRUN": 0x04, "SCHED_FLAG_KEEP_POLICY": 0x08,
               "SCHED_FLAG_KEEP_PARAMS": 0x10}
IOPRIO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
IOPRIO_CLASS_SHIFT, IOPRIO_WHO_PROCESS, IOPRIO_WHO_PGRP = 13, 1, 2


class sched_attr(foreign.Structure):  # noqa: N801  (struct sched_attr, its first edition)
    _fields_ = [("size", foreign.c_uint32), ("policy", foreign.c_uint32),
                ("flags", foreign.c_uint64), ("nice", foreign.c_int),
                ("priority", foreign.c_uint32), ("runtime", foreign.c_uint64),
                ("deadline", foreign.c_uint64), ("period", foreign.c_uint64)]


@operation("sched_setattr(2)")
def sched_setattr(policy: str, flags: int = 0, nice: int = 0, priority: int = 0,
                  runtime_ns: int = 0, deadline_ns: int = 0, period_ns: int = 0) -> None:
    """Set how this process is scheduled. Raises KernelError.

    EPERM without CAP_SYS_NICE, or for a real-time policy in a group without real-time CPU; EBUSY
    for a deadline that cannot be promised. sched_setattr(2)
    """
    attributes = sched_attr(foreign.sizeof(sched_attr), POLICIES[policy], flags, nice, priority,
                            runtime_ns, deadline_ns, period_ns)
    check(syscall(number("sched_setattr"), int_(0), foreign.byref(attributes), foreign.c_uint(0)),
          "sched_setattr", policy)


@operation("ioprio_set(2)")
def ioprio_set(kind: str, priority: int) -> None:
    """Set the disk priority of this process and its group: 0 first, 7 last. ioprio_set(2)"""
    value = IOPRIO_CLASSES[kind] << IOPRIO_CLASS_SHIFT | priority
    check(syscall(number("ioprio_set"), int_(IOPRIO_WHO_PGRP), int_(0), int_(value)),
          "ioprio_set", f"{kind} {priority}")


@operation("sched_setaffinity(2)")
def sched_setaffinity(cpus: list[int]) -> None:
    """Run on these CPUs only. Raises KernelError, EINVAL for none that is there and allowed."""
    try:
        os.sched_setaffinity(0, cpus)
    except OSError as error:
        raise KernelError("sched_setaffinity", error.errno or 0, str(cpus)) from None
