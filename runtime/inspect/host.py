"""The doctor: what this host can do, what it cannot, why, and what would change it.

In the caller's process (`container-lab doctor`, the home screen). Reads through a Source; what can
only be learnt by trying is tried in a process of its own that leaves nothing (probes.py), and only
on the live host. Example:
  report = doctor(Live(), "/var/lib/container-lab")
  report.can_run                                True
  report.item("swap").state                     "missing"
  report.requirement("cgroup2:io").reason       "the io controller is on cgroup v1 here"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from runtime.inspect import host_kernel, host_rootless, host_user, probes
from runtime.inspect.facts import MISSING, Facts, Item
from runtime.inspect.requirements import Requirement, requirement, requirements
from runtime.inspect.source import Live, Recorder, Source
from runtime.inspect.host_rootless import Way
from runtime.inspect.surroundings import Surroundings, default_root

DOCKER_SOCKET = "/var/run/docker.sock"

__all__ = ["Item", "Report", "Requirement", "doctor"]


@dataclass(frozen=True, slots=True)
class Report:
    """Every Item in the order of the report, and every capability a lesson may ask for."""

    root: str
    items: tuple[Item, ...]
    capabilities: Mapping[str, Requirement]
    way: Way = host_rootless.AS_ROOT

    @property
    def can_run(self) -> bool:
        """Whether containers can run at all."""
        return not self.hindrances

    @property
    def hindrances(self) -> tuple[Item, ...]:
        """The Items without which no container runs, and which are missing."""
        return _hindering(self.items)

    def item(self, name: str) -> Item:
        """One Item by its name, such as `cgroups` or `user`. Raises KeyError."""
        return {item.name: item for item in self.items}[name]

    def requirement(self, slug: str) -> Requirement:
        """The answer to one word of a lesson's `requires`."""
        return requirement(dict(self.capabilities), slug)

    def unmet(self, requires: Iterable[str]) -> list[Requirement]:
        """What keeps a lesson from running live; empty when it can. All of them run containers."""
        answers = [Requirement("containers", False, f"{item.found}: {item.reason}", item.command)
                   for item in self.hindrances]
        if self.way.kind == "rootless":
            # They are made for root's containers, and look at the host as root.
            answers.append(Requirement("root", False, "it is made for root's containers",
                                       "sudo container-lab"))
        answers += [self.requirement(slug) for slug in requires if slug != "root" or not answers]
        return [answer for answer in answers if not answer.met]

    def to_data(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {"root": self.root, "can_run": self.can_run, "way": asdict(self.way),
                "items": [asdict(item) for item in self.items],
                "capabilities": [asdict(answer) for answer in self.capabilities.values()]}


def doctor(source: Source, root: str | None = None, tried: Mapping[str, int] | None = None,
           around: Surroundings | None = None) -> Report:
    """Examine the host. `tried` and `around` stand in for the live ones, as with a recording."""
    root = root or default_root()
    around = around or Surroundings.here(root)
    facts = Facts(source, around, root, tried or {})
    if tried is None and isinstance(source, (Live, Recorder)):
        found = probes.attempts(host_kernel.group_directories(facts), DOCKER_SOCKET)
        facts = Facts(source, around, root, found)
    items = tuple(_items(facts))
    return Report(root, items, requirements(facts),
                  host_rootless.way(facts, _hindering(items)))


def _hindering(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(item for item in items if item.needed and item.state == MISSING)


def _items(facts: Facts) -> list[Item]:
    return [
        host_user.user(facts), host_kernel.kernel(facts), host_kernel.distribution(facts),
        host_kernel.cgroups(facts), host_kernel.overlay(facts),
        *host_kernel.namespace_items(facts), host_kernel.network(facts),
        host_kernel.seccomp(facts), host_rootless.rootless(facts), host_rootless.sub_ids(facts),
        host_rootless.delegation(facts), host_kernel.swap(facts),
        host_user.qemu(facts), host_user.docker(facts), host_user.terminal(facts),
        host_user.python(facts), host_user.state_root(facts),
    ]
