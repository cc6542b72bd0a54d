"""Running docker lines: which process does which line, its output, its exit code, the spawner."""

from __future__ import annotations

import os
import sys
import time

import pytest

from lab.commands import OURS, Commands, argv
from lab.messages import CommandEnded, CommandOutput, CommandStarted


@pytest.mark.parametrize("line,expected", [
    ("docker ps -a", [*OURS, "ps", "-a"]),
    ("docker run lab/base sh -c 'echo hi'", [*OURS, "run", "lab/base", "sh", "-c", "echo hi"]),
    ("docker ps | wc -l", ["/bin/sh", "-c", "docker ps | wc -l"]),
    ("ls /", ["/bin/sh", "-c", "ls /"]),
])
def test_a_plain_docker_line_is_ours_the_rest_is_a_shells(line, expected):
    assert argv(line) == expected


def story(commands: Commands, posted: list, lines: list[str]) -> tuple[str, list[int]]:
    assert commands.run(lines)
    deadline = time.monotonic() + 20
    while commands.busy and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not commands.busy
    output = "".join(one.text for one in posted if isinstance(one, CommandOutput))
    return output, [one.exit_code for one in posted if isinstance(one, CommandEnded)]


def test_output_and_exit_code_come_back(tmp_path):
    posted: list = []
    output, codes = story(Commands(str(tmp_path), posted.append), posted, ["echo hi; exit 3"])
    assert (output, codes) == ("hi\n", [3])
    assert isinstance(posted[0], CommandStarted)


def test_a_failing_line_stops_those_after_it(tmp_path):
    posted: list = []
    _, codes = story(Commands(str(tmp_path), posted.append), posted, ["exit 1; true", "echo no;"])
    assert codes == [1]


def test_standard_input_is_empty_and_the_terminal_is_not_inherited(tmp_path):
    posted: list = []
    output, _ = story(Commands(str(tmp_path), posted.append), posted,
                      ["readlink /proc/self/fd/0; readlink /proc/self/fd/2 | cut -c1-4"])
    assert output == "/dev/null\npipe\n"


def test_what_a_line_leaves_in_the_background_is_not_waited_for(tmp_path):
    posted: list = []
    began = time.monotonic()
    output, codes = story(Commands(str(tmp_path), posted.append), posted,
                          ["setsid -f sleep 6.5; echo there;"])
    assert (output, codes) == ("there\n", [0])
    assert time.monotonic() - began < 5


def test_only_one_line_at_a_time(tmp_path):
    commands = Commands(str(tmp_path), lambda message: None)
    assert commands.run(["sleep 5 | cat"])
    assert not commands.run(["true"])
    deadline = time.monotonic() + 5
    while commands._process is None and time.monotonic() < deadline:
        time.sleep(0.005)
    commands.close()


def test_the_spawner_runs_the_command_line_without_starting_python(tmp_path):
    pid = os.fork()
    if pid == 0:
        # pytest has threads of its own by now; the spawner is for a process that has none.
        os.execv(sys.executable, [sys.executable, "-c", SPAWNER_STORY, str(tmp_path)])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


SPAWNER_STORY = """
import os, sys
sys.path.insert(0, os.getcwd())
from lab.spawner import Spawner
spawner = Spawner.start()
env = {**os.environ, "CONTAINER_LAB_ROOT": sys.argv[1]}
for words, code, part in ((["ps"], 0, b"CONTAINER ID"), (["nonsense"], 1, b"nonsense")):
    read, write = os.pipe()
    line = spawner.launch(words, env, write)
    os.close(write)
    output = b""
    while piece := os.read(read, 4096):
        output += piece
    assert part in output, output
    found = line.wait()
    assert (found == 0) == (code == 0), found
spawner.stop()
assert not os.path.exists(f"/proc/{spawner.pid}")
"""


def test_a_spawner_that_is_gone_is_done_without(tmp_path):
    class Gone:
        def launch(self, *words):
            from runtime.errors import LabError

            raise LabError("ask the spawner: broken pipe")

    posted: list = []
    output, codes = story(Commands(str(tmp_path), posted.append, Gone()), posted, ["docker ps"])
    assert "CONTAINER ID" in output and codes == [0]
