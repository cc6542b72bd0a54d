"""Recordings: what was read is read again, one moment or several."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import Denied, Invalid
from runtime.inspect.source import Gone, Live, Recording, record, text


def test_a_recording_replays_text_links_listings_and_refusals() -> None:
    there = Recording({
        "/proc/7/comm": "hog\n", "/proc": ["7", "1"], "/proc/7/ns/pid": {"link": "pid:[42]"},
        "/proc/7/environ": {"denied": True}, "/gone": None,
        "/upper/a": {"xattr": {"trusted.overlay.opaque": "79"}},
    }, now=12.5)
    assert there.read("/proc/7/comm") == "hog\n"
    assert there.listdir("/proc") == ["1", "7"]
    assert there.readlink("/proc/7/ns/pid") == "pid:[42]"
    assert there.lxattr("/upper/a", "trusted.overlay.opaque") == b"y"
    assert there.lxattr("/upper/a", "user.overlay.opaque") is None
    assert there.now() == 12.5
    with pytest.raises(Denied):
        there.read("/proc/7/environ")
    for path in ("/gone", "/never/recorded"):
        with pytest.raises(Gone):
            there.read(path)
    assert not there.exists("/gone") and there.exists("/proc/7/environ")


def test_what_was_recorded_reads_as_it_was_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a\n")
    (tmp_path / "link").symlink_to("file")
    recorder = record(Live())
    read = (recorder.read(f"{tmp_path}/file"), recorder.readlink(f"{tmp_path}/link"),
            recorder.listdir(str(tmp_path)), recorder.lstat(f"{tmp_path}/link"),
            recorder.exists(f"{tmp_path}/no"), recorder.stat_inode(f"{tmp_path}/file"))
    recorder.save(tmp_path / "kept.json")
    kept = Recording(tmp_path / "kept.json")
    assert read == (kept.read(f"{tmp_path}/file"), kept.readlink(f"{tmp_path}/link"),
                    kept.listdir(str(tmp_path)), kept.lstat(f"{tmp_path}/link"),
                    kept.exists(f"{tmp_path}/no"), kept.stat_inode(f"{tmp_path}/file"))


def test_several_moments_are_replayed_in_time(tmp_path: Path) -> None:
    clock = [100.0]

    class Host(Live):
        def now(self) -> float:
            return clock[0]

    state = tmp_path / "state"
    recorder = record(Host())
    state.write_text("running")
    recorder.read(str(state))
    clock[0] = 101.5
    recorder.mark()
    state.write_text("exited")
    recorder.read(str(state))
    clock[0] = 103.0
    recorder.mark()
    state.unlink()
    text(recorder, str(state))
    recorder.save(tmp_path / "kept.jsonl")

    kept = Recording(tmp_path / "kept.jsonl")
    assert kept.moments == (0.0, 1.5, 3.0)
    seen = [text(kept.at(second), str(state)) for second in (0, 1.4, 1.5, 2.9, 3, 99)]
    assert seen == ["running", "running", "exited", "exited", None, None]
    assert text(kept, str(state)) is None, "a recording stands at its last moment"


def test_a_recording_cut_short_is_invalid_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text('{"/proc": ["1"')
    with pytest.raises(Invalid, match="not a whole JSON document"):
        Recording(tmp_path / "cut.json")
