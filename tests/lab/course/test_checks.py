"""Every predicate, met and not met, on a made-up world; then combinators and modifiers."""

from __future__ import annotations

import time

import pytest

from lab.course.checks import begin, evaluate, judge, keep, note_existing, patience
from runtime.inspect.layers import Layers


@pytest.fixture
def look(context, check):
    return lambda **words: evaluate(check(**words), context)


# ------------------------------------------------------------------ container

def test_container_state_code_and_oom(world, look):
    world.die("ink", 137, oom=True)
    good = look(container="$name", state="exited", exit_code=137, oom_killed=True)
    assert good.passed
    assert good.observed == "exited, exit code 137, OOMKilled true"
    assert good.source_path == "/r/ink/state.json"
    assert not look(container="$name", oom_killed=False).passed
    assert not look(container="$name", exit_code=[0, 143]).passed
    assert look(container="$name", exit_code=[0, 137]).passed


def test_container_that_is_not_there_says_what_is(world, look, context):
    assert look(container="$name", state="running").observed == "no container is called ink"
    world.put("bold_fox")
    assert "the newest is bold_fox" in look(container="$name", state="running").observed
    world.tell("destroy", "ink")
    assert "has been removed" in look(container="$name", state="running").observed
    assert look(container="$name", state="removed").passed
    assert look(container="$name", exists=False).passed


def test_container_that_runs_needs_its_process_in_proc(world, look):
    world.put("ink")
    assert look(container="$name", state="running", alive=True).passed
    del world.files["/proc/4213"]
    gone = look(container="$name", state="running")
    assert not gone.passed
    assert "process 4213 is gone" in gone.observed


def test_an_exit_code_counts_only_after_the_end(world, look):
    world.put("ink")
    assert not look(container="$name", exit_code=0).passed
    world.put("ink", "created", exit_code=127)
    assert look(container="$name", exit_code=127).passed


# ------------------------------------------------------------------ ns, proc, mount

def test_namespaces_differ_from_the_host_except_the_shared_ones(world, look):
    world.put("ink")
    assert look(ns="$name", kind=["pid", "mnt"], differs_from="host").passed
    assert look(ns="$name", kind="user", same_as="host").passed
    shared = look(ns="$name", kind=["pid", "user"], differs_from="host")
    assert not shared.passed
    assert shared.observed == "user 4026531836 (host 4026531836)"
    assert shared.source_path == "/proc/4213/ns/user"


def test_namespaces_of_two_containers(world, look):
    world.put("ink")
    world.put("tea", pid=4213)
    assert look(ns="$name", kind="net", same_as="tea").passed
    assert not look(ns="$name", kind="net", same_as="elm").passed
    assert not look(ns="elm", kind="net", differs_from="host").passed


def test_how_many_namespaces_are_its_own(world, context, check):
    world.put("ink")
    assert judge(check(ns="$name", field="own"), "6", context).passed
    assert judge(check(ns="self", kind="pid"), "4026531831", context).passed


@pytest.mark.parametrize(("words", "passed"), [
    ({"field": "NSpid", "count": 2}, True), ({"field": "NSpid", "count": 1}, False),
    ({"field": "SigCgt", "has": "TERM"}, True), ({"field": "SigCgt", "has": "HUP"}, False),
    ({"field": "SigCgt", "lacks": "TERM"}, False),
    ({"field": "CapEff", "lacks": "SYS_ADMIN"}, True),
    ({"field": "CapEff", "has": "NET_RAW"}, True),
    ({"field": "Seccomp", "eq": 2}, True), ({"field": "Seccomp", "ge": 3}, False),
    ({"field": "comm", "eq": "sleep"}, True), ({"field": "cmdline", "eq": "sleep 600"}, True),
    ({"field": "ppid_comm", "eq": "shim"}, True), ({"field": "Nonsense", "eq": 1}, False),
    ({"field": "Pid", "command": "hog"}, False), ({"field": "Pid", "command": "sleep"}, True),
])
def test_proc(world, look, words, passed):
    world.put("ink")
    assert look(proc="$name", **words).passed is passed


def test_proc_of_the_dead_says_so(world, look):
    world.die("ink", 0)
    assert look(proc="$name", field="Seccomp", eq=2).observed == "ink is exited: no process"


