"""create: the request with the image's defaults, judged before anything is made."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from runtime.engine import creation, rootless
from runtime.errors import Denied, Invalid, LabError, NotFound, Unsupported

IMAGE = SimpleNamespace(id="sha256:" + "4f" * 32, layers=["/nowhere/l1"], config={"Config": {
    "Cmd": ["sh"], "Entrypoint": ["init"], "Env": ["A=1", "B=2"], "WorkingDir": "/home",
    "User": "student", "Labels": {"from": "image"}, "StopSignal": "QUIT"}})


def wish(**body):
    return creation.describe_wish("4f" * 32, IMAGE, {"Image": "lab/base", **body})


def test_the_images_defaults():
    found = wish()
    config = found["Config"]
    assert (found["Path"], found["Args"]) == ("init", ["sh"])
    assert config["Env"] == ["A=1", "B=2"] and config["WorkingDir"] == "/home"
    assert config["User"] == "student" and config["StopSignal"] == "QUIT"
    assert config["Hostname"] == "4f" * 6 and found["Image"] == IMAGE.id
    assert found["Layers"] == ["/nowhere/l1"]


@pytest.mark.parametrize("body, path, arguments", [
    ({"Cmd": ["ls", "-l"]}, "init", ["ls", "-l"]),
    ({"Entrypoint": ["own"]}, "own", []),
    ({"Entrypoint": ["own"], "Cmd": ["x"]}, "own", ["x"]),
    ({"Entrypoint": [""], "Cmd": ["x"]}, "x", []),
    ({"Entrypoint": [], "Cmd": ["x"]}, "init", ["x"]),
])
def test_entrypoint_and_command(body, path, arguments):
    found = wish(**body)
    assert (found["Path"], found["Args"]) == (path, arguments)


def test_the_requests_own():
    config = wish(Env=["B=3", "C=4"], Labels={"mine": "1"}, WorkingDir="/", User="0",
                  Hostname="tea")["Config"]
    assert config["Env"] == ["A=1", "B=3", "C=4"]
    assert config["Labels"] == {"from": "image", "mine": "1"}
    assert (config["WorkingDir"], config["User"], config["Hostname"]) == ("/", "0", "tea")


def test_the_hosts_name_in_the_hosts_namespace():
    for mode in ("UTSMode", "NetworkMode"):
        assert wish(HostConfig={mode: "host"})["Config"]["Hostname"] == os.uname().nodename


@pytest.mark.parametrize("body, words", [
    ({"WorkingDir": "tmp"}, "the working directory 'tmp' is invalid"),
    ({"StopSignal": "NOTHING"}, "invalid signal: NOTHING"),
    ({"HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}},
     "can't create 'AutoRemove' container with restart policy"),
    ({"HostConfig": {"Binds": ["/a:/x", "/b:/x/"]}}, "Duplicate mount point: /x"),
    ({"HostConfig": {"Memory": 1}}, "Minimum memory limit allowed is 6MB"),
])
def test_refused(body, words):
    with pytest.raises(Invalid, match=words):
        creation.check(wish(**body))


@pytest.mark.parametrize("host, words", [
    ({"Mounts": [{"Type": "volume"}]}, "HostConfig.Mounts is not built yet"),
    ({"PortBindings": {"80/tcp": []}}, "HostConfig.PortBindings is not built yet"),
    ({"NetworkMode": "bridge"}, "HostConfig.NetworkMode bridge is not built yet"),
    ({"RestartPolicy": {"Name": "always"}}, "HostConfig.RestartPolicy always is not built yet"),
    ({"LogConfig": {"Type": "syslog"}}, "HostConfig.LogConfig syslog is not built yet"),
    ({"Binds": ["tea:/data"]}, "a volume by name"),
])
def test_what_is_not_built_is_refused_by_name(host, words):
    with pytest.raises(Unsupported, match=words):
        creation.check(wish(HostConfig=host))


def test_what_says_nothing_is_no_wish():
    creation.check(wish(HostConfig={"PortBindings": {}, "Dns": [], "Init": None, "Mounts": None,
                                    "NetworkMode": "none", "RestartPolicy": {"Name": "no"},
                                    "LogConfig": {"Type": "json-file"}}))


@pytest.mark.kernel
def test_what_it_writes(engine, make):
    old = os.umask(0o077)
    try:
        tea = engine.find(make("sh", "-c", "true", name="tea", Hostname="pot"))
    finally:
        os.umask(old)
    files = sorted(os.listdir(tea.directory))
    assert files == ["config.json", "container.json", "hostname", "hosts", "resolv.conf", "rootfs",
                     "state.json", "upper", "work"]
    directory = Path(tea.directory)
    assert json.loads((directory / "container.json").read_text())["Name"] == "/tea"
    assert json.loads((directory / "config.json").read_text())["process"]["args"][0] == "sh"
    assert (directory / "hostname").read_text() == "pot\n"
    for name in ("hostname", "hosts", "resolv.conf"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o644, "whatever the umask"
    assert Path(engine.root, "names/tea").read_text() == tea.id
    assert engine.events()[-1]["Action"] == "create"


@pytest.mark.kernel
@pytest.mark.parametrize("body, kind", [
    ({"Image": "no/such"}, NotFound), ({"Image": ""}, Invalid),
    ({"Image": "lab/base", "User": "nobody-at-all"}, Invalid),
    ({"Image": "lab/base", "HostConfig": {"CapAdd": ["NOTHING"]}}, Invalid),
    ({"Image": "lab/base", "HostConfig": {"Binds": ["/etc/passwd/x:/y"]}}, NotFound),
    ({"Image": "lab/base", "HostConfig": {"PidMode": "container:x"}}, LabError),
])
def test_a_failure_leaves_nothing(engine, body, kind):
    with pytest.raises(kind):
        engine.create("tea", {"Cmd": ["true"], "HostConfig": {}, **body})
    for folder in ("containers", "names"):
        path = f"{engine.root}/{folder}"
        assert not os.path.exists(path) or os.listdir(path) == []
    engine.create("tea", {"Image": "lab/base", "Cmd": ["true"], "HostConfig": {}})


@pytest.mark.kernel
def test_a_source_that_is_not_there_is_made(engine, make, tmp_path, run):
    made = tmp_path / "deep/er"
    assert run("sh", "-c", "touch /data/x", host={"Binds": [f"{made}:/data"]}).code == 0
    assert os.listdir(made) == ["x"]


@pytest.mark.kernel
def test_the_callers_umask_is_not_the_roots(run):
    before = os.umask(0o77)
    try:
        assert run("sh", "-c", "stat -c %a /; ls /etc/passwd /etc/hostname", User="1000") == (
            0, b"755\n/etc/hostname\n/etc/passwd\n", b"")
    finally:
        os.umask(before)


@pytest.mark.kernel
def test_without_root_where_the_host_forbids_it(engine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(rootless, "setting", {"user/max_user_namespaces": 0}.get)
    with pytest.raises(Denied, match="user.max_user_namespaces is 0 .sudo sysctl -w"):
        engine.create("tea", {"Image": "lab/base", "Cmd": ["true"]})
