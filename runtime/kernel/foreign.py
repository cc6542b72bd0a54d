"""The part of ctypes we use, without the rest of its import: 2 ms of every start.

Runs in every process of the chain. The types and the call mechanism are the C half of ctypes
itself (`_ctypes`, as json's C half in documents.py); this only names what system calls need, under
ctypes' own names, for 64-bit Linux. Source: Python's Lib/ctypes/__init__.py.

    libc = Library(); libc.syscall.restype = c_long; libc.syscall(c_long(39)) → our pid
"""

from __future__ import annotations

from _ctypes import (
    FUNCFLAG_CDECL,
    FUNCFLAG_PYTHONAPI,
    FUNCFLAG_USE_ERRNO,
    CFuncPtr,
    Structure,
    _SimpleCData,
    addressof,
    byref,
    dlopen,
    get_errno,
    sizeof,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Int = _SimpleCData[int]
else:
    Int = _SimpleCData

__all__ = ["Library", "Structure", "addressof", "buffer", "byref", "get_errno", "sizeof"]


class c_char(Int):  # noqa: N801
    _type_ = "c"


class c_ushort(Int):  # noqa: N801
    _type_ = "H"


class c_int(Int):  # noqa: N801
    _type_ = "i"


class c_uint32(Int):  # noqa: N801
    _type_ = "I"


class c_long(Int):  # noqa: N801
    _type_ = "l"


class c_uint64(Int):  # noqa: N801
    _type_ = "L"


class c_char_p(_SimpleCData):  # type: ignore[type-arg]  # noqa: N801
    _type_ = "z"


class c_void_p(_SimpleCData):  # type: ignore[type-arg]  # noqa: N801
    _type_ = "P"


c_uint, c_ulong, c_size_t = c_uint32, c_uint64, c_uint64


class Function(CFuncPtr):
    """A C function that keeps the interpreter's lock (PyDLL) and its errno for get_errno."""

    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_PYTHONAPI | FUNCFLAG_USE_ERRNO
    _restype_ = c_int


class Library:
    """The functions of the C library this interpreter runs on, looked up when first named."""

    def __init__(self) -> None:
        self._handle = dlopen(None, 0)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        function = Function((name, self))  # type: ignore[arg-type]
        setattr(self, name, function)
        return function


def buffer(size: int, content: bytes = b"") -> Any:
    """Memory of our own for the kernel to read or fill; its bytes are `.raw`."""
    made: Any = (c_char * size)()
    made.raw = content.ljust(size, b"\0")
    return made
