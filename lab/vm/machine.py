"""QEMU: its command line, its start and its end, and the snapshot that saves the boot.

    cache/<key>/snapshot-<key>/{ram, state}      the machine, just before it sees the host's files

The snapshot's two files are a pair, made in a directory of their own that is renamed when whole. It
is used only if kernel, initramfs, QEMU and the command line are those it was made with; whatever
goes wrong with it ends in an ordinary boot. RAM is mapped copy-on-write, so two machines may start
from it at once. Sources: qemu(1), QEMU's docs/devel/migration (x-ignore-shared), QMP reference.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.vm import frames, initramfs, kernel
from lab.vm.boot import Boot, digest
from lab.vm.qmp import Qmp
from runtime.errors import Conflict, LabError, NotFound

QEMU = "qemu-system-x86_64"
PATIENCE_CPU_S = 120.0
SNAPSHOT_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for: memory and disk in MiB."""

    memory: int = 2048
    cpus: int = 2
    disk: int = 256
    share: str | None = None
    kernel: str | None = None
    cold: bool = False


def accelerator() -> list[str]:
    """KVM where the processor offers it and the device opens; else emulation, on all CPUs."""
    flags = Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split()
    # The device alone says nothing: some hosts have one that only starts their own kind of guest.
    if {"vmx", "svm"} & set(flags) and os.access("/dev/kvm", os.R_OK | os.W_OK):
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi,tb-size=64",
            "-cpu", "max,la57=off,smap=off,smep=off,pku=off,umip=off"]


def program() -> str:
    """QEMU's path. Raises NotFound with the packages."""
    found = shutil.which(QEMU)
    if found is None:
        raise NotFound(f"start the machine: no {QEMU}", kernel.PACKAGES)
    return found


