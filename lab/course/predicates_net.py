"""The predicate about a network namespace: which links there are, up or down, with which addresses.

Read by a visit to the namespace of the container's first process, of a process made by hand
(`by_hand.py`), or of the host; what `ip addr` would print there.

    {net = "$name", links = 1}
    {net = "sleep $seconds", link = "lo", up = true, addr = "127.0.0.1"}
Sources: rtnetlink(7), network_namespaces(7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.course.predicates_proc import HOST, dead, pid_of
from lab.course.result import Context, Reading, Result
from runtime.inspect.links import Link, links

Words = Mapping[str, Any]


def net(words: Words, context: Context) -> Result:
    """The number of links, or one link by its name: up, kind, address, there or not."""
    name, pid = context.text(words["net"]), _pid(words, context)
    expected, goal = _expected(words, context), _goal(name, words, context)
    found = links(context.world.source, pid) if pid else None
    if found is None:
        why = f"the network of {name} cannot be read" if pid else dead(name, context)
        return Result(False, expected, why, "", goal)
    passed = words.get("links", len(found)) == len(found)
    observed = [_told(one) for one in found]
    if "link" in words:
        wanted = context.text(words["link"])
        one = next((each for each in found if each.name == wanted), None)
        passed = passed and _is_as_wanted(one, words, context)
        observed = [f"no {wanted}, but {_named(found)}" if one is None else _told(one)]
    return Result(passed, expected, ", ".join(observed) or "no link", f"/proc/{pid}/ns/net", goal)


def _pid(words: Words, context: Context) -> int | str:
    name = context.text(words["net"])
    return "self" if name in HOST else pid_of(name, context)


def _is_as_wanted(one: Link | None, words: Words, context: Context) -> bool:
    if one is None or words.get("exists") is False:
        return one is None and words.get("exists") is False
    address = context.text(words.get("addr", ""))
    return words.get("up", one.up) == one.up and words.get("kind", one.kind) == one.kind \
        and (not address or any(address in (each, each.partition("/")[0])
                                for each in one.addresses))


def _told(one: Link) -> str:
    """ "lo up 127.0.0.1/8": a link as an observation."""
    addresses = [each for each in one.addresses if "." in each]
    return " ".join([one.name, "up" if one.up else "down", *addresses])


def _named(found: Sequence[Link]) -> str:
    return " ".join(one.name for one in found) or "nothing"


def _expected(words: Words, context: Context) -> str:
    parts = [f"{words['links']} links" if words["links"] != 1 else "1 link"] \
        if "links" in words else []
    if "link" in words:
        link = context.text(words["link"])
        parts.append(f"no {link}" if words.get("exists") is False else link)
    parts += ["up" if words["up"] else "down"] if "up" in words else []
    parts += [context.text(words[word]) for word in ("kind", "addr") if word in words]
    return " ".join(parts) or "can be read"


def _goal(name: str, words: Words, context: Context) -> str:
    if "links" in words and "link" not in words:
        count = words["links"]
        return f"{name} has {count} network {'link' if count == 1 else 'links'}"
    link = context.text(words.get("link", "a link"))
    if words.get("exists") is False:
        return f"{name} has no {link}"
    parts = ["up" if words["up"] else "down"] if "up" in words else []
    parts += [context.text(words[word]) for word in ("kind", "addr") if word in words]
    return f"{link} of {name} is {' with '.join(parts) or 'there'}"


def net_value(words: Words, context: Context) -> Reading | None:
    """The names of all links, how many they are, or a link's state, addresses, index, MTU."""
    pid = _pid(words, context)
    found = links(context.world.source, pid) if pid else None
    if found is None:
        return None
    path, field = f"/proc/{pid}/ns/net", words.get("field", "names")
    if field in ("names", "count"):
        return Reading(_named(found) if field == "names" else str(len(found)), path)
    one = next((each for each in found if each.name == context.text(words.get("link", ""))), None)
    if one is None:
        return None
    values = {"state": one.state, "up": "up" if one.up else "down", "index": str(one.index),
              "mtu": str(one.mtu), "addr": " ".join(each for each in one.addresses if "." in each)}
    return Reading(values[field], path)
