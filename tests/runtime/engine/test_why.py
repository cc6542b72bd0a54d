"""Six deaths end in 137, and each has a card of its own, made of what was seen and nothing else."""

from __future__ import annotations

import os

import pytest

from runtime.cgroup import stats
from runtime.errors import Conflict

pytestmark = pytest.mark.kernel

SMALL = {"Memory": 32 << 20, "MemorySwap": 32 << 20}
HOG = ["hog", "200M"]


def words(card: list[tuple[str, str, str]]) -> dict[str, str]:
    """who → what they did."""
    return {who: sentence for who, sentence, _ in card}


def state(engine, container):
    found = engine.inspect(container)["State"]
    return found["ExitCode"], found["OOMKilled"]


def oom_of_init(engine, started):
    container = started(*HOG, host=SMALL)
    engine.wait(container)
    return container


def killed(engine, started):
    container = started("sleep", "1000")
    engine.kill(container)
    engine.wait(container)
    return container


def stopped(engine, started):
    container = started("sleep", "1000")
    engine.stop(container, timeout_s=0.2)
    return container


def killed_from_outside(engine, started):
    container = started("sleep", "1000")
    os.kill(engine.find(container).pid, 9)
    engine.wait(container)
    return container


def exits_137(engine, started):
    container = started("sh", "-c", "exit 137")
    engine.wait(container)
    return container


def oom_of_a_child(engine, started):
    container = started("sh", "-c", "hog 200M; exit $?", host=SMALL)
    engine.wait(container)
    return container


DEATHS = [oom_of_init, killed, stopped, killed_from_outside, exits_137, oom_of_a_child]


def test_oom_of_init(engine, started):
    container = oom_of_init(engine, started)
    assert state(engine, container) == (137, True)
    card = engine.why(container)
    assert card[0] == ("the kernel", "killed hog: its cgroup had no page left",
                       "memory.events oom_kill 1")
    assert words(card)["docker"] == "says Exited (137), OOMKilled true"
    assert words(card)["not"] == "docker kill, which is also 137"
    assert words(card)["try"] == "docker run --memory 128m …"
    # The kernel's own counter, kept from before the group went.
    kept = engine.last_cgroup(container)["memory.events"]["text"]
    assert stats.pairs(kept)["oom_kill"] == 1
    kills = [each for each in engine.evidence(container) if each["what"] == "oom_kill"]
    assert [(each["who"], each["from"], each["to"]) for each in kills] == [("kernel", 0, 1)]


def test_kill(engine, started):
    container = killed(engine, started)
    assert state(engine, container) == (137, False)
    card = engine.why(container)
    assert card[0] == ("you", "asked for it: kill sent SIGKILL", "our own kill")
    assert words(card)["not"] == "out of memory, which is also 137"


def test_stop_after_its_grace(engine, started):
    container = stopped(engine, started)
    assert state(engine, container) == (137, False)
    who, sentence, evidence = engine.why(container)[0]
    assert (who, evidence) == ("you", "our own stop, twice")
    assert sentence.startswith("stopped it: SIGTERM, 0.") and sentence.endswith("then SIGKILL")


def test_sigkill_from_outside(engine, started):
    container = killed_from_outside(engine, started)
    assert state(engine, container) == (137, False)
    assert engine.why(container)[0] == ("somebody", "sent SIGKILL, and it was not us",
                                        "no kill or stop was asked for")


def test_a_program_that_exits_137(engine, started):
    container = exits_137(engine, started)
    assert state(engine, container) == (137, False)
    card = engine.why(container)
    assert card[0] == ("its program", "sh ended by itself: exit(137)",
                       "no signal in its wait status")
    assert words(card)["not"] == "a SIGKILL, which is also 137"


def test_oom_of_a_child(engine, started):
    """Init lives through it, and here ends with the child's code: OOMKilled is the counter's."""
    container = oom_of_a_child(engine, started)
    assert state(engine, container) == (137, True)
    card = engine.why(container)
    assert card[0] == ("the kernel", "killed a child of it: its cgroup had no page left",
                       "memory.events oom_kill 1")
    assert card[1][:2] == ("its program", "sh ended by itself: exit(137)")


def test_init_survives_the_oom_of_a_child(engine, started, eventually):
    container = started("sh", "-c", "hog 200M; sleep 1000", host=SMALL)
    eventually(lambda: [each for each in engine.evidence(container) if each["what"] == "oom_kill"])
    assert engine.find(container).status == "running"
    assert "oom" in [event["Action"] for event in engine.events()]
    with pytest.raises(Conflict, match="is not dead: it is running"):
        engine.why(container)


def test_six_deaths_are_six_cards(engine, started):
    cards = [engine.why(death(engine, started)) for death in DEATHS]
    assert {card[-1][0] for card in cards} <= {"not", "try", "docker"}
    causes = {(card[0][0], card[0][1].partition(",")[0]) for card in cards}
    assert len(causes) == 6, causes


def test_one_that_never_ran(engine, make):
    container = make("sleep", "1", name="tea")
    with pytest.raises(Conflict, match="tea is not dead: it was never started"):
        engine.why(container)
    broken = make("no-such-program")
    with pytest.raises(Exception, match="executable file not found"):
        engine.start(broken)
    card = engine.why(broken)
    assert "executable file not found" in words(card)["docker"]
    assert words(card)["not"] == "a death: its program never ran"


def test_the_evidence_is_of_the_last_run(engine, started):
    container = started(*HOG, host=SMALL)
    engine.wait(container)
    engine.start(container)
    engine.kill(container, "KILL")
    engine.wait(container)
    kinds = [each["what"] for each in engine.evidence(container)]
    assert kinds.count("kill") == 1 and kinds.count("exited") == 1


def test_a_name_that_a_terminal_would_obey(engine, started):
    container = started("sh", "-c", r"printf 'x\033[2J\007y' > /proc/self/comm; exit 3")
    engine.wait(container)
    assert words(engine.why(container))["its program"] == "x?[2J?y ended by itself: exit(3)"
