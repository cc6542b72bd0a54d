"""The command line: one clear line for what cannot be."""

from __future__ import annotations

import pytest

from lab.vm import cli


@pytest.mark.parametrize("arguments, line", [
    (["--memory", "lots"], "--memory lots: a number with M or G, as 512M"),
    (["--memory", "64M"], "--memory 64M: the machine needs 512M"),
    (["--memory", "9000G"], "--memory 9000G: this host has "),
    (["--cpus", "0"], "--cpus 0: from 1 to 64"),
    (["--share", "/nowhere"], "--share /nowhere: no such directory"),
    (["--kernel", "/nowhere"], "--kernel /nowhere: no such file"),
])
def test_bad_input(arguments, line, capsys):
    assert cli.main(arguments) == 125
    err = capsys.readouterr().err
    assert err.startswith(f"container-lab: vm: {line}")
    assert err.count("\n") == 1


def test_no_qemu(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cli.boot, "Boot", lambda given: None)
    assert cli.main(["--", "true"]) == 125
    assert "no qemu-system-x86_64 (install a kernel image and QEMU: " in capsys.readouterr().err


def test_split():
    assert cli.split(["--cpus", "1", "--", "sh", "-c", "--"]) == (["--cpus", "1"],
                                                                   ["sh", "-c", "--"])
    assert cli.split(["--cpus", "1"]) == (["--cpus", "1"], [])
