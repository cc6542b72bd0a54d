"""The predicates of the namespaces and security tracks: net, mounts off the host, rights, maps."""

from __future__ import annotations

import pytest

from lab.course.checks import evaluate, judge, truth

LO = {"name": "lo", "index": 1, "up": True, "mtu": 65536, "kind": "", "state": "UNKNOWN",
      "addresses": ["127.0.0.1/8", "::1/128"], "peer": 0}
ETH = {"name": "eth0", "index": 2, "up": True, "mtu": 1500, "kind": "veth", "state": "UP",
       "addresses": ["172.17.0.2/16"], "peer": 7}


@pytest.fixture
def look(context, check):
    return lambda **words: evaluate(check(**words), context)


@pytest.fixture
def linked(world):
    """Give ink these links."""
    def put(*links, path="/proc/4213/ns/net"):
        if path.startswith("/proc/4213"):
            world.put("ink")
        entry = dict(world.files.get(path) or {})
        world.files[path] = entry | {"links": list(links)}
    return put


# ------------------------------------------------------------------ net

@pytest.mark.parametrize(("links", "words", "passed"), [
    ([LO], {"links": 1}, True), ([LO, ETH], {"links": 1}, False), ([], {"links": 0}, True),
    ([LO], {"link": "lo"}, True), ([LO], {"link": "eth0"}, False),
    ([LO], {"link": "eth0", "exists": False}, True),
    ([LO, ETH], {"link": "eth0", "exists": False}, False),
    ([LO], {"link": "lo", "up": True}, True), ([LO], {"link": "lo", "up": False}, False),
    ([LO | {"up": False}], {"link": "lo", "up": False}, True),
    ([LO | {"up": False}], {"link": "lo", "up": True}, False),
    ([LO], {"link": "lo", "addr": "127.0.0.1"}, True),
    ([LO], {"link": "lo", "addr": "127.0.0.1/8"}, True),
    ([LO], {"link": "lo", "addr": "127.0.0.1/16"}, False),
    ([LO], {"link": "lo", "addr": "10.0.0.1"}, False),
    ([LO | {"addresses": []}], {"link": "lo", "addr": "127.0.0.1"}, False),
    ([LO, ETH], {"link": "eth0", "kind": "veth"}, True),
    ([LO, ETH], {"link": "lo", "kind": "veth"}, False),
    ([LO], {"links": 1, "link": "lo", "up": True}, True),
    ([LO, ETH], {"links": 1, "link": "lo", "up": True}, False),
])
def test_net(linked, look, links, words, passed):
    linked(*links)
    found = look(net="$name", **words)
    assert found.passed is passed
    assert found.source_path == "/proc/4213/ns/net"
    assert found.expected and found.sentence and (found.passed or found.why)


def test_net_says_what_is_there_instead(linked, look):
    linked(LO | {"up": False, "addresses": []})
    assert look(net="$name", link="lo", up=True).why == "lo down; wanted: lo up"
    assert look(net="$name", link="eth0").why == "no eth0, but lo; wanted: eth0"
    assert look(net="$name", links=2).why == "lo down; wanted: 2 links"
    assert look(net="$name", links=1).sentence == "ink has 1 network link"
    assert look(net="$name", link="lo", up=True).sentence == "lo of ink is up"
    assert look(net="$name", link="eth0", exists=False).sentence == "ink has no eth0"


def test_net_without_a_process_or_without_leave(world, look):
    assert look(net="$name", links=1).observed == "no container is called ink"
    world.die("ink", 0)
    assert look(net="$name", link="lo", exists=False).passed is False
    world.put("ink")
    assert look(net="$name", links=0).observed == "the network of ink cannot be read"


def test_questions_about_links(linked, context, check):
    linked(LO, ETH)
    linked(LO, path="/proc/self/ns/net")

    def value(**words):
        return truth(check(**words), context)

    assert value(net="$name").value == "lo eth0"
    assert value(net="$name", field="count").value == "2"
    assert value(net="host", field="count").value == "1"
    assert value(net="$name", link="eth0", field="index").value == "2"
    assert value(net="$name", link="eth0", field="addr").value == "172.17.0.2/16"
    assert value(net="$name", link="lo", field="up").value == "up"
    assert value(net="$name", link="wlan0", field="up") is None
    assert value(net="elm", field="count") is None
    assert judge(check(net="$name", field="names"), "lo, eth0", context).passed
    assert not judge(check(net="$name", field="count"), "3", context).passed


# ------------------------------------------------------------------ capabilities and maps

