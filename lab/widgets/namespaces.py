"""The namespaces pane: eight kinds, the host's inode beside the container's, and every container.

The twin of lsns. Equal numbers are the same namespace; a different one was made for this container,
lives as long as something keeps it (a process, a bind mount, a descriptor), and belongs to a user
namespace. Below stands what follows: one process with two pids, users and groups, the host name;
and all containers that run, side by side.
Sources: namespaces(7), pid_namespaces(7), user_namespaces(7), ioctl_nsfs(2).
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.glyphs import G
from lab.snapshot import Host, View
from lab.widgets.line import BLANK, Line, Span, fit, line
from lab.widgets.pane import Pane, header
from runtime.inspect.namespaces import KINDS, MEANING, IdRange, Namespace, is_identity

# From these widths on a row has room to say who owns the namespace, and what its kind isolates.
WITH_OWNER, WITH_MEANING = 71, 107
KEPT, OWNER = 14, 12
# Below this width the side by side has four digits of an inode instead of five.
WIDE_DIGITS = 72


def lines(view: View, host: Host, width: int, height: int) -> list[Line]:
    """The rows of the pane."""
    name = view.row.name
    found = {row.kind: row for row in view.namespaces}
    title = header((" kind", 9), ("host", 12), ("", 2), (fit(name, 11), 12), ("", 9),
                   ("kept by", KEPT), *([("owner", OWNER)] if width >= WITH_OWNER else []),
                   *([("isolates", 0)] if width >= WITH_MEANING else []))
    users = found["user"].inode if "user" in found else 0
    rows = [title, *(_row(found.get(kind), kind, host, users, width) for kind in KINDS)]
    rows += _consequences(view)
    if view.remembered and view.namespaces:
        rows.append(line(Span(" gone with their last process; this is how they were", "dim")))
    return rows + _side_by_side(view, host, width)


def _row(one: Namespace | None, kind: str, host: Host, users: int, width: int) -> Line:
    theirs = host.namespaces.get(kind, 0)
    if one is None:
        right = "gone" if theirs else "this kernel has none"
        return line(Span(f" {kind:<8}", "name"), Span(f"{theirs or G.dot:<12}", "dim"),
                    Span(right, "dim"), source=f"/proc/1/ns/{kind}",
                    proof=f"readlink /proc/1/ns/{kind}" if theirs else "")
    sign = G.differ if one.private else G.equal
    role = "calm" if one.private else "dim"
    owner = _owner(one, host, users) if width >= WITH_OWNER else ""
    return line(
        Span(f" {kind:<8}", "name"), Span(f"{one.host_inode:<12}", "dim"), Span(f"{sign} ", role),
        Span(f"{one.inode:<12}", "strong" if one.private else "dim", f"ns:{kind}"),
        Span(f"{one.word:<9}", role, f"ns:{kind}:word"),
        Span(fit(_keepers(one), KEPT), "text", f"ns:{kind}:members"),
        Span(fit(owner, OWNER) if owner else "", "dim"),
        Span(MEANING[kind] if width >= WITH_MEANING else "", "dim"),
        source=_whole(one), proof=f"readlink {one.path}",
    )


def _keepers(one: Namespace) -> str:
    """Who keeps it alive, in a few words; a + where something else does as well."""
    ways = [*_processes(one), *(["bind mount"] if one.bound_at else []),
            *([f"fd of {one.held_by[0]}"] if one.held_by else [])]
    return (ways[0] + (" +" if len(ways) > 1 else "")) if ways else G.dot


def _processes(one: Namespace) -> list[str]:
    count = len(one.members)
    return [f"{count} process" + ("es" if count > 1 else "")] if count else []


def _whole(one: Namespace) -> str:
    """For the rule under the pane: the file, what the kind is for, and every way it is kept."""
    kept = [f"bound at {path}" for path in one.bound_at]
    kept += [f"descriptor of pid {pid}" for pid in one.held_by[:3]]
    return f" {G.dot} ".join([one.path, MEANING[one.kind], *kept])


def _owner(one: Namespace, host: Host, users: int) -> str:
    """The user namespace it belongs to; of a user namespace the one that it was made in."""
    if not one.owner:
        # The host's own is the first of all, and above it there is nobody.
        return "nobody" if one.kind == "user" and not one.private else G.dot
    if one.owner == host.namespaces.get("user"):
        return "host's users"
    return "its users" if one.owner == users else str(one.owner)


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
    rows += _map(view, "uid_map", view.uid_map, "root inside is root outside")
    # Almost always the same as the users'; then it has nothing to add.
    if view.gid_map != view.uid_map:
        rows += _map(view, "gid_map", view.gid_map, "groups mean the same outside")
    if view.hostname:
        rows.append(line(Span(" hostname ", "name"), Span(view.hostname, "text", "hostname"),
                         source="uname(2) in its uts namespace",
                         proof=f"nsenter -t {view.row.pid} -u hostname"))
    return rows + _clocks(view)


def _clocks(view: View) -> list[Line]:
    """What its time namespace adds to the host's clocks."""
    if not view.clocks:
        return []
    path = f"/proc/{view.row.pid}/timens_offsets"
    words = ", ".join(f"{name} {seconds:+g} s" for name, seconds in view.clocks.items())
    return [line(Span(" clocks   ", "name"), Span(words, "text", "clocks"), source=path,
                 proof=f"cat {path}")]


def _map(view: View, name: str, ranges: tuple[IdRange, ...], identity: str) -> list[Line]:
    if not ranges:
        return []
    path = f"/proc/{view.row.pid}/{name}"
    words = ", ".join(f"{span.inside} {G.arrow} {span.outside} ({span.count})" for span in ranges)
    meaning = f"  {identity}" if is_identity(ranges) else ""
    return [line(Span(f" {name}  ", "name"), Span(words, "text"), Span(meaning, "dim"),
                 source=path, proof=f"cat {path}")]


def _numbers(count: int) -> str:
    return {1: "one number", 2: "two numbers"}.get(count, f"{count} numbers")


def _side_by_side(view: View, host: Host, width: int) -> list[Line]:
    """The host and every container that runs, by the last digits of their inodes."""
    if not view.neighbours or view.remembered:
        return []
    digits = 5 if width >= WIDE_DIGITS else 4
    room = digits + 2
    rows = [BLANK, line(Span(" all      ", "dim"),
                        *(Span(f" {kind:<{room - 1}}", "dim") for kind in KINDS))]
    rows.append(_across("host", host.namespaces, host, digits))
    return rows + [_across(name, spaces, host, digits) for name, spaces in view.neighbours]


def _across(name: str, spaces: Mapping[str, int], host: Host, digits: int) -> Line:
    spans = [Span(f" {fit(name, 8)} ", "name")]
    for kind in KINDS:
        inode = spaces.get(kind, 0)
        same = inode == host.namespaces.get(kind, 0)
        sign = " " if name == "host" else G.equal if same else G.differ
        words = str(inode)[-digits:] if inode else G.dot
        spans.append(Span(f"{sign}{words:<{digits + 1}}", "dim" if same else "calm"))
    return line(*spans)


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