def test_mount(world, look):
    world.put("ink")
    assert look(mount="$name", target="/", fstype="overlay").passed
    assert look(mount="$name", target="/proc", option="nosuid").passed
    assert look(mount="$name", target="/data", root="/srv/data", propagation="private").passed
    assert not look(mount="$name", target="/", fstype="ext4").passed
    missing = look(mount="$name", target="/tmp", fstype="tmpfs")
    assert (missing.observed, missing.source_path) == ("/tmp is no mount", "/proc/4213/mountinfo")


# ------------------------------------------------------------------ cgroup

def test_a_limit_in_dockers_spelling_against_bytes(world, look):
    world.put("ink")
    world.write("ink", "memory.max", "50331648\n")
    assert look(cgroup="$name", file="memory.max", eq="$limit").passed
    wrong = look(cgroup="$name", file="memory.max", eq="64m")
    assert wrong.why == "memory.max 50331648; wanted: 64m"
    assert wrong.source_path == "/sys/fs/cgroup/lab/ink/memory.max"


def test_no_limit_is_the_word_max(world, look):
    world.put("ink")
    world.write("ink", "memory.max", "max\n")
    world.write("ink", "cpu.max", "max 100000\n")
    assert look(cgroup="$name", file="memory.max", eq="max").passed
    assert not look(cgroup="$name", file="memory.max", eq="$limit").passed
    assert not look(cgroup="$name", file="memory.max", le="1g").passed
    assert look(cgroup="$name", file="cpu.max", key="cpus", eq="max").passed


@pytest.mark.parametrize("quota", ["50000 100000", "25000 50000"])
def test_half_a_cpu_by_any_period(world, look, quota):
    world.put("ink")
    world.write("ink", "cpu.max", quota)
    assert look(cgroup="$name", file="cpu.max", key="cpus", eq=0.5).passed
    assert not look(cgroup="$name", file="cpu.max", key="cpus", ge=0.51).passed


def test_frozen_and_populated(world, look):
    world.put("ink")
    world.write("ink", "cgroup.freeze", "1")
    world.write("ink", "cgroup.procs", "4213\n")
    assert look(cgroup="$name", frozen=True).passed
    assert look(cgroup="$name", populated=True).passed
    assert not look(cgroup="$name", populated=False).passed


def test_a_counter_of_a_group_that_was_not_there_starts_at_nought(world, look, context, check):
    words = {"cgroup": "$name", "file": "memory.events", "key": "oom_kill", "delta_ge": 1}
    begin([check(**words)], context)
    world.die("ink", 137)
    world.write("ink", "memory.events", "max 231\noom_kill 1\n", alive=False)
    result = look(**words)
    assert result.passed
    assert result.observed == "oom_kill 0 → 1"


def test_a_counter_counts_from_where_the_step_began(world, look, context, check):
    words = {"cgroup": "$name", "file": "cpu.stat", "key": "nr_throttled", "delta_ge": 10}
    world.put("ink")
    world.write("ink", "cpu.stat", "nr_throttled 100\n")
    begin([check(**words)], context)
    world.write("ink", "cpu.stat", "nr_throttled 105\n")
    assert not look(**words).passed
    world.write("ink", "cpu.stat", "nr_throttled 110\n")
    assert look(**words).passed


def test_a_counter_of_the_next_life_starts_anew(world, look, context, check):
    words = {"cgroup": "$name", "file": "cpu.stat", "key": "nr_throttled", "delta_ge": 10}
    world.put("ink")
    world.write("ink", "cpu.stat", "nr_throttled 100\n")
    begin([check(**words)], context)
    world.write("ink", "cpu.stat", "nr_throttled 12\n")
    assert look(**words).observed == "nr_throttled 0 → 12"


def test_a_counter_of_another_container_by_that_name_starts_anew(world, look, context, check):
    words = {"cgroup": "$name", "file": "cpu.stat", "key": "nr_throttled", "delta_ge": 10}
    world.put("ink")
    world.write("ink", "cpu.stat", "nr_throttled 100\n")
    begin([check(**words)], context)
    world.put("ink", id="another")
    world.write("ink", "cpu.stat", "nr_throttled 12\n")
    assert look(**words).passed


# ------------------------------------------------------------------ overlay, file

@pytest.fixture
def upper(world, file_stat):
    world.put("ink")
    world.overlays["ink"] = Layers("/c/upper", ("/img/base",))
    folder = file_stat(0o040755)
    world.files |= {"/c/upper": folder, "/img/base": folder, "/img/base/etc": folder,
                    "/img/base/etc/passwd": file_stat(0o100644, 162)}
    return world.files


