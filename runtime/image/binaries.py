"""The host's own programs, and what each needs to run elsewhere: its loader and its libraries.

Used while lab/base is being made, off the start path. It only reads, and runs two kinds of host
program: busybox, to list its applets, and the dynamic loader with --list, which finds libraries by
its own rules (cache, RUNPATH) without starting the program.

    programs()  → {"sh": Program("/bin/busybox", ""), …}         a static busybox: a link per applet
                → {"sh": Program("/usr/bin/dash", "/lib64/ld-linux-x86-64.so.2"), …}

Sources: elf(5), ld.so(8).
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess

from runtime.errors import Unsupported

PT_INTERP = 3
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NEEDED = {"sh", "cat", "ls", "sleep", "ps", "head", "tail", "kill", "mount"}
TOOLS = frozenset("""
    [ awk basename cat chgrp chmod chown chroot cmp cp cut date dd df diff dirname dmesg du echo env
    expr false find free grep gunzip gzip head hostname id ip kill less ln ls lsns md5sum mkdir
    mkfifo mknod mktemp more mount mv nc nice nohup nproc nsenter od pgrep ping pkill printenv
    printf ps pwd readlink realpath renice rm rmdir sed seq setpriv setsid sh sha256sum sleep sort
    ss stat stty sync tail tar taskset tee test time timeout top touch tr true tty uname uniq
    unshare umount uptime vi watch wc which whoami xargs yes
""".split())  # noqa: SIM905


class Program:
    """A program. Example: path "/usr/bin/dash", loader "/lib64/ld-linux-x86-64.so.2"."""

    __slots__ = ("path", "loader")

    def __init__(self, path: str, loader: str) -> None:
        self.path, self.loader = path, loader


def busybox() -> tuple[Program, list[str]] | None:
    """The host's busybox with its applets, a static one first; None if there is none to use."""
    found = [os.path.join(folder, name) for folder in PATH.split(":")
             for name in ("busybox", "busybox-static", "busybox.static")]
    candidates = [Program(path, loader) for path in found
                  if (loader := interpreter(path)) is not None]
    for program in sorted(candidates, key=lambda each: each.loader != ""):
        listed = subprocess.run([program.path, "--list"], capture_output=True, text=True,
                                check=False, env={"PATH": PATH})
        applets = listed.stdout.split()
        if NEEDED.issubset(applets):
            return program, applets
    return None


def host_tools() -> dict[str, Program]:
    """The usual small tools by name, where no busybox has them all. Raises Unsupported."""
    tools = {}
    for name in sorted(TOOLS):
        path = shutil.which(name, path=PATH)
        loader = interpreter(path) if path else None
        if path and loader is not None:
            tools[name] = Program(os.path.realpath(path), loader)
    missing = {"sh", "cat", "ls", "sleep"} - set(tools)
    if missing:
        raise Unsupported(f"make lab/base: this host has no {', '.join(sorted(missing))}",
                          "install busybox-static, or import an image")
    return tools


def interpreter(path: str) -> str | None:
    """The loader an ELF program asks for, "" for a static one, None for what is no ELF program."""
    try:
        with open(path, "rb") as file:
            header = file.read(64)
            if len(header) < 64 or header[:4] != b"\x7fELF":
                return None
            wide, order = header[4] == 2, "<" if header[5] == 1 else ">"
            table, = struct.unpack_from(order + ("Q" if wide else "I"), header, 32 if wide else 28)
            size, count = struct.unpack_from(order + "HH", header, 54 if wide else 42)
            file.seek(table)
            entries = file.read(size * count)
            for at in range(0, len(entries), size):
                kind, = struct.unpack_from(order + "I", entries, at)
                if kind == PT_INTERP:
                    offset, = struct.unpack_from(order + ("Q" if wide else "I"), entries,
                                                 at + (8 if wide else 4))
                    file.seek(offset)
                    return os.fsdecode(file.read(4096).partition(b"\0")[0])
    except (OSError, struct.error):
        return None
    return ""


def libraries(programs: list[Program]) -> dict[str, str]:
    """Every file the programs load: path inside the image → path on the host."""
    needed: dict[str, str] = {}
    for program in programs:
        if not program.loader:
            continue
        needed[program.loader] = os.path.realpath(program.loader)
        listed = subprocess.run([program.loader, "--list", program.path], capture_output=True,
                                text=True, check=False, env={"PATH": PATH})
        if listed.returncode != 0:
            raise Unsupported(f"make lab/base: list the libraries of {program.path}: "
                              f"{listed.stderr.strip()}", "install busybox-static")
        for line in listed.stdout.splitlines():
            path = library(line)
            if path:
                needed[path] = os.path.realpath(path)
    return needed


def library(line: str) -> str:
    """The path in a line of `ld.so --list`: "libc.so.6 => /lib/…/libc.so.6 (0x7f…)" or "".

    linux-vdso.so.1 has none: the kernel brings it.
    """
    target = line.partition("=>")[2] or line
    path = target.strip().partition(" (0x")[0]
    return path if path.startswith("/") else ""
