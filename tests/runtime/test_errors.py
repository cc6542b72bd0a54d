"""Errors: one line each, and the same on the other side of a process boundary."""

from __future__ import annotations

import errno
import json

import pytest

from runtime import errors
from runtime.errors import (
    CLASSES, Conflict, Invalid, KernelError, LabError, NotFound, from_data, to_data,
)


@pytest.mark.parametrize("kind", CLASSES.values())
@pytest.mark.parametrize("hint", ["", "look elsewhere"])
@pytest.mark.parametrize("code", [None, 125])
def test_there_and_back(kind: type[LabError], hint: str, code: int | None) -> None:
    sent = kind("No such container: tea", hint, code)
    back = from_data(json.loads(json.dumps(to_data(sent))))
    assert type(back) is kind
    assert (str(back), back.message, back.hint, back.exit_code) == (
        str(sent), sent.message, sent.hint, sent.exit_code)


def test_a_kernel_error_there_and_back() -> None:
    sent = KernelError("mount proc on", errno.EPERM, "/proc", "the host's own /proc is masked")
    back = from_data(json.loads(json.dumps(to_data(sent))))
    assert isinstance(back, KernelError) and isinstance(back, OSError)
    assert (str(back), back.errno, back.target) == (str(sent), errno.EPERM, "/proc")
    assert str(back) == ("mount proc on /proc: EPERM operation not permitted "
                         "(the host's own /proc is masked)")


def test_the_usual_meaning_of_an_errno_is_said() -> None:
    assert "CAP_SYS_ADMIN" in KernelError("mount tmpfs on", errno.EPERM, "/x").hint
    assert "shared" in KernelError("pivot_root", errno.EINVAL, ".").hint
    assert KernelError("mount", errno.EPERM, "/x", "mine").hint == "mine"
    assert KernelError("mkdir", errno.EPERM, "/x").hint == ""


def test_an_errno_without_a_name() -> None:
    assert "9999" in str(KernelError("frobnicate", 9999))


def test_anothers_error_becomes_ours() -> None:
    back = from_data(to_data(FileNotFoundError(errno.ENOENT, "gone", "/etc/none")))
    assert isinstance(back, KernelError) and back.errno == errno.ENOENT
    assert "/etc/none" in str(back) and "\n" not in str(back)
    back = from_data(to_data(ZeroDivisionError("division by zero")))
    assert type(back) is LabError and str(back) == "ZeroDivisionError: division by zero"


def test_an_unknown_kind_is_still_an_error() -> None:
    back = from_data({"kind": "OfALaterVersion", "message": "no", "hint": ""})
    assert type(back) is LabError and str(back) == "no"


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn = errors.__doc__ or ""
    for kind in (*CLASSES, "KernelError"):
        assert kind in drawn
    assert issubclass(KernelError, LabError)
    assert not issubclass(NotFound, Conflict) and not issubclass(Invalid, NotFound)


def test_a_message_stands_in_its_own_class() -> None:
    error = Invalid("read the memory string: '5q'", "b, k, m or g")
    assert str(error) == "read the memory string: '5q' (b, k, m or g)"
    assert error.exit_code == 1
    assert Invalid("x", exit_code=125).exit_code == 125
    assert Invalid.exit_code == 1