def test_a_file_of_the_image(upper, look):
    assert look(overlay="$name", path="/etc/passwd", **{"is": "lower_only"}).passed
    up = look(overlay="$name", path="/etc/passwd", **{"is": "copied_up"})
    assert not up.passed
    assert up.observed == "/etc/passwd is only in a lower layer"


def test_a_copy_up(upper, look, file_stat, context, check):
    upper |= {"/c/upper/etc": file_stat(0o040755), "/c/upper/etc/passwd": file_stat(0o100644, 162)}
    assert look(overlay="$name", path="/etc/passwd", lower_has=True, **{"is": "copied_up"}).passed
    assert judge(check(overlay="$name", path="/etc/passwd", field="size"), "162", context).passed


def test_a_whiteout(upper, look, file_stat, context, check):
    upper |= {"/c/upper/etc": file_stat(0o040755), "/c/upper/etc/passwd": file_stat(0o020000)}
    result = look(overlay="$name", path="/etc/passwd", lower_has=True, **{"is": "whiteout"})
    assert result.passed
    assert result.source_path == "/c/upper/etc/passwd"
    assert judge(check(overlay="$name", path="/etc/passwd", field="device"), "0,0", context).passed
    assert not look(overlay="$name", path="/bin/sh", **{"is": "whiteout"}).passed


def test_a_file_on_the_host_and_in_a_container(world, look, file_stat):
    world.put("ink")
    world.files |= {"/srv/note": {"text": "hello\n"} | file_stat(0o100644, 6),
                    "/proc/4213/root/etc/x": {"text": "there\n"} | file_stat(0o100644, 6)}
    assert look(file="/srv/note", content_re="^hel", owner=0, size_ge=6).passed
    assert not look(file="/srv/note", content_re="^x").passed
    assert look(**{"file": "/etc/x", "in": "$name", "exists": True}).passed
    assert look(file="/srv/none", exists=False).passed
    assert not look(file="/srv/none").passed


# ------------------------------------------------------------------ event, gone, operations

def test_events_in_order_with_others_between(world, look):
    words = {"event": {"sequence": ["kill $name signal=15", "die $name exitCode=143"]}}
    world.tell("die", "ink", exitCode="143")
    world.tell("kill", "tea", signal="15")
    assert not look(**words).passed
    world.tell("kill", "ink", signal="15")
    world.tell("oom", "ink")
    world.tell("die", "ink", exitCode="143")
    assert look(**words).passed


def test_events_before_the_step_do_not_count(world, look, context):
    world.tell("start", "ink", at_ns=5)
    context.record.started_ns = 10
    assert not look(event={"sequence": ["start $name"]}).passed
    assert look(event={"sequence": ["start $name"]}, since="lesson").passed


def test_a_life_before_the_last_start_does_not_count(world, look):
    kill = {"event": {"sequence": ["kill $name"]}}
    world.tell("kill", "ink", signal="9")
    assert look(**kill).passed
    world.tell("start", "tea")
    assert look(**kill).passed
    world.tell("start", "ink")
    assert not look(**kill).passed
    assert look(event={"sequence": ["kill $name", "start $name"]}).passed


def test_events_are_told_in_sentences(world, look):
    assert look(event={"sequence": ["kill $name signal=15", "die $name exitCode=143"]}).sentence \
        == "Docker sent signal 15 to ink, then ink ended with exit code 143"
    assert look(event={"sequence": ["kill $name"]}).sentence == "Docker sent a signal to ink"
    assert look(event={"sequence": ["rename $name"]}).sentence == "rename ink"


def test_a_check_in_its_authors_words(world, look):
    words = {"not": {"event": {"sequence": ["kill $name"]}}, "words": "Docker let $name be"}
    assert look(**words).sentence == "Docker let ink be"
    world.tell("kill", "ink")
    assert (look(**words).passed, look(**words).sentence) == (False, "Docker let ink be")


def test_events_within_a_time(world, look):
    now = time.time_ns()
    world.tell("kill", "ink", at_ns=now)
    world.tell("die", "ink", at_ns=now + 4 * 10**9)
    words = {"event": {"sequence": ["kill $name", "die $name"]}}
    assert look(**words, within="5s").passed
    assert not look(**words, within="3s").passed


