"""Chooses a lesson's values for one student's attempt, the same ones each time it is asked.

    [vars]                                             {"name": "tea", "twin": "tea-2",
    name  = { pick = ["ink", "tea", "elm"] }     →      "limit": "48m", "port": "8123"}
    twin  = { value = "$name-2" }
    limit = { pick = ["32m", "48m", "64m"] }
    port  = { int = [8100, 8199] }

Seeded by the student's id, so that two neighbours get different ones and copying teaches nothing.
A name that a container has already, or that another lesson uses, is passed over: a lesson never
touches what it did not make.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any

from lab.course.lesson import fill


def choose(specifications: Mapping[str, Mapping[str, Any]], seed: str,
           names: Collection[str] = (), taken: Collection[str] = ()) -> dict[str, str]:
    """The value of each variable, in the author's order, so that a later one may use an earlier.

    `names` are the variables that name containers: those avoid the values in `taken`.
    """
    chosen: dict[str, str] = {}
    for name, made in specifications.items():
        dice = random.Random(f"{seed}/{name}")
        if "pick" in made:
            shuffled = dice.sample(made["pick"], len(made["pick"]))
            chosen[name] = _free(shuffled, taken if name in names else ())
        elif "int" in made:
            chosen[name] = str(dice.randint(made["int"][0], made["int"][-1]))
        else:
            chosen[name] = fill(made["value"], chosen)
    return chosen


def _free(candidates: list[str], taken: Collection[str]) -> str:
    """The first candidate that is no container's name, else one made so by a number."""
    for candidate in candidates:
        if candidate not in taken:
            return candidate
    return next(name for number in range(2, len(taken) + 3)
                if (name := f"{candidates[0]}{number}") not in taken)
