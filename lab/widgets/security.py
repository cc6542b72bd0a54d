"""The security pane: what the container's first process may still do, host beside container.

The twin of amicontained. Capability sets by name, no_new_privs, seccomp and what its filter answers
to a system call one types in, and what of /proc and /sys is hidden or read-only. Everything but the
filter's answer is read from /proc; the answer comes from the container's own profile, compiled and
run as the kernel runs it.
Sources: capabilities(7), seccomp(2), prctl(2) PR_SET_NO_NEW_PRIVS, proc_pid_status(5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from lab.glyphs import G
from lab.snapshot import Host, View
from lab.widgets.line import BLANK, Line, Span, fit, line
from lab.widgets.pane import Pane, header
from lab.widgets.prose import wrapped
from runtime.errors import LabError
from runtime.inspect.capabilities import decode, seccomp_word
from runtime.inspect.security import SETS, Security
from runtime.oci import filter_answer

T = TypeVar("T")

FIRST_ASKED = "mount"
INDENT = " " * 11
# Bits that one row of a set shows: the mask as /proc/PID/status writes it, without leading zeros.
COLUMN = 18


def lines(view: View, host: Host, width: int, height: int, asked: str = FIRST_ASKED) -> list[Line]:
    """The rows of the pane."""
    mine = view.security
    if mine is None:
        word = "gone with its process" if view.row.dead else "no process yet to look at"
        return [BLANK, line(Span(f" {word}", "dim"))]
    status = f"/proc/{view.row.pid}/status"
    rows = [header((" set", 13), ("host", COLUMN), (fit(view.row.name, 14), COLUMN),
                   ("  as it was" if view.remembered else "", 0))]
    sets = [_set(name, word, host.security, mine, status) for name, word in SETS]
    has, lacks = _names(host.security, mine, width)
    # In half a screen the first eleven rows are seen: what says most stands there.
    rows += [*sets[:1], *sets[2:3], *has, _seccomp(view, host.security, mine, status)]
    rows += _asked(view, asked, width)
    rows += _privileges(host.security, mine, status)
    return [*rows, *_paths(view, mine, width), *lacks, *_refused(view, mine, width), sets[1],
            *sets[3:]]


def _set(name: str, word: str, host: Security | None, mine: Security, status: str) -> Line:
    theirs, own = host.set(name) if host else 0, mine.set(name)
    role = "calm" if own != theirs else "text"
    return line(Span(f" {name:<12}", "name"), Span(fit(_mask(theirs), COLUMN), "dim"),
                Span(fit(_mask(own), COLUMN), role, f"cap:{name}"),
                source=f"{status}  {word}", proof=f"grep {word} {status}")


def _mask(mask: int) -> str:
    return f"{mask:>11x} {bin(mask).count('1'):>3}"


def _names(host: Security | None, mine: Security, width: int) -> tuple[list[Line], list[Line]]:
    """The names of what it may do, and of what root of the host may and it may not."""
    has = _folded(" has", decode(mine.effective) or ("nothing",), width, "text")
    beyond = mine.bounding & ~mine.effective
    if beyond:
        has += _folded(" may get", decode(beyond), width, "pressure")
    missing = (host.effective if host else 0) & ~mine.effective
    return has, _folded(" lacks", decode(missing), width, "dim") if missing else []


def _folded(head: str, words: Sequence[str], width: int, role: str) -> list[Line]:
    rows = wrapped(" ".join(words), max(30, width - 1), INDENT, INDENT, role)
    if not rows:
        return []
    first = rows[0]
    return [line(Span(f"{head:<11}", "name"), *first.spans[1:]), *rows[1:]]


def _privileges(host: Security | None, mine: Security, status: str) -> list[Line]:
    words = ("no program can give it more" if mine.no_new_privs
             else "a setuid program may give it what its bounding set has")
    rows = [line(Span(" no_new_privs ", "name"), Span(f"{int(bool(host and host.no_new_privs))} ",
                                                      "dim"),
                 Span(f"{G.differ if mine.no_new_privs else G.equal} ", "dim"),
                 Span(str(int(mine.no_new_privs)), "strong", "nnp"), Span(f"  {words}", "dim"),
                 source=f"{status}  NoNewPrivs", proof=f"grep NoNewPrivs {status}")]
    if mine.label and mine.label != "unconfined":
        path = f"/proc/{mine.pid}/attr/current"
        rows.append(line(Span(" label     ", "name"), Span(mine.label, "text"),
                         source=path, proof=f"cat {path}"))
    return rows


def _seccomp(view: View, host: Security | None, mine: Security, status: str) -> Line:
    theirs = seccomp_word(host.seccomp) if host else G.dot
    sign, role = (G.done, "calm") if mine.seccomp else (G.pressure, "pressure")
    stacked = f", {mine.filters} stacked" if (mine.filters or 0) > 1 else ""
    return line(Span(" seccomp   ", "name"), Span(f"{theirs}  ", "dim"),
                Span(f"{sign} {seccomp_word(mine.seccomp)}{stacked}", role, "seccomp"),
                Span(f"  {_counted(view.filter)}" if mine.seccomp and view.filter else "", "dim"),
                source=f"{status}  Seccomp", proof=f"grep Seccomp {status}")


# Compiling a profile takes 3 ms and a pane is drawn ten times a second: what was worked out last.
_known: list[tuple[Mapping[str, Any], str, Any]] = []


def _once(profile: Mapping[str, Any], key: str, work: Callable[[], T]) -> T:
    """What `work` finds for this profile and key, worked out once."""
    for other, name, found in _known:
        if name == key and other == profile:
            return cast("T", found)
    made = work()
    _known[:] = [*_known[-5:], (profile, key, made)]
    return made


def _overview(profile: Mapping[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """(passing, depending on arguments, refused): every call of this machine."""
    return _once(profile, "", lambda: filter_answer.overview(dict(profile)))


def _counted(profile: Mapping[str, Any]) -> str:
    """298 calls pass, 82 are refused, 3 depend on arguments."""
    try:
        passing, depending, refused = map(len, _overview(profile))
    except LabError as error:
        return str(error)
    return f"{passing} calls pass, {refused} refused, {depending} by arguments"


def _refused(view: View, mine: Security, width: int) -> list[Line]:
    """The names of the calls that do not get through, whatever their arguments."""
    if not mine.seccomp or not view.filter:
        return []
    try:
        refused = _overview(view.filter)[2]
    except LabError:
        return []  # said beside the count already
    return _folded(" refuses", refused, width, "dim")


def _asked(view: View, asked: str, width: int) -> list[Line]:
    """What the filter does with the call that was typed in, and by which rule."""
    head = [Span(" f asks    ", "key"), Span(f"{asked} ", "code")]
    if view.filter is None:
        return [line(*head, Span("its config.json is not read yet", "dim"))]
    try:
        found = _ask(view.filter, asked)
    except (LabError, ValueError) as error:
        return [line(*head, Span(f"{G.arrow} {error}", "pressure"))]
    sign, role = (G.done, "calm") if found.allowed else (G.bad, "dead")
    proof = f"jq .linux.seccomp {view.bundle}/config.json"
    rows = [line(*head, Span(f"{G.arrow} ", "dim"), Span(f"{sign} {found.word}", role, "asked"),
                 Span("  for these arguments" if found.depends else "", "dim"),
                 source=f"number {found.number} {G.dot} its own profile, compiled and run",
                 proof=proof)]
    return rows + wrapped(found.rule, max(30, width - 1), INDENT, INDENT, "dim")


def _ask(profile: Mapping[str, Any], asked: str) -> filter_answer.Answer:
    """`socket 40`: a name, and arguments as numbers where they matter."""
    name, *words = asked.split() or [""]
    numbers = tuple(int(word, 0) for word in words)
    return _once(profile, asked, lambda: filter_answer.answer(dict(profile), name, numbers))


def _paths(view: View, mine: Security, width: int) -> list[Line]:
    path = f"/proc/{view.row.pid}/mountinfo"
    rows: list[Line] = []
    for head, found, meaning in ((" masked", mine.masked, "nothing of /proc and /sys is hidden"),
                                 (" read-only", mine.read_only, "all of /proc may be written")):
        if found:
            made = _folded(head, found, width, "text")
            rows += [made[0]._replace(source=path, proof=f"grep -E ' /(proc|sys)/' {path}"),
                     *made[1:]]
        else:
            rows.append(line(Span(f"{head:<11}", "name"), Span(f"{G.pressure} none: {meaning}",
                                                                "pressure"),
                             source=path, proof=f"grep -E ' /(proc|sys)/' {path}"))
    return rows


class SecurityPane(Pane):
    """Capabilities, seccomp, masks: what is left of root."""

    KIND = "security"
    TITLE = "Security"
    PARTS = frozenset({"security"})
    PROMISE = "what the first process may still do will stand here, beside what the host's root may"

    def __init__(self, id: str | None = None, classes: str = "pane") -> None:
        super().__init__(id, classes)
        self.asked = FIRST_ASKED

    def ask(self, words: str) -> None:
        """Ask the filter about this call: "socket 40"."""
        self.asked = words.strip() or FIRST_ASKED
        self.rebuild()

    def lines(self, view: View, host: Host, width: int, height: int) -> list[Line]:
        return lines(view, host, width, height, self.asked)

    def nothing(self, width: int) -> list[Line]:
        """Without a container: what root of the host may do, from which a container is made."""
        found = self.snapshot.host.security
        if found is None:
            return super().nothing(width)
        status = "/proc/self/status"
        rows = [header((" set", 13), ("host", COLUMN))]
        rows += [line(Span(f" {name:<12}", "name"),
                      Span(_mask(found.set(name)), "strong", f"cap:{name}"),
                      source=f"{status}  {word}", proof=f"grep {word} {status}")
                 for name, word in SETS]
        rows += _folded(" has", decode(found.effective) or ("nothing",), width, "text")
        return [*rows, line(Span(" seccomp    ", "name"), Span(seccomp_word(found.seccomp), "text"),
                            source=f"{status}  Seccomp", proof=f"grep Seccomp {status}")]
