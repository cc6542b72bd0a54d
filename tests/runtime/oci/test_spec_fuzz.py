"""config.json by the thousand: passed, or refused in one line that names the path; never a crash.

What was found this way once is kept in SEEDS and tried first, always; the rest is drawn, the same
each time (derandomize). More of it, and other: `pytest --hypothesis-seed=N`, FUZZ=20000 in the
environment. The kernel ring starts some of what passes.
"""

from __future__ import annotations

import copy
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import documents as json_of_ours
from runtime.errors import Invalid, LabError, Unsupported
from runtime.oci import identity, plan, program, properties, seccomp, spec
from tests.runtime.oci.bundles import Bundle, config
from tests.runtime.oci.documents_of import documents, spoilt, values

pytestmark = pytest.mark.timeout(600)  # much of it, and a machine may have other things to do
MANY = int(os.environ.get("FUZZ", "400"))
STARTED = min(MANY // 10, 300)
often = settings(max_examples=MANY, deadline=None, database=None,
                 derandomize="FUZZ" not in os.environ,
                 suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much,
                                        HealthCheck.data_too_large])
NAMED = re.compile(r"\$(\.|\[|:)")
# (path in a good config.json, what once broke the judge or what comes after it)
SEEDS: list[tuple[tuple[str, ...], Any]] = [
    (("process", "user"), {"uid": 4294967295}),              # setresuid(-1): would stay root
    (("process", "consoleSize"), {"height": 70000, "width": 1}),   # struct.error
    (("process", "env"), ["A=\ud800"]),                      # UnicodeEncodeError at execve
    (("process", "user"), {"umask": 1 << 40}),               # OverflowError
    (("linux", "devices"), [{"path": "/dev/x", "type": "c", "major": 1 << 40, "minor": 0}]),
    (("linux", "timeOffsets"), {"boottime": None}),          # AttributeError
    (("linux", "timeOffsets"), {"realtime": 3}),             # AttributeError
    (("process", "execCPUAffinity"), {"x-unknown": 3}),      # AttributeError
    (("linux", "sysctl"), {"net.\0": "1"}),                  # ValueError at open
    (("hooks",), {"prestart": [None]}),
    (("process", "user"), {"uid": None}),                    # TypeError in init
    (("linux", "seccomp"), {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 65536}),
    (("mounts",), [{"destination": "/x", "type": "tmpfs", "options": ["mode=1", None]}]),
    (("linux", "resources"), {"blockIO": {"throttleWriteIOPSDevice": [{}]}}),  # KeyError
    (("annotations",), {"a\nb": 3}),                         # a message of two lines
]


def outcome(document: Any) -> LabError | None:
    """The refusal, which has to be in good form; None where the document passes."""
    try:
        spec.check(document)
    except (Invalid, Unsupported) as error:
        text = str(error)
        assert NAMED.match(text), f"no path: {text}"
        assert "\n" not in text and "Traceback" not in text
        json_of_ours.encode({"error": text})
        return error
    return None


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    made = config()
    where = made
    for key in path[:-1]:
        where = where[key]
    where[path[-1]] = value
    return made


@pytest.mark.parametrize(("path", "value"), SEEDS)
def test_what_was_found_once(path: tuple[str, ...], value: Any) -> None:
    outcome(changed(path, value))


@often
@given(documents())
def test_the_table_takes_what_the_table_makes(document: dict[str, Any]) -> None:
    spec.judge(document, properties.CONFIG, "$")


@often
@given(documents())
def test_right_kinds_pass_or_are_refused_for_what_they_mean(document: dict[str, Any]) -> None:
    if outcome(document) is None:
        use(document)


@often
@given(spoilt(documents()))
def test_a_wrong_kind_is_refused_where_it_is(made: tuple[Any, list[str]]) -> None:
    document, where = made
    try:
        spec.judge(document, properties.CONFIG, "$")
    except Invalid as error:
        named = error.message.rpartition(": ")[0]
        # A gap is named by what is missing, an odd value by itself or by what is in it.
        near = [path for path in where if named.startswith(path)
                or path.startswith(named.rpartition(".")[0])]
        assert near, (error.message, where)


@settings(often, max_examples=3 * MANY)
@given(spoilt(st.builds(config)))
def test_a_good_one_spoilt(made: tuple[Any, list[str]]) -> None:
    """Near what is real most of all: the container everybody starts, with something odd in it."""
    document, _ = made
    if outcome(document) is None:
        use(document)


