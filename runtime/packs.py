"""All modules of a start in one file: what a .pyc is for one module, for sixty at once.

Runs first in every short process (the command line, the spare that becomes a shim). To find, open
and check sixty .pyc files takes 3 ms, a sixth of the time until a container is made. A pack lies
with the .pyc files and is as safe as they are: each module's source is looked at, and if its size
or time is another one, the ordinary import takes over and the pack is written anew at the end.
Where it may not be written everything works, a little later. Nothing but sys, marshal and posix
may be imported here.

    runtime/__pycache__/run.cpython-311.pack = marshal of
    {"runtime.errors": (path, mtime_ns, size, is_package, code), …}

Sources: PEP 302, PEP 451 (finders and loaders), importlib._bootstrap.ModuleSpec.
"""

from __future__ import annotations

import marshal
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

HERE = __file__.rpartition("/")[0]
Spec: Any = type(sys.__spec__)


class Pack:
    """A finder and loader (importlib.abc) over one open pack."""

    def __init__(self, name: str) -> None:
        self.path = f"{HERE}/__pycache__/{name}.{sys.implementation.cache_tag}.pack"
        self.stale = False
        self.modules: dict[str, Any] = {}
        try:
            fd = posix.open(self.path, posix.O_RDONLY | posix.O_CLOEXEC)
            try:
                found = marshal.loads(posix.read(fd, posix.fstat(fd).st_size))
            finally:
                posix.close(fd)
            self.modules = found if type(found) is dict else {}
        except (OSError, ValueError, EOFError, TypeError):
            return  # none yet, or not a whole one: made anew

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """The spec of a module whose source is the one that was packed; else None."""
        if not name.startswith("runtime"):
            return None
        found = self.modules.get(name)
        if found is None or not unchanged(found):
            self.stale = True
            return None
        spec = Spec(name, self, origin=found[0], is_package=found[3])
        spec.has_location = True
        if found[3]:
            spec.submodule_search_locations.append(found[0].rpartition("/")[0])
        return spec

    def create_module(self, spec: Any) -> None:
        """The usual kind of module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the packed code in it."""
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, name: str) -> Any:
        """A module's code, for those who ask a loader for it."""
        return self.modules[name][4]

    def keep(self) -> None:
        """If anything came from elsewhere, write a pack of all that is loaded now."""
        if not self.stale:
            return
        made = {}
        for name, module in sys.modules.items():
            spec = module.__spec__ if name.startswith("runtime") else None
            if spec is not None and isinstance(spec.loader, Pack):
                # With the time of the source it was made of: that may be another one by now.
                made[name] = spec.loader.modules[name]
            elif spec is not None and spec.loader is not None:
                about = posix.stat(spec.origin or "")
                made[name] = (spec.origin, about.st_mtime_ns, about.st_size,
                              spec.submodule_search_locations is not None,
                              spec.loader.get_code(name))  # type: ignore[attr-defined]
        draft = f"{self.path}.{posix.getpid()}"
        try:
            with open(draft, "wb") as file:
                file.write(marshal.dumps(made))
            posix.rename(draft, self.path)
        except (OSError, ValueError):
            return


def unchanged(found: tuple[Any, ...]) -> bool:
    """Is the source file still the one that was compiled, and ours, not of a copy elsewhere?"""
    if not found[0].startswith(f"{HERE}/"):
        return False
    try:
        now = posix.stat(found[0])
    except OSError:
        return False
    return bool(now.st_mtime_ns == found[1] and now.st_size == found[2])


def use(name: str) -> Pack:
    """Put the pack of this name in front of the import path, in place of one used before."""
    pack = Pack(name)
    sys.meta_path[:] = [pack, *(each for each in sys.meta_path
                                if not isinstance(each, Pack))]
    return pack
