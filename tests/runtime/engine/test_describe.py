"""inspect: Docker's document, whole in its fields, and true to the kernel in its values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel


def test_one_that_runs(engine, started):
    ident = started("sleep", "1000", name="tea", host={"Memory": 64 << 20, "CapAdd": ["net_admin"],
                                                       "Binds": ["/tmp:/data:ro"]})
    found = engine.inspect("tea")
    tea = engine.find("tea")
    state = found["State"]
    assert (found["Id"], found["Name"]) == (ident, "/tea")
    assert (state["Status"], state["Running"], state["Paused"]) == ("running", True, False)
    assert Path(f"/proc/{state['Pid']}/comm").read_text() == "sleep\n"
    assert found["HostConfig"]["Memory"] == 64 << 20
    assert found["HostConfig"]["MemorySwap"] == 128 << 20
    assert found["HostConfig"]["CapAdd"] == ["CAP_NET_ADMIN"]
    assert found["Mounts"] == [{"Type": "bind", "Source": "/tmp", "Destination": "/data",
                                "Mode": "ro", "RW": False, "Propagation": "rprivate"}]
    data = found["GraphDriver"]["Data"]
    row = next(line for line in Path(f"/proc/{tea.pid}/mountinfo").read_text().splitlines()
               if line.split()[4] == "/")
    assert f"upperdir={data['UpperDir']}" in row and f"lowerdir={data['LowerDir']}" in row
    assert found["LogPath"] == tea.log_path
    json.dumps(found)


def test_states(engine, make):
    make("sh", "-c", "exit 3", name="tea")
    created = engine.inspect("tea")
    assert created["State"]["Status"] == "created" and created["LogPath"] == ""
    assert created["State"]["StartedAt"] == "0001-01-01T00:00:00Z"
    engine.start("tea")
    engine.wait("tea")
    state = engine.inspect("tea")["State"]
    assert (state["Status"], state["ExitCode"], state["Running"]) == ("exited", 3, False)
    assert "0001" < state["StartedAt"] < state["FinishedAt"]
    assert "Signal" not in state and "ShimPid" not in state


def test_every_field_of_dockers(engine, make):
    make("true", name="tea")
    found = engine.inspect("tea")
    assert set(found) == set("""Id Created Path Args State Image ResolvConfPath HostnamePath
        HostsPath LogPath Name RestartCount Driver Platform MountLabel ProcessLabel AppArmorProfile
        ExecIDs HostConfig GraphDriver Mounts Config NetworkSettings""".split())  # noqa: SIM905
    assert set(found["State"]) == set("""Status Running Paused Restarting OOMKilled Dead Pid
        ExitCode Error StartedAt FinishedAt""".split())  # noqa: SIM905
