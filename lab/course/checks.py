"""Evaluates checks: picks the predicate, applies the combinators and the modifiers.

    all, any, not           of other checks
    sticky = true           once seen it stays true, also after the container is gone
    holds = "3s"            has been true at every look for so long
    within = "5s"           line mode looks again for so long before it says no
    since = "step"          what counts as before: the step, the lesson, or another step's id
    words = "…"             the author's own sentence for it

What must be remembered between two looks is kept in the step's Record. Cheap enough for twice a
second: a check reads a handful of small files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lab.course import (
    by_hand,
    predicates,
    predicates_events,
    predicates_files,
    predicates_net,
    predicates_proc,
    predicates_start,
)
from lab.course.attempt import Attempt, Record
from lab.course.lesson import Check, Step, fill
from lab.course.measure import number, same
from lab.course.predicates import Words, counter_key
from lab.course.result import Context, Reading, Result
from lab.course.schema import seconds
from runtime.errors import Denied

# A counter only grows, so while its group lives an answer read a moment ago or just now is right.
COUNTER_FILES = ("memory.events", "cpu.stat", "pids.events", "memory.stat")


def predicted(words: Words, context: Context) -> Result:
    """A prediction was locked in at that step."""
    said = context.attempt.record(words["predicted"]).prediction
    return Result(bool(said), "a prediction", said or "none", "", "you said what you expect")


def answered(words: Words, context: Context) -> Result:
    """That question was answered rightly."""
    record = context.attempt.record(words["answer"])
    return Result(record.passed and record.right, "answered", record.answer or "not yet", "",
                  f"the question {words['answer']} is answered")


def value(words: Words, context: Context) -> Result:
    """A fixed value; true as a check, and the thing to compare with in a question."""
    return Result(True, str(words["value"]), str(words["value"]), "", "")


PREDICATES: Mapping[str, Callable[[Words, Context], Result]] = {
    "container": predicates.container, "cgroup": predicates.cgroup, "gone": predicates.gone,
    "event": predicates_events.event, "operations": predicates_start.operations,
    "ns": predicates_proc.ns, "proc": predicates_proc.proc, "net": predicates_net.net,
    "mount": predicates_files.mount, "overlay": predicates_files.overlay,
    "file": predicates_files.file, "predicted": predicted, "answer": answered, "value": value,
}
VALUES: Mapping[str, Callable[[Words, Context], Reading | None]] = {
    "container": predicates.container_value, "cgroup": predicates.cgroup_value,
    "operations": predicates_start.operations_value, "ns": predicates_proc.ns_value,
    "proc": predicates_proc.proc_value, "net": predicates_net.net_value,
    "mount": predicates_files.mount_value,
    "overlay": predicates_files.overlay_value, "file": predicates_files.file_value,
    "value": lambda words, context: Reading(context.text(words["value"]), ""),
}


def evaluate(check: Check, context: Context) -> Result:
    """Look once. Remembers what `sticky` and `holds` need in the step's record."""
    try:
        return _evaluate(check, context)
    except Denied as error:
        # Out here, for the `not` of what may not be read is no pass.
        return Result(False, "readable", str(error), "", "you may look at the lab's state")


def _evaluate(check: Check, context: Context) -> Result:
    key = name_of(check, context.attempt)
    kept = context.record.seen.get(key)
    if kept is not None:
        return Result.from_data(kept)
    result = _look(check, context)
    if "holds" in check.words:
        result = _held(check, result, key, context)
    if "words" in check.words:
        result = replace(result, sentence=context.text(check.words["words"]))
    if result.passed and check.words.get("sticky"):
        context.record.seen[key] = result.as_data()
    return result


def _look(check: Check, context: Context) -> Result:
    if check.subject == "not":
        return _evaluate(check.parts[0], context).negated()
    if check.subject in ("all", "any"):
        return _joined(check, [_evaluate(part, context) for part in check.parts])
    return PREDICATES[check.subject](check.words, context)


def _joined(check: Check, results: list[Result]) -> Result:
    """The result of all or any: of what decides it, the first."""
    every = check.subject == "all"
    passed = all(one.passed for one in results) if every else any(one.passed for one in results)
    shown = next((one for one in results if one.passed != every), results[0])
    word = " and " if every else " or "
    return Result(passed, word.join(one.expected for one in results), shown.observed,
                  shown.source_path, word.join(one.sentence for one in results))


def _held(check: Check, result: Result, key: str, context: Context) -> Result:
    if not result.passed:
        context.record.since_ns.pop(key, None)
        return result
    since = context.record.since_ns.setdefault(key, context.now_ns)
    lasted, wanted = (context.now_ns - since) / 1e9, seconds(check.words["holds"])
    return Result(lasted >= wanted, f"{result.expected} for {check.words['holds']}",
                  f"{result.observed} for {lasted:.1f}s", result.source_path, result.sentence)


