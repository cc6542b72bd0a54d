"""The first two tracks on the live kernel: each mistake is named, every spelling passes."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from lab.course.held import halting
from lab.course.solve import wait

pytestmark = [pytest.mark.kernel, pytest.mark.lesson,
              pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

# What is left in the background has a session of its own: this terminal closes, a student's stays.
NOBODY = "setsid -f setpriv --reuid 65534 --regid 65534 --clear-groups "
TEA = "docker run -d --name $name lab/base sleep 3600"
LOWER = "$(docker inspect -f '{{.GraphDriver.Data.LowerDir}}' $name)"
MISTAKES = [
    ("tour", "first", ["docker run -d --name $name lab/base slep 3600"], "nothing of that name"),
    ("tour", "first", ["docker create --name $name lab/base sleep 3600"], "not started"),
    ("tour", "slowly", ["docker run -d --name $slow lab/base sleep 3600"], "it was not held"),
    ("tour", "plain", ["docker run -d lab/base sleep $plain"], "leave `docker` out"),
    ("doctor", "user", ["setsid -f unshare --user --pid --fork --kill-child sleep $seconds"],
     "it belongs to root"),
    ("doctor", "user", ["setsid -f sleep $seconds"], "in the pid namespace of the host"),
    ("doctor", "limited", [NOBODY + "unshare --user --fork --kill-child sleep $limited"],
     "and without capabilities"),
    ("uts", "start", [TEA], "has another name"),
    ("uts", "start", ["docker run -d --name $name --hostname $host lab/base sleep 3600"],
     "at full speed"),
    ("uts", "rename", [TEA, "docker exec $name hostname"], "changed nothing"),
    ("uts", "twin", ["docker run -d --name $twin lab/base sh -c "
                     "'hostname $other; exec sleep $seconds'"], "Was `--cap-add SYS_ADMIN`"),
    ("pid", "kill", [TEA], "still running"),
    ("pid", "alone", ["setsid -f unshare --pid --fork --mount-proc sleep $alone"],
     "mounted another `/proc`"),
    ("pid", "alone", ["setsid -f sleep $alone"], "in the host's pid namespace"),
    ("mount", "start", [TEA], "nothing mounted at `/mnt`"),
    ("mount", "caged", ["docker run -d lab/base sleep $caged"], "That one is in a container"),
    ("mount", "out", [TEA, f"setsid -f unshare --mount chroot {LOWER} sleep $free"],
     "It is in the cage still"),
    ("cgroup", "start", ["docker run -d --name $name --cgroupns host lab/base sleep 3600"],
     "in the host's cgroup namespace"),
    ("cgroup", "twin", ["docker run -d --name $twin --memory $limit lab/base sleep 3600"],
     "a cgroup namespace of its own"),
    ("cgroup", "twin", ["docker run -d --name $twin --cgroupns host lab/base sleep 3600"],
     "`memory.max` is `max`"),
]


@pytest.mark.parametrize(("lesson", "step", "lines", "words"), MISTAKES)
def test_a_mistake_does_not_pass_and_is_named(lab, lesson, step, lines, words):
    stepper = lab.at(lesson, step)
    lab.type(stepper, *lines)
    deadline = time.monotonic() + 10
    while words not in " ".join((stepper.say or "").split()) and time.monotonic() < deadline:
        results = stepper.check()
        assert not all(result.passed for result in results)
        time.sleep(0.1)
    assert words in " ".join((stepper.say or "nothing").split()), [one.why for one in results]
    stepper.reset()


SPELLINGS = [
    ("tour", "first", ["docker create --name=$name lab/base sleep 60", "docker start $name"]),
    ("doctor", "user", [NOBODY + "unshare -U -p -f --kill-child sleep $seconds"]),
    ("uts", "twin", ["setsid -f unshare --uts sh -c 'hostname $other; exec sleep $seconds'"]),
    ("uts", "twin", ["docker run -d --hostname $other lab/base sleep $seconds"]),
    ("pid", "alone", ["setsid -f unshare -p -f sleep $alone"]),
    ("mount", "caged", [TEA, f"setsid -f unshare -m chroot {LOWER} sleep $caged"]),
    ("cgroup", "twin", ["docker create --name $twin --cgroupns=host -m $limit lab/base sleep 60",
                        "docker start $twin"]),
]


@pytest.mark.parametrize(("lesson", "step", "lines"), SPELLINGS)
def test_any_spelling_with_the_same_effect_passes(lab, lesson, step, lines):
    stepper = lab.at(lesson, step)
    lab.type(stepper, *lines)
    results = wait(stepper)
    assert all(result.passed for result in results), [result.why for result in results]
    assert stepper.reset()


def test_pid_1_may_be_killed_by_anybody(lab):
    stepper = lab.at("pid", "start")
    lab.type(stepper, *stepper.commands())
    while stepper.step.id != "guess":
        stepper.skip()
    stepper.predict("die", "sure")
    stepper.next()
    assert not all(result.passed for result in stepper.check())
    lab.type(stepper, "kill -9 $(docker inspect -f '{{.State.Pid}}' $name)")
    results = wait(stepper)
    assert all(result.passed for result in results), [result.why for result in results]


def test_a_start_given_up_in_the_middle_does_not_count_as_watched(lab):
    stepper = lab.at("uts", "start")
    (line,) = stepper.commands()
    lab.type(stepper, halting(line, stepper.step.stops).replace("yes c", "yes q"))
    assert not any(result.passed for result in stepper.check())
    assert [one.status for one in lab.engine.containers()] in ([], ["created"])


def test_the_cage_leaves_no_mount_on_the_host(lab):
    before = lab.left()["mounts"]
    stepper = lab.at("mount", "caged")
    lab.type(stepper, TEA, "setsid -f " + stepper.commands()[0].removesuffix(" &"))
    results = wait(stepper)
    assert all(result.passed for result in results), [result.why for result in results]
    seen = subprocess.run(["findmnt", "-rno", "TARGET", "-t", "proc"], capture_output=True,
                          text=True).stdout
    assert lab.root not in seen
    stepper.reset()
    assert lab.left()["mounts"] == before
