"""Documents on disk: the same JSON as the standard library's, and whole whatever happens."""

from __future__ import annotations

import errno
import json
import math
import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime import documents
from runtime.errors import Invalid

TEXTS = ["", "a", "é", "漢字", '"\\/\b\f\n\r\t', "\x00\x1f\x7f", "\u2028", "😀", "a" * 300]


def value(source: random.Random, depth: int = 0) -> Any:
    """A random JSON value, of every kind."""
    kind = source.randrange(6 if depth > 4 else 8)
    if kind == 0:
        return source.choice([None, True, False])
    if kind == 1:
        return source.choice([0, -1, 1 << 62, 1 << 64, -(1 << 63), source.getrandbits(90)])
    if kind == 2:
        return source.choice([0.0, -0.0, 1e300, 1e-7, 0.1, source.uniform(-1e9, 1e9)])
    if kind < 6:
        return "".join(source.choice(TEXTS) for _ in range(source.randrange(3)))
    if kind == 6:
        return [value(source, depth + 1) for _ in range(source.randrange(4))]
    return {source.choice(TEXTS) + str(n): value(source, depth + 1)
            for n in range(source.randrange(4))}


@pytest.mark.parametrize("seed", range(300))
def test_the_light_encoder_writes_what_json_writes(seed: int) -> None:
    made = value(random.Random(seed))
    text = documents.encode(made)
    assert text == json.dumps(made, ensure_ascii=False, separators=(",", ":"))
    assert documents.parse(text) == made == json.loads(text)


@pytest.mark.parametrize("text", [
    "", " ", "{", "[1,]", "nul", '{"a" 1}', "1 2", '"\x01"', "{'a':1}", "[" * 100000, '{"a":1}x',
    "\ufeff{}", '"\\ud8', "+1", "01", ".5"])
def test_bad_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        documents.parse(text)


@pytest.mark.parametrize("text", [
    "[1, 2 ,3 ]", ' {"a" : [ ] }\n', "\t-0.5e3\r\n", '"\\u00e9\\ud83d\\ude00"', "NaN", "Infinity",
    '{"a":1,"a":2}'])
def test_odd_json_is_read_as_json_reads_it(text: str) -> None:
    ours, theirs = documents.parse(text), json.loads(text)
    assert ours == theirs or math.isnan(ours) and math.isnan(theirs)


def test_a_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    documents.write(str(tmp_path / "it"), {"Path": name})
    assert documents.read(str(tmp_path / "it")) == {"Path": name}
    documents.append_line(str(tmp_path / "lines"), [name, "é"])
    assert documents.read_lines(str(tmp_path / "lines")) == [[name, "é"]]


@pytest.mark.parametrize("bad", [{1, 2}, object(), b"bytes", {"a": {"b": set()}}])
def test_what_is_no_json_is_a_type_error(bad: Any) -> None:
    with pytest.raises(TypeError):
        documents.encode(bad)


def test_a_ring_is_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(ValueError):
        documents.encode(ring)


def test_every_cut_of_a_file_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    whole = documents.encode({"Status": "running", "Pid": 4213, "é": [1, None]}).encode()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(Invalid) as caught:
            documents.read(str(path))
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
        assert "not a whole JSON document" in caught.value.message


def test_a_missing_file_is_the_callers_business(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        documents.read(str(tmp_path / "none"))
    assert documents.read_lines(str(tmp_path / "none")) == []


@contextmanager
def a_full_disk(after: int) -> Iterator[None]:
    """No file of this process may grow beyond `after` bytes: a disk that fills up there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("durable", [False, True])
def test_a_full_disk_leaves_the_old_document(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "state.json"
    documents.write(str(path), {"Status": "running"}, durable)
    with a_full_disk(64), pytest.raises(OSError):
        documents.write(str(path), {"Status": "x" * 4096}, durable)
    assert documents.read(str(path)) == {"Status": "running"}
    assert os.listdir(tmp_path) == ["state.json"]


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    documents.append_line(str(path), {"n": 1})
    with a_full_disk(40), pytest.raises(OSError):
        documents.append_line(str(path), {"n": 2, "much": "x" * 100})
    documents.append_line(str(path), {"n": 3})
    assert documents.read_lines(str(path)) == [{"n": 1}, {"n": 3}]


@pytest.mark.kernel
def test_a_full_file_system(tmp_path: Path) -> None:
    """The same on a tmpfs of 64 kB, in a mount namespace of the test's own."""
    program = (
        "import os, sys; from runtime import documents\n"
        "folder = sys.argv[1]; path = folder + '/state.json'\n"
        "documents.write(path, {'Status': 'running'})\n"
        "try:\n"
        "    while True: documents.append_line(folder + '/lines', {'x': 'y' * 3000})\n"
        "except OSError as error: assert error.errno == 28, error\n"
        "try: documents.write(path, {'Status': 'z' * 9000}); sys.exit('written')\n"
        "except OSError as error: assert error.errno == 28, error\n"
        "assert documents.read(path) == {'Status': 'running'}\n"
        "assert sorted(os.listdir(folder)) == ['lines', 'state.json'], os.listdir(folder)\n"
        "assert all(len(line['x']) == 3000 for line in documents.read_lines(folder + '/lines'))\n"
        "assert open(folder + '/lines', 'rb').read().endswith(b'}\\n')\n")
    script = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "$3" "$1"'
    ended = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path),
                            sys.executable, program], capture_output=True, text=True,
                           cwd=Path(__file__).parents[2])
    assert ended.returncode == 0, ended.stderr


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        documents.write(str(tmp_path / "none" / "state.json"), {})
    assert caught.value.errno == errno.ENOENT


def test_lines_of_many_writers_never_mix(tmp_path: Path) -> None:
    path = str(tmp_path / "events.jsonl")
    children = []
    for writer in range(4):
        child = os.fork()
        if child == 0:
            for n in range(50):
                documents.append_line(path, {"writer": writer, "n": n, "pad": "x" * 2000})
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    lines = documents.read_lines(path)
    assert len(lines) == 200
    for writer in range(4):
        assert [each["n"] for each in lines if each["writer"] == writer] == list(range(50))


def test_a_last_line_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"n":1}\n{"n":2}\n{"n":')
    assert documents.read_lines(str(path)) == [{"n": 1}, {"n": 2}]


def test_a_reader_never_sees_half_a_document(tmp_path: Path) -> None:
    path = str(tmp_path / "state.json")
    documents.write(path, {"n": 0, "pad": ""})
    child = os.fork()
    if child == 0:
        for n in range(300):
            documents.write(path, {"n": n, "pad": "x" * (n * 40 % 9000)})
        os._exit(0)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        documents.read(path)
    assert documents.read(path)["n"] == 299


def test_digest_is_sha256() -> None:
    import hashlib

    assert documents.digest(b"lab") == hashlib.sha256(b"lab").hexdigest()


def test_reading_and_writing_import_nothing_heavy() -> None:
    program = ("import sys; before = set(sys.modules); from runtime import documents;"
               "documents.parse(documents.encode({'a': [1, 'é']}));"
               "print(*sorted(set(sys.modules) - before))")
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append('.');"
                            f"{program}"], capture_output=True, text=True, check=True,
                           cwd=Path(__file__).parents[2])
    assert not {"json", "re", "enum", "typing", "collections"} & set(ended.stdout.split())
