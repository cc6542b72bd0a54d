"""The panes as pure functions: a view by hand in, lines of text out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.snapshot import Effect, Happening, Row, View
from lab.widgets import cgroups, hood, lifecycle, mounts, namespaces, processes, security
from lab.widgets.cause import card, cause
from lab.widgets.line import Line, laid_out, width_of
from tests.lab.conftest import usage

PANES = (cgroups, namespaces, mounts, lifecycle, processes, hood, security)


def words(rows) -> str:
    return "\n".join(row.text for row in rows)


@pytest.fixture
def view(shown) -> View:
    return shown.shown


@pytest.mark.parametrize("pane", PANES, ids=lambda pane: pane.__name__.rpartition(".")[2])
@pytest.mark.parametrize("width,height", [(40, 5), (63, 20), (80, 9), (120, 30), (200, 60)])
def test_every_row_fits_the_width_it_is_drawn_in(pane, width, height, shown):
    for row in pane.lines(shown.shown, shown.host, width, height):
        assert width_of(laid_out(row, width)) == width


@pytest.mark.parametrize("pane", PANES, ids=lambda pane: pane.__name__.rpartition(".")[2])
def test_a_container_that_was_only_created_has_a_pane(pane, shown):
    view = View(row=Row("b" * 64, "tea"))
    assert pane.lines(view, shown.host, 80, 10)


@pytest.mark.parametrize("pane", PANES, ids=lambda pane: pane.__name__.rpartition(".")[2])
def test_some_value_of_every_pane_can_be_proven(pane, shown):
    assert any(row.proof for row in pane.lines(shown.shown, shown.host, 80, 10))


def test_limits_beside_usage_with_both_names(view, shown):
    text = words(cgroups.lines(view, shown.host, 110, 10))
    assert "memory.current" in text and "47.9M" in text and "of 48M" in text
    assert "← memory.usage_in_bytes" in text and "← memory.oom_control" in text
    assert "✖ oom_kill 1" in text and "max 231" in text
    assert "▲ nr_throttled 12 of 24 periods" in text and "waited 612.0 ms" in text
    assert "50 ms of CPU in every 100 ms" in text
    assert "these are its last values" in text


def test_with_room_there_are_plots(view, shown):
    rows = cgroups.lines(view, shown.host, 80, 24)
    text = words(rows)
    assert " 48M ┤" in text and "0 ┤" in text and "░" in text
    assert len(rows) <= 24


def test_a_proof_reads_the_real_file(view, shown):
    row = cgroups.lines(view, shown.host, 80, 9)[0]
    assert row.source.endswith("/memory/container-lab/ink/memory.usage_in_bytes")
    assert row.proof == f"cat {row.source}"


def test_namespaces_say_private_or_same(view, shown):
    rows = {row.text.split()[0]: row.text for row in namespaces.lines(view, shown.host, 80, 9)
            if row.text.split()}
    assert "≠" in rows["mnt"] and "private" in rows["mnt"]
    assert "=" in rows["time"] and "same" in rows["time"]
    assert "48213 on the host is 1 inside: one process, two numbers" in rows["NSpid"]
    assert "root inside is root outside" in rows["uid_map"]


def test_mounts_say_what_each_row_is_for(view, shown):
    text = words(mounts.lines(view, shown.host, 120, 20))
    assert "4 rows inside · 31 on the host" in text
    assert "is the root: the image's layers below" in text
    assert "upper /c/upper  takes the writes" in text and "lower /img/base" in text


def test_processes_have_two_pids_and_a_decoded_end(view, shown):
    text = words(processes.lines(view, shown.host, 80, 20))
    assert "48190" in text and "shim" in text
    assert "└─ hog 200M" in text and "SigCgt 0" in text
    assert "✖ exit 137 = 128 + 9 KILL" in text and "OOMKilled true" in text


def test_pid_1_with_a_handler_says_so(view, shown):
    leaf = view.processes[1]
    caught = replace(leaf, process=replace(leaf.process, sig_caught=1 << 14))
    text = words(processes.lines(replace(view, processes=(caught,)), shown.host, 80, 20))
    assert "SigCgt TERM" in text


def test_in_a_frozen_group_a_process_is_frozen_and_not_uninterruptible(view, shown):
    leaf = view.processes[1]
    held = replace(leaf, process=replace(leaf.process, state="D"))
    paused = replace(view, row=replace(view.row, status="paused"), remembered=False,
                     processes=(view.processes[0], held))
    text = words(processes.lines(paused, shown.host, 80, 20))
    assert "‖ D frozen" in text and "uninterruptible" not in text
    waits = replace(paused, row=replace(view.row, status="running"))
    row = next(row for row in processes.lines(waits, shown.host, 80, 20) if "hog" in row.text)
    assert "D uninterruptible 1.0M" in row.text and len(row.text) <= 80
    narrow = words(processes.lines(waits, shown.host, 62, 20))
    assert "└─ hog 200M" in narrow and "uninterruptible 1.0M" in narrow


def test_without_a_limit_there_is_no_bar_that_could_look_full(view, shown):
    free = usage(**{"memory.max": "max", "cpu.max": "max 100000"})
    for height in (9, 24):
        rows = cgroups.lines(replace(view, usage=free), shown.host, 80, height)
        texts = [row.text for row in rows if row.text.split()[:1] in (
            ["memory.current"], ["cpu.stat"])]
        assert len(texts) == 2 and not any("▕" in text or "█" in text for text in texts)
        assert "no limit: max" in texts[0] and "CPU, no quota" in texts[1]


def test_no_column_is_cut_where_there_is_room_for_it(view, shown):
    text = words(laid(cgroups.lines(view, shown.host, 62, 9), 62))
    assert "waited 612.0 ms" in text
    for row in laid(namespaces.lines(view, shown.host, 58, 12)[:9], 58):
        assert "…" not in row.text


def laid(rows, width: int) -> list[Line]:
    """The rows as they are drawn at that width."""
    return [Line(tuple(laid_out(row, width))) for row in rows]


def test_making_the_group_is_preparation_and_joining_it_the_limit(view, shown):
    made = Effect(1, "prepare", "mkdir", "mkdir(2)", {"path": "/sys/fs/cgroup/x"}, by="shim")
    joined = Effect(9, "limit", "write_control", "write(2)",
                    {"path": "/sys/fs/cgroup/x/cgroup.procs", "text": "1"}, by="init")
    effects = (made, *view.effects[:2], joined)
    text = words(hood.lines(replace(view, effects=effects), shown.host, 90, 20))
    assert [word for word in text.split() if word in ("prepare", "isolate", "root", "limit")] == [
        "prepare", "isolate", "root", "limit"]


def test_the_lifecycle_is_a_machine_and_a_time_line(view, shown):
    text = words(lifecycle.lines(view, shown.host, 80, 20))
    assert "○ created" in text and "✖ EXITED 137" in text
    assert "+0.131 s  kernel  oom_kill 0 → 1" in text


def test_the_hood_groups_by_phase_and_spells_for_a_shell(view, shown):
    rows = hood.lines(view, shown.host, 90, 20)
    text = words(rows)
    assert "$ docker run --name ink --memory 48m lab/base hog 200M" in text
    assert text.index("isolate") < text.index("root") < text.index("limit")
    proofs = [row.proof for row in rows]
    assert "mount -t overlay overlay /merged" in proofs
    assert any(proof.startswith("echo 50331648 > /sys/fs/cgroup") for proof in proofs)


def test_the_hood_keeps_the_names_back_while_they_are_asked_for(view, shown):
    text = words(hood.lines(view, shown.host, 90, 20, masked=True))
    assert "isolate" not in text and " ? 1" in text


def test_the_cause_line_tells_a_death_in_order(view):
    text = cause(view, 80).text
    assert text == (" cause  .114 max 118→231 · .131 oom_kill 0→1 · .132 hog SIGKILL"
                    " · .140 exit 137")


def test_a_short_cause_line_keeps_the_kill_and_the_end(view):
    text = cause(view, 50).text
    assert "oom_kill 0→1" in text and "exit 137" in text and len(text) <= 50


def test_a_counter_read_twice_is_told_once(view):
    first, second = view.happenings[2], replace(view.happenings[2], before="231", after="240",
                                                time_s=view.happenings[2].time_s + 0.01)
    text = cause(replace(view, happenings=(first, second)), 80).text
    assert "max 118→240" in text and text.count("max") == 1


def test_the_cause_is_of_this_life_and_leaves_everyday_out(view):
    start = view.row.started_s
    before = (Happening(start - 2, "engine", "kill", detail="SIGTERM"),
              Happening(start - 1, "engine", "kill", detail="SIGKILL"))
    shell = (Happening(start + 0.05, "engine", "exec", pid=7),
             Happening(start + 0.06, "engine", "exec_start: sh"))
    sent = (Happening(start + 0.07, "engine", "kill", detail="SIGTERM (stop)"),
            Happening(start + 0.08, "engine", "kill", detail="SIGKILL (stop)"))
    text = cause(replace(view, happenings=(*before, *shell, *sent)), 80).text
    assert text == " cause  .070 kill SIGTERM (stop) · .080 kill SIGKILL (stop) · .140 exit 137"


def test_the_card_says_who_says_what(view):
    text = words(card(view, 80))
    assert "ink is dead. Why?" in text and "exit 137 = 128 + 9" in text
    assert "the kernel" in text and "docker" in text


@pytest.mark.parametrize("status,oom,code,throttled,said", [
    ("running", False, 0, False, ("calm", "RUN")),
    ("running", False, 0, True, ("pressure", "THROTTLED")),
    ("paused", False, 0, False, ("pressure", "PAUSED")),
    ("exited", True, 137, False, ("dead", "OOM")),
    ("exited", False, 137, False, ("dead", "EXIT 137")),
    ("exited", False, 0, False, ("dim", "EXIT 0")),
])
def test_the_verdict_has_a_word_for_each_meaning(view, status, oom, code, throttled, said):
    row = replace(view.row, status=status, oom_killed=oom, exit_code=code)
    assert replace(view, row=row, throttled_now=throttled).verdict == said


def test_namespaces_say_who_keeps_them_and_whose_they_are(view, shown):
    users = shown.host.namespaces["user"]
    spaces = tuple(replace(one, owner=users, held_by=(77,) if one.kind == "net" else (),
                           bound_at=("/run/netns/blue",) if one.kind == "net" else (),
                           members=() if one.kind == "uts" else one.members)
                   for one in view.namespaces)
    rows = {row.text.split()[0]: row for row in
            namespaces.lines(replace(view, namespaces=spaces), shown.host, 80, 9)
            if row.text.split()}
    assert "1 process" in rows["mnt"].text and "host's users" in rows["mnt"].text
    assert "1 process +" in rows["net"].text, "and more that keeps it"
    assert "bound at /run/netns/blue" in rows["net"].source
    assert "descriptor of pid 77" in rows["net"].source and "ports" in rows["net"].source
    alone = replace(spaces[0], members=(), held_by=(77,))
    text = words(namespaces.lines(replace(view, namespaces=(alone,)), shown.host, 80, 9))
    assert "fd of 77" in text


def test_a_user_namespace_of_its_own_owns_the_others(view, shown):
    spaces = tuple(replace(one, inode=40, owner=shown.host.namespaces["user"])
                   if one.kind == "user" else replace(one, owner=40) for one in view.namespaces)
    rows = {row.text.split()[0]: row.text for row in
            namespaces.lines(replace(view, namespaces=spaces), shown.host, 80, 9)
            if row.text.split()}
    assert "its users" in rows["mnt"] and "host's users" in rows["user"]


def test_a_time_namespace_says_what_it_adds_to_the_clocks(view, shown):
    offset = replace(view, clocks={"monotonic": 0.0, "boottime": 864000.0})
    text = words(namespaces.lines(offset, shown.host, 80, 9))
    assert "clocks   monotonic +0 s, boottime +864000 s" in text
    assert "clocks" not in words(namespaces.lines(view, shown.host, 80, 9)).split()


def test_all_containers_stand_side_by_side(view, shown):
    one = {kind: 4026530000 + at for at, kind in enumerate(namespaces.KINDS)}
    alive = replace(view, remembered=False, neighbours=(
        ("tea", one), ("oak", {**one, "net": shown.host.namespaces["net"]})))
    rows = {row.text.split()[0]: row.text for row in
            namespaces.lines(alive, shown.host, 80, 9) if row.text.split()}
    assert "≠30000" in rows["tea"] and "=31836" in rows["oak"] and "≠30000" in rows["oak"]


def test_security_names_the_sets_and_what_the_filter_answers(view, shown):
    text = words(security.lines(view, shown.host, 80, 20))
    assert "1ffffffffff  41" in text and "a80425fb  14" in text
    assert " has       CHOWN DAC_OVERRIDE" in text and " lacks     DAC_READ_SEARCH" in text
    assert "✔ filter  298 calls pass, 82 refused, 3 by arguments" in text
    assert "mount → ✖ SCMP_ACT_ERRNO EPERM" in text and "no rule names it" in text
    assert " refuses   _sysctl acct add_key" in text, "by name, as amicontained lists them"
    assert "masked    /proc/kcore" in text and "read-only /proc/sys" in text
    text = words(security.lines(view, shown.host, 80, 20, "socket 40"))
    assert "socket 40 → ✖ SCMP_ACT_ERRNO EPERM  for these arguments" in text
    assert "rule 3: SCMP_ACT_ALLOW if argument 0 != 0x28" in text
    assert "read → ✔ SCMP_ACT_ALLOW" in words(security.lines(view, shown.host, 80, 20, "read"))


def test_security_without_a_container_is_the_hosts(shown):
    pane = security.SecurityPane()
    pane.snapshot = shown
    rows = {row.text.split()[0]: row for row in pane.nothing(80) if row.text.split()}
    assert "1ffffffffff  41" in rows["effective"].text and "SYS_ADMIN" in words(pane.nothing(80))
    assert rows["effective"].source == "/proc/self/status  CapEff"
    pane.snapshot = replace(shown, host=replace(shown.host, security=None))
    assert pane.PROMISE[:30] in words(pane.nothing(80))


@pytest.mark.parametrize("asked, said", [("zork", "no system call of"), ("socket x", "invalid")])
def test_security_says_what_it_does_not_understand(view, shown, asked, said):
    assert said in words(security.lines(view, shown.host, 80, 20, asked))


def test_security_says_in_words_what_is_missing(view, shown):
    bare = replace(view.security, seccomp=0, filters=0, masked=(), read_only=(), bounding=1)
    text = words(security.lines(replace(view, security=bare, filter={}), shown.host, 80, 20))
    assert "▲ disabled" in text and "▲ none: nothing of /proc and /sys is hidden" in text
    assert "▲ none: all of /proc may be written" in text and "there is no filter" in text
    wider = replace(view.security, effective=1)
    text = words(security.lines(replace(view, security=wider), shown.host, 80, 20))
    assert " may get   DAC_OVERRIDE" in text


def test_mounts_name_the_operation_that_made_them(view, shown):
    rows = mounts.lines(view, shown.host, 90, 20)
    assert "· /proc" in " ".join(rows[4].text.split()), "no operation of this film made it"
    rooted = replace(view, effects=(Effect(7, "root", "mount", "mount(2)", {
        "target": "/rootfs", "kind": "overlay"}, symbol="runtime/oci/rootfs.py:prepare"),))
    root = next(row for row in mounts.lines(rooted, shown.host, 90, 20) if "overlay" in row.text)
    assert root.text.split()[0] == "7"
    assert "made by 7 mount(2) runtime/oci/rootfs.py:prepare" in root.source
    assert "number: what made it" in words(mounts.lines(rooted, shown.host, 90, 20))
    assert "number" not in words(mounts.lines(replace(view, effects=()), shown.host, 90, 20))
