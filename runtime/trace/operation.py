"""The choke point: every kernel effect of the runtime is a call of a function decorated here.

The twin of strace, from the inside. A decorated function tells the observer *before* (which may
block: that is single-stepping; or raise: then nothing happens) and *after* (result, errno, ns).
Without an observer it is a plain call and must cost under a microsecond. Single-threaded processes
only (shim, init, command line): the observer and the phase are the one global state of the runtime.

    @operation("mount(2)")
    def mount(source, target, …)          one Operation: phase "root", name "mount", call "mount(2)"
"""

from __future__ import annotations

import os
import sys
from time import monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, ParamSpec, Protocol, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

    class Observer(Protocol):
        """Who is told of operations."""

        def before(self, operation: Operation) -> None:
            """May block, or raise to refuse: then the operation does not happen."""

        def after(self, operation: Operation) -> None:
            """The operation has its result, errno and ns."""


SOURCE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Operation:
    """One kernel effect: phase, name, call (its manual page), arguments, and who asked for it."""

    __slots__ = ("phase", "name", "call", "arguments", "pid", "symbol",
                 "result", "errno", "start_ns", "ns", "held_ns")

    def __init__(self, name: str, call: str, arguments: dict[str, Any], symbol: str) -> None:
        self.phase = _state.phase
        self.name, self.call, self.arguments, self.symbol = name, call, arguments, symbol
        self.pid = os.getpid()
        self.result: object = None
        self.errno = 0
        self.start_ns = 0
        self.ns = -1
        # How long it waited at the gate; 0 where nobody held it.
        self.held_ns = 0

    def values(self) -> tuple[Any, ...]:
        """As plain values in the order of FIELDS, cheap to hand on: flags and paths as printed."""
        arguments = {}
        for key, value in self.arguments.items():
            arguments[key] = value if type(value) in PLAIN else printable(value)
        result = self.result if type(self.result) in PLAIN else printable(self.result)
        return (self.phase, self.name, self.call, arguments, self.pid, self.symbol, result,
                self.errno, self.start_ns, self.ns, self.held_ns)

    def to_data(self) -> dict[str, Any]:
        """As JSON: {"phase":"root","name":"mount","call":"mount(2)","arguments":{…},"ns":41000}."""
        return to_data(self.values())


FIELDS = ("phase", "name", "call", "arguments", "pid", "symbol", "result", "errno", "start_ns",
          "ns", "held_ns")
PLAIN = frozenset((int, str, float, bool, type(None)))


def to_data(values: tuple[Any, ...]) -> dict[str, Any]:
    """The values of an operation under their names; a mode as one writes it: "0755".

    Only one that was held has held_ns.
    """
    data = dict(zip(FIELDS, values))
    if not data["held_ns"]:
        del data["held_ns"]
    mode = data["arguments"].get("mode")
    if type(mode) is int:
        data["arguments"] = {**data["arguments"], "mode": f"{mode:04o}"}
    return data


def printable(value: object) -> Any:
    """The value as JSON can hold it; bytes become their length, they are programs and dumps.

    A subclass of int or str (flags, masks, opened paths) is shown as it prints itself.
    """
    if type(value) in PLAIN:
        return value
    if isinstance(value, (list, tuple)):
        return [printable(item) for item in value]
    if isinstance(value, dict):
        return {str(name): printable(item) for name, item in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} bytes"
    return str(value)


class _State:
    __slots__ = ("observer", "phase")

    def __init__(self) -> None:
        self.observer: Observer | None = None
        self.phase = "prepare"


_state = _State()


def observe(observer: Observer | None) -> Observer | None:
    """Make this the observer of the process; returns the one before."""
    before, _state.observer = _state.observer, observer
    return before


def set_phase(name: str) -> None:
    """Operations from here on belong to this phase (prepare isolate root limit drop exec)."""
    _state.phase = name


class phase:  # noqa: N801  (reads as a statement: with phase("root"): …)
    """A subgoal of a start, as the course teaches them: isolate – root – limit – drop – exec."""

    __slots__ = ("name", "outer")

    def __init__(self, name: str) -> None:
        self.name = name
        self.outer = ""

    def __enter__(self) -> None:
        self.outer, _state.phase = _state.phase, self.name

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        # After a failure the phase stays: the report of the error says where it happened.
        if kind is None:
            _state.phase = self.outer


def current_phase() -> str:
    """The phase that operations are now counted to."""
    return _state.phase


def operation(call: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function with exactly one effect on the kernel; `call` is its manual page."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]
        defaults = {**dict(zip(reversed(names), reversed(function.__defaults__ or ()))),
                    **(function.__kwdefaults__ or {})}
        name = function.__name__

        def perform(*args: P.args, **kwargs: P.kwargs) -> R:
            observer = _state.observer
            if observer is None:
                return function(*args, **kwargs)
            arguments = {**defaults, **dict(zip(names, args)), **kwargs}
            return _observed(observer, Operation(name, call, arguments, caller(2)),
                             function, args, kwargs)

        perform.__name__, perform.__doc__ = name, function.__doc__
        perform.__qualname__, perform.__module__ = function.__qualname__, function.__module__
        perform.__wrapped__ = function  # type: ignore[attr-defined]
        perform.call = call  # type: ignore[attr-defined]
        return perform

    return decorate


def _observed(observer: Observer, this: Operation, function: Callable[..., R],
              args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
    observer.before(this)
    this.start_ns = monotonic_ns()
    try:
        result = function(*args, **kwargs)
    except OSError as error:
        this.ns = monotonic_ns() - this.start_ns
        this.errno = error.errno or 0
        observer.after(this)
        raise
    this.ns = monotonic_ns() - this.start_ns
    this.result = result
    observer.after(this)
    return result


def caller(depth: int) -> str:
    """The symbol `depth` frames up: "runtime/oci/rootfs.py:enter_rootfs"."""
    code = sys._getframe(depth).f_code
    path = code.co_filename
    if path.startswith(SOURCE_ROOT):
        path = path[len(SOURCE_ROOT) + 1:]
    return f"{path}:{code.co_qualname}"
