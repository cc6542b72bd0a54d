"""Takes the pictures of the README from the real program, on the kernel it runs on.

    .venv/bin/python -m lab.screenshots OUT_DIR          as root; about a minute

The program runs without a terminal (Textual's headless driver), driven by keys as a student would;
containers, numbers and deaths are real. The state root is a temporary one and is removed at the
end, as are the containers. An SVG is text: its fonts are the viewer's, its words can be searched.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

from lab.commands import OURS
from lab.course.loader import Course
from lab.course.progress import Progress
from lab.program import Lab
from runtime.engine.engine import Engine
from runtime.inspect.source import Live

# Which pictures are taken at which size: the main design, and a window of one's own.
PICTURES = {
    (80, 24): frozenset({"home", "lesson-predict", "why", "namespaces", "processes",
                         "slow-motion", "security"}),
    (120, 36): frozenset({"lesson-throttled", "lesson-oom", "mounts", "hood", "ablation"}),
}


class Studio:
    """One run of the program at one size, and what the pictures are called."""

    def __init__(self, root: str, folder: str, size: tuple[int, int]) -> None:
        self.root, self.folder, self.size = root, folder, size
        self.lab = Lab(Engine(root), Live(), root, Course.load(), Progress.load(root))
        self.pilot: Pilot[Any] | None = None

    async def press(self, *keys: str) -> None:
        """Keys, with the time a person leaves between them."""
        assert self.pilot is not None
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause(0.15)

    async def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait for the kernel. Raises TimeoutError."""
        assert self.pilot is not None
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError("the kernel did not do what this picture shows")
            await self.pilot.pause(0.05)

    async def shoot(self, name: str, settle_s: float = 1.3) -> None:
        """Keep what is on the screen; bright values have calmed down by then."""
        assert self.pilot is not None
        if name not in PICTURES[self.size]:
            return
        await self.pilot.pause(settle_s)
        picture = self.lab.export_screenshot(title="container-lab", simplify=True)
        with open(os.path.join(self.folder, f"{name}.svg"), "w") as file:
            file.write(self_contained(picture))
        print(f"{name}.svg  {self.size[0]}×{self.size[1]}")

    def verdict(self) -> str:
        """The word of the title line."""
        view = self.lab.snapshot.shown
        return view.verdict[1] if view else ""


def self_contained(picture: str) -> str:
    """The picture without fonts from elsewhere: a README must not fetch anything."""
    picture = re.sub(r"@font-face\s*\{[^}]*\}", "", picture)
    # Some viewers drop a space at the start of a text, and words would touch.
    return picture.replace("<svg ", '<svg xml:space="preserve" ', 1)


async def limits(studio: Studio) -> None:
    """The lesson on limits: throttled, then killed."""
    await studio.press("right", "right", "enter", "n")
    await studio.press("3", "right")
    await studio.shoot("lesson-predict", 0.3)
    await studio.press("enter", "n", "r")
    await studio.until(lambda: studio.lab.screen.stepper.passed)  # type: ignore[attr-defined]
    await studio.until(lambda: len(studio.lab.snapshot.shown.points) > 40  # type: ignore[union-attr]
                       and studio.verdict() == "THROTTLED")
    await studio.shoot("lesson-throttled")
    await studio.press("n", "n", "n", "2", "right", "enter", "n", "r")
    await studio.until(lambda: studio.verdict() == "OOM")
    await studio.until(lambda: studio.lab.screen.stepper.passed)  # type: ignore[attr-defined]
    await studio.shoot("lesson-oom")
    await studio.press("w")
    await studio.shoot("why", 0.3)
    await studio.press("w", "q")


async def slow_motion(studio: Studio) -> None:
    """From home: a start that is held after pivot_root, and wound back to it."""
    await studio.press("s", "enter")
    await studio.until(lambda: bool(getattr(studio.lab.screen, "frames", ())))
    await studio.press("colon", *"pivot_root", "enter")
    await studio.until(lambda: bool(getattr(studio.lab.screen, "frames", ())) and
                       studio.lab.screen.frames[-1].name == "pivot_root")  # type: ignore[attr-defined]
    await studio.press("space", "b")
    await studio.shoot("slow-motion")
    await studio.press("end", "q", "q")
    await studio.until(lambda: type(studio.lab.screen).__name__ == "FilmsScreen")
    await studio.press("q")


async def ablation(studio: Studio) -> None:
    """From home: a container without pid and net, and what turned red."""
    await studio.press("a", "space", "down", "down", "space", "U", "r")
    await studio.until(lambda: bool(getattr(studio.lab.screen, "found", None)))
    await studio.shoot("ablation", 0.3)
    await studio.press("q")
    await studio.until(lambda: type(studio.lab.screen).__name__ == "HomeScreen")


async def story(studio: Studio) -> None:
    """Home, the lesson, the panes, the free lab."""
    async with studio.lab.run_test(size=studio.size) as pilot:
        studio.pilot = pilot
        await studio.until(lambda: bool(studio.lab.snapshot.host.release))
        await studio.until(lambda: studio.lab.report is not None)
        await studio.shoot("home", 0.3)
        await slow_motion(studio)
        await ablation(studio)
        await limits(studio)
        await studio.press("f", "down")
        await studio.until(lambda: studio.verdict() in ("THROTTLED", "RUN"))
        for key, pane in (("2", "namespaces"), ("3", "mounts"), ("5", "processes"), ("6", "hood"),
                          ("7", "security")):
            await studio.press(key)
            await studio.shoot(pane)


def main(arguments: list[str]) -> int:
    """Take every picture; the exit code."""
    if len(arguments) != 1:
        print("usage: python -m lab.screenshots OUT_DIR", file=sys.stderr)
        return 125
    if os.geteuid() != 0:
        print("container-lab: pictures show real containers, and those need root", file=sys.stderr)
        return 1
    os.makedirs(arguments[0], exist_ok=True)
    for size in PICTURES:
        root = tempfile.mkdtemp(prefix="shots", dir="/tmp")
        try:
            asyncio.run(story(Studio(root, arguments[0], size)))
        finally:
            tidy(root)
    return 0


def tidy(root: str) -> None:
    """Remove the containers that were made for the pictures, and the state."""
    env = {**os.environ, "CONTAINER_LAB_ROOT": root}
    for container in Engine(root).containers():
        subprocess.run([*OURS, "rm", "-f", container.name], env=env, capture_output=True,
                       check=False)
    subprocess.run([*OURS, "clean"], env=env, capture_output=True, check=False)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
