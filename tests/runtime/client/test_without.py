"""--without and --unsafe, as they are typed, and what the help says of them."""

from __future__ import annotations

import pytest

from runtime.client.options import ClientError
from runtime.client.without import host_fields


@pytest.mark.parametrize("given, parts", [
    (["pid"], ["pid"]), (["pid,net"], ["pid", "net"]), (["pid", "net, uts"], ["pid", "net", "uts"]),
    (["pid", "pid"], ["pid"]),
])
def test_repeated_and_with_commas(given, parts):
    assert host_fields({"without": given}) == {"ContainerLab": {"Without": parts}}


def test_unsafe_goes_with_it():
    assert host_fields({"without": ["pid"], "unsafe": True}) == {
        "ContainerLab": {"Without": ["pid"], "Unsafe": True}}
    with pytest.raises(ClientError, match="there is no --without"):
        host_fields({"unsafe": True})
    assert host_fields({}) == {} == host_fields({"unsafe": False})


def test_an_empty_part_is_refused():
    with pytest.raises(ClientError, match="needs the name of a part"):
        host_fields({"without": ["pid,"]})


def test_the_engine_is_told(body_of):
    host = body_of("--without", "net", "--without=uts")["HostConfig"]
    assert host["ContainerLab"] == {"Without": ["net", "uts"]}


@pytest.mark.parametrize("command", ["run", "create", "ablation"])
def test_the_help_says_that_they_are_ours(lab, command):
    said = " ".join(lab(command, "--help").out.split())
    assert said.count("(container-lab's own flag, not Docker's)") == 2


def test_the_commands_of_our_own_are_listed_and_say_so(lab):
    assert "ablation" in lab("--help").out and "probe" in lab("--help").out
    assert "This command is container-lab's own." in lab("ablation", "--help").out
    assert "This command is container-lab's own." in lab("probe", "--help").out
