"""Finding containers, and what a file that was cut short costs: its own container's facts alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.errors import Invalid, LabError, NotFound
from runtime.shim import removal

pytestmark = pytest.mark.kernel

CUTS = [0, 1, 0.3, 0.9, -3]


def cut(path: str, where: float) -> None:
    """Leave the first `where` bytes, that part of the file, or all but that many."""
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[:int(where * len(data)) if 0 < where < 1 else where])


def one_line(error: BaseException) -> bool:
    return str(error) != "" and "\n" not in str(error) and "Traceback" not in str(error)


def test_by_name_id_and_beginning(engine, make):
    tea, ink = make("true", name="tea"), make("true", name="ink")
    for reference in ("tea", "/tea", tea, tea[:12], tea[:5]):
        assert engine.find(reference).id == tea
    # A name that is also the beginning of an id: the name wins, as with Docker.
    odd = make("true", name=ink[:8])
    assert engine.find(ink[:8]).id == odd
    for reference in ("", "/", "..", "../names/tea", "coffee", "f" * 64, tea + "0"):
        with pytest.raises(NotFound, match="No such container"):
            engine.find(reference)
    assert [container.name for container in engine.containers()] == [ink[:8], "ink", "tea"]


def test_one_half_removed_is_still_found_by_its_name(engine, make, monkeypatch):
    ident = make("true", name="tea")
    with monkeypatch.context() as patched:
        patched.setattr(removal, "_gone", refuse)
        with pytest.raises(LabError, match=r"remove the container .*: EBUSY .* \(busy\)"):
            engine.remove("tea")
    assert engine.find("tea").id == ident
    other = make("true", name="tea")
    assert engine.find("tea").id == other, "who has the name now goes first"
    engine.remove("tea")
    engine.remove("tea")
    assert engine.containers() == []


def refuse(*_: object) -> None:
    raise OSError(16, "busy")


def test_a_path_is_no_reference(engine, make):
    make("true", name="tea")
    ident = engine.find("tea").id
    os.rename(engine.find("tea").directory, f"{engine.root}/{ident[:61]}")
    with pytest.raises(NotFound):
        engine.find(f"../{ident[:61]}")


def test_a_beginning_that_two_have(engine, make):
    first = {make("true")[0] for _ in range(17)}  # more than there are hex digits
    assert first
    digits = [container.id[0] for container in engine.containers()]
    twice = next(digit for digit in digits if digits.count(digit) > 1)
    with pytest.raises(Invalid, match="multiple IDs found with provided prefix"):
        engine.find(twice)


@pytest.mark.parametrize("where", CUTS)
@pytest.mark.parametrize("name", ["state.json", "container.json", "config.json"])
def test_a_file_cut_short(engine, make, typed, name, where):
    broken = make("sh", "-c", "exit 4", name="broken")
    make("sh", "-c", "exit 5", name="whole")
    path = f"{engine.find(broken).directory}/{name}"
    cut(path, where)
    # Both are still listed, and the other one is not affected.
    assert {container.name for container in engine.containers()} == {"broken", "whole"}
    engine.start("whole")
    assert engine.wait("whole") == 5
    engine.inspect("broken")
    if name == "state.json":
        assert engine.find("broken").status == "dead"
        assert "state.json: not a whole JSON document" in engine.find("broken").state["Error"]
        engine.start("broken")  # what it is to run is known; how it stood does not matter
        assert engine.wait("broken") == 4
    else:
        with pytest.raises(LabError, match=f"{name}: not a whole JSON document") as caught:
            engine.start("broken")
        assert one_line(caught.value)
    engine.remove("broken", force=True)
    assert [container.name for container in engine.containers()] == ["whole"]
    assert os.listdir(f"{engine.root}/names") == ["whole"]


def test_one_clear_line_at_the_command_line(engine, make, typed):
    broken = make("true", name="broken")
    cut(f"{engine.find(broken).directory}/container.json", 0.5)
    done = typed("start", "broken")
    assert done.returncode == 1
    assert "container.json: not a whole JSON document" in done.stderr
    assert "Traceback" not in done.stderr
    listed = typed("ps", "-a")
    assert listed.returncode == 0 and "broken" in listed.stdout, listed.stderr
    assert typed("rm", "-f", "broken").returncode == 0
    assert typed("ps", "-a", "-q").stdout == ""


@pytest.mark.parametrize("name", ["state.json", "container.json"])
def test_cut_short_while_it_runs(engine, started, name, eventually):
    """The shim is still there: rm finds it by its socket, and does not remove under its feet."""
    container = engine.find(started("sleep", "1000", name="tea"))
    pid, shim, group = container.pid, container.state["ShimPid"], container.cgroup
    cut(f"{container.directory}/{name}", 0.4)
    with pytest.raises(LabError, match="cannot remove container .*: container is running"):
        engine.remove("tea")
    engine.remove("tea", force=True)
    for gone in (pid, shim):
        eventually(lambda gone=gone: not Path(f"/proc/{gone}/exe").exists() or
                   "State:\tZ" in Path(f"/proc/{gone}/status").read_text())
    assert not list(Path("/sys/fs/cgroup").glob(f"*{group}"))
    assert engine.containers() == [] and os.listdir(engine.run_dir) == []


@pytest.mark.parametrize("name", ["state.json", "container.json"])
def test_clean_finds_what_was_cut_short(engine, started, name):
    """That nothing is left is asserted by the fixture that made the lab's directory."""
    container = engine.find(started("sleep", "1000", name="tea"))
    cut(f"{container.directory}/{name}", 1)
    os.truncate(f"{engine.root}/ledger.jsonl", 0)
    engine.clean()
    assert not os.path.exists(engine.root)


def test_references_cut_short(root, make, engine):
    """The image store's index: containers that exist go on, and clean works."""
    make("sh", "-c", "exit 6", name="tea")
    own = Path(root, "images")
    target = own.resolve()
    own.unlink()
    own.mkdir()
    for entry in target.iterdir():
        if entry.name != "references.json":
            (own / entry.name).symlink_to(entry)
    for text in ("", "{", (target / "references.json").read_text()[:-9]):
        (own / "references.json").write_text(text)
        from runtime.engine.engine import Engine

        with pytest.raises(LabError) as caught:
            Engine(root).create(None, {"Image": "lab/other", "Cmd": ["true"], "HostConfig": {}})
        assert one_line(caught.value)
        engine.start("tea")
        assert engine.wait("tea") == 6


def test_a_document_that_is_something_else(engine, make):
    make("true", name="tea")
    directory = engine.find("tea").directory
    Path(f"{directory}/container.json").write_text("[1]\n")
    Path(f"{directory}/state.json").write_text('{"Status": "exited"}\n')
    (tea,) = engine.containers()
    assert (tea.name, tea.status, tea.pid) == ("tea", "dead", 0)
    engine.remove("tea")
