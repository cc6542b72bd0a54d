"""container-lab-oci by command line, in runc's words."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runtime.errors import Invalid, Unsupported
from runtime.oci import cli
from tests.runtime.oci.bundles import ROOT, Bundle


@pytest.mark.parametrize(("words", "wanted"), [
    (["run", "tea"], "tea"), (["run", "-b", "/tmp", "tea"], "tea"),
    (["run", "--bundle", "/tmp", "tea"], "tea"), (["run", "tea", "--bundle=/tmp"], "tea")])
def test_words(words: list[str], wanted: str) -> None:
    bundle, ident = cli.parse(words)
    assert ident == wanted and bundle.startswith("/")
    assert bundle == "/tmp" or len(words) == 2


@pytest.mark.parametrize(("words", "kind"), [
    (["run"], Invalid), (["run", "a", "b"], Invalid), (["run", "a/b"], Invalid),
    (["run", ".."], Invalid), (["frobnicate"], Invalid), ([], Invalid),
    (["run", "--detach", "a"], Unsupported), *[([verb], Unsupported) for verb in cli.VERBS]])
def test_what_is_not_there_says_so(words: list[str], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        cli.parse(words)


def run(bundle: Bundle, *words: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from runtime.oci.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", program, *words], text=True, cwd=ROOT,
                          capture_output=True, stdin=subprocess.DEVNULL,
                          env={"CONTAINER_LAB_ROOT": str(bundle.folder), "PATH": "/usr/bin:/bin"})


@pytest.mark.kernel
@pytest.mark.parametrize(("script", "code"), [("echo in; echo err >&2; exit 7", 7),
                                              ("sh -c 'kill -9 $$'; exit $?", 137)])
def test_run_passes_output_and_code_on(bundle: Bundle, script: str, code: int) -> None:
    bundle.script(script)
    bundle.write()
    ended = run(bundle, "run", "--bundle", str(bundle.folder), "tea")
    assert ended.returncode == code
    if code == 7:
        assert (ended.stdout, ended.stderr) == ("in\n", "err\n")
    assert not bundle.cgroup().exists()


@pytest.mark.kernel
def test_a_failure_is_one_line(bundle: Bundle) -> None:
    bundle.process["args"] = ["/no/such"]
    bundle.write()
    ended = run(bundle, "run", "--bundle", str(bundle.folder), "tea")
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("container-lab-oci: ")
    assert not bundle.cgroup().exists()


@pytest.mark.kernel
def test_a_terminal_is_refused_and_a_warning_told(bundle: Bundle) -> None:
    bundle.process["terminal"] = True
    bundle.write()
    ended = run(bundle, "run", "--bundle", str(bundle.folder), "tea")
    assert ended.returncode == 1 and "$.process.terminal: a terminal is not built" in ended.stderr
    bundle.process["terminal"] = False
    bundle.process["capabilities"]["ambient"] = ["CAP_KILL"]
    bundle.script("true")
    bundle.write()
    ended = run(bundle, "run", "--bundle", str(bundle.folder), "tea")
    assert ended.returncode == 0
    assert "warning: CAP_KILL cannot be ambient" in ended.stderr