def use(document: dict[str, Any]) -> None:
    """What passes has to be good for all that reads it afterwards, the kernel left aside."""
    made = plan.Plan("/bundle", copy.deepcopy(document))
    made.clone_flags()
    identity.wanted(made.process)
    identity.warnings(made.process, 0)
    program.environment({**made.process, "env": [*(made.process.get("env") or []), "HOME=/"]})
    profile = (document.get("linux") or {}).get("seccomp")
    if profile:
        seccomp.filter_flags(profile)
        try:
            seccomp.compile_profile(profile, "x86_64")
        except LabError as error:
            assert "\n" not in str(error)


# Parts of config.json that can be drawn freely and started: they harm nobody but the container.
DRAWN = {
    ("process", "rlimits"): st.lists(values(properties.PROCESS["rlimits"][0]), max_size=2),
    ("process", "capabilities"): st.dictionaries(
        st.sampled_from(identity.SETS),
        st.lists(st.sampled_from(["CAP_KILL", "CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_FLY", ""]))),
    ("process", "user"): values(properties.PROCESS["user"]),
    ("process", "cwd"): st.sampled_from(
        ["/", "/tmp", "/made/up", "/proc/self/fd/3", "/etc/passwd"]),
    ("process", "scheduler"): values(properties.PROCESS["scheduler"]),
    ("process", "ioPriority"): values(properties.PROCESS["ioPriority"]),
    ("process", "env"): st.lists(values(str), max_size=3),
    ("process", "noNewPrivileges"): st.booleans(),
    ("linux", "personality"): values(properties.LINUX["personality"]),
    ("linux", "maskedPaths"): st.lists(st.sampled_from(
        ["/proc", "/", "/sys", "/dev/null", "/proc/self/status", "/none", "/etc/passwd"])),
    ("linux", "seccomp"): values(properties.SECCOMP),
    ("linux", "resources"): values(properties.RESOURCES),
    ("linux", "namespaces"): st.lists(
        st.sampled_from(properties.LINUX["namespaces"][0]["type"]), unique=True).map(  # type: ignore
            lambda kinds: [{"type": kind} for kind in {*kinds, "mount"} - {"user"}]),
    ("linux", "readonlyPaths"): st.lists(st.sampled_from(
        ["/proc", "/", "/dev", "/proc/self/status", "/none", "/etc/passwd"])),
    ("linux", "rootfsPropagation"): st.sampled_from(properties.LINUX["rootfsPropagation"]),
    ("mounts",): st.lists(st.fixed_dictionaries(
        {"destination": st.sampled_from(["/proc", "/x", "x/y", "/etc/passwd", "/dev", "/", "//"]),
         "type": st.sampled_from(["tmpfs", "proc", "mqueue", "cgroup", "none", "bind", "nofs"])},
        optional={"source": st.sampled_from(["tmpfs", "/etc", "/none", ""]),
                  "options": st.lists(st.sampled_from(
                      ["ro", "rbind", "nosuid", "size=1m", "rslave", "tmpcopyup", "rro", "odd",
                       "remount", "dev", "mode=755"]))}), max_size=3),
    ("hostname",): values(str), ("domainname",): values(str),
    ("hooks",): st.dictionaries(
        st.sampled_from(["prestart", "createRuntime", "createContainer", "startContainer"]),
        st.lists(st.fixed_dictionaries({"path": st.sampled_from(
            ["/bin/true", "/bin/false", "/none", "/"])}), max_size=2)),
}


@pytest.mark.kernel
@settings(often, max_examples=STARTED, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_container_is_half_made(tmp_path_factory: pytest.TempPathFactory,
                                   data: st.DataObject) -> None:
    bundle = Bundle(tmp_path_factory.mktemp("fuzz") / "bundle")
    bundle.process["args"] = ["/bin/true"]
    for path in data.draw(st.lists(st.sampled_from(list(DRAWN)), min_size=1, max_size=3)):
        where = bundle.spec if len(path) == 1 else bundle.spec[path[0]]
        where[path[-1]] = data.draw(DRAWN[path])
    try:
        try:
            started = bundle.start()
        except LabError as error:
            assert "\n" not in str(error) and "Error: " not in str(error), "a mistake of ours"
        else:
            started.wait()
    finally:
        bundle.close()
    assert not bundle.cgroup().exists()
    assert str(bundle.folder) not in Path("/proc/self/mountinfo").read_text()
