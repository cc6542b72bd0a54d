"""Flags, read as Docker reads them, with its words for what is wrong."""

from __future__ import annotations

import pytest

from runtime.client import options, run
from runtime.client.options import ClientError
from runtime.errors import Unsupported

RUN = run.COMMANDS["run"]


@pytest.mark.parametrize(("typed", "given"), [
    (["--rm", "i"], {"rm": True}),
    (["--rm=true", "i"], {"rm": True}),
    (["--rm=F", "i"], {"rm": False}),
    (["-it", "i"], {"interactive": True, "tty": True}),
    (["-itd", "i"], {"interactive": True, "tty": True, "detach": True}),
    (["-e", "A=b", "-eC=d", "-e=E=f", "i"], {"env": ["A=b", "C=d", "E=f"]}),
    (["-m48m", "i"], {"memory": 48 << 20}),
    (["-dm", "1g", "i"], {"detach": True, "memory": 1 << 30}),
    (["--memory-swap", "-1", "i"], {"memory-swap": -1}),
    (["--cpus", ".5", "i"], {"cpus": 500_000_000}),
    (["--net", "host", "i"], {"network": ["host"]}),
    (["--ulimit", "nofile=1:2", "i"], {"ulimit": [{"Name": "nofile", "Soft": 1, "Hard": 2}]}),
])
def test_flags_have_values(typed: list[str], given: dict[str, object]) -> None:
    assert options.parse(RUN, typed) == (given, ["i"])


@pytest.mark.parametrize(("typed", "words"), [
    (["img", "ls", "-l", "-e", "x"], ["img", "ls", "-l", "-e", "x"]),
    (["img", "--", "x"], ["img", "--", "x"]),
    (["--rm", "--", "-img", "-x"], ["-img", "-x"]),
    (["-", "-x"], ["-", "-x"]),
])
def test_what_follows_the_image_is_the_containers(typed: list[str], words: list[str]) -> None:
    assert options.parse(RUN, typed)[1] == words


def test_other_commands_take_flags_behind_words() -> None:
    from runtime.client import lifecycle

    assert options.parse(lifecycle.COMMANDS["stop"], ["tea", "-t", "3", "ink"]) == (
        {"timeout": 3}, ["tea", "ink"])


@pytest.mark.parametrize(("typed", "message"), [
    ("--nosuch", "unknown flag: --nosuch"),
    ("-z", "unknown shorthand flag: 'z' in -z"),
    ("-dz", "unknown shorthand flag: 'z' in -z"),
    ("--name", "flag needs an argument: --name"),
    ("-e", "flag needs an argument: 'e' in -e"),
    ("--=x", "bad flag syntax: --=x"),
    ("---x", "bad flag syntax: ---x"),
    ("--memory=10q", 'invalid argument "10q" for "-m, --memory" flag: invalid suffix: \'q\''),
    ("--cpus=abc",
     'invalid argument "abc" for "--cpus" flag: failed to parse abc as a rational number'),
    ("--rm=x", 'invalid argument "x" for "--rm" flag: strconv.ParseBool: parsing "x": '
               "invalid syntax"),
    ("--pids-limit=x", 'invalid argument "x" for "--pids-limit" flag: strconv.ParseInt: parsing '
                       '"x": invalid syntax'),
])
def test_mistakes_are_dockers_sentences(typed: str, message: str) -> None:
    with pytest.raises(ClientError) as caught:
        options.parse(RUN, [typed])
    assert str(caught.value) == message


def test_a_flag_that_is_not_built_is_refused_by_name() -> None:
    with pytest.raises(Unsupported) as caught:
        options.parse(RUN, ["--gpus", "all", "img"])
    assert (str(caught.value), caught.value.exit_code) == ("--gpus is not built yet", 125)


def test_every_kind_of_flag_is_known() -> None:
    from runtime.client import commands, values

    for name in commands.FAMILIES:
        command = commands.find(name)
        assert command is not None, name
        assert {flag[2] for flag in command.flags} <= set(values.KINDS), name
        names = [flag[0] for flag in command.flags]
        assert len(names) == len(set(names)), name
