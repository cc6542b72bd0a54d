"""The namespaces pane: eight kinds, the host's inode beside the container's.

The twin of lsns. Equal numbers are the same namespace; a different one was made for this container.
Below stands what follows from them: one process with two pids, users, the host name.
Sources: namespaces(7), pid_namespaces(7), user_namespaces(7).
"""

from __future__ import annotations

from lab.glyphs import G
from lab.snapshot import Host, View
from lab.widgets.line import BLANK, Line, Span, fit, line
from lab.widgets.pane import Pane, header
from runtime.inspect.namespaces import KINDS, MEANING, Namespace, is_identity


# From this width on every row can say what its kind isolates, at least in its first words.
WITH_MEANING = 66


def lines(view: View, host: Host, width: int, height: int) -> list[Line]:
    """The rows of the pane."""
    name = view.row.name
    found = {row.kind: row for row in view.namespaces}
    title = header((" kind", 9), ("host", 12), ("", 2), (fit(name, 11), 12), ("", 9),
                   ("in it", 7), ("isolates" if width >= WITH_MEANING else "", 0))
    rows = [title, *(_row(found.get(kind), kind, host, width) for kind in KINDS)]
    rows += _consequences(view)
    if view.remembered and view.namespaces:
        rows.append(line(Span(" gone with their last process; this is how they were", "dim")))
    return rows


def _row(one: Namespace | None, kind: str, host: Host, width: int) -> Line:
    theirs = host.namespaces.get(kind, 0)
    if one is None:
        right = "gone" if theirs else "this kernel has none"
        return line(Span(f" {kind:<8}", "name"), Span(f"{theirs or G.dot:<12}", "dim"),
                    Span(right, "dim"), source=f"/proc/1/ns/{kind}",
                    proof=f"readlink /proc/1/ns/{kind}" if theirs else "")
    sign = G.differ if one.private else G.equal
    role = "calm" if one.private else "dim"
    return line(
        Span(f" {kind:<8}", "name"), Span(f"{one.host_inode:<12}", "dim"), Span(f"{sign} ", role),
        Span(f"{one.inode:<12}", "strong" if one.private else "dim", f"ns:{kind}"),
        Span(f"{one.word:<9}", role, f"ns:{kind}:word"),
        Span(f"{_members(one):<7}", "text", f"ns:{kind}:members"),
        Span(MEANING[kind] if width >= WITH_MEANING else "", "dim"),
        source=one.path, proof=f"readlink {one.path}",
    )


def _members(one: Namespace) -> str:
    if one.members:
        return str(len(one.members))
    return "bound" if one.bound_at else G.dot


def _consequences(view: View) -> list[Line]:
    """What the numbers mean for the first process: two pids, users, a host name."""
    rows = [BLANK]
    first = next((leaf.process for leaf in view.processes if leaf.part == "init"), None)
    if first is not None:
        status = f"/proc/{first.pid}/status"
        rows.append(line(
            Span(" NSpid    ", "name"), Span(f"{first.pid}", "strong"),
            Span(" on the host is ", "dim"), Span(f"{first.inner_pid}", "strong"),
            Span(f" inside: one process, {_numbers(len(first.ns_pids))}", "dim"),
            source=status, proof=f"grep NSpid {status}",
        ))
    if view.uid_map:
        pid = view.row.pid
        words = ", ".join(f"{span.inside} {G.arrow} {span.outside} ({span.count})"
                          for span in view.uid_map)
        meaning = "  root inside is root outside" if is_identity(view.uid_map) else ""
        rows.append(line(Span(" uid_map  ", "name"), Span(words, "text"), Span(meaning, "dim"),
                         source=f"/proc/{pid}/uid_map", proof=f"cat /proc/{pid}/uid_map"))
    if view.hostname:
        rows.append(line(Span(" hostname ", "name"), Span(view.hostname, "text", "hostname"),
                         source="uname(2) in its uts namespace",
                         proof=f"nsenter -t {view.row.pid} -u hostname"))
    return rows


def _numbers(count: int) -> str:
    return {1: "one number", 2: "two numbers"}.get(count, f"{count} numbers")


class NamespacesPane(Pane):
    """Eight kinds, the host's inode beside the container's."""

    KIND = "namespaces"
    TITLE = "Namespaces"
    PARTS = frozenset({"namespaces", "processes"})
    PROMISE = "each kind will stand here with the host's inode and the container's"

    def lines(self, view: View, host: Host, width: int, height: int) -> list[Line]:
        return lines(view, host, width, height)

    def nothing(self, width: int) -> list[Line]:
        """Without a container: the host's own, which every process of it is in."""
        host = self.snapshot.host
        rows = [header((" kind", 9), ("host", 14), ("isolates", 10))]
        rows += [line(Span(f" {kind:<8}", "name"), Span(f"{inode:<14}", "strong"),
                      Span(MEANING[kind], "dim"), source=f"/proc/1/ns/{kind}",
                      proof=f"readlink /proc/1/ns/{kind}")
                 for kind, inode in host.namespaces.items()]
        return rows if host.namespaces else super().nothing(width)
