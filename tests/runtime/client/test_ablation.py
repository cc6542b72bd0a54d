"""`ablation` and `probe`: the tables, over an engine that answers by hand."""

from __future__ import annotations

import json

import pytest


def answer(yes: bool, errno: str = "", said: str = "") -> dict:
    return {"yes": yes, "errno": errno, "said": said}


def probe(name: str, full: dict, without: dict) -> dict:
    return {"name": name, "question": f"{name} something", "call": "kill(2)", "parts": ["pid"],
            "line": "kill -0 9", "full": full, "without": without,
            "red": without["yes"] and not full["yes"], "changed": full != without}


FOUND = {
    "without": ["pid"], "line": "docker run --rm -it --without pid --unsafe lab/base sh",
    "panes": [
        {"pane": "namespaces", "what": "mnt", "full": "private", "without": "private",
         "evidence": {"full": "4026532214", "without": "4026532300"}, "red": False, "proof": ""},
        {"pane": "namespaces", "what": "pid", "full": "private", "without": "the host's",
         "evidence": {"full": "4026532217", "without": "4026531836"}, "red": True, "proof": ""}],
    "probes": [probe("signal", answer(False, "ESRCH"), answer(True)),
               probe("read", answer(False), answer(False, "EPERM")),
               probe("node", answer(True), answer(True))],
}


@pytest.fixture
def asked(engine) -> list:
    """What `ablation` asked of the engine."""
    told: list = []

    def compare(without, unsafe, image="lab/base"):
        told.append((without, unsafe, image))
        return FOUND

    engine.compare = compare
    return told


def test_what_turns_red_says_so_in_words(lab, asked):
    done = lab("ablation", "--without", "pid", "--unsafe", "--image", "site")
    assert asked == [(["pid"], True, "site")] and done.code == 0
    rows = {" ".join(line.split()[:1]): line for line in done.out.splitlines() if line}
    assert "private 32217" in rows["pid"] and "the host's 31836" in rows["pid"]
    assert rows["pid"].endswith("✖ red")
    assert rows["mnt"].endswith("= same")
    assert "no, ESRCH" in rows["signal"] and "YES" in rows["signal"]
    assert rows["signal"].endswith("✖ red") and rows["node"].endswith("= same")
    assert rows["read"].endswith("▲ changed"), "another part holds"
    assert "1 row of the panes and 1 probe turned red." in done.out
    assert "By hand: docker run --rm -it --without pid --unsafe lab/base sh" in done.out


def test_the_table_as_json(lab, asked):
    assert json.loads(lab("ablation", "--without", "pid", "--json").out) == FOUND


def test_without_a_part_there_is_nothing_to_compare(lab):
    done = lab("ablation")
    assert done.code != 0 and "--without pid" in done.err


def test_probe_says_what_each_attempt_came_to(lab, engine):
    lab("create", "--name", "tea", "lab/base", "true")
    engine.probe = lambda ref: [
        {"name": "signal", "question": "signal a process of the host", "call": "kill(2)",
         "parts": ["pid"], "line": "kill -0 9", **answer(False, "ESRCH")},
        {"name": "node", "question": "make a device node", "call": "mknod(2)", "parts": [],
         "line": "", **answer(True, "", "c 1 3")}]
    first, second = lab("probe", "tea").out.splitlines()
    assert first.split("  ")[0] == "signal a process of the host"
    assert "no, ESRCH" in first and "kill(2)" in first
    assert "YES" in second and second.endswith("c 1 3")
    assert json.loads(lab("probe", "tea", "--json").out)[1]["yes"] is True
