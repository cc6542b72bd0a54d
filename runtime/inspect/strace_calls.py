"""What each system call of a trace means in our own words: mount(…) is the operation "mount".

The table that strace.py reads lines with; pure functions in the caller's process. A maker gets the
arguments as strace wrote them, and gives the operation's name and arguments, or None for a call
that is none: `prctl(PR_GET_NAME)` changes nothing.
Sources: strace(1), and the manual page of each call.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runtime.inspect.capabilities import NAMES

if TYPE_CHECKING:
    from runtime.inspect.strace import Reader

Row = dict[str, Any]
Words = list[str]

OPENED = re.compile(r"^\d+<(.*)>$")
NEW = re.compile(r"CLONE_NEW[A-Z]+")


def split(text: str) -> Words:
    """The arguments of a call: at commas, but not inside quotes, brackets or <paths>."""
    words, depth, quoted, word, skip = [], 0, False, "", False
    for character in text.replace("<<", " of "):  # 1<<CAP_KILL opens no bracket
        if skip:
            skip = False
        elif character == "\\":
            skip = True
        elif character == '"':
            quoted = not quoted
        elif not quoted and character in "([{<":
            depth += 1
        elif not quoted and character in ")]}>":
            depth = max(0, depth - 1)
        if character == "," and not depth and not quoted:
            words.append(word.strip())
            word = ""
        else:
            word += character
    return [*words, word.strip()] if word.strip() else words


def plain(word: str) -> str:
    """The text of a quoted argument, without its quotes and its last NUL; NULL is ""."""
    if word in ("NULL", "0x0"):
        return ""
    if not word.startswith('"'):
        return "" if word.startswith("0x") else word
    inner = word.removesuffix("...")[1:-1]
    return inner.replace("\\0", "").replace("\\n", "\n").replace('\\"', '"').strip()


Made = tuple[str, Row] | None
Maker = Callable[["Reader", int, Words, str], Made]


def _mount(reader: Reader, pid: int, words: Words, result: str) -> Made:
    source, target, kind, flags, options = (words + [""] * 5)[:5]
    place = plain(target)
    if not reader.root and (plain(kind) == "overlay" or (plain(source) == place != "")):
        reader.root = place
        return "mount", {"source": plain(source), "target": place, "kind": plain(kind) or None,
                         "flags": flags, "options": plain(options) or None}
    return "mount", {"source": reader.path(pid, source) or None, "target": reader.path(pid, target),
                     "kind": plain(kind) or None, "flags": flags, "options": plain(options) or None}


def _write(reader: Reader, pid: int, words: Words, result: str) -> Made:
    found = OPENED.match(words[0])
    path = found[1] if found else reader.files.get(pid, {}).get(words[0], "")
    if not path.startswith(("/proc/", "/sys/")) or "/attr/" in path:
        return None
    return "write_control", {"path": path, "text": plain(words[1])}


def _namespaces(reader: Reader, pid: int, words: Words, result: str) -> str:
    return "|".join(NEW.findall(" ".join(words)))


def _clone(reader: Reader, pid: int, words: Words, result: str) -> Made:
    flags = _namespaces(reader, pid, words, result)
    return ("clone3", {"flags": flags}) if flags else None


def _unshare(reader: Reader, pid: int, words: Words, result: str) -> Made:
    flags = _namespaces(reader, pid, words, result)
    return ("unshare", {"flags": flags}) if flags else None


def _prctl(reader: Reader, pid: int, words: Words, result: str) -> Made:
    kind, value = words[0], words[1] if len(words) > 1 else ""
    every = (1 << len(NAMES)) - 1
    if kind == "PR_CAPBSET_DROP":
        return "drop_bounding", {"keep": f"{every & ~_mask(value):x}", "have": f"{every:x}"}
    if kind == "PR_CAP_AMBIENT":
        raised = _mask(words[2]) if value == "PR_CAP_AMBIENT_RAISE" else 0
        return "set_ambient", {"mask": f"{raised:x}"}
    if kind == "PR_SET_SECCOMP":
        return "set_filter", {"program": _program(words), "flags": 0}
    if kind == "PR_SET_KEEPCAPS":
        return "keep_capabilities", {"on": value == "1"}
    if kind == "PR_SET_NO_NEW_PRIVS":
        return "set_no_new_privs", {}
    if kind == "PR_SET_CHILD_SUBREAPER":
        return "set_child_subreaper", {}
    return ("set_dumpable", {"on": value != "0"}) if kind == "PR_SET_DUMPABLE" else None


def _mask(text: str) -> int:
    """The bits of `1<<CAP_KILL|1<<CAP_CHOWN`, or of `CAP_KILL`."""
    return sum(1 << NAMES.index(name) for name in set(re.findall(r"CAP_(\w+)", text))
               if name in NAMES)


def _capset(reader: Reader, pid: int, words: Words, result: str) -> Made:
    sets = dict(re.findall(r"(effective|permitted|inheritable)=([^,}]*)", " ".join(words)))
    return "capset", {name: f"{_mask(sets.get(name, '')):x}"
                      for name in ("effective", "permitted", "inheritable")}


def _seccomp(reader: Reader, pid: int, words: Words, result: str) -> Made:
    if words[0] != "SECCOMP_SET_MODE_FILTER":
        return None
    return "set_filter", {"program": _program(words),
                          "flags": words[1].replace("SECCOMP_FILTER_FLAG_", "")}


def _program(words: Words) -> str:
    """As long as it is: an instruction has eight bytes."""
    length = re.search(r"len=(\d+)", " ".join(words))
    return f"{int(length[1]) * 8} bytes" if length else "a program"


def _open(reader: Reader, pid: int, words: Words, result: str) -> Made:
    path = reader.path(pid, words[1], words[0])
    inside = reader.root and plain(words[1]).startswith(reader.root)
    return ("make_file_at", {"name": path.rpartition("/")[2], "mode": words[3]}) \
        if inside and len(words) > 3 and "O_CREAT" in words[2] else None


def _numbers(words: Words) -> list[int]:
    return [int(word) for word in re.findall(r"\d+", " ".join(words))]


def _device(word: str) -> tuple[int, int]:
    found = re.search(r"makedev\((\w+), (\w+)\)", word)
    return (int(found[1], 0), int(found[2], 0)) if found else (0, 0)


def _mknod(reader: Reader, pid: int, words: Words, result: str) -> Made:
    at = words[1:] if re.match(r"AT_FDCWD|\d", words[0]) else words
    if "S_IFCHR" not in at[1] and "S_IFBLK" not in at[1]:
        return None
    major, minor = _device(words[-1])
    mode = re.search(r"\b0\d+", at[1])
    return "mknod", {"path": reader.path(pid, at[0], words[0] if at is not words else ""),
                     "kind": "c" if "S_IFCHR" in at[1] else "b", "major": major, "minor": minor,
                     "mode": mode[0] if mode else ""}


def _limit(reader: Reader, pid: int, words: Words, result: str) -> Made:
    kind = next((word for word in words if word.startswith("RLIMIT_")), "")
    values = re.findall(r"rlim_(?:cur|max)=([\w*]+)", words[words.index(kind) + 1])
    return ("setrlimit", {"kind": kind, "soft": values[0], "hard": values[1]}) \
        if len(values) == 2 else None


def _execve(reader: Reader, pid: int, words: Words, result: str) -> Made:
    at = words[1:] if words[0].endswith(">") and len(words) > 3 else words
    arguments = [plain(word) for word in split(at[1].strip("[]"))]
    return "execve", {"path": plain(at[0]), "arguments": arguments}


def _ids(name: str) -> Maker:
    def maker(reader: Reader, pid: int, words: Words, result: str) -> Made:
        numbers = _numbers(words)
        real, effective, saved = (numbers * 3)[:3] if len(numbers) == 1 else (*numbers, 0, 0)[:3]
        return name, {"real": real, "effective": effective, "saved": saved}

    return maker


def _path(name: str, place: int, *more: str) -> Maker:
    """A call with a path at that place, and behind it the arguments of these names."""
    def maker(reader: Reader, pid: int, words: Words, result: str) -> Made:
        folder = words[place - 1] if place else ""
        found: Row = {"path": reader.path(pid, words[place], folder)}
        if not found["path"].startswith("/"):
            return None  # a pipe or a socket of its own
        found |= dict(zip(more, words[place + 1:]))
        return name, found

    return maker


def _named(name: str, *names: str, read: Callable[[str], Any] = plain) -> Maker:
    def maker(reader: Reader, pid: int, words: Words, result: str) -> Made:
        return name, {key: read(word) for key, word in zip(names, words)}

    return maker


def _only_if(word: str, maker: Maker) -> Maker:
    """Only where the arguments have that word."""
    def chosen(reader: Reader, pid: int, words: Words, result: str) -> Made:
        return maker(reader, pid, words, result) if word in " ".join(words) else None

    return chosen


MAKERS: dict[str, Maker] = {
    "mount": _mount,
    "umount2": lambda r, pid, w, _: ("umount2", {"target": r.path(pid, w[0]), "flags": w[1]}),
    "pivot_root": _named("pivot_root", "new_root", "put_old"),
    "mount_setattr": lambda r, pid, w, _: ("mount_setattr", {
        "target": r.path(pid, w[1], w[0]),
        "set_attributes": "|".join(re.findall(r"MOUNT_ATTR_\w+", w[3])) or "0"}),
    "open_tree": lambda r, pid, w, _: ("open_tree", {
        "source": r.path(pid, w[1], w[0]), "recursive": "AT_RECURSIVE" in w[2]}),
    "move_mount": lambda r, pid, w, _: ("move_mount", {
        "target": r.path(pid, w[3], w[2]) or r.path(pid, w[2])}),
    "unshare": _unshare, "clone": _clone, "clone3": _clone,
    "setns": lambda r, pid, w, _: ("setns", {"flags": w[1]}),
    "mkdir": _path("mkdir", 0, "mode"), "mkdirat": _path("mkdir", 1, "mode"),
    "mknod": _mknod, "mknodat": _mknod,
    "symlink": lambda r, pid, w, _: ("symlink", {"target": plain(w[0]), "path": r.path(pid, w[1])}),
    "symlinkat": lambda r, pid, w, _: ("symlink", {
        "target": plain(w[0]), "path": r.path(pid, w[2], w[1])}),
    "chown": _path("chown", 0, "uid", "gid"), "fchown": _path("chown", 0, "uid", "gid"),
    "fchownat": _path("chown", 1, "uid", "gid"),
    "chmod": _path("chmod", 0, "mode"), "fchmodat": _path("chmod", 1, "mode"),
    "chdir": _path("chdir", 0), "fchdir": _path("fchdir", 0), "chroot": _path("chroot", 0),
    "openat": _open, "write": _write,
    "sethostname": _named("sethostname", "name"), "setdomainname": _named("setdomainname", "name"),
    "setsid": lambda r, pid, w, _: ("setsid", {}),
    "umask": _named("umask", "mask", read=lambda word: int(word, 8)),
    "keyctl": _only_if("KEYCTL_JOIN_SESSION_KEYRING", lambda r, pid, w, _: (
        "join_session_keyring", {})),
    "prctl": _prctl, "capset": _capset, "seccomp": _seccomp,
    "setgroups": lambda r, pid, w, _: ("setgroups", {"groups": _numbers(w[1:])}),
    "setgid": _ids("setresgid"), "setresgid": _ids("setresgid"),
    "setuid": _ids("setresuid"), "setresuid": _ids("setresuid"),
    "setrlimit": _limit, "prlimit64": _only_if("{rlim_cur=", lambda r, pid, w, x: (
        None if w[2] == "NULL" else _limit(r, pid, w, x))),
    "ioctl": _only_if("SIOCSIFFLAGS", lambda r, pid, w, _: ("set_link_up", {"name": "lo"})),
    # RTM_NEWLINK is 0x10, which an older strace does not know on every socket.
    "sendto": lambda r, pid, w, _: ("set_link_up", {"name": "lo"}) if re.search(
        r"nlmsg_type=(RTM_NEWLINK|0x10\b)", " ".join(w)) else None,
    "close_range": _only_if("CLOSE_RANGE_CLOEXEC", lambda r, pid, w, _: (
        "close_range_on_exec", {"first": int(w[0])})),
    "execve": _execve, "execveat": _execve,
}
