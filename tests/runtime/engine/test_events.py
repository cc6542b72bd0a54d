"""Events in Docker's shape."""

from __future__ import annotations

from runtime.engine import events

CONFIG = {"Id": "4f" * 32, "Name": "/tea", "Config": {"Image": "lab/base", "Labels": {"a": "b"}}}


def test_told_and_read(tmp_path):
    root = str(tmp_path)
    events.tell(root, "create", CONFIG)
    events.tell(root, "kill", CONFIG, signal="9")
    first, second = events.read(root, 0)
    assert first["Action"] == "create" and second["Action"] == "kill"
    assert second["Actor"] == {"ID": "4f" * 32, "Attributes": {
        "a": "b", "image": "lab/base", "name": "tea", "signal": "9"}}
    assert events.read(root, second["timeNano"]) == [second]
    assert events.read(str(tmp_path / "never"), 0) == []


def test_a_full_disk_loses_events_and_nothing_else(tmp_path):
    (tmp_path / "events.jsonl").symlink_to("/dev/full")
    events.tell(str(tmp_path), "create", CONFIG)
