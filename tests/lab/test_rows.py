"""The frozen rows of the screen, from the engine's and the kernel's words."""

from __future__ import annotations

import json

import pytest

from lab.docker_line import docker_line
from lab.rows import effect_of, point, row_of, seconds
from runtime.inspect.cgroups import from_texts
from tests.lab.test_sampler import container


def test_a_row_has_the_docker_line_and_the_times(tmp_path):
    row = row_of(container(tmp_path, StartedAt="2026-11-24T12:03:07.114000000Z"))
    assert row.command == "hog 200M"
    assert row.docker == "docker run --name tea --memory 48m --cpus 0.5 lab/base hog 200M"
    assert row.started_s == pytest.approx(seconds("2026-11-24T12:03:07Z") + 0.114)
    assert seconds("0001-01-01T00:00:00Z") == 0.0


def test_points_come_from_two_readings():
    before = from_texts("/g", True, {"cpu.stat": ("usage_usec 100000\nnr_throttled 1\n", "/x"),
                                     "memory.current": ("10\n", "/m")}, 1.0)
    after = from_texts("/g", True, {"cpu.stat": ("usage_usec 150000\nnr_throttled 2\n", "/x"),
                                    "memory.current": ("20\n", "/m")}, 1.1)
    one = point(before, after)
    assert one.memory == 20 and one.cpus == pytest.approx(0.5) and one.throttled


def test_an_operation_is_kept_as_it_was_written():
    data = json.loads('{"n":1,"phase":"root","name":"mount","call":"mount(2)",'
                      '"arguments":{"target":"/"},"ns":41000,"errno":0,"by":"init"}')
    effect = effect_of(data)
    assert (effect.phase, effect.name, effect.ns) == ("root", "mount", 41000)


def test_the_docker_line_says_what_was_left_out():
    asked = {"Name": "/tea", "Config": {"Image": "lab/base", "Cmd": ["sh"]},
             "HostConfig": {"ContainerLab": {"Without": ["pid", "net"], "Unsafe": True}}}
    assert docker_line(asked) == "docker run --name tea --without pid,net --unsafe lab/base sh"
    asked["HostConfig"] = {"ContainerLab": {"Without": ["uts"]}}
    assert docker_line(asked) == "docker run --name tea --without uts lab/base sh"
