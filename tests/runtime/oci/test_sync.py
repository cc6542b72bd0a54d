"""The socket of a start: messages whole, descriptors with them, and its end as news."""

from __future__ import annotations

import os

import pytest

from runtime.errors import KernelError, NotFound, to_data
from runtime.oci import sync


def test_a_message_there_and_back() -> None:
    ours, theirs = sync.pair()
    sync.send(ours, {"go": "start"})
    assert sync.receive(theirs) == ({"go": "start"}, None)
    assert not os.get_inheritable(ours.fileno()) and not os.get_inheritable(theirs.fileno())
    ours.close(), theirs.close()


def test_a_descriptor_comes_with_it() -> None:
    ours, theirs = sync.pair()
    read, write = os.pipe()
    sync.send(ours, {"ready": {}}, write)
    message, fd = sync.receive(theirs)
    assert message == {"ready": {}} and fd is not None and not os.get_inheritable(fd)
    os.write(fd, b"through")
    assert os.read(read, 10) == b"through"
    for each in (read, write, fd):
        os.close(each)
    ours.close(), theirs.close()


def test_a_long_film_is_one_message() -> None:
    ours, theirs = sync.pair()
    film = {"operations": [{"n": n, "arguments": {"path": "x" * 100}} for n in range(1500)]}
    sync.send(ours, film)
    assert sync.receive(theirs)[0] == film
    ours.close(), theirs.close()


def test_the_end_is_none() -> None:
    ours, theirs = sync.pair()
    theirs.close()
    assert sync.receive(ours) == (None, None)
    ours.close()


def test_what_was_said_before_the_end_is_heard_also_by_who_had_said_something() -> None:
    """Unread words of ours make the kernel tell the reset first: "start", said ahead of time."""
    ours, theirs = sync.pair()
    sync.send(ours, {"go": "start"})
    sync.send(theirs, {"error": {"message": "no program"}})
    theirs.close()
    assert sync.receive(ours)[0] == {"error": {"message": "no program"}}
    assert sync.receive(ours) == (None, None)
    ours.close()


@pytest.mark.parametrize("word", [None, {"go": "other"}, {}])
def test_a_child_whose_parent_is_gone_ends(word: dict[str, str] | None) -> None:
    ours, theirs = sync.pair()
    child = os.fork()
    if child == 0:
        ours.close()
        sync.wait_for_go(theirs, "start")
        os._exit(42)
    theirs.close()
    if word is not None:
        sync.send(ours, word)
    ours.close()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_the_childs_error_is_raised_as_it_was() -> None:
    failed = sync.ChildFailed({"error": to_data(NotFound("no program", exit_code=127)),
                               "phase": "root"})
    assert isinstance(failed.cause, NotFound) and failed.exit_code == 127
    assert (failed.phase, str(failed)) == ("root", "no program")
    failed = sync.ChildFailed({"error": to_data(KernelError("mount", 1, "/x"))})
    assert isinstance(failed.cause, KernelError) and failed.cause.errno == 1
