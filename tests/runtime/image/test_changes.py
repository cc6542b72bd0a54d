from __future__ import annotations

import pytest

from runtime.errors import Invalid
from runtime.image.changes import apply


@pytest.mark.parametrize(("change", "config"), [
    ('CMD ["cat","/kept"]', {"Cmd": ["cat", "/kept"]}),
    ("CMD echo hi", {"Cmd": ["/bin/sh", "-c", "echo hi"]}),
    ("cmd ['single']", {"Cmd": ["/bin/sh", "-c", "['single']"]}),
    ('ENTRYPOINT ["cat"]', {"Entrypoint": ["cat"]}),
    ("ENV A=b", {"Env": ["A=b"]}),
    ("ENV A=1 B='two words'", {"Env": ["A=1", "B=two words"]}),
    ("ENV A two words", {"Env": ["A=two words"]}),
    ("LABEL x=y", {"Labels": {"x": "y"}}),
    ("EXPOSE 80 53/udp", {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}),
    ("EXPOSE 8000-8001", {"ExposedPorts": {"8000/tcp": {}, "8001/tcp": {}}}),
    ("USER student", {"User": "student"}),
    ("VOLUME /data /more", {"Volumes": {"/data": {}, "/more": {}}}),
    ('VOLUME ["/data"]', {"Volumes": {"/data": {}}}),
    ("WORKDIR /app", {"WorkingDir": "/app"}),
    ("STOPSIGNAL SIGINT", {"StopSignal": "SIGINT"}),
    ("ONBUILD RUN echo trigger", {"OnBuild": ["RUN echo trigger"]}),
    ("HEALTHCHECK --interval=5s --retries=2 CMD true",
     {"Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5 * 10**9, "Retries": 2}}),
    ('HEALTHCHECK --timeout=1m30s CMD ["true"]',
     {"Healthcheck": {"Test": ["CMD", "true"], "Timeout": 90 * 10**9}}),
    ("HEALTHCHECK NONE", {"Healthcheck": {"Test": ["NONE"]}}),
    ("# a comment", {}), ("", {}), ("ENV A=\\\nb", {"Env": ["A=b"]}),
])
def test_one_change(change: str, config: dict[str, object]) -> None:
    assert apply({}, [change]) == config


def test_changes_build_on_one_another() -> None:
    changes = ["ENV A=b", "ENV A=c D=$A", "WORKDIR /app", "WORKDIR src/../lib", "LABEL a=1",
               "LABEL b=${D}"]
    assert apply({"Cmd": ["sh"]}, changes) == {
        "Cmd": ["sh"], "Env": ["A=c", "D=b"], "WorkingDir": "/app/lib",
        "Labels": {"a": "1", "b": "b"}}


def test_a_new_entry_point_drops_the_old_command_only() -> None:
    assert apply({"Cmd": ["sh"]}, ['ENTRYPOINT ["cat"]']) == {"Entrypoint": ["cat"]}
    both = ['CMD ["/x"]', 'ENTRYPOINT ["cat"]']
    assert apply({"Cmd": ["sh"]}, both) == {"Cmd": ["/x"], "Entrypoint": ["cat"]}


@pytest.mark.parametrize(("change", "message"), [
    ("BOGUS x", "BOGUS is not a valid change command"),
    ("FROM x", "FROM is not a valid change command"),
    ("RUN true", "RUN is not a valid change command"),
    ("ENV A", "ENV must have two arguments"),
    ("ENV", "ENV requires at least one argument"),
    ("ENV A=b c", 'Syntax error - can\'t find = in "c". Must be of the form: name=value'),
    ("LABEL =b", "LABEL names can not be blank"),
    ("USER", "USER requires exactly one argument"),
    ("EXPOSE tea", "invalid containerPort: tea"),
    ("EXPOSE 70000", "invalid containerPort: 70000"),
    ("EXPOSE 80/icmp", "invalid proto: icmp"),
    ("STOPSIGNAL BOGUS", "invalid signal: BOGUS"),
    ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
    ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
    ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
    ("HEALTHCHECK TEA x", 'Unknown type "TEA" in HEALTHCHECK (try CMD)'),
    ("HEALTHCHECK --interval=soon CMD x", 'time: invalid duration "soon"'),
])
def test_a_bad_change_says_so_as_docker_does(change: str, message: str) -> None:
    config = {"Env": ["A=b"]}
    with pytest.raises(Invalid) as caught:
        apply(config, ["ENV A=c", change])
    assert str(caught.value) == message
    assert config == {"Env": ["A=b"]}
