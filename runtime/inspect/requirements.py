"""The capabilities that a lesson may ask for in `requires`, answered for this host.

In the caller's process; pure functions of the Facts. A slug is `name` or `name:detail`:
  cgroup:memory     the controller, by either generation      cgroup2:io  by cgroup v2 alone
  ns:pid            the kind can be made by this user
  userns, timens, overlay, overlay:userxattr, net:macvlan, nft, swap, blockdev, root, docker
  tool:nsenter      a program of the host, for what a student does by hand
Unmet, it says why and which command would change it; the lesson is then played from its recording.
Sources: the lesson schema; cgroups(7).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from runtime.inspect import host_kernel, host_user
from runtime.inspect.facts import OK, Facts, Item
from runtime.inspect.namespaces import KINDS

CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids", "freezer")
# Who brings a tool; of the others util-linux.
PACKAGES = {"ip": "iproute2", "pgrep": "procps"}
HYBRID_OFF = "systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One capability: `met`, or the reason and the command that would change it."""

    slug: str
    met: bool
    reason: str = ""
    command: str = ""


def requirements(facts: Facts) -> dict[str, Requirement]:
    """Every capability a lesson may ask for, by slug."""
    answers = [_answer(facts, slug, ask) for slug, ask in QUESTIONS.items()]
    for kind in KINDS:
        answers.append(_answer(facts, f"ns:{kind}", _namespace(kind)))
    for name in CONTROLLERS:
        answers.append(_controller(facts, f"cgroup:{name}", name, 0))
        answers.append(_controller(facts, f"cgroup2:{name}", name, 2))
    return {answer.slug: answer for answer in answers}


def requirement(known: dict[str, Requirement], slug: str) -> Requirement:
    """The answer for one slug; a word that no doctor knows is unmet, and says so."""
    if slug.startswith("tool:"):
        return _tool(slug)
    return known.get(slug) or Requirement(slug, False, "this version does not know it")


def _tool(slug: str) -> Requirement:
    name = slug.removeprefix("tool:")
    if shutil.which(name):
        return Requirement(slug, True)
    # An ordinary user's PATH may lack it, and the student's shell has the same.
    for folder in ("/usr/sbin", "/sbin", "/usr/local/sbin"):
        if os.access(f"{folder}/{name}", os.X_OK):
            return Requirement(slug, False, f"{name} is in {folder}, and that is not on your PATH",
                               f"PATH=$PATH:{folder}")
    return Requirement(slug, False, f"there is no program {name} on this host",
                       f"install {PACKAGES.get(name, 'util-linux')}")


def _answer(facts: Facts, slug: str, ask: Callable[[Facts], tuple[str, str]]) -> Requirement:
    reason, command = ask(facts)
    return Requirement(slug, not reason, reason, command if reason else "")


def _controller(facts: Facts, slug: str, name: str, wanted: int) -> Requirement:
    if host_kernel.controller(facts, name, wanted) is None:
        if wanted == 2 and host_kernel.controller(facts, name, 1):
            return Requirement(slug, False, f"the {name} controller is on cgroup v1 here",
                               facts.boot_with(HYBRID_OFF))
        return Requirement(slug, False, f"the kernel offers no {name} controller",
                           facts.boot_with(f"cgroup_enable={name}"))
    if not host_kernel.writable(facts, name, wanted):
        item = host_kernel.cgroups(facts)
        return Requirement(slug, False, item.reason or "this user may not make groups",
                           item.command)
    return Requirement(slug, True)


def _from_item(item: Item) -> tuple[str, str]:
    return ("", "") if item.state == OK else (f"{item.found}: {item.reason}", item.command)


def _namespace(kind: str) -> Callable[[Facts], tuple[str, str]]:
    return lambda facts: _from_item(host_kernel.namespace(facts, kind))


def _userns(facts: Facts) -> tuple[str, str]:
    item = host_kernel.namespace(facts, "user")
    blocked = host_kernel.userns_blocked(facts)
    return (blocked, host_kernel.userns_command(facts)) if blocked else _from_item(item)


def _userxattr(facts: Facts) -> tuple[str, str]:
    tried = facts.tried.get("overlay userxattr")
    if tried == 0:
        return "", ""
    if tried is None:
        return "it was not tried here", ""
    return (f"overlay in a user namespace: {host_kernel.why(tried)}",
            host_kernel.userns_command(facts))


def _tried(name: str, what: str, module: str) -> Callable[[Facts], tuple[str, str]]:
    def ask(facts: Facts) -> tuple[str, str]:
        number = facts.tried.get(name)
        if number is None:
            return "it was not tried here", ""
        return (f"{what}: {host_kernel.why(number)}", facts.load_module(module)) if number else (
            "", "")

    return ask


def _block_device(facts: Facts) -> tuple[str, str]:
    if host_user.block_device(facts):
        return "", ""
    return ("no block device is behind the state directory",
            "container-lab --root DIR, with DIR on a disk")


def _docker(facts: Facts) -> tuple[str, str]:
    return _from_item(host_user.docker(facts))


QUESTIONS: dict[str, Callable[[Facts], tuple[str, str]]] = {
    "root": lambda facts: _from_item(host_user.user(facts)),
    "overlay": lambda facts: _from_item(host_kernel.overlay(facts)),
    "overlay:userxattr": _userxattr,
    "userns": _userns,
    "timens": lambda facts: _from_item(host_kernel.namespace(facts, "time")),
    "net:macvlan": _tried("link macvlan", "a macvlan link", "macvlan"),
    "nft": _tried("nft", "nftables", "nf_tables"),
    "swap": lambda facts: _from_item(host_kernel.swap(facts)),
    "blockdev": _block_device,
    "docker": _docker,
}
