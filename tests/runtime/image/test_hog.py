from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from runtime.image import hog

SHELLS = [shell for shell in (["dash"], ["busybox", "sh"], ["bash"]) if shutil.which(shell[0])]


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "hog"
    path.write_bytes(hog.program("x86_64"))
    path.chmod(0o755)
    return str(path)


def assembler(listing: str) -> str:
    """The listing's middle column as GNU assembler text."""
    lines = [".intel_syntax noprefix"]
    for line in filter(None, map(str.strip, listing.splitlines())):
        if line.endswith(":"):
            lines.append(line)
        elif line.startswith('"'):
            label = lines[-1].rstrip(":")
            lines += [f".ascii {line}", f".set {label.replace('text', 'size')}, . - {label}"]
        else:
            text = line.split("|")[1].strip()
            text = re.sub(r"\b(qword|byte) \[", r"\1 ptr [", text)
            text = re.sub(r"\[(\w+_text)\]", r"\1[rip]", text)
            lines.append(re.sub(r"mov edx, (\w+_size)", r"mov edx, offset \1", text))
    return "\n".join(lines) + "\n"


@pytest.mark.skipif(not (shutil.which("as") and shutil.which("ld")), reason="no assembler here")
def test_the_bytes_are_what_an_assembler_makes_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "hog.s").write_text(assembler(hog.LISTING))
    run = {"cwd": tmp_path, "check": True}
    subprocess.run(["as", "--64", "-o", "hog.o", "hog.s"], **run)
    subprocess.run(["ld", "-m", "elf_x86_64", "-e", "start", "-Ttext=0x400078", "-o", "hog",
                    "hog.o"], **run, stderr=subprocess.DEVNULL)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", "hog", "code"], **run)
    assert hog.assemble(hog.LISTING).hex(" ") == (tmp_path / "code").read_bytes().hex(" ")


def grown_kilobytes(process: subprocess.Popen) -> list[int]:
    """The resident sizes seen until the process has ended."""
    seen = []
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        found = re.search(r"VmRSS:\s+(\d+)", status)
        seen += [int(found[1])] if found else []
        time.sleep(0.005)
    return seen


x86_64 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="machine code for x86-64")


@x86_64
def test_its_own_memory_grows_step_by_step(program: str) -> None:
    process = subprocess.Popen([program, "20M"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seen = grown_kilobytes(process)
    assert process.wait() == 0 and process.stdout and process.stdout.read() == b""
    assert 20 * 1024 <= max(seen) < 22 * 1024
    assert seen == sorted(seen) and len(set(seen)) > 5


@x86_64
@pytest.mark.parametrize(("size", "kilobytes"), [
    ("5m", 5120), ("5M", 5120), ("5120k", 5120), ("5242880", 5120), ("1500K", 1500)])
def test_sizes(program: str, size: str, kilobytes: int) -> None:
    seen = grown_kilobytes(subprocess.Popen([program, size, "1"]))
    assert kilobytes <= max(seen) < kilobytes + 600


@x86_64
@pytest.mark.parametrize("arguments", [[], ["tea"], ["5x"], ["0"], ["-1"]])
def test_usage(program: str, arguments: list[str]) -> None:
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: hog SIZE[k|m|g] [PAUSE_MS]\n")


@x86_64
def test_no_more_addresses(program: str) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 20, 4 << 20))

    done = subprocess.run([program, "8m", "0"], capture_output=True, text=True, preexec_fn=limit)
    assert (done.returncode, done.stderr) == (1, "hog: mmap: no more address space\n")


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_the_script_for_other_machines(tmp_path: Path, shell: list[str]) -> None:
    (tmp_path / "hog").write_bytes(hog.program("riscv64"))
    small = max(grown_kilobytes(subprocess.Popen([*shell, str(tmp_path / "hog"), "1m", "1"])))
    process = subprocess.Popen([*shell, str(tmp_path / "hog"), "21M", "1"])
    seen = grown_kilobytes(process)
    assert process.wait() == 0
    assert 19 * 1024 <= max(seen) - small < 24 * 1024
    done = subprocess.run([*shell, str(tmp_path / "hog"), "tea"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: hog SIZE[k|m|g] [PAUSE_MS]\n")
