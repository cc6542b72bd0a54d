"""Links of a network namespace: recorded, and live ones beside `ip`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

import pytest

from runtime.inspect.links import Link, links
from runtime.inspect.source import Live, Recording, record

LO = Link("lo", 1, True, 65536, "", "UNKNOWN", ("127.0.0.1/8", "::1/128"))


def test_a_recording_gives_back_what_was_read() -> None:
    recorder = record(Live())
    seen = links(recorder, "self")
    kept = recorder._moments[-1][1]
    assert links(Recording(kept), "self") == seen


def test_a_process_that_is_gone_has_none() -> None:
    assert links(Recording({}), 4213) is None


@pytest.mark.kernel
def test_the_hosts_links_are_those_of_ip() -> None:
    found = links(Live(), os.getpid())
    assert found is not None
    listed = json.loads(subprocess.run(["ip", "-j", "addr"], capture_output=True, text=True,
                                       check=True).stdout)
    assert [(one.name, one.index, one.up, one.mtu, one.state) for one in found] == [
        (row["ifname"].partition("@")[0], row["ifindex"], "UP" in row["flags"], row["mtu"],
         row["operstate"]) for row in listed]
    assert [list(one.addresses) for one in found] == [
        [f"{entry['local']}/{entry['prefixlen']}" for entry in row["addr_info"]] for row in listed]


@pytest.mark.kernel
def test_a_new_namespace_has_lo_alone_and_down_until_somebody_brings_it_up(
        start: Callable[..., int]) -> None:
    pid = start("unshare", "--net", script="ready; exec sleep 300")
    found = links(Live(), pid)
    assert found is not None and [(one.name, one.up, one.addresses) for one in found] == [
        ("lo", False, ())]
    subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "link", "set", "lo", "up"], check=True)
    assert links(Live(), pid) == (LO,)


@pytest.mark.kernel
def test_two_ends_of_a_veth_name_each_other_by_index(start: Callable[..., int]) -> None:
    pid = start("unshare", "--net", script="ready; exec sleep 300")
    inside = ["nsenter", "-t", str(pid), "-n", "ip"]
    subprocess.run([*inside, "link", "add", "one", "type", "veth", "peer", "name", "two"],
                   check=True)
    found = {one.name: one for one in links(Live(), pid) or ()}
    assert found["one"].kind == "veth" == found["two"].kind
    assert (found["one"].peer, found["two"].peer) == (found["two"].index, found["one"].index)
