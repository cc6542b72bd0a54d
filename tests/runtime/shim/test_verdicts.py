"""What a runtime's own words come to."""

from __future__ import annotations

import pytest

from runtime.errors import Denied, LabError, NotFound
from runtime.shim import verdicts


def test_the_last_error_of_a_log(tmp_path):
    log = tmp_path / "log.json"
    log.write_text('{"level":"error","msg":"first"}\n{"level":"warning","msg":"w"}\n'
                   '{"level":"error","msg":"last"}\n{"level":"er')
    assert verdicts.last_error(str(log)) == "last"
    assert verdicts.last_error(str(tmp_path / "none")) == ""


@pytest.mark.parametrize("words, kind, code", [
    ('exec: "x": executable file not found in $PATH', NotFound, 127),
    ("executable file `x` not found in $PATH: No such file or directory", NotFound, 127),
    ('exec: "/etc": permission denied', Denied, 126),
    ('exec: "/etc": is a directory', Denied, 126),
    ("cgroups in hybrid mode not supported", LabError, 1),
])
def test_the_code_that_docker_reads_from_words(words, kind, code):
    error = verdicts.judged(words)
    assert type(error) is kind and error.exit_code == code


def test_the_last_line():
    assert verdicts.last_line(b"one\ntwo \n\n") == "two"
    assert verdicts.last_line(b"") == ""
