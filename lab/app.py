"""The door of the screen: what is done before Textual is there, and what without a terminal.

Called by `lab/start.py` when there is no argument. The order is the point: first the helper process
is forked, from a program that is still small and has one thread; only then Textual is imported,
with whose threads nobody may fork. Every refusal is one sentence that says what still works.
"""

from __future__ import annotations

import os
import sys


def run(root: str | None = None) -> int:
    """Open the lab in this terminal; the exit code."""
    refusal = refuse()
    if refusal:
        print(f"container-lab: {refusal}", file=sys.stderr)
        return 1
    import gc

    from lab.spawner import Spawner

    spawner = Spawner.start()
    # Thousands of objects are made by the imports, none of them garbage: collecting on the way
    # costs a tenth of the time to the first paint. The program turns it on again.
    gc.disable()
    try:
        return _open(root, spawner)
    except KeyboardInterrupt:
        return 130
    finally:
        spawner.stop()


def refuse() -> str:
    """Why there can be no screen here, and what to do instead; "" when there can."""
    # A descriptor that was closed by whoever started us is None here.
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        return ("the lab needs a terminal, and standard input or output is none; "
                "these work without: container-lab lesson list, run, ps, doctor")
    if os.environ.get("TERM", "") in ("", "dumb"):
        return ("TERM says that this terminal cannot move its cursor; "
                "use container-lab lesson list, or set TERM=xterm-256color")
    return ""


def _open(root: str | None, spawner: object) -> int:
    from lab.program import Lab, run_program
    from runtime.engine.engine import Engine
    from runtime.errors import LabError
    from runtime.inspect.source import Live

    engine = Engine(root)
    course = progress = None
    trouble = ""
    try:
        from lab.course.loader import Course
        from lab.course.progress import Progress

        progress = Progress.load(root)
        trouble = progress.notice
        course = Course.load()
    except (LabError, OSError) as error:
        # The free lab works without a course: say what is wrong with it on the home screen.
        trouble = str(error)
    return run_program(Lab(engine, Live(), root, course, progress, trouble, spawner))