class Machine:
    """A running QEMU and the socket of its agent."""

    def __init__(self, boot: Boot, wish: Wish, work: Path,
                 say: Callable[[str], None] = lambda text: None) -> None:
        self.boot, self.wish, self.work, self.say = boot, wish, work, say
        self.qemu: subprocess.Popen[bytes] | None = None
        self.sock: socket.socket | None = None

    # -------------------------------------------------------------- the command line

    def command(self, ram: Path | None, share: bool) -> list[str]:
        """QEMU's arguments; `ram` is the file that the memory is, or None for memory of its own."""
        wish = self.wish
        append = ("console=ttyS0 quiet loglevel=1 panic=-1 psi=1 cgroup_no_v1=all "
                  f"rdinit={sys.executable} -- -I -S {initramfs.AGENT}")
        backend = f"memory-backend-file,id=mem,mem-path={ram},share={'on' if share else 'off'}" \
            if ram else "memory-backend-ram,id=mem"
        return [
            program(), "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            *accelerator(), "-smp", str(wish.cpus), "-m", f"{wish.memory}M",
            "-object", f"{backend},size={wish.memory}M",
            "-machine", "q35,memory-backend=mem",
            "-kernel", str(self.boot.vmlinux), "-initrd", str(self.boot.initramfs),
            "-append", append,
            "-serial", f"file:{self.work}/console",
            "-qmp", f"unix:{self.work}/qmp,server=on,wait=off",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=a,path={self.work}/agent,server=on,wait=off",
            "-device", "virtserialport,chardev=a,name=lab.agent",
            "-fsdev", "local,id=r,path=/,security_model=passthrough,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=r,mount_tag=lab",
            "-drive", f"file={self.work}/disk,format=raw,if=none,id=d,cache=unsafe",
            "-device", "virtio-blk-pci,drive=d",
            *self.share_arguments(),
        ]

    def share_arguments(self) -> list[str]:
        """A directory of the host's that may be written to."""
        if self.wish.share is None:
            return []
        path = self.wish.share.replace(",", ",,")  # QEMU's own commas stand alone
        return ["-fsdev", f"local,id=s,path={path},security_model=passthrough",
                "-device", "virtio-9p-pci,fsdev=s,mount_tag=share"]

    def launch(self, ram: Path | None, share: bool, *more: str) -> None:
        """Start QEMU: out of reach of the terminal's ^C, and never longer than we live."""
        self.stop()
        disk = self.work / "disk"
        with open(disk, "wb") as file:
            file.truncate(self.wish.disk << 20)
        for name in ("agent", "qmp"):
            (self.work / name).unlink(missing_ok=True)
        parent = os.getpid()

        def bound_to_us() -> None:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        with open(self.work / "qemu.log", "wb") as log:
            self.qemu = subprocess.Popen([*self.command(ram, share), *more],
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         start_new_session=True, preexec_fn=bound_to_us)

    # -------------------------------------------------------------- starts

    def start(self) -> socket.socket:
        """A machine whose agent waits for "go": from the snapshot, or by booting."""
        folder = self.snapshot_directory()
        # A shared directory is a device more: those machines boot.
        if not self.wish.cold and self.wish.share is None:
            if not (folder / "state").exists():
                self.make_snapshot(folder)
            try:
                return self.restore(folder)
            except LabError as error:
                self.say(f"container-lab: vm: the snapshot is thrown away, and this start a slower "
                         f"one: {error}")
                shutil.rmtree(folder, ignore_errors=True)
        return self.cold_boot(None, False)

    def cold_boot(self, ram: Path | None, share: bool) -> socket.socket:
        """Boot; returns when the agent is ready."""
        self.launch(ram, share)
        sock = self.connect("agent")
        decoder = frames.Decoder()
        while True:
            data = self.receive(sock)
            for kind, _ in decoder.feed(data):
                if kind == b"R":
                    return sock

    def restore(self, folder: Path) -> socket.socket:
        """The machine of the snapshot, a moment later."""
        self.launch(folder / "ram", False, "-incoming", "defer")
        qmp = Qmp(self.connect("qmp"))
        qmp.ignore_shared()
        qmp.ask("migrate-incoming", uri=f"exec:cat {folder}/state")
        deadline = time.monotonic() + SNAPSHOT_PATIENCE_S
        while (status := qmp.ask("query-status")["status"]) == "inmigrate":
            if time.monotonic() > deadline:
                raise Conflict("start the machine from its snapshot: it does not come")
            time.sleep(0.005)
        if status not in ("paused", "prelaunch", "running", "postmigrate"):
            raise Conflict(f"start the machine from its snapshot: it is {status}")
        sock = self.connect("agent")
        qmp.ask("cont")
        qmp.close()
        return sock

    def make_snapshot(self, folder: Path) -> None:
        """Boot a machine up to the moment before "go", and keep it."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        for old in folder.parent.glob("snapshot-*"):
            shutil.rmtree(old, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as making:
            ram = Path(making) / "new" / "ram"
            ram.parent.mkdir()
            # Still connected when it is saved: the guest's driver has to find what it remembers.
            self.cold_boot(ram, True)
            qmp = Qmp(self.connect("qmp"))
            qmp.ask("stop")
            qmp.ignore_shared()
            qmp.ask("migrate", uri=f"exec:cat > {ram.parent}/state")
            deadline = time.monotonic() + SNAPSHOT_PATIENCE_S
            while (status := qmp.ask("query-migrate").get("status")) != "completed":
                if status == "failed" or time.monotonic() > deadline:
                    raise Conflict(f"keep a snapshot of the machine: {status}")
                time.sleep(0.02)
            qmp.ask("quit")
            qmp.close()
            self.stop()
            try:
                os.rename(ram.parent, folder)
            except OSError:
                return  # another one was quicker, and made the same

    def snapshot_directory(self) -> Path:
        """Its name is made of all that it depends on."""
        version = os.stat(program())
        line = [word.replace(str(self.work), "WORK") for word in self.command(None, False)]
        return self.boot.folder / ("snapshot-" + digest(json.dumps(
            [line, version.st_mtime_ns, version.st_size, self.boot.identity()])))

    # -------------------------------------------------------------- its sockets, its end

    def connect(self, name: str) -> socket.socket:
        """Connect to a socket of QEMU's, which is there a moment after it starts."""
        deadline = time.monotonic() + 30
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(str(self.work / name))
                if name == "agent":
                    self.sock = sock
                return sock
            except OSError:
                sock.close()
                self.check_alive()
                if time.monotonic() > deadline:
                    raise Conflict(f"start the machine: QEMU does not open {name}") from None
                time.sleep(0.002)

    def receive(self, sock: socket.socket) -> bytes:
        """Bytes from the agent. Patience is counted in QEMU's own CPU time: hosts may be busy."""
        sock.settimeout(1.0)
        while True:
            try:
                data = sock.recv(1 << 16)
            except TimeoutError:
                self.check_alive()
                if self.cpu_seconds() > PATIENCE_CPU_S * self.wish.cpus:
                    raise Conflict("start the machine: it does not get ready",
                                   self.last_words()) from None
                continue
            except ConnectionError:
                data = b""
            if not data:
                self.check_alive(gone=True)
            sock.settimeout(None)
            return data

    def cpu_seconds(self) -> float:
        """What QEMU has used."""
        assert self.qemu is not None
        try:
            fields = Path(f"/proc/{self.qemu.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check_alive(self, gone: bool = False) -> None:
        """Raises Conflict with its last words if QEMU has ended."""
        assert self.qemu is not None
        if gone:
            try:
                self.qemu.wait(5)
            except subprocess.TimeoutExpired:
                raise Conflict("the machine hung up", self.last_words()) from None
        code = self.qemu.poll()
        if code is not None:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise Conflict(f"the machine ended: QEMU, {how}", self.last_words())

    def last_words(self) -> str:
        """The last line that QEMU, or the kernel inside, had to say; of a panic the first."""
        for name in ("qemu.log", "console"):
            try:
                lines = (self.work / name).read_text(errors="replace").split("\n")
            except OSError:
                continue
            said = [line.strip() for line in lines if line.strip()]
            if said:
                panic = next((line for line in said if "Kernel panic" in line), said[-1])
                return panic[:200]
        return ""

    def stop(self) -> None:
        """End QEMU, if it runs, and wait until it has."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None
        if self.qemu is not None:
            self.qemu.kill()
            self.qemu.wait()
            self.qemu = None