def test_several_capabilities_at_once_and_which_one_is_wrong(world, look):
    world.put("ink")
    good = look(proc="$name", field="CapEff", has=["CHOWN", "NET_RAW"],
                lacks=["SYS_ADMIN", "SYS_TIME"])
    assert good.passed
    assert good.sentence == "ink holds CHOWN and NET_RAW, and does not hold SYS_ADMIN and SYS_TIME"
    kept = look(proc="$name", field="CapEff", lacks=["SYS_TIME", "NET_RAW"])
    assert kept.why == ("CapEff 00000000a80425fb, with NET_RAW; "
                        "wanted: lacks SYS_TIME and NET_RAW")
    missing = look(proc="$name", field="CapEff", has="SYS_ADMIN")
    assert missing.observed == "CapEff 00000000a80425fb, without SYS_ADMIN"


def test_a_mask_is_one_number_however_it_is_written(world, context, check, look):
    world.put("ink")
    asked = check(proc="$name", field="CapEff")
    for answer in ("00000000a80425fb", "a80425fb", "0xa80425fb", "A80425FB"):
        assert judge(asked, answer, context).passed, answer
    assert not judge(asked, "a80405fb", context).passed
    assert not judge(asked, "14", context).passed
    assert judge(check(proc="$name", field="CapEff", bits=True), "14", context).passed
    assert not judge(check(proc="$name", field="CapEff", bits=True), "13", context).passed
    assert look(proc="$name", field="CapEff", bits=True, eq=14).passed


def test_the_readers_own_process(world, context, check):
    world.files["/proc/self/status"] = "CapEff:\t000001ffffffffff\nUid:\t0\t0\t0\t0\n"
    assert judge(check(proc="self", field="CapEff"), "1ffffffffff", context).passed
    assert judge(check(proc="self", field="CapEff", bits=True), "41", context).passed
    assert truth(check(proc="self", field="Nonsense"), context) is None


def test_user_numbers_and_their_map(world, look, context, check):
    world.put("ink")
    world.files["/proc/4213/uid_map"] = "         0      23456          1\n"
    assert look(proc="$name", field="uid_map", eq="0 23456 1").passed
    assert not look(proc="$name", field="uid_map", eq="0 0 1").passed
    assert look(proc="$name", field="Uid", eq=0).passed
    assert not look(proc="$name", field="Uid", eq=1000).passed
    assert judge(check(proc="$name", field="uid_map"), "0 23456 1", context).passed
    world.files["/proc/4213/uid_map"] = ""
    assert look(proc="$name", field="uid_map", eq="").passed


def test_a_filter_and_none(world, look):
    world.put("ink")
    assert look(proc="$name", field="Seccomp", eq=2).passed
    none = look(proc="$name", field="Seccomp", eq=0)
    assert not none.passed
    assert none.sentence == "no filter stands before ink's system calls"


# ------------------------------------------------------------------ mounts off the host, owners

def test_a_mount_that_the_host_must_not_have(world, look):
    world.put("ink")
    world.files["/proc/self/mountinfo"] = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    assert look(mount="$name", target="/data", on_host=False).passed
    assert not look(mount="$name", target="/data", on_host=True).passed
    world.files["/proc/self/mountinfo"] += "21 20 0:9 / /data rw - tmpfs tmpfs rw\n"
    both = look(mount="$name", target="/data", fstype="ext4", on_host=False)
    assert not both.passed
    assert both.why == ("ext4 /srv/data rw; the host has got it; "
                        "wanted: fstype ext4, and not on the host")
    assert look(mount="$name", target="/data", on_host=True).passed


def test_the_owner_of_a_file_may_be_a_variable(world, look, context, file_stat):
    context.attempt.vars["limit"] = "23456"
    entry = file_stat(0o100644)
    entry["stat"]["uid"] = 23456
    world.files["/tmp/proof"] = entry
    assert look(file="/tmp/proof", owner="$limit").passed
    assert look(file="/tmp/proof", owner=23456).passed
    assert not look(file="/tmp/proof", owner=0).passed


def test_a_command_in_a_container_that_failed(world, look):
    world.put("ink")
    world.tell("exec_die", "ink", exitCode="1")
    assert look(event={"sequence": ["exec_die $name exitCode=1"]}).passed
    wrong = look(event={"sequence": ["exec_die $name exitCode=0"]})
    assert not wrong.passed
    assert wrong.sentence == "a command in ink ended with 0"


def test_a_command_that_never_began_has_a_start_and_no_end(world, look):
    world.put("ink")
    world.tell("exec_start: chwn 1000 /etc/passwd", "ink")
    assert look(event={"sequence": ["exec_start $name"]}).passed
    assert look(event={"sequence": ["exec_die $name"]}).observed == "exec_start ink"


def test_the_phase_with_the_most_calls_is_the_processs_own(world, context, check):
    world.put("ink")
    world.certificate["ink"] = [
        {"phase": phase, "by": by, "name": "call"} for phase, by, count in (
            ("limit", "shim", 9), ("isolate", "init", 2), ("root", "init", 3), ("drop", "init", 1))
        for _ in range(count)]
    asked = check(operations="$name", largest=True)
    assert judge(asked, "root", context).passed
    assert not judge(asked, "limit", context).passed
    del world.certificate["ink"]
    assert truth(asked, context) is None
