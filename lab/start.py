"""Where the program begins: `python -I -S lab/start.py ARGUMENTS`, run by assets/bin/container-lab.

Every command comes through here, so it imports nothing but os and sys before it knows which one it
is. `run` and its like go on with our own light modules alone; the lab, lessons and the doctor get
the installed packages first.

    container-lab                the lab
    container-lab lesson …       the course, line by line
    container-lab doctor         what this host can do
    container-lab oci …          the OCI runtime
    container-lab vm …           the lab, or one command, in a machine of its own
    container-lab run …          everything else: the command line, in Docker's words
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OCI_PACKED = ("create", "start", "state", "kill", "delete", "run", "exec")
OURS = ("lab", "lesson", "doctor", "oci", "screenshots", "vm")


def main(arguments: list[str]) -> int:
    """Run the program; its exit code."""
    if HERE not in sys.path:
        sys.path.insert(0, HERE)
    rest, root = global_root(arguments)
    word = rest[0] if rest else "lab"
    try:
        if word == "oci":
            return light(oci_words, rest, oci_pack(rest))
        if word in ("run", "start"):
            return light(start_words, arguments, "run")
        if word not in OURS:
            return light(docker_words, arguments, "")
        return own(word, rest[1:], root)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except Exception as error:
        return mistake(error)


def light(run: Callable[[list[str]], int], arguments: list[str], pack: str) -> int:
    """Run a command that is short and imports little, and leave at once.

    Such a process makes no cycles worth collecting, and tearing its interpreter down takes 4 ms.
    `pack` is the name of its modules' pack; what is not on the way to a container has none.
    """
    gc.disable()
    packed = None
    if pack:
        from runtime import packs

        packed = packs.use(pack)
    code = run(arguments)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = code or 141
    if packed is not None:
        packed.keep()
    os._exit(code)


def docker_words(arguments: list[str]) -> int:
    """A command in Docker's words."""
    from runtime.client import cli

    return cli.main(arguments)


def start_words(arguments: list[str]) -> int:
    """One that starts a container: its shim gets ready beside it."""
    from runtime.shim import spare

    spare.fork()
    return docker_words(arguments)


def oci_pack(words: list[str]) -> str:
    """The pack of one command of the OCI runtime: each imports what it needs, and no more."""
    verb = next((word for word in words[1:] if word in OCI_PACKED), "")
    return f"oci-{verb}" if verb else ""


def oci_words(arguments: list[str]) -> int:
    """The OCI runtime; where it is needed, out of the container's reach before all else."""
    from runtime.oci import sealed

    if sealed.needed(arguments):
        sealed.start_over()
    from runtime.oci import cli

    return cli.main(arguments[1:])


def mistake(error: Exception) -> int:
    """What only a defect of ours can bring here: one line, and the way to see more."""
    if os.environ.get("CONTAINER_LAB_TRACEBACK"):
        raise error
    sys.stderr.write(f"container-lab: a mistake of ours, {type(error).__name__}: {error} "
                     "(CONTAINER_LAB_TRACEBACK=1 shows where; please report it)\n")
    return 125


def global_root(arguments: list[str]) -> tuple[list[str], str | None]:
    """The arguments without a leading --root DIR, and DIR."""
    if arguments[:1] == ["--root"] and len(arguments) > 1:
        return arguments[2:], arguments[1]
    if arguments and arguments[0].startswith("--root="):
        return arguments[1:], arguments[0].partition("=")[2]
    return arguments, os.environ.get("CONTAINER_LAB_ROOT") or None


def own(word: str, arguments: list[str], root: str | None) -> int:
    """The commands that are not Docker's."""
    if root is not None:
        os.environ["CONTAINER_LAB_ROOT"] = root = os.path.abspath(root)
    add_packages()
    if word == "lesson":
        from lab.course import cli as course_cli

        return course_cli.main(arguments, root)
    if word == "doctor":
        from lab.course.loader import Course
        from runtime.client import doctor

        lessons = [(lesson.id, lesson.title, list(lesson.requires))
                   for track in Course.load().tracks for lesson in track.lessons]
        return doctor.main(arguments, root, lessons)
    if word == "vm":
        from lab.vm import cli as vm_cli

        return vm_cli.main(arguments)
    if arguments:
        sys.stderr.write(f"container-lab: {word} takes no arguments: {' '.join(arguments)}\n")
        return 125
    from lab import app

    return app.run(root)


def add_packages() -> None:
    """-S left site-packages out; Textual and its kind live there."""
    import site

    known = [os.path.dirname(HERE), HERE]
    for folder in [*known, *installed()]:
        if os.path.isfile(os.path.join(folder, "textual", "__init__.py")):
            site.addsitedir(folder)
            return


def installed() -> list[str]:
    """The site-packages of the interpreter's environment."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [os.path.join(os.path.dirname(os.path.dirname(sys.executable)), "lib", version,
                         "site-packages")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
