"""From Docker's words to config.json, asking the kernel for nothing."""

from __future__ import annotations

import pytest

from runtime.engine import defaults, spec
from runtime.errors import Invalid, Unsupported


def made(host=None, **wanted):
    config = {"Path": "sh", "Args": ["-c", "true"], "HostConfig": host or {},
              "Config": {"Hostname": "tea", "Image": "lab/base", **wanted}}
    return spec.make(config, "/lab/containers/4f", ["/nowhere/low", "/nowhere/top"])


def test_a_container_that_asks_for_nothing():
    document = made()
    process = document["process"]
    assert process["args"] == ["sh", "-c", "true"] and process["cwd"] == "/"
    assert process["env"] == [defaults.PATH, "HOSTNAME=tea"]
    assert process["capabilities"]["bounding"] == defaults.CAPABILITIES
    assert len(defaults.CAPABILITIES) == 14
    assert not process["terminal"] and not process["noNewPrivileges"]
    assert [each["type"] for each in document["linux"]["namespaces"]] == [
        "mount", "pid", "ipc", "uts", "network", "cgroup"]
    assert document["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert document["linux"]["maskedPaths"] and document["linux"]["readonlyPaths"]
    destinations = [mount["destination"] for mount in document["mounts"]]
    assert destinations[:2] == ["/proc", "/dev"]
    assert destinations[-3:] == ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"]


def test_host_modes_leave_a_namespace_out():
    host = {"NetworkMode": "host", "PidMode": "host", "IpcMode": "host", "UTSMode": "host",
            "CgroupnsMode": "host"}
    assert made(host)["linux"]["namespaces"] == [{"type": "mount"}]
    assert made({})["hostname"] == "tea" and "hostname" not in made(host), "it is the host's"
    with pytest.raises(Unsupported, match="--network container:x is not built yet"):
        made({"NetworkMode": "container:x"})


def test_privileged():
    document = made({"Privileged": True})
    assert document["process"]["capabilities"]["bounding"] == defaults.ALL_CAPABILITIES
    assert "seccomp" not in document["linux"]
    assert document["linux"]["maskedPaths"] == document["linux"]["readonlyPaths"] == []
    assert {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666} in \
        document["linux"]["devices"]


@pytest.mark.parametrize("add, drop, more, less", [
    (["NET_ADMIN"], [], {"CAP_NET_ADMIN"}, set()),
    (["net_admin", "CAP_SYS_TIME"], ["chown"], {"CAP_NET_ADMIN", "CAP_SYS_TIME"}, {"CAP_CHOWN"}),
    ([], ["CAP_CHOWN", "KILL"], set(), {"CAP_CHOWN", "CAP_KILL"}),
    (["CHOWN"], ["CHOWN"], set(), set()),
])
def test_capabilities(add, drop, more, less):
    chosen = spec.choose_capabilities({"CapAdd": add, "CapDrop": drop})
    assert set(chosen) == (set(defaults.CAPABILITIES) | more) - less
    assert len(set(chosen)) == len(chosen)


def test_all_capabilities():
    assert spec.choose_capabilities({"CapDrop": ["ALL"]}) == []
    assert spec.choose_capabilities({"CapDrop": ["ALL"], "CapAdd": ["KILL"]}) == ["CAP_KILL"]
    assert spec.choose_capabilities({"CapAdd": ["ALL"]}) == defaults.ALL_CAPABILITIES
    assert "CAP_KILL" not in spec.choose_capabilities({"CapAdd": ["ALL"], "CapDrop": ["KILL"]})
    with pytest.raises(Invalid, match='unknown capability: "CAP_NOTHING"'):
        spec.choose_capabilities({"CapAdd": ["NOTHING"]})


@pytest.mark.parametrize("old, new, result", [
    (["A=1", "B=2"], ["B=3", "C=4"], ["A=1", "B=3", "C=4"]),
    (["A=1", "B=2"], ["A"], ["B=2"]),
    ([], ["A=b=c", "E="], ["A=b=c", "E="]),
    ([], ["A=1", "A=2"], ["A=2"]),
])
def test_environment(old, new, result):
    assert spec.merge_environment(old, new) == result


def test_a_terminal():
    process = made({"ConsoleSize": [30, 100]}, Tty=True)["process"]
    assert process["terminal"] and process["consoleSize"] == {"height": 30, "width": 100}
    assert "TERM=xterm" in process["env"]
    assert "consoleSize" not in made({"ConsoleSize": [0, 0]}, Tty=True)["process"]


@pytest.mark.parametrize("text, mount", [
    ("/a:/b", {"destination": "/b", "source": "/a", "options": ["rbind", "rw"]}),
    ("/a:/b:ro", {"destination": "/b", "source": "/a", "options": ["rbind", "rro"]}),
    ("/a:/b:ro,rprivate", {"destination": "/b", "source": "/a", "options": ["rbind", "rro"]}),
])
def test_binds(text, mount):
    (found,) = [each for each in made({"Binds": [text]})["mounts"]
                if each["destination"] == "/b"]
    assert found == {"type": "bind", **mount}


@pytest.mark.parametrize("mode, kind, words", [
    ("rslave", Unsupported, "mode rslave is not built yet"),
    ("ro,soft", Invalid, "invalid mode: ro,soft")])
def test_a_bind_that_would_not_be_as_asked(mode, kind, words):
    with pytest.raises(kind, match=words):
        made({"Binds": [f"/a:/b:{mode}"]})


def test_limits_of_processes():
    process = made({"Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": -1}]})["process"]
    assert process["rlimits"] == [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": (1 << 64) - 1}]


@pytest.mark.parametrize("options, sealed", [
    (["no-new-privileges"], True), (["no-new-privileges=true"], True),
    (["no-new-privileges:false"], False), ([], False)])
def test_no_new_privileges(options, sealed):
    assert made({"SecurityOpt": options})["process"]["noNewPrivileges"] is sealed


def test_a_filter_that_was_asked_for_stands_with_privileged_too():
    own = '{"defaultAction":"SCMP_ACT_ALLOW","architectures":[],"syscalls":[]}'
    document = made({"Privileged": True, "SecurityOpt": [f"seccomp={own}"]})
    assert document["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ALLOW"
    assert "seccomp" not in made({"Privileged": True, "SecurityOpt": ["seccomp=builtin"]})["linux"]


def test_seccomp_as_asked():
    assert "seccomp" not in made({"SecurityOpt": ["seccomp=unconfined"]})["linux"]
    own = '{"defaultAction":"SCMP_ACT_ALLOW","architectures":[],"syscalls":[]}'
    assert made({"SecurityOpt": [f"seccomp={own}"]})["linux"]["seccomp"]["syscalls"] == []
    with pytest.raises(Unsupported, match="archMap is not built yet"):
        made({"SecurityOpt": ['seccomp={"archMap":[]}']})
    with pytest.raises(Invalid):
        made({"SecurityOpt": ["no-new-privileges=perhaps"]})


def test_the_root_is_an_overlay():
    (mount,) = spec.root_mounts("/lab/c", ["/l/low", "/l/top"], disposable=True)
    assert mount["options"] == ["lowerdir=/l/top:/l/low", "upperdir=/lab/c/upper",
                                "workdir=/lab/c/work", "volatile"]
    assert "volatile" not in spec.root_mounts("/c", ["/l"], disposable=False)[0]["options"]
    with pytest.raises(Unsupported, match="choose another --root"):
        spec.root_mounts("/c", ["/l:1"], disposable=False)
    with pytest.raises(Unsupported, match="longer than a page"):
        spec.root_mounts("/c", ["/" + "x" * 100] * 50, disposable=False)
