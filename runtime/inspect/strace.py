"""What `strace -f -o FILE` wrote of another runtime, as the operations that ours would tell.

For laying runc's start beside our own (`operations tea --diff ./runc.strace`); pure functions in
the caller's process. Only calls that change something outside the process are kept, and only those
that succeeded: a probe that fails changes nothing. With `-y` strace names what a descriptor leads
to; without it the opens in the trace itself are followed. Many PR_CAPBSET_DROP are one operation.

    8097  mount("proc", "/proc/self/fd/6", "proc", MS_NOSUID|MS_NODEV, NULL) = 0
      → {"name": "mount", "call": "mount(2)", "phase": "root", "pid": 8097,
         "arguments": {"source": "proc", "target": "/proc", "kind": "proc", "flags": "MS_NOSUID|…"}}

The phases are told by the kind of call, for a trace has none. Sources: strace(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from runtime.errors import Invalid
from runtime.inspect.strace_calls import MAKERS, OPENED, Row, Words, plain, split

LINE = re.compile(r"^(?:(\d+) +|\[pid +(\d+)\] )?(?:[\d:]*\d\.?\d* )?(.*)$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
CALL = re.compile(r"^(\w+)\((.*)\)\s+= (-?\w+)(<[^>]*>)?.*?(?:<([\d.]+)>)?$")
OWN_FD = re.compile(r"^/proc/(?:self|thread-self|\d+)/fd/(\d+)(/.*)?$")
PHASES = {
    "clone3": "isolate", "unshare": "isolate", "setns": "isolate", "setsid": "isolate",
    "join_session_keyring": "isolate", "execve": "exec", "setrlimit": "limit",
    **dict.fromkeys(("setgroups", "setresgid", "setresuid", "capset", "drop_bounding",
                     "set_ambient", "keep_capabilities", "set_filter", "set_no_new_privs",
                     "close_range_on_exec"), "drop"),
}

# A call a bit; which argument they share, and whether a bit stays only if all of them say so.
BITWISE = {"drop_bounding": ("keep", True), "set_ambient": ("mask", False)}


def operations(text: str) -> list[Row]:
    """Every effect in the trace, in order, numbered from 1. Raises Invalid for what is no trace."""
    reader = Reader()
    calls = list(_calls(text.splitlines()))
    if not calls:
        raise Invalid("read the trace: there is no system call in it",
                      "it is what strace -f -y -o FILE COMMAND writes")
    for pid, name, words, result, seconds in calls:
        reader.take(pid, name, words, result, seconds)
    return reader.finished()


def _calls(lines: Iterable[str]) -> Iterable[tuple[int, str, Words, str, str]]:
    """(pid, call, arguments, result, seconds) of every whole call; halves are put together."""
    halves: dict[int, str] = {}
    for raw in lines:
        found = LINE.match(raw)
        if found is None:
            continue
        pid, body = int(found[1] or found[2] or 0), found[3]
        resumed = RESUMED.match(body)
        if resumed is not None:
            body = halves.pop(pid, "") + resumed[2].lstrip()
        elif body.endswith("<unfinished ...>"):
            halves[pid] = body.removesuffix("<unfinished ...>").rstrip()
            # An execve that succeeds in another thread than the first resumes under its pid.
            continue
        call = CALL.match(body)
        if call is not None:
            opened = call[4] or ""
            yield pid, call[1], split(call[2]), call[3] + opened, call[5] or ""


class Reader:
    """Makes rows of calls, and remembers what the descriptors of each process lead to."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.files: dict[int, dict[str, str]] = {}
        self.root = ""

    def take(self, pid: int, name: str, words: Words, result: str, seconds: str) -> None:
        """One call."""
        table = self.files.setdefault(pid, {})
        if result.startswith("-1") or result == "?":
            return
        self._follow(pid, name, words, result, table)
        maker = MAKERS.get(name)
        made = maker(self, pid, words, result) if maker is not None else None
        if made is None:
            return
        kind, arguments = made
        if self._goes_on(pid, kind, arguments):
            return
        self.rows.append({
            "phase": self.phase(kind, arguments), "name": kind, "call": f"{name}(2)",
            "arguments": arguments, "pid": pid, "by": "", "symbol": "", "result": None, "errno": 0,
            "start_ns": 0, "ns": int(float(seconds) * 1e9) if seconds else None})

    def _goes_on(self, pid: int, kind: str, arguments: Row) -> bool:
        """Is it one more bit of the operation before? Then it is added there."""
        last = self.rows[-1] if self.rows else {}
        if kind not in BITWISE or last.get("name") != kind or last["pid"] != pid:
            return False
        key, both = BITWISE[kind]
        old, new = int(last["arguments"][key], 16), int(arguments[key], 16)
        last["arguments"][key] = f"{old & new if both else old | new:x}"
        return True

    def _follow(self, pid: int, name: str, words: Words, result: str,
                table: dict[str, str]) -> None:
        """What is open where, as far as the trace tells."""
        number, _, opened = result.partition("<")
        if name in ("open", "openat", "openat2", "open_tree", "fsmount", "creat"):
            place = 0 if name in ("open", "creat") else 1
            path = opened.removesuffix(">") or (plain(words[place]) if len(words) > place else "")
            table[number] = path
        elif name in ("clone", "clone3", "fork", "vfork") and number.isdecimal():
            shared = "CLONE_FILES" in " ".join(words)
            self.files[int(number)] = table if shared else dict(table)

    def phase(self, kind: str, arguments: Row) -> str:
        """isolate, root, limit, drop or exec, by the kind of call and by what came before."""
        path = str(arguments.get("path", ""))
        if not self.root and kind in ("setresuid", "setresgid", "umask"):
            return "isolate"
        if kind in ("mkdir", "write_control") and path.startswith("/sys/fs/cgroup/"):
            inside = kind == "mkdir" and self.root
            return "root" if inside else \
                "limit" if path.endswith(("/tasks", "/cgroup.procs")) else "prepare"
        if kind == "write_control":
            return "isolate" if path.endswith(("_map", "/setgroups")) else "limit"
        return PHASES.get(kind, "root")

    def path(self, pid: int, word: str, folder: str = "") -> str:
        """A path as the container sees it: descriptors followed, the root's own place left out."""
        found = OPENED.match(word)
        text = found[1] if found else plain(word)
        own = OWN_FD.match(text)
        if own is not None:
            text = self.files.get(pid, {}).get(own[1], text) + (own[2] or "")
        elif folder and text and not text.startswith("/"):
            at = OPENED.match(folder) or re.match(r"^AT_FDCWD<(.*)>$", folder)
            base = at[1] if at else self.files.get(pid, {}).get(folder, "")
            text = f"{base.rstrip('/')}/{text}" if base and text not in (".",) else text
        if self.root and (text == self.root or text.startswith(f"{self.root}/")):
            return text[len(self.root):] or "/"
        return text

    def finished(self) -> list[Row]:
        """The rows, with their numbers; what stands before the first namespace prepares for it."""
        names = [row["name"] for row in self.rows]
        program = len(names) - names[::-1].index("execve") - 1 if "execve" in names else -1
        first = next((at for at, name in enumerate(names) if name in ("clone3", "unshare")), 0)
        for at, row in enumerate(self.rows):
            row["n"] = at + 1
            if row["name"] == "execve" and at != program or at < first and row["phase"] == "root":
                row["phase"] = "prepare"
        return self.rows
