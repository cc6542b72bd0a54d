"""container-lab-oci reads the command line as runc does: its options, its help, its mistakes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from runtime.errors import Invalid
from runtime.oci import options
from runtime.oci.commands import counting, ending, log, looking, pages, updating
from runtime.oci.options import COMMANDS, GLOBAL, Usage
from tests.runtime.oci.commandline import Runtime

# Options that newer versions of runc have, and Debian's 1.1 not yet.
NEWER = {"pidfd-socket", "cpu-idle", "cpu-burst", "tcp-skip-in-flight", "link-remap",
         "kernel-memory", "kernel-memory-tcp"}


def test_every_command_has_a_home_a_page_and_a_count() -> None:
    from runtime.oci import cli

    assert set(COMMANDS) == set(cli.HOMES) == set(pages.ABOUT)
    for verb in COMMANDS:
        module = f"runtime.oci.commands.{cli.HOMES[verb]}"
        assert hasattr(__import__(module, fromlist=["x"]), f"{verb}_"), verb


@pytest.mark.parametrize(("words", "wanted", "rest"), [
    (["tea"], {}, ["tea"]), (["-b", "/b", "tea"], {"bundle": "/b"}, ["tea"]),
    (["--bundle=/b", "tea"], {"bundle": "/b"}, ["tea"]),
    (["tea", "-bundle", "/b"], {"bundle": "/b"}, ["tea"]),
    (["--no-pivot", "--preserve-fds", "3", "tea"], {"no-pivot": True, "preserve-fds": 3}, ["tea"]),
    (["--no-pivot=false", "tea"], {"no-pivot": False}, ["tea"]),
    (["--", "-x"], {}, ["-x"]), (["-h"], {"help": True}, [])])
def test_words(words: list[str], wanted: dict[str, object], rest: list[str]) -> None:
    assert options.parse(COMMANDS["create"][0], words, stop=False) == (wanted, rest)


def test_a_command_line_that_is_somebody_elses_is_left_alone() -> None:
    found, rest = options.parse(COMMANDS["exec"][0], ["-t", "-e", "A=1", "-e", "B=2", "tea", "ls",
                                                      "-t", "--user", "x"], stop=True)
    assert found == {"tty": True, "env": ["A=1", "B=2"]}
    assert rest == ["tea", "ls", "-t", "--user", "x"]


@pytest.mark.parametrize(("words", "text"), [
    (["--bogus"], "flag provided but not defined: -bogus"),
    (["--bundle"], "flag needs an argument: -bundle"),
    (["--preserve-fds", "x"], 'invalid value "x" for flag -preserve-fds: parse error'),
    (["--no-pivot=maybe"], 'invalid boolean value "maybe" for -no-pivot: parse error')])
def test_what_is_wrong_is_said_as_go_says_it(words: list[str], text: str) -> None:
    with pytest.raises(Usage, match=re.escape(text)):
        options.parse(COMMANDS["create"][0], words, stop=False)


@pytest.mark.skipif(shutil.which("runc") is None, reason="runc is not here")
@pytest.mark.parametrize("verb", ["", *COMMANDS])
def test_the_options_are_runcs(verb: str) -> None:
    page = subprocess.run(["runc", *([verb] if verb else []), "--help"], capture_output=True,
                          text=True, check=True).stdout
    theirs = set(re.findall(r"^   (?:-\w, )?--([\w-]+)", page, re.MULTILINE))
    table = COMMANDS[verb][0] if verb else GLOBAL
    mine = {name for name, _ in options.known(table).values()}
    assert theirs - {"help"} - mine == set(), "an option of runc's that is not known"
    assert mine - theirs - NEWER == set(), "an option that runc does not have"
    assert all(f"--{name}" in pages.page("runc", verb) for name in theirs)


CASES = [
    ["state", "nope"], ["kill", "nope"], ["kill", "nope", "XX"], ["delete", "nope"],
    ["delete", "-f", "nope"], ["start", "nope"], ["exec", "nope", "ls"], ["exec", "nope"],
    ["ps", "nope"], ["pause", "nope"], ["resume", "nope"], ["update", "nope"], ["events", "nope"],
    ["list"], ["list", "-q"], ["list", "-f", "json"], ["list", "-f", "xml"], ["create"],
    ["create", "a", "b"], ["bogus"], ["state"], ["exec"], ["create", "--bogus", "x"],
    ["create", "--bundle", "/nonexistent", "x"], ["create", "a/b"], ["state", "a b"],
    ["--log-format=xml", "state", "x"], ["--bogus", "state"], ["state", "--help"], ["--help"],
    ["help", "state"], ["update", "--memory", "lots", "nope"],
]


@pytest.mark.parametrize("words", CASES, ids=" ".join)
def test_without_a_container_code_and_error_are_runcs(
        words: list[str], ours: Runtime, runc: Runtime) -> None:
    mine, theirs = ours(*words, cwd="/tmp"), runc(*words, cwd="/tmp")
    assert mine.code == theirs.code
    if words != ["update", "--memory", "lots", "nope"]:  # ours reads the words first
        assert mine.message() == theirs.message()
    assert ("NAME:" in mine.out) == ("NAME:" in theirs.out)
    assert ("Incorrect Usage" in mine.out) == ("Incorrect Usage" in theirs.out)


def test_no_config(ours: Runtime, runc: Runtime, tmp_path: Path) -> None:
    words = ("create", "--bundle", str(tmp_path), "tea")
    assert ours(*words).message() == runc(*words).message() == \
        "runc create failed: JSON specification file config.json not found"


def test_log(ours: Runtime, tmp_path: Path) -> None:
    said = ours("--log", str(tmp_path / "l"), "--log-format", "json", "state", "nope")
    assert said.err == "container does not exist\n"
    line = json.loads((tmp_path / "l").read_text())
    assert (line["level"], line["msg"]) == ("error", "container does not exist")
    said = ours("--log", str(tmp_path / "no/l"), "state", "nope")
    assert "no/l: no such file or directory" in said.err and said.code == 1


def test_a_link_gives_it_its_name(ours: Runtime) -> None:
    named = {"CONTAINER_LAB_OCI_PROGRAM": "runc"}
    assert ours("--version", env=named).out.startswith("runc version ")
    assert "   runc create - " in ours("create", "--help", env=named).out


@pytest.mark.parametrize("words", [
    ["--systemd-cgroup", "state", "x"], ["restore", "x"],
    ["update", "--l3-cache-schema", "x", "tea"]])
def test_refused_by_name(ours: Runtime, words: list[str]) -> None:
    said = ours(*words)
    assert said.code == 1
    if words[0] != "update":
        assert words[0].lstrip("-") in said.message()


@pytest.mark.parametrize(("text", "number"), [
    ("9", 9), ("KILL", 9), ("SIGTERM", 15), ("sigusr1", 10), ("RTMIN+2", 36), ("RTMAX-1", 63)])
def test_signals(text: str, number: int) -> None:
    assert ending.signal_number(text) == number


@pytest.mark.parametrize("text", ["", "XX", "_SETMASK", "RTMIN+x", "-9"])
def test_no_signals(text: str) -> None:
    with pytest.raises(Invalid, match="unknown signal"):
        ending.signal_number(text)


@pytest.mark.parametrize(("text", "size"), [
    ("0", 0), ("1024", 1024), ("20M", 20 << 20), ("20mb", 20 << 20), ("1.5g", 3 << 29),
    ("64kib", 64 << 10), ("-1", -1)])
def test_sizes(text: str, size: int) -> None:
    assert updating.size(text, "memory") == size


@pytest.mark.parametrize(("text", "seconds"), [
    ("5s", 5), ("100ms", 0.1), ("1m30s", 90), ("1.5h", 5400)])
def test_durations(text: str, seconds: float) -> None:
    assert counting.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["5", "s", "5x", "1s2"])
def test_no_durations(text: str) -> None:
    with pytest.raises(Invalid):
        counting.duration(text)


def test_forms() -> None:
    assert log.quoted("plain") == "plain" and log.quoted('a "b"') == '"a \\"b\\""'
    value = {"a": 1, "b": {"c": "é", "d": {}}}
    assert json.loads(looking.pretty(value)) == value
    assert looking.pretty(value) == json.dumps(value, indent=2, ensure_ascii=False)


def test_features_and_spec(ours: Runtime, tmp_path: Path) -> None:
    told = json.loads(ours("features").out)
    assert told["ociVersionMax"].startswith("1.2") and "createRuntime" in told["hooks"]
    assert {"ro", "rro", "rshared", "idmap"} <= set(told["mountOptions"])
    assert ours("spec", "--bundle", str(tmp_path)).code == 0
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["process"]["args"] == ["sh"]
    assert "exists. Remove it first" in ours("spec", "--bundle", str(tmp_path)).err


@pytest.mark.parametrize("words", [[], ["--rootless"]])
def test_spec_is_runcs(
        ours: Runtime, runc: Runtime, tmp_path: Path, words: list[str]) -> None:
    made = []
    for name, runtime in (("ours", ours), ("runc", runc)):
        (tmp_path / name).mkdir()
        assert runtime("spec", *words, "--bundle", str(tmp_path / name)).code == 0
        made.append(json.loads((tmp_path / name / "config.json").read_text()))
    mine, theirs = made
    # Newer than Debian's: no ambient set, a cgroup namespace of its own, our specification.
    theirs["process"]["capabilities"].pop("ambient", None)
    theirs["ociVersion"] = mine["ociVersion"]
    for each in made:
        each["linux"]["namespaces"] = sorted(
            entry["type"] for entry in each["linux"]["namespaces"] if entry["type"] != "cgroup")
    assert mine == theirs
