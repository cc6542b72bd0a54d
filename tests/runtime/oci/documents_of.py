"""config.json by the thousand, for hypothesis: made from the table of properties, and then spoilt.

`documents()` makes one in which every value by itself is what the table says; `spoilt()` puts
another kind of value somewhere, and says where. Both know nothing of what properties mean together.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from runtime.oci import properties
from runtime.oci.properties import NEEDED, Map, Number

# No NUL and no half characters: those are among what spoils.
TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT,
    st.sampled_from(["", "\0", "\ud800", "/", "..", "a" * 300, -1, 1 << 64, 1 << 200, 0.5]),
    st.lists(st.integers(), max_size=2), st.dictionaries(TEXT, st.integers(), max_size=2))


def values(rule: Any) -> st.SearchStrategy[Any]:
    """What the table takes in this place."""
    kind = type(rule)
    if kind is dict:
        needed = rule.get(NEEDED, ())
        own = {key: values(inner) for key, inner in rule.items() if key != NEEDED}
        return st.fixed_dictionaries(
            {key: own[key] for key in needed},
            optional={key: st.none() | found for key, found in own.items() if key not in needed})
    if kind is list:
        return st.lists(values(rule[0]), max_size=3)
    if kind is Map:
        return st.dictionaries(TEXT, values(rule.inner), max_size=2)
    if kind is Number:
        edges = st.sampled_from([rule.low, rule.high])
        return edges | st.integers(rule.low, rule.high)
    if kind is tuple:
        return st.sampled_from(rule)
    if rule is bool:
        return st.booleans()
    if rule is properties.absolute:
        return st.builds("/{}".format, TEXT)
    if rule is properties.filled:
        return TEXT.filter(bool)
    if rule is properties.version:
        return st.sampled_from(["1.0.2", "1.0.2-dev", "1.1.0+dev", "1.2.0", "0.5.0"])
    return TEXT


def documents() -> st.SearchStrategy[dict[str, Any]]:
    """A whole config.json, every value of the right kind."""
    return values(properties.CONFIG)


def places(value: Any, path: str = "$") -> list[tuple[str, Any, Any]]:
    """(path, container, key) of everything in a document that the table knows."""
    found: list[tuple[str, Any, Any]] = []
    entries = value.items() if isinstance(value, dict) else enumerate(value) \
        if isinstance(value, list) else ()
    for key, item in entries:
        below = f"{path}.{key}" if isinstance(value, dict) else f"{path}[{key}]"
        found += [(below, value, key), *places(item, below)]
    return found


@st.composite
def spoilt(draw: st.DrawFn, whole: st.SearchStrategy[dict[str, Any]]) -> tuple[Any, list[str]]:
    """(a document with one to three odd values or gaps, where they are)."""
    document = copy.deepcopy(draw(whole))
    where = []
    for _ in range(draw(st.integers(1, 3))):
        found = places(document)
        if not found:
            break
        path, container, key = draw(st.sampled_from(found))
        how = draw(st.sampled_from(["gap", "odd", "odd", "unknown"]))
        if isinstance(container, dict) and how == "gap":
            del container[key]
        elif isinstance(container, dict) and how == "unknown":
            container["x-unknown"] = draw(ODD)
        else:
            container[key] = draw(ODD)
        where.append(path)
    return document, where
