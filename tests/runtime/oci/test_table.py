"""One table of config.json: what the container's own process sees under ours, runc and crun.

Each row is one change (table_cases.py, table_mounts.py), run by all three side by side, each on a
bundle of its own, so that none finds what another has made. Every section of what the process sees
has to be the same, or the row says why not; and a reason that no longer holds fails as well.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.oci.bundles import PEERS, ROOT, Bundle
from tests.runtime.oci.observed import PROBE, observe
from tests.runtime.oci.table_cases import LIMITED, NAMESPACES, PROCESS, Case
from tests.runtime.oci.table_mounts import BINDS, DEVICES, MOUNTS, REFUSED
from tests.runtime.oci.table_mounts import ROOT as ROOTS

pytestmark = pytest.mark.kernel
SEEN = [*PROCESS, *NAMESPACES, *LIMITED, *MOUNTS, *BINDS, *ROOTS, *DEVICES]
OURS = (sys.executable, "-I", "-S", f"{ROOT}/lab/start.py", "oci")
# True of every row: what a peer does in another way, (peer, target of a mount) or (peer, section).
V1_ONLY = "a v1 hierarchy without a controller limits nothing, and is not shown inside"
ALWAYS = {
    ("runc", "/sys/fs/cgroup/systemd"): V1_ONLY, ("crun", "/sys/fs/cgroup/systemd"): V1_ONLY,
    ("runc", "/sys/fs/cgroup/unified"): "runc shows no v2 tree beside v1; ours has its pressures",
    ("crun", "/sys/fs/cgroup/unified"): "crun was started where the v2 tree is not mounted",
    ("runc", "/sys/fs/cgroup"): "runc leaves the tmpfs around the hierarchies writable",
    ("crun", "/sys/fs/cgroup"): "crun leaves the tmpfs around the hierarchies writable",
}


class Ran:
    """A bundle under one runtime, on its way."""

    def __init__(self, runtime: str, case: Case, folder: Path) -> None:
        self.runtime, self.bundle = runtime, Bundle(folder / runtime)
        bundle = self.bundle
        bundle.script(PROBE)
        bundle.process["env"] += [f"PROBED={' '.join(bundle.linux['maskedPaths'])}"]
        case.change(bundle)
        bundle.write()
        self.ident = bundle.group.strip("/")
        command = (*(OURS if runtime == "ours" else PEERS[runtime]), "--root",
                   f"{folder}/{runtime}-state")
        self.delete = (*command, "delete", "--force", self.ident)
        self.program = subprocess.Popen(
            [*command, "run", "--bundle", str(bundle.folder), self.ident], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "CONTAINER_LAB_ROOT": f"{folder}/lab"})

    def end(self) -> tuple[int, dict[str, Any], str]:
        out, err = self.program.communicate(timeout=50)
        return self.program.returncode, observe(out, str(self.bundle.folder)), err

    def close(self) -> None:
        if self.program.poll() is None:
            self.program.kill()
            self.program.communicate()
            subprocess.run(self.delete, capture_output=True, timeout=30)
        self.bundle.close()


@pytest.fixture
def ran(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Ran]]:
    missing = [name for name in PEERS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not here: {' '.join(missing)}")
    made: dict[str, Ran] = {}
    try:
        for runtime in ("ours", *PEERS):
            made[runtime] = Ran(runtime, request.param, tmp_path)
        yield made
    finally:
        for each in made.values():
            each.close()


def differences(peer: str, ours: dict[str, Any], theirs: dict[str, Any], hidden: list[str]
                ) -> dict[str, Any]:
    """section → (ours, theirs), less what is so in every row."""
    found = {}
    for section in ours:
        mine, other = ours[section], theirs.get(section)
        if section == "mounts" and other is not None:
            skip = {target for name, target in ALWAYS if name == peer}
            # crun 1.8.1 drops nosuid and the like on what it makes read-only, and hides a file
            # behind the host's null.
            skip |= set(hidden) if peer == "crun" else set()
            keys = sorted((mine.keys() | other.keys()) - skip)
            mine, other = ({key: table.get(key) for key in keys if mine.get(key) != other.get(key)}
                           for table in (mine, other))
        elif section == "descriptors" and peer == "crun" and other is not None:
            other = other[:len(mine)]  # crun 1.8.1 leaves one more
        elif section == "devices" and peer == "crun" and other is not None:
            # crun 1.8.1 links /dev/core also where the kernel has no /proc/kcore, and makes the
            # user the owner of what is its stdin, here /dev/null.
            mine, other = ([line for line in lines
                            if not line.endswith((" /proc/kcore ", "null 1,3"))]
                           for lines in (mine, other))
        if mine != other:
            found[section] = (mine, other)
    return found


@pytest.mark.parametrize("ran", SEEN, ids=[case.name for case in SEEN], indirect=True)
def test_the_same_is_seen(ran: dict[str, Ran], request: pytest.FixtureRequest) -> None:
    case: Case = request.node.callspec.params["ran"]
    code, ours, error = ran["ours"].end()
    assert code == 0, error
    linux = ran["ours"].bundle.linux
    hidden = [*linux["maskedPaths"], *linux["readonlyPaths"]]
    for peer in PEERS:
        reasons = {section: peers[peer] for section, peers in case.explained.items()
                   if peer in peers}
        their_code, theirs, their_error = ran[peer].end()
        if "*" in reasons:
            assert their_code != 0 or differences(peer, ours, theirs, hidden), \
                f"{peer} is the same by now: {reasons}"
            continue
        assert their_code == 0, their_error
        found = differences(peer, ours, theirs, hidden)
        assert {section: pair for section, pair in found.items() if section not in reasons} == {}
        assert reasons.keys() <= found.keys(), f"{peer} is the same by now: {reasons}"


@pytest.mark.parametrize("ran", REFUSED, ids=[case.name for case in REFUSED], indirect=True)
def test_the_same_is_refused(ran: dict[str, Ran], request: pytest.FixtureRequest) -> None:
    case: Case = request.node.callspec.params["ran"]
    code, _, error = ran["ours"].end()
    assert code != 0 and "level=error msg=" in error and error.count("\n") == 1, error
    assert not ran["ours"].bundle.cgroup().exists()
    for peer in PEERS:
        assert (ran[peer].end()[0] != 0) != (peer in case.explained.get("*", {})), peer


def test_it_is_a_table_of_eighty() -> None:
    names = [case.name for case in (*SEEN, *REFUSED)]
    assert len(names) == len(set(names)) >= 80