def name_of(check: Check, attempt: Attempt) -> str:
    """A stable name for a check in a record: its words, with the attempt's values."""
    words = {key: item for key, item in check.words.items() if key not in ("sticky", "at", "words")}
    inner = [name_of(part, attempt) for part in check.parts]
    return fill(json.dumps([check.subject, words, inner], sort_keys=True), attempt.vars)


def reading(check: Check, context: Context) -> Reading | None:
    """The live value of a question, or None when there is nothing to read."""
    probe = VALUES.get(check.subject)
    return probe(check.words, context) if probe else None


def truth(check: Check, context: Context) -> Reading | None:
    """The right answer: as it was at the step that `at` names, else as it is now."""
    at = check.words.get("at", "")
    kept = context.attempt.record(at).snapshot.get(name_of(check, context.attempt)) if at else None
    return Reading(kept["value"], kept["path"], False) if kept else reading(check, context)


def judge(check: Check, answer: str, context: Context) -> Result:
    """Compare what the student typed with the kernel: live, or as it was at another step.

    The sentence of a wrong answer says where to read the right one, and not what it is.
    """
    value, live = truth(check, context), reading(check, context)
    if value is None:
        why = f"nothing to compare with: {_absent(check, context)}"
        return Result(False, answer, why, "", why)
    tolerance = float(check.words.get("within_percent", 0))
    right = same(value.value, answer, tolerance)
    if not right and live is not None:
        right = _between(check, value.value, live.value, answer)
    if right:
        return Result(True, value.value, answer, value.path, "your answer is what the kernel says")
    # The pid in /proc/4213/status is an answer, too.
    path = value.path if value.value not in value.path.split("/") else ""
    where = f"read it at {path}" if path else "look again"
    return Result(False, value.value, answer, path, f"not that: you said {answer}; {where}")


def _absent(check: Check, context: Context) -> str:
    """Why a question has no answer now, and what would bring it back."""
    name = context.text(check.words[check.subject])
    facts = context.world.container(name)
    if facts is None:
        return predicates.missing(name, context)
    return f"{name} is {facts.status} (docker start {name} starts it again)"


def _between(check: Check, first: str, last: str, answer: str) -> bool:
    if check.words.get("file") not in COUNTER_FILES:
        return same(last, answer)
    low, said, high = number(first), number(answer), number(last)
    return low is not None and said is not None and high is not None and low <= said <= high


def begin(checks: Iterable[Check], context: Context) -> None:
    """Keep the counters as they stand when a step begins, and what may be asked to go."""
    for check in (part for one in checks for part in one.walk()):
        with suppress(Denied):  # the check itself will say so
            _note(check, context)


def _note(check: Check, context: Context) -> None:
    if check.subject == "cgroup" and "delta_ge" in check.words:
        facts = context.world.container(context.text(check.words["cgroup"]))
        found = predicates.cgroup_value(check.words, context)
        counter = None if found is None else number(found.value)
        if facts and counter is not None:
            context.record.baseline[counter_key(check.words, context)] = [facts.id, counter]
    if check.subject == "gone":
        note_existing(context.text(check.words["gone"]), context)


def note_existing(name: str, context: Context) -> None:
    """Remember that a container is there, so that `gone` has something to compare with."""
    if by_hand.is_command(name):
        if pid := by_hand.newest(context.world.source, name, context.attempt.started_ns):
            context.record.baseline[f"gone/{name}"] = ["", pid, 0, ""]
        return
    facts = context.world.container(name)
    if facts is None:
        return
    kept = context.record.baseline.get(f"gone/{name}", [facts.id, 0, 0, ""])
    found = context.world.layers(name)
    upper = found.upper if found else kept[3]
    context.record.baseline[f"gone/{name}"] = [facts.id, facts.pid or kept[1], 0, upper]


def keep(questions: Iterable[Check], record: Record, context: Context) -> None:
    """Keep the values that later questions ask about, as they are now."""
    for question in questions:
        found = None
        with suppress(Denied):
            found = reading(question, context)
        if found is not None:
            record.snapshot[name_of(question, context.attempt)] = {
                "value": found.value, "path": found.path}


def patience(checks: Iterable[Check]) -> float:
    """How long the line mode looks again before it says no, in seconds."""
    times = [0.0]
    for check in (part for one in checks for part in one.walk()):
        times += [seconds(check.words[word]) for word in ("within", "holds")
                  if word in check.words and check.subject != "event"]
    return max(times)


def questions_about(steps: Iterable[Step], step_id: str) -> list[Check]:
    """The questions of later steps that ask for a value as it was at this one."""
    return [step.equals for step in steps
            if step.equals is not None and step.equals.words.get("at") == step_id]


def as_json(results: Iterable[Result]) -> list[dict[str, Any]]:
    """The results as JSON data."""
    return [result.as_data() | {"why": result.why} for result in results]
