"""Events and evidence: what happened, told once."""

from __future__ import annotations

from lab.happenings import from_event, from_evidence, told_once


def test_events_and_evidence_become_happenings():
    die = from_event({"Action": "die", "timeNano": 1_500_000_000, "Actor":
                      {"ID": "x", "Attributes": {"exitCode": "137"}}})
    assert (die.time_s, die.what, die.detail) == (1.5, "die", "exit 137")
    told = from_evidence({"time": 2.0, "who": "init", "what": "signal", "comm": "hog",
                          "signal": 9, "exit_code": 137})
    assert told.detail == "hog SIGKILL"
    moved = from_evidence({"time": 2.0, "who": "kernel", "what": "max", "from": 118, "to": 231})
    assert (moved.before, moved.after) == ("118", "231")


def test_a_signal_of_ours_is_told_once_in_dockers_word():
    def event(action: str, time_s: float, **attributes: str):
        return from_event({"Action": action, "timeNano": int(time_s * 1e9),
                           "Actor": {"ID": "x", "Attributes": attributes}})

    events = [event("kill", 1.0, signal="15"), event("kill", 3.0, signal="9"),
              event("pause", 5.0), event("exec_start: sh", 6.0),
              event("kill", 9.0, signal="9"), event("die", 9.1, exitCode="137")]
    evidence = [from_evidence({"time": at, "who": "engine", "what": what, "signal": number})
                for at, what, number in ((1.001, "stop", 15), (3.001, "stop-kill", 9),
                                         (9.001, "kill", 9))]
    evidence += [from_evidence({"time": 4.999, "who": "shim", "what": "pause"}),
                 from_evidence({"time": 6.001, "who": "engine", "what": "exec", "pid": 7})]
    assert [f"{one.what} {one.detail}".strip() for one in told_once(events, evidence)] == [
        "kill SIGTERM (stop)", "kill SIGKILL (stop)", "pause", "exec_start: sh", "kill SIGKILL",
        "die exit 137"]
