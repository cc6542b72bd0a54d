"""Reads one step of lesson.toml, with its checks, against the prose of that step.

    {id = "run", kind = "do", check = [{cgroup = "$name", …}], solve = ["docker run …"], hints = 3}

Strict: whatever it does not know is Invalid, with the place and the word that was probably meant.
What the words mean is in `checks.py`; which there are is in `schema.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lab.course import prose, schema
from lab.course.lesson import KINDS, Check, Fail, Step
from runtime.errors import Invalid


def read_step(table: Mapping[str, Any], text: prose.Text, where: str, where_text: str,
              variables: Mapping[str, Any]) -> Step:
    here = f"{where}: step {table.get('id', '?')}"
    schema.require(table, ("id", "kind"), here)
    kind = table["kind"]
    if kind not in KINDS:
        raise Invalid(f'{here}: kind "{kind}"{schema.meant(str(kind), KINDS)}')
    schema.check_keys(table, schema.STEP[kind], here)
    schema.require(table, schema.REQUIRED[kind], here)
    if kind == "watch":
        _check_watch(table, here)
    if table["id"] not in text.steps:
        raise Invalid(f"{where_text}: section ## step: {table['id']} is missing")
    words = text.steps[table["id"]]
    step = Step(
        table["id"], kind, words, tuple(table.get("needs", ())),
        _checks(table, here, variables),
        tuple(_fail(item, here, variables) for item in table.get("fail", ())),
        tuple(table.get("solve", ())), tuple(table.get("options", ())), table.get("answer", ""),
        read_check(table["equals"], here, variables) if "equals" in table else None,
        table.get("container", ""), tuple(table.get("stops", ())), table.get("focus", ""),
        table.get("sure", False), table.get("hints", 0),
    )
    for line in (*step.solve, step.container):
        _known_variables(line, variables, here)
    _check_prose(step, f"{where_text}: step {step.id}")
    return step


def _checks(table: Mapping[str, Any], here: str, variables: Mapping[str, Any]) -> tuple[Check, ...]:
    """The author's checks; of a start that is stepped through, also that somebody did."""
    checks = [read_check(item, here, variables) for item in table.get("check", ())]
    if table.get("stops"):
        checks.append(Check("operations", {"operations": table["container"], "held": True}))
    return tuple(checks)


def _check_watch(table: Mapping[str, Any], here: str) -> None:
    """It asks about its start, or is stepped through, or both; only our own start can be."""
    schema.require(table, () if table.get("stops") else ("options", "equals"), here)
    if ("options" in table) != ("equals" in table):
        raise Invalid(f"{here}: options and equals go together")
    if table.get("stops") and len(table["solve"]) != 1:
        raise Invalid(f"{here}: solve = {table['solve']!r}: stops are for one line that starts it")


def _check_prose(step: Step, where: str) -> None:
    words, keys = step.prose, step.option_keys
    if not words.body:
        raise Invalid(f"{where}: no text")
    if set(words.wording) != set(keys):
        raise Invalid(f"{where}: options in the text ({', '.join(words.wording) or 'none'}) "
                      f"are not those of lesson.toml ({', '.join(keys) or 'none'})")
    if step.correct and step.correct not in keys:
        raise Invalid(f'{where}: answer "{step.correct}"{schema.meant(step.correct, keys)}')
    if len(words.hints) != step.hint_count:
        raise Invalid(f"{where}: {len(words.hints)} hints, lesson.toml says {step.hint_count}")
    says = {fail.say for fail in step.fails}
    for key in sorted(says ^ set(words.says)):
        missing = "the text" if key in says else "lesson.toml"
        raise Invalid(f'{where}: say "{key}" is missing in {missing}')


def _fail(table: Mapping[str, Any], where: str, variables: Mapping[str, Any]) -> Fail:
    schema.check_keys(table, schema.FAIL, f"{where}: fail")
    schema.require(table, ("when", "say"), f"{where}: fail")
    return Fail(read_check(table["when"], f"{where}: fail", variables), table["say"])


def read_check(table: Mapping[str, Any], where: str, variables: Mapping[str, Any]) -> Check:
    """One predicate or combinator. Raises Invalid for a word that it does not have."""
    for word in schema.COMBINATORS:
        if word in table:
            schema.check_keys(table, {word: schema.COMBINATORS[word]} | schema.MODIFIER, where)
            _known_variables(table.get("words", ""), variables, where)
            inner = [table[word]] if word == "not" else table[word]
            parts = tuple(read_check(item, where, variables) for item in inner)
            return Check(word, {key: value for key, value in table.items() if key != word}, parts)
    subject = next((word for word in schema.PREDICATES if word in table), "")
    if not subject:
        first = next(iter(table), "")
        raise Invalid(f'{where}: unknown predicate "{first}"'
                      f"{schema.meant(first, [*schema.PREDICATES, *schema.COMBINATORS])}")
    here = f"{where}: {subject}"
    schema.check_keys(table, schema.PREDICATES[subject] | schema.MODIFIER, here)
    for key, value in table.items():
        allowed = schema.CHOICES.get((subject, key), ())
        for item in value if isinstance(value, list) else [value]:
            if allowed and item not in allowed:
                raise Invalid(f'{here}: {key} = "{item}"{schema.meant(str(item), allowed)}')
            if isinstance(item, str):
                _known_variables(item, variables, here)
    if subject == "cgroup" and not {"file", "frozen", "populated"} & set(table):
        raise Invalid(f"{here}: file is missing")
    return Check(subject, dict(table))


def _known_variables(text: str, variables: Mapping[str, Any], where: str) -> None:
    for name in prose.variables_in(text):
        if name not in variables:
            raise Invalid(f"{where}: unknown variable ${name}{schema.meant(name, variables)}")


def check_references(steps: tuple[Step, ...], where: str) -> None:
    """`needs`, `at`, `since`, `answer` and `predicted` name a step before this one."""
    seen: list[str] = []
    for step in steps:
        for name in [*step.needs, *_named(step)]:
            if name not in seen:
                raise Invalid(f'{where}: step {step.id}: "{name}" is no step before it'
                              f"{schema.meant(name, seen)}")
        seen.append(step.id)


def _named(step: Step) -> Iterable[str]:
    """The steps that the checks of a step refer to."""
    questions = [step.equals] if step.equals else []
    for check in (*step.checks, *(fail.when for fail in step.fails), *questions):
        for part in check.walk():
            yield from (part.words[word] for word in ("at", "answer", "predicted")
                        if word in part.words)
            if part.words.get("since", "step") not in ("step", "lesson"):
                yield part.words["since"]
