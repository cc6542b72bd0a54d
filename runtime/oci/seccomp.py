"""Which system calls a container may make: the profile's filter, ready for the kernel.

runc and crun hand `linux.seccomp` to libseccomp at every start (3 to 15 ms for Docker's profile);
we compile a profile once and keep the bytes, so a start only reads them. Runs in the process that
starts the container, on the start path, and in init, which installs it. In the cache:
    <cache>/seccomp-<64 hex of profile, machine, EDITION>.bpf = program + its sha256 in 64 digits
A damaged file is noticed by that, and made anew. "Unconfined" is no profile, and never gets here.
Sources: seccomp(2), OCI runtime-spec config-linux.md, the compiler beside this file.
"""

from __future__ import annotations

import os

from runtime import documents
from runtime.errors import Invalid
from runtime.kernel import seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.agent import Agent

# Raised whenever the compiler would make another program of the same profile, its tables included.
EDITION = 1

# seccomp(2), SECCOMP_SET_MODE_FILTER
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1, "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 32,
}
DIGEST_LENGTH = 64
INSTRUCTION_LENGTH = 8


def filter_for(profile: dict[str, Any], cache_directory: str,
               architecture: str | None = None) -> bytes:
    """The profile as struct sock_filter[], from the cache or compiled into it.

    `architecture` is this machine's unless said: "x86_64", "aarch64". Raises Invalid for a bad
    profile, Unsupported for a machine whose numbers we do not have.
    """
    machine = architecture or os.uname().machine
    key = documents.digest(f"{EDITION} {machine} {documents.encode(profile)}".encode())
    path = f"{cache_directory}/seccomp-{key}.bpf"
    program = _read(path)
    if program is None:
        program = compile_profile(profile, machine)
        _keep(path, program)
    return program


def compile_profile(profile: dict[str, Any], architecture: str) -> bytes:
    """The profile as struct sock_filter[], without the cache (see seccomp_compiler)."""
    # Only here: the tables of numbers and the compiler cost some 10 ms that a warm start saves.
    from runtime.oci import seccomp_compiler

    return seccomp_compiler.compile_profile(profile, architecture)


def filter_flags(profile: dict[str, Any]) -> int:
    """The profile's flags as seccomp(2) takes them. Raises Invalid for an unknown one."""
    flags = 0
    for name in profile.get("flags") or ():
        if name not in FLAGS:
            raise Invalid(f"read the seccomp profile: unknown flag {name!r}",
                          f"known: {', '.join(FLAGS)}")
        flags |= FLAGS[name]
    return flags


def install(program: bytes, flags: int, agent: Agent | None) -> None:
    """Put the filter in place, and where it asks somebody, its other end in that one's hands."""
    if agent is None:
        seccomp.set_filter(program, flags)
        return
    from runtime.oci import agent as agents  # imported by who connected to it

    agents.install(program, flags, agent)


def _read(path: str) -> bytes | None:
    """The program in a cache file; None when there is none to be had, or not a whole one."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # The kernel takes 4096 instructions at most, so one read has them all.
        data = os.read(fd, 4096 * INSTRUCTION_LENGTH + DIGEST_LENGTH + 1)
    finally:
        os.close(fd)
    program = data[:-DIGEST_LENGTH]
    if not program or len(program) % INSTRUCTION_LENGTH:
        return None
    if documents.digest(program).encode() != data[-DIGEST_LENGTH:]:
        return None
    return program


def _keep(path: str, program: bytes) -> None:
    data = program + documents.digest(program).encode()
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        documents.replace_file(path, data, mode=0o600)
    except OSError:
        # A full or read-only disk costs the next start the compilation, and nothing else.
        pass
