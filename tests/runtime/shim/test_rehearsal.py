"""The rehearsal: what a start would do first, with nothing left behind."""

from __future__ import annotations

from runtime.oci.spec import check
from runtime.shim import rehearsal
from runtime.trace.recorder import recording


def test_nothing_is_done():
    with recording() as recorder:
        rehearsal.rehearse()
    assert recorder.operations == []


def test_the_bundle_is_one_that_would_start():
    check(rehearsal.BUNDLE)
