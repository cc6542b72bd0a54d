"""The processes pane: shim, init, children, each with the pid outside and the pid inside.

The twin of pstree and /proc/PID/status. Which signals a process catches is on its row, because pid
1 of a namespace ignores those it has no handler for. An exit code is taken apart: 137 = 128 + 9,
and who sent the 9.
Sources: proc_pid_status(5), pid_namespaces(7), signal(7), prctl(2) PR_SET_CHILD_SUBREAPER.
"""

from __future__ import annotations

from lab.glyphs import G
from lab.snapshot import Host, Leaf, View
from lab.widgets.line import BLANK, Line, Span, fit, line
from lab.widgets.pane import Pane, header
from lab.widgets.quantities import exit_words, size
from runtime.inspect.processes import caught_signals


# The column of the states is as wide as `  S sleeping`; only for longer ones it is wider.
STATE_WIDTH = 14
GONE = "gone"
# Below this width the pids have a narrow column, so that the command has a wider one.
NARROW = 70


def lines(view: View, host: Host, width: int, height: int) -> list[Line]:
    """The rows of the pane."""
    narrow = width < NARROW
    rows = [header((" host", 8) if narrow else (" on the host", 14), ("inside", 8),
                   ("process", 30))]
    states = [_state_of(leaf, view) for leaf in view.processes]
    state_width = max(STATE_WIDTH, *(len(words) + 2 for words, _ in states), 0)
    for leaf, state in zip(view.processes, states):
        rows.append(_row(leaf, width, state, state_width))
        rows += _signals(leaf, width)
    if not view.processes and not view.row.dead:
        rows.append(line(Span(" no process yet: created means directories and mounts, no pid",
                              "dim")))
    return rows + _end(view)


def _row(leaf: Leaf, width: int, state: tuple[str, str], state_width: int) -> Line:
    process, status = leaf.process, f"/proc/{leaf.process.pid}/status"
    branch = "" if not leaf.depth else "  " * (leaf.depth - 1) + f"{G.last}{G.rule} "
    inside = str(process.inner_pid) if len(process.ns_pids) > 1 else G.dot
    pid_width = 7 if width < NARROW else 13
    words = fit(branch + _command(leaf), max(16, min(60, width - pid_width - 17 - state_width)))
    gone = state[0] == GONE
    role = "strong" if leaf.part == "init" else "dim" if leaf.part == "shim" else "text"
    return line(
        Span(f" {process.pid:<{pid_width}}", "text"), Span(f"{inside:<8}", "strong"),
        Span(words, role),
        Span(fit(f" {state[0]}", state_width), state[1], f"state:{process.pid}"),
        Span("" if gone or leaf.part == "shim" else size(process.rss_bytes), "dim"),
        source=status, proof=f"grep -E 'State|NSpid|Sig' {status}",
    )


def _command(leaf: Leaf) -> str:
    return f"shim ({leaf.process.comm})" if leaf.part == "shim" else leaf.process.command


def _state_of(leaf: Leaf, view: View) -> tuple[str, str]:
    """Sign and words, and their role. The freezer's own word says more than the letter's (D)."""
    process = leaf.process
    if view.remembered:
        return GONE, "dim"
    if view.row.status == "paused" and leaf.part != "shim":
        return f"{G.pause} {process.state} frozen", "pressure"
    role = "pressure" if process.state in "DTt" else "dead" if process.is_zombie else "calm"
    sign = {"Z": G.bad, "R": G.run, "T": G.pause, "t": G.pause}.get(process.state, " ")
    return f"{sign} {process.state} {process.state_word}", role


def _signals(leaf: Leaf, width: int) -> list[Line]:
    """Under init: what it catches. Without a handler pid 1 does not even feel TERM."""
    if leaf.part != "init":
        return []
    process, status = leaf.process, f"/proc/{leaf.process.pid}/status"
    caught = caught_signals(process)
    indent = Span(" " * 22 + "   ", "dim")
    proof = f"grep SigCgt {status}"
    if caught:
        return [line(indent, Span("SigCgt ", "name"), Span(" ".join(caught), "code", "sigcgt"),
                     source=status, proof=proof)]
    word = "SigCgt 0" if width < 70 else "SigCgt 0  as pid 1 it does not feel TERM, only KILL"
    return [line(indent, Span(word, "dim", "sigcgt"), source=status, proof=proof)]


def _end(view: View) -> list[Line]:
    """After the death: the code taken apart, and who did it."""
    row = view.row
    if not row.dead:
        return []
    words = exit_words(row.exit_code)
    rows = [BLANK, line(
        Span(f" {G.bad if row.exit_code else G.done} exit {row.exit_code}",
             "dead" if row.exit_code else "calm"),
        Span(f" = {words}" if words else "", "text"),
        source="waitid status, kept by the shim",
        proof=f"docker inspect --format '{{{{.State.ExitCode}}}}' {row.name}",
    )]
    oom = "true" if row.oom_killed else "false"
    rows.append(line(Span(" OOMKilled ", "name"),
                     Span(oom, "dead" if row.oom_killed else "text"),
                     Span("  from the group's oom_kill counter, not from the 137", "dim"),
                     source="memory.events oom_kill",
                     proof=f"docker inspect --format '{{{{.State.OOMKilled}}}}' {row.name}"))
    rows += [line(Span(f" {who:<12} ", "name"), Span(sentence, "text"),
                  right=[Span(f"{evidence} ", "dim")]) for who, sentence, evidence in view.why]
    return rows


class ProcessesPane(Pane):
    """Shim, init and children, with both pids."""

    KIND = "processes"
    TITLE = "Processes"
    PARTS = frozenset({"processes"})
    PROMISE = "the shim and its child will stand here, with the pid outside and inside"

    def lines(self, view: View, host: Host, width: int, height: int) -> list[Line]:
        return lines(view, host, width, height)
