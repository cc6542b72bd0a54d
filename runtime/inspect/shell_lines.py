"""The line of a shell that has the same effect as an operation: mount(2) as one types it.

Pure functions over the plain data of an operation, in the caller's process.
  shell_line({"name": "umount2", "arguments": {"target": ".", "flags": 2}}) == "umount -l ."
A line with "…" starts the program that follows with the effect, as setpriv and unshare do. Where no
command has the effect, the line is one of Python that makes the same call.
Sources: mount(8), unshare(1), nsenter(1), setpriv(1), capsh(1), prlimit(1), keyctl(1), bwrap(1).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from runtime.inspect.capabilities import decode
from runtime.inspect.operations import MOUNT_ATTRIBUTES, Values, bits, octal


def shell_line(operation: Values) -> str:
    """The line of a shell with the same effect; of a call without one, the call as strace has it.

    Never raises: an operation from a file may lack anything.
    """
    values = operation.get("arguments") or {}
    maker = _LINES.get(operation["name"])
    if maker is not None:
        try:
            return maker(values)
        except (KeyError, TypeError, ValueError, StopIteration):
            pass
    return f"{operation['name']}({', '.join(_word(value) for value in values.values())})"


def has_shell_line(name: str) -> bool:
    """Is there a line for operations of this name?"""
    return name in _LINES


def _word(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _quote(value: Any) -> str:
    return shlex.quote(str(value))


def _mount(v: Values) -> str:
    """The mount(8) line: a new file system, a bind, or only other flags for what is there."""
    kind, source, flags = v.get("kind"), v.get("source"), str(v.get("flags") or "")
    words = ["mount"]
    if kind:
        words += ["-t", str(kind)]
    options = [word for flag, word in MOUNT_WORDS.items() if flag in flags.split("|")]
    if not kind and "MS_REMOUNT" in flags:
        options = ["remount", "bind", *options]
    elif not kind and "MS_MOVE" in flags:
        words.append("--move")
    elif not kind and "MS_BIND" in flags:
        words.append("--rbind" if "MS_REC" in flags else "--bind")
    elif not kind:
        spread = next((word for word in ("PRIVATE", "SLAVE", "SHARED", "UNBINDABLE")
                       if f"MS_{word}" in flags), "PRIVATE")
        words.append(f"--make-{'r' if 'MS_REC' in flags else ''}{spread.lower()}")
    if v.get("options"):
        options.append(str(v["options"]))
    if options:
        words += ["-o", _quote(",".join(options))]
    if source or kind:
        words.append(_quote(source or kind))
    return " ".join([*words, _quote(v["target"])])


MOUNT_WORDS = {"MS_RDONLY": "ro", "MS_NOSUID": "nosuid", "MS_NODEV": "nodev",
               "MS_NOEXEC": "noexec", "MS_NOATIME": "noatime", "MS_STRICTATIME": "strictatime"}


def _attributes(v: Values) -> str:
    names = bits(MOUNT_ATTRIBUTES)(v["set_attributes"]).lower().replace("mount_attr_", "")
    words = ["ro" if word == "rdonly" else word for word in names.split("|") if word != "0"]
    return f"mount -o {','.join(['remount', 'bind', *words])} {_quote(v['target'])}"


def _namespaces(flags: Any) -> str:
    names = str(flags).replace("CLONE_NEW", "").lower().split("|")
    return " ".join(f"--{'mount' if name == 'ns' else name}" for name in names if name.isalpha())


def _control(v: Values) -> str:
    text = next(v[name] for name in ("text", "value", "data") if name in v)
    return f"echo {_quote(str(text).strip())} > {_quote(v['path'])}"


def _caps(mask: Any) -> str:
    return ",".join(f"+{name.lower()}" for name in decode(int(str(mask), 16)))


def _sets(v: Values) -> str:
    names = ",".join(f"cap_{name.lower()}" for name in decode(int(str(v["permitted"]), 16)))
    return f"capsh --caps={names + '=ep' if names else '='}"


def _limit(v: Values) -> str:
    return f"prlimit --pid $$ --{v['kind'].removeprefix('RLIMIT_').lower()}={v['soft']}:{v['hard']}"


def _call(text: str) -> str:
    return f"python3 -c 'import ctypes; ctypes.CDLL(None).{text}'"


def _name(v: Values) -> str:
    return _quote(v.get("path") or v.get("name"))


CLASSES = {"IOPRIO_CLASS_RT": "realtime", "IOPRIO_CLASS_BE": "best-effort",
           "IOPRIO_CLASS_IDLE": "idle"}

_LINES: dict[str, Callable[[Values], str]] = {
    "mount": _mount,
    "mount_setattr": _attributes,
    "umount2": lambda v: f"umount -l {_quote(v['target'])}" if v.get("flags") else
    f"umount {_quote(v['target'])}",
    "pivot_root": lambda v: f"pivot_root {_quote(v['new_root'])} {_quote(v['put_old'])}",
    "open_tree": lambda v: f"mount --{'r' if v.get('recursive') else ''}bind "
                           f"{_quote(v['source'])} …    (the first half of it)",
    "move_mount": lambda v: f"mount --bind … {_quote(v['target'])}    (the second half of it)",
    "fsmount": lambda v: f"mount -t {v['kind']} {_quote(v.get('source') or v['kind'])} …"
                         "    (the first half of it)",
    "mkdir": lambda v: f"mkdir -m {octal(v['mode'])} {_name(v)}",
    "mkdir_at": lambda v: f"mkdir -m {octal(v['mode'])} {_name(v)}",
    "make_file": lambda v: f"touch {_name(v)}",
    "make_file_at": lambda v: f"touch {_name(v)}",
    "symlink": lambda v: f"ln -s {_quote(v['target'])} {_quote(v['path'])}",
    "mknod": lambda v: f"mknod -m {octal(v['mode'])} {_quote(v['path'])} "
                       f"{v['kind']} {v['major']} {v['minor']}",
    "chown": lambda v: f"chown {v['uid']}:{v['gid']} {_name(v)}",
    "chown_at": lambda v: f"chown -h {v['uid']}:{v['gid']} {_name(v)}",
    "chmod": lambda v: f"chmod {octal(v['mode'])} {_name(v)}",
    "chdir": lambda v: f"cd {_name(v)}",
    "fchdir": lambda v: f"cd {_name(v)}",
    "chroot": lambda v: f"chroot {_name(v)}",
    "rmdir": lambda v: f"rmdir {_name(v)}",
    "unlink": lambda v: f"rm {_name(v)}",
    "write_control": _control,
    "write_open_control": _control,
    "copy_directory": lambda v: f"cp -a {_name(v)}/. …",
    "clone3": lambda v: f"unshare --fork {_namespaces(v['flags'])}",
    "unshare": lambda v: f"unshare {_namespaces(v['flags'])}",
    "setns": lambda v: f"nsenter {_namespaces(v['flags'])}",
    "sethostname": lambda v: f"hostname {_quote(v['name'])}",
    "setdomainname": lambda v: f"domainname {_quote(v['name'])}",
    "set_link_up": lambda v: f"ip link set {_quote(v['name'])} up",
    "make_segment": lambda v: "ipcmk --shmem 4096",
    "remove_segment": lambda v: f"ipcrm --shmem-id {v['ident']}",
    "umask": lambda v: f"umask {octal(v['mask'])}",
    "setsid": lambda v: "setsid …",
    "join_session_keyring": lambda v: "keyctl session - …",
    "setgroups": lambda v: "setpriv " + (f"--groups {','.join(map(str, v['groups']))}"
                                         if v["groups"] else "--clear-groups") + " …",
    "setresgid": lambda v: f"setpriv --regid {v['real']} …",
    "setresuid": lambda v: f"setpriv --reuid {v['real']} …",
    "drop_bounding": lambda v: f"setpriv --bounding-set=-all,{_caps(v['keep'])} …".replace(
        "-all, ", "-all "),
    "set_ambient": lambda v: f"setpriv --ambient-caps=-all,{_caps(v['mask'])} …".replace(
        "-all, ", "-all "),
    "capset": _sets,
    "keep_capabilities": lambda v: f"capsh --keep={int(bool(v['on']))} …",
    "set_no_new_privs": lambda v: "setpriv --no-new-privs …",
    "set_filter": lambda v: "bwrap --seccomp 9 … 9< filter.bpf",
    "set_filter_with_listener": lambda v: "bwrap --seccomp 9 … 9< filter.bpf",
    "setrlimit": _limit,
    "prlimit": lambda v: f"prlimit --pid {v['pid'] or '$$'} --{v['kind'][7:].lower()}="
                         f"{v['soft']}:{v['hard']}",
    "close_range_on_exec": lambda v: f"exec {v['first']}>&-    (and every one above it)",
    "execve": lambda v: "exec " + " ".join(_quote(word) for word in v["arguments"]),
    "pidfd_send_signal": lambda v: f"kill -{v['signal']} …",
    "set_name": lambda v: f"echo {_quote(v['name'])} > /proc/self/comm",
    "set_child_subreaper": lambda v: _call("prctl(36, 1)"),
    "set_dumpable": lambda v: _call(f"prctl(4, {int(bool(v['on']))})"),
    "open_pty": lambda v: "script -q /dev/null …",
    "set_controlling_terminal": lambda v: "setsid --ctty …",
    "set_window_size": lambda v: f"stty rows {v['rows']} cols {v['columns']}",
    "run_program": lambda v: " ".join(map(_quote, v["arguments"])) + " < state.json",
    "run": lambda v: " ".join(map(_quote, v["arguments"])),
    "begin": lambda v: " ".join(map(_quote, v["arguments"])) + " &",
    "replace": lambda v: f"mv {_name(v)}.new {_name(v)}",
    "personality": lambda v: "setarch linux32 …" if v["domain"] == 8 else "setarch linux64 …",
    "sched_setattr": lambda v: f"chrt --{v['policy'].removeprefix('SCHED_').lower()} "
                               f"{v.get('priority', 0)} …",
    "ioprio_set": lambda v: f"ionice --class {CLASSES.get(v['kind'], v['kind'])} "
                            f"--classdata {v['priority']} …",
    "sched_setaffinity": lambda v: f"taskset --cpu-list {','.join(map(str, v['cpus']))} …",
    "load_device_program": lambda v: "bpftool prog load devices.o /sys/fs/bpf/devices",
    "attach_device_program": lambda v: f"bpftool cgroup attach {_quote(v['directory'])} "
                                       "device pinned /sys/fs/bpf/devices",
}
