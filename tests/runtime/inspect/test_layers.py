"""Copy-up, whiteout, opaque: told from the directories, checked against what a real overlay did."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.inspect.layers import Layers, changes, layers_of, serving, state
from runtime.inspect.mounts import mount_at, mounts, parse_line
from runtime.inspect.source import Live, Recording, record

LIVE = Live()


def write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    """two over one, below an upper directory; no root needed for any of it."""
    write(tmp_path / "one/etc/motd", "low")
    write(tmp_path / "one/etc/hosts", "one")
    write(tmp_path / "two/etc/hosts", "two")
    write(tmp_path / "two/bin/sh", "sh")
    write(tmp_path / "upper/etc/motd", "mine")
    write(tmp_path / "upper/tmp/new", "new")
    return Layers(f"{tmp_path}/upper", (f"{tmp_path}/two", f"{tmp_path}/one"))


@pytest.mark.parametrize(("path", "word", "mark", "layer"), [
    ("/etc/motd", "copied_up", "C", "upper"), ("/etc", "copied_up", "C", "upper"),
    ("/tmp/new", "upper_only", "A", "upper"), ("/etc/hosts", "lower_only", " ", "two"),
    ("/bin/sh", "lower_only", " ", "two"), ("/no", "absent", " ", ""),
    ("/etc/motd/no", "absent", " ", ""),
])
def test_words_marks_and_serving_layers(
        layers: Layers, path: str, word: str, mark: str, layer: str) -> None:
    found = state(LIVE, layers, path)
    assert (found.word, found.mark, found.layer.rpartition("/")[2]) == (word, mark, layer)
    assert serving(LIVE, layers, path) == (found.layer or None)


def test_every_layer_that_holds_a_path_is_named(layers: Layers) -> None:
    held = [layer.rpartition("/")[2] for layer in state(LIVE, layers, "etc/").held_by]
    assert held == ["upper", "two", "one"]
    assert state(LIVE, layers, "/etc/hosts").kind == "file"


def test_a_file_over_a_directory_hides_all_below_it(layers: Layers, tmp_path: Path) -> None:
    write(tmp_path / "upper/bin", "now a file")
    assert state(LIVE, layers, "/bin").word == "copied_up"
    assert state(LIVE, layers, "/bin/sh").word == "absent"


def test_a_read_only_overlay_has_no_upper(layers: Layers) -> None:
    below = Layers("", layers.lowers)
    assert state(LIVE, below, "/etc/motd").word == "lower_only"
    assert state(LIVE, below, "/tmp/new").word == "absent"


def test_layers_of_a_mount_row() -> None:
    row = parse_line("9 1 0:9 / / rw - overlay o rw,lowerdir=/b:/a,upperdir=/u,workdir=/w")
    other = parse_line("9 1 0:9 / / rw - ext4 o rw")
    assert row and layers_of(row) == Layers("/u", ("/b", "/a"))
    assert other and layers_of(other) is None


def test_a_listing_of_the_upper_directory_is_what_docker_diff_prints(layers: Layers) -> None:
    assert [(change.mark, change.path) for change in changes(LIVE, layers)] == [
        ("C", "/etc"), ("C", "/etc/motd"), ("A", "/tmp"), ("A", "/tmp/new")]
    assert len(changes(LIVE, layers, limit=2)) == 2


WHAT_IT_DID = """
cd {0}/merged
echo more >> etc/motd; rm etc/hosts; rm -r opt; mkdir opt; echo a > opt/fresh
mkdir srv/new; : > srv/new/file; chmod 600 bin/sh; ready; exec sleep 300"""


@pytest.fixture
def live_layers(tmp_path: Path, start: Callable[..., int]) -> Layers:
    """What the kernel leaves behind after a write, deletions and a directory made anew."""
    for name in ("etc/motd", "etc/hosts", "opt/old", "bin/sh", "srv/page", "usr/untouched"):
        write(tmp_path / "lower" / name)
    for name in ("upper", "work", "merged"):
        (tmp_path / name).mkdir()
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    script = f"mount -t overlay overlay -o {options} {tmp_path}/merged"
    pid = start("unshare", "--mount", script=script + WHAT_IT_DID.format(tmp_path))
    row = mount_at(mounts(LIVE, pid), f"{tmp_path}/merged")
    found = layers_of(row) if row else None
    assert found is not None
    # The overlay ends with its mount namespace; the upper directory stays, as with a stopped one.
    return found


EXPECTED = {
    "/etc/motd": "copied_up", "/etc/hosts": "whiteout", "/opt": "opaque", "/opt/old": "absent",
    "/opt/fresh": "upper_only", "/srv": "copied_up", "/srv/new": "upper_only",
    "/srv/new/file": "upper_only", "/srv/page": "lower_only", "/bin/sh": "copied_up",
    "/usr/untouched": "lower_only", "/no": "absent",
}


@pytest.mark.kernel
def test_what_a_real_overlay_did(live_layers: Layers) -> None:
    assert {path: state(LIVE, live_layers, path).word for path in EXPECTED} == EXPECTED
    whiteout = state(LIVE, live_layers, "/etc/hosts")
    assert whiteout.mark == "D" and whiteout.held_by == live_layers.lowers
    assert os.path.exists(f"{live_layers.lowers[0]}/etc/hosts"), "the lower bytes are still there"


@pytest.mark.kernel
def test_the_same_from_its_recording(live_layers: Layers, tmp_path: Path) -> None:
    recorder = record(LIVE)
    lived = [state(recorder, live_layers, path) for path in EXPECTED]
    listed = changes(recorder, live_layers)
    recorder.save(tmp_path / "kept.json")
    kept = Recording(tmp_path / "kept.json")
    assert [state(kept, live_layers, path) for path in EXPECTED] == lived
    assert changes(kept, live_layers) == listed
