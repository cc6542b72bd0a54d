"""`container-lab doctor`: width, glyph and word, colours only where wanted, JSON, exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.client import doctor as command
from runtime.inspect.facts import MISSING, OK, PARTLY, Item
from runtime.inspect.host import Report
from runtime.inspect.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[3]
LESSONS = [("oom-137", "OOM, and what 137 means", ("cgroup:memory",)),
           ("swap", "A very long title " * 8, ("swap", "cgroup2:io"))]

ITEMS = (
    Item("root", OK, "you are root (uid 0)", needed=True),
    Item("mnt", OK, "can be made", group="namespaces", needed=True),
    Item("time", MISSING, "this kernel has none", "old", "install a newer kernel", "namespaces"),
    Item("pid", OK, "can be made", group="namespaces", needed=True),
    Item("swap", MISSING, "this host has none", "a full cgroup is killed at once, never slowed",
         "sudo fallocate -l 1G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile"),
    Item("terminal", PARTLY, "input is no terminal", "the screen needs one", "x"),
)
CAPABILITIES = {
    "cgroup:memory": Requirement("cgroup:memory", True),
    "swap": Requirement("swap", False, "this host has none", "sudo swapon /swapfile"),
}
GOOD = Report("/var/lib/container-lab", ITEMS, CAPABILITIES)
BAD = Report("/x", (Item("root", MISSING, "you are ann (uid 1000)", "root only",
                         "sudo container-lab", needed=True), *ITEMS[1:]), CAPABILITIES)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> list[Report]:
    given = [GOOD]
    monkeypatch.setattr(command, "doctor", lambda source, root: given[0])
    return given


def test_every_line_fits_80_columns_and_has_glyph_and_word() -> None:
    printed = list(command.lines(GOOD, LESSONS))
    assert max(map(len, printed)) < 80
    assert "✔ ok       root          you are root (uid 0)" in printed
    assert any(line.startswith("○ missing  swap") for line in printed)
    assert any(line.startswith("▲ partly   terminal") for line in printed)
    assert printed[-1] == "Containers can run here."


def test_alike_namespaces_share_a_line_and_others_do_not() -> None:
    printed = "\n".join(command.lines(GOOD, []))
    assert "namespaces    mnt pid: can be made" in printed
    assert "namespaces    time: this kernel has none" in printed


def test_a_command_is_broken_at_spaces_only() -> None:
    printed = "\n".join(command.lines(GOOD, []))
    joined = " ".join(printed.split())
    assert "→ sudo fallocate -l 1G /swapfile && sudo chmod 600 /swapfile && sudo mkswap" in joined


def test_lessons_say_open_or_closed_with_reason_and_command() -> None:
    printed = list(command.lines(GOOD, LESSONS))
    at = printed.index("Lessons: 1 of 2 run live on this host.")
    assert printed[at + 1].startswith("✔ open     oom-137                OOM, and what 137 means")
    assert printed[at + 2].startswith("○ closed   swap")
    assert printed[at + 3:at + 5] == ["    swap: this host has none",
                                      "    → sudo swapon /swapfile"]
    assert "    cgroup2:io: this version does not know it" in printed


def test_when_nothing_can_run_it_is_said_once_and_what_still_works() -> None:
    printed = list(command.lines(BAD, LESSONS))
    assert "Lessons: 0 of 2 run live on this host, since containers cannot." in printed
    assert "Containers cannot run here: see root above." in " ".join(printed)
    assert sum("root only" in line for line in printed) == 1


def test_no_colour_unless_asked() -> None:
    assert "\x1b" not in "".join(command.lines(GOOD, LESSONS))
    assert "\x1b[34m✔ ok" in "".join(command.lines(GOOD, LESSONS, colour=True))


def test_exit_codes(report: list[Report], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([], "/x", LESSONS) == 0
    report[0] = BAD
    assert command.main([], "/x", LESSONS) == 1
    assert command.main(["--help"], "/x") == 0
    capsys.readouterr()
    assert command.main(["--jso"], "/x") == 125
    assert capsys.readouterr().err.startswith("container-lab doctor: unknown argument: --jso")


def test_json(report: list[Report], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--json"], "/x", LESSONS) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["can_run"] and [item["name"] for item in data["items"]][0] == "root"
    assert [(each["id"], each["open"]) for each in data["lessons"]] == [
        ("oom-137", True), ("swap", False)]
    assert data["lessons"][1]["unmet"][0] == {
        "slug": "swap", "reason": "this host has none", "command": "sudo swapon /swapfile"}


RUN = ("import sys; sys.path.insert(0, sys.argv[1])\n"
       "from runtime.client.doctor import main; sys.exit(main(sys.argv[2:]))")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", RUN, str(REPOSITORY), *arguments],
                          capture_output=True, env=os.environ | environment)


def test_letters_stand_for_glyphs_where_the_output_is_ascii() -> None:
    done = run(PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.stderr == b"" and done.returncode in (0, 1)
    assert b"+ ok       kernel" in done.stdout
    done.stdout.decode("ascii")


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colour_unless_no_color(no_color: str, coloured: bool) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", RUN, str(REPOSITORY)], stdin=theirs,
                               stdout=theirs, stderr=theirs,
                               env=os.environ | {"NO_COLOR": no_color, "TERM": "xterm-256color"})
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the last writer has gone: EIO
        pass
    os.close(ours)
    assert process.wait() in (0, 1)
    assert (b"\x1b[" in shown) == coloured and b"kernel" in shown
