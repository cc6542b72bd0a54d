"""The lessons on namespaces, security and a container by hand: what a student gets wrong, what
passes by other words, and that what was made by hand goes with a reset. On the live kernel."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from lab.course import leaves, undo
from lab.course.solve import wait

pytestmark = [pytest.mark.kernel, pytest.mark.lesson,
              pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

HAND = ["cd /etc && setsid -f unshare --pid --mount --net --uts --ipc --fork sleep $seconds"]
ORDINARY = "setpriv --reuid $uid --regid $uid --clear-groups"

# What a student gets wrong, and the sentence that the lesson has for it.
MISTAKES = [
    ("capabilities", "start", ["docker run -d --privileged --name $name lab/base sleep 600"],
     "given more than the usual"),
    ("capabilities", "start", ["docker run -d --user 1000 --name $name lab/base sleep 600"],
     "Its process is not root"),
    ("capabilities", "drop", ["docker run -d --name $less lab/base sleep 600"],
     "still holds `CHOWN`"),
    ("capabilities", "drop", ["docker run -d --name $less --cap-drop CHOWN lab/base sleep 600",
                              "docker exec $less chwn 1000 /etc/passwd"], "no such program"),
    ("capabilities", "guest", ["docker run -d --name $guest --cap-add CHOWN lab/base sleep 600"],
     "Its process is root"),
    ("capabilities", "guest", ["docker run -d --name $guest --user 1000 lab/base sleep 600",
                               "docker exec -u 0 $guest chown 1000 /etc/passwd"], "It worked"),
    ("seccomp", "refused", ["docker run -d --name $name --security-opt seccomp=unconfined "
                            "lab/base sleep 600"], "has no filter"),
    ("seccomp", "open", ["docker run -d --name $open --privileged lab/base sleep 600"],
     "given capabilities, too"),
    ("seccomp", "open", ["docker run -d --name $open lab/base sleep 600"],
     "There is a filter before it still"),
    ("seccomp", "write", ["echo '{\"defaultAction\": \"SCMP_ACT_ERRNO\"}' > $rules"],
     "no program could even start"),
    ("seccomp", "strict", ["docker run -d --name $strict lab/base sleep 600"],
     "the usual capabilities only"),
    ("net", "start", ["docker run -d --name $name --network host lab/base sleep 600"],
     "its links are the host's"),
    ("net", "bare", ["setsid -f sleep $seconds"], "in the host's network"),
    ("net", "bare", ["docker run -d --network none lab/base sleep $seconds"],
     "somebody brought it up"),
    ("net", "open", ["docker run -d --name $open --network none lab/base sleep 600"],
     "a network namespace of its own"),
    ("user", "make", ["setsid -f unshare --user --map-root-user sleep $seconds"],
     "For the host it is root"),
    ("user", "make", [f"setsid -f {ORDINARY} sleep $seconds"], "in the host's user namespace"),
    ("user", "make", [f"setsid -f {ORDINARY} unshare --user sleep $seconds"], "and no table"),
    ("user", "inside", ["mkdir -p $data", "touch $data/inside"], "you ran `touch` as root"),
    ("user", "own", ["setsid -f unshare --user --map-root-user --uts sh -c "
                     "'hostname $host; exec sleep $longer'"], "For the host it is root"),
    ("by-hand", "isolate", ["docker run -d lab/base sleep $seconds"], "started by Docker"),
    ("by-hand", "isolate", ["setsid -f unshare --mount --pid sleep $seconds"], "Add `--fork`"),
    ("by-hand", "isolate", ["setsid -f sleep $seconds"], "shares the host's mounts"),
    ("by-hand", "layers", [*HAND, "mkdir -p $place/root $place/upper $place/work",
                           "mount -t overlay overlay -o lowerdir=/etc,upperdir=$place/upper,"
                           "workdir=$place/work $place/root"], "on the *host*"),
    ("single-step", "watch", ["docker run -d --name $name lab/base sleep 600"],
     "nobody held its start"),
    ("single-step", "watch", ["echo q | docker run --step -d --name $name lab/base sleep 600"],
     "its start was given up"),
    ("single-step", "quit", ["docker run -d --name $half lab/base sleep 600"], "It runs"),
    ("single-step", "quit", ["echo q | docker run --step -d --name $half lab/base sleep 600"],
     "before its root was in place"),
]


def tidy(lab, stepper):
    """What a mistake left may be no attempt's: end it all the same."""
    for made in undo.made_by_hand(stepper.lesson, stepper._attempt, stepper._world):
        subprocess.run(["kill", "-9", str(made.pid)], check=False)
    stepper.reset()


