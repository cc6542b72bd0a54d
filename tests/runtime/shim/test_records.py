"""What the shim writes down, also when the disk is full."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from runtime import documents
from runtime.shim.evidence import Evidence
from runtime.shim.records import Records

STATE = {"Status": "running", "Pid": 12345678, "ExitCode": 0, "Error": ""}


@pytest.fixture
def records(tmp_path):
    request = {"id": "4f" * 32, "directory": str(tmp_path),
               "events": str(tmp_path / "events.jsonl"),
               "ledger": str(tmp_path / "ledger.jsonl"), "attributes": {"name": "tea"}}
    return Records(request, Evidence(str(tmp_path / "evidence.jsonl"), "/container-lab/tea"))


@pytest.fixture
def full(monkeypatch):
    def refuse(path, data, durable=False, mode=0o644):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(documents, "replace_file", refuse)


def test_a_state(records, tmp_path):
    records.state(STATE)
    assert json.loads((tmp_path / "state.json").read_text()) == STATE


@pytest.mark.parametrize("longer", [False, True])
def test_a_state_on_a_full_disk(records, tmp_path, full, longer):
    """Over the old one, whole, also if it is shorter; and that this was so is told."""
    (tmp_path / "state.json").write_text(json.dumps(STATE) + "\n")
    new = {**STATE, "Status": "exited", "Pid": 0, "ExitCode": 7, "Error": "x" * 200 * longer}
    records.state(new)
    assert documents.read(str(tmp_path / "state.json")) == new
    (note,) = [json.loads(line) for line in
               (tmp_path / "evidence.jsonl").read_text().splitlines()]
    assert note["what"] == "write state.json failed"


def test_a_container_that_was_removed_meanwhile(records, tmp_path, full):
    records.state(STATE)
    assert not (tmp_path / "state.json").exists()


def test_events_and_the_ledger(records, tmp_path):
    records.event("die", exitCode="137")
    records.group_gone("/container-lab/tea")
    (event,) = documents.read_lines(str(tmp_path / "events.jsonl"))
    assert event["Action"] == "die" and event["Type"] == "container"
    assert event["Actor"] == {"ID": "4f" * 32, "Attributes": {"name": "tea", "exitCode": "137"}}
    assert event["timeNano"] // 1_000_000_000 == event["time"]
    assert documents.read_lines(str(tmp_path / "ledger.jsonl")) == [
        {"gone": "cgroup", "path": "/container-lab/tea"}]


def test_lines_that_do_not_fit_are_no_end(records):
    records.request["events"] = records.request["ledger"] = "/dev/full"
    records.event("die")
    records.group_gone("/container-lab/tea")


def test_the_birth_certificate(records, tmp_path):
    records.operations([{"n": 1, "name": "clone3"}, {"n": 2, "name": "mount"}])
    assert [each["name"] for each in documents.read_lines(str(tmp_path / "operations.jsonl"))] == [
        "clone3", "mount"]
    assert os.listdir(tmp_path) == ["operations.jsonl"]


def test_nobody_asked_for_events(tmp_path):
    quiet = Records({"id": "x", "directory": str(tmp_path)},
                    Evidence(str(tmp_path / "evidence.jsonl"), "/x"))
    quiet.event("start")
    quiet.group_gone("/x")
    assert list(Path(tmp_path).iterdir()) == []
