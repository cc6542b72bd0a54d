"""What the doctor's questions are asked of: the host's tables read once, and the words of answers.

In the caller's process; reads only. An answer is an Item: one line of the report, with a state
of `ok`, `partly` or `missing`, a sentence of what was found, and when something is not right the
reason and the exact command that would change it.
Sources: os-release(5), proc(5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from runtime.cgroup.hierarchies import Hierarchies
from runtime.inspect.cgroups import hierarchies_of
from runtime.inspect.mounts import Mount, parse
from runtime.inspect.source import Source, text
from runtime.inspect.surroundings import Surroundings

OK, PARTLY, MISSING = "ok", "partly", "missing"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the report. `needed`: without it no container runs."""

    name: str
    state: str
    found: str
    reason: str = ""
    command: str = ""
    group: str = ""
    needed: bool = False


@dataclass(frozen=True)
class Facts:
    """The host as its files show it, who asks, and what trying gave (see probes.py)."""

    source: Source
    around: Surroundings
    root: str
    tried: Mapping[str, int]

    @property
    def is_root(self) -> bool:
        return self.around.uid == 0

    @cached_property
    def mounts(self) -> list[Mount]:
        return parse(text(self.source, "/proc/self/mountinfo") or "")

    @cached_property
    def hierarchies(self) -> Hierarchies | None:
        return hierarchies_of(self.source)

    @cached_property
    def release(self) -> dict[str, str]:
        """The words of /etc/os-release: {"ID": "debian", "PRETTY_NAME": "Debian …"}."""
        lines = (text(self.source, "/etc/os-release") or "").splitlines()
        pairs = (line.partition("=") for line in lines)
        return {name: value.strip("\"'") for name, _, value in pairs if value}

    @cached_property
    def modules(self) -> bool:
        """Whether this kernel can load modules at all."""
        return self.source.exists("/proc/modules")

    def setting(self, name: str) -> int | None:
        """A number under /proc/sys: `setting("user/max_user_namespaces")`; None without it."""
        word = (text(self.source, f"/proc/sys/{name}") or "").strip()
        return int(word) if word.lstrip("-").isdecimal() else None

    def program(self, *names: str) -> str | None:
        """The first of the programs that is on the search path."""
        paths = (f"{directory}/{name}" for name in names for directory in self.around.search)
        return next((path for path in paths if self.source.exists(path)), None)

    def mount_of(self, path: str) -> Mount | None:
        """The mount that a path lies on: the longest mount point above it."""
        best = None
        for row in self.mounts:
            above = row.target.rstrip("/") + "/"
            if f"{path}/".startswith(above) and (not best or len(row.target) >= len(best.target)):
                best = row
        return best

    # ------------------------------------------------------------------ commands that change it

    def install(self, what: str) -> str:
        """The command of this distribution that installs something: see PACKAGES."""
        tool = self.package_tool
        package = PACKAGES[what].get(tool) or PACKAGES[what]["apt"]
        return INSTALL[tool].format(package) if tool else f"install {package}"

    @cached_property
    def package_tool(self) -> str:
        words = [self.release.get("ID", ""), *self.release.get("ID_LIKE", "").split()]
        return next((TOOLS[word] for word in words if word in TOOLS), "")

    def load_module(self, name: str) -> str:
        """The command that brings a kernel feature, if modules can."""
        if self.modules:
            return f"sudo modprobe {name}"
        return f"boot a kernel that has {name} built in (this one loads no modules)"

    def boot_with(self, words: str) -> str:
        """The command that adds words to the kernel's command line."""
        if self.program("grubby"):
            return f"sudo grubby --update-kernel=ALL --args='{words}' && sudo reboot"
        if self.source.exists("/etc/default/grub"):
            return (f"sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&{words} /' /etc/default/grub"
                    " && sudo update-grub && sudo reboot")
        return f"boot the kernel with {words} on its command line"


TOOLS = {"debian": "apt", "ubuntu": "apt", "fedora": "dnf", "rhel": "dnf", "centos": "dnf",
         "suse": "zypper", "opensuse": "zypper", "arch": "pacman", "alpine": "apk"}
INSTALL = {"apt": "sudo apt install {}", "dnf": "sudo dnf install {}", "apk": "sudo apk add {}",
           "zypper": "sudo zypper install {}", "pacman": "sudo pacman -S {}"}
PACKAGES = {
    "uidmap": {"apt": "uidmap", "dnf": "shadow-utils", "apk": "shadow-uidmap",
               "zypper": "shadow", "pacman": "shadow"},
    "qemu": {"apt": "qemu-system-x86", "dnf": "qemu-kvm", "apk": "qemu-system-x86_64",
             "zypper": "qemu-x86", "pacman": "qemu-system-x86"},
    "kernel": {"apt": "linux-image-amd64", "dnf": "kernel-core", "apk": "linux-lts",
               "zypper": "kernel-default", "pacman": "linux"},
    "docker": {"apt": "docker.io", "dnf": "moby-engine", "apk": "docker", "zypper": "docker",
               "pacman": "docker"},
    "python": {"apt": "python3", "dnf": "python3", "apk": "python3", "zypper": "python3",
               "pacman": "python"},
}