def test_gone_needs_something_that_was_there(world, look, context):
    assert look(gone="$name").observed == "ink was never there"
    world.put("ink")
    note_existing("ink", context)
    assert not look(gone="$name").passed
    assert not look(gone="$name", what="process").passed
    del world.here["ink"], world.files["/proc/4213"]
    assert look(gone="$name").passed
    assert look(gone="$name", what="process").passed
    assert look(gone="$name", what="cgroup").passed


def test_operations(world, look, context, check):
    world.put("ink")
    rows = [("shim", "limit", "mkdir"), ("init", "isolate", "setsid"),
            ("init", "root", "pivot_root"), ("init", "limit", "write_control"),
            ("init", "drop", "capset"), ("init", "exec", "execve")]
    world.certificate["ink"] = [{"by": by, "phase": phase, "name": name}
                                for by, phase, name in rows]
    assert look(operations="$name", has="pivot_root").passed
    assert not look(operations="$name", has="chroot").passed
    phases = check(operations="$name", phases=True)
    assert judge(phases, "isolate root limit drop exec", context).passed
    assert not judge(phases, "limit isolate root drop exec", context).passed
    assert judge(check(operations="$name", phase_of="pivot_root"), "root", context).passed


def test_predicted_and_answer(look, context):
    assert not look(predicted="guess").passed
    context.attempt.record("guess").prediction = "killed"
    assert look(predicted="guess").passed
    assert not look(answer="count").passed
    record = context.attempt.record("count")
    record.passed = record.right = True
    assert look(answer="count").passed


# ------------------------------------------------------------------ combinators, modifiers

def test_all_any_not(world, look):
    world.die("ink", 0)
    yes, no = {"container": "$name", "exit_code": 0}, {"container": "$name", "exit_code": 1}
    assert look(any=[no, yes]).passed
    assert not look(all=[yes, no]).passed
    assert look(all=[yes, {"not": no}]).passed
    assert look(all=[yes, no]).observed == "exited, exit code 0"


def test_sticky_stays_true_after_the_thing_is_gone(world, look):
    world.put("ink")
    world.write("ink", "memory.max", "50331648")
    words = {"cgroup": "$name", "file": "memory.max", "eq": "$limit"}
    assert look(**words, sticky=True).passed
    del world.here["ink"]
    assert look(**words, sticky=True).passed
    assert look(**words, sticky=True).observed == "memory.max 50331648"


def test_not_sticky_is_asked_again(world, look):
    world.put("ink")
    assert look(container="$name", state="running").passed
    del world.here["ink"]
    assert not look(container="$name", state="running").passed


def test_holds_needs_every_look_for_so_long(world, look, context):
    world.put("ink")
    words = {"container": "$name", "state": "running", "holds": "3s"}
    assert not look(**words).passed
    context.now_ns += 2 * 10**9
    assert not look(**words).passed
    world.die("ink", 0)
    assert not look(**words).passed
    world.put("ink")
    context.now_ns += 2 * 10**9
    assert not look(**words).passed
    context.now_ns += 3 * 10**9
    assert look(**words).passed


def test_patience_is_the_longest_wait_of_the_checks(check):
    assert patience([check(container="$name", within="8s"), check(container="$name")]) == 8
    event = {"sequence": ["die $name"]}
    assert patience([check(event=event, within="60s")]) == 0


# ------------------------------------------------------------------ questions

def test_a_question_about_an_earlier_step_survives_the_group(world, context, check):
    world.die("ink", 137)
    world.write("ink", "memory.events", "max 231\n", alive=False)
    question = check(cgroup="$name", file="memory.events", key="max", at="run")
    keep([question], context.attempt.record("run"), context)
    del world.here["ink"]
    assert judge(question, "231", context).passed
    assert not judge(question, "230", context).passed


def test_a_counter_that_grows_may_be_read_then_or_now(world, context, check):
    world.put("ink")
    question = check(cgroup="$name", file="cpu.stat", key="nr_throttled", at="run")
    world.write("ink", "cpu.stat", "nr_throttled 10\n")
    keep([question], context.attempt.record("run"), context)
    world.write("ink", "cpu.stat", "nr_throttled 30\n")
    assert all(judge(question, said, context).passed for said in ("10", "17", "30"))
    assert not any(judge(question, said, context).passed for said in ("9", "31", "many"))


def test_nothing_to_compare_with_is_no_pass(context, check):
    result = judge(check(proc="$name", field="Pid"), "4213", context)
    assert not result.passed
    assert "nothing to compare with" in result.observed