@pytest.mark.parametrize(("lesson", "step", "lines", "words"), MISTAKES)
def test_a_mistake_does_not_pass_and_is_named(lab, lesson, step, lines, words):
    stepper = lab.at(lesson, step)
    try:
        lab.type(stepper, *lines)
        deadline = time.monotonic() + 10
        results = stepper.check()
        while not stepper.say and time.monotonic() < deadline:
            time.sleep(0.1)
            results = stepper.check()
        assert not all(result.passed for result in results)
        said = " ".join((stepper.say or "nothing").split())
        assert words in said, [result.why for result in results]
    finally:
        tidy(lab, stepper)


# The same effect by other words passes: checks look at the kernel.
SPELLINGS = [
    ("capabilities", "start", ["docker run -d --name $name --cap-drop NET_RAW lab/base top"]),
    ("capabilities", "drop", [
        "docker run -d --name $less --cap-drop ALL --cap-add NET_RAW lab/base sleep 600",
        "docker exec $less sh -c 'chown 5 /etc/group'"]),
    ("seccomp", "write", [r"""printf '{\n "defaultAction":"SCMP_ACT_ALLOW",\n "syscalls":[{\n"""
                          r""" "names":["mkdirat","mkdir"],"action":"SCMP_ACT_ERRNO"}]}\n'"""
                          " > $rules"]),
    ("net", "start", ["docker run -d --name $name lab/base sh -c 'sleep 600'"]),
    ("net", "bare", ["setsid -f unshare -n -m -i sleep $seconds"]),
    ("user", "make", [f"setsid -f {ORDINARY} unshare -r -n -p -f sleep $seconds"]),
    ("by-hand", "isolate", ["setsid -f unshare -pmnuiC -f sleep $seconds"]),
]


@pytest.mark.parametrize(("lesson", "step", "lines"), SPELLINGS)
def test_any_spelling_with_the_same_effect_passes(lab, lesson, step, lines):
    stepper = lab.at(lesson, step)
    try:
        lab.type(stepper, *lines)
        results = wait(stepper)
        assert all(result.passed for result in results), [result.why for result in results]
    finally:
        tidy(lab, stepper)


@pytest.mark.parametrize("lesson", ["by-hand", "user", "net", "seccomp"])
def test_what_was_made_by_hand_goes_with_a_reset(lab, lesson):
    solved = lab.run("lesson", "run", lesson, "--solve")
    stepper = lab.stepper(lesson)
    if solved.returncode:
        stepper.reset()
    assert solved.returncode == 0, solved.stdout + solved.stderr
    there = leaves.left(stepper.lesson, stepper._attempt)
    pids = [one.pid for one in undo.made_by_hand(stepper.lesson, stepper._attempt,
                                                 stepper._world)]
    assert len(there) == len(stepper.lesson.leaves) and len(there) + len(pids) > 0
    mounts = Path("/proc/self/mountinfo").read_text()
    said = stepper.preview_reset()
    stepper.reset()
    assert not any(os.path.lexists(path) for path in there)
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)
    assert all(any(f"process {pid}" in line for line in said) for pid in pids)
    assert not any(path in mounts for path in there), "nothing of it was ever the host's"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_answers_are_what_other_tools_say(lab):
    """The live values of questions, read here by capsh, ip and lsns instead."""
    stepper = lab.at("capabilities", "start")
    lab.type(stepper, "docker run -d --name $name lab/base sleep 600")
    wait(stepper)
    (pid,) = (one for one in lab.processes() if Path(f"/proc/{one}/comm").read_text() == "sleep\n")
    listed = subprocess.run(["getpcaps", pid], capture_output=True, text=True)
    names = (listed.stdout + listed.stderr).partition("cap_")[2].partition("=")[0].split(",")
    while stepper.step.id != "how-many":
        stepper.skip()
    assert stepper.answer(str(len(names))).passed
    net = lab.at("net", "yours")
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
    assert net.answer(str(len(links.splitlines()))).passed
    assert not lab.at("user", "yours").answer("0 1000 1").passed
