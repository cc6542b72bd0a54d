"""The list of everything we made on this host, so that clean-up removes that and nothing else.

Runs in the engine and the shim (which notes what it removed). One JSON object a line, written
before the thing is made: {"made": "cgroup", "path": "/container-lab/tea", "id": "4f5e…"},
{"gone": "cgroup", "path": "/container-lab/tea"}. Files lie under the root, which is ours whole.
"""

from __future__ import annotations

from runtime import documents


def made(root: str, kind: str, path: str, ident: str) -> None:
    """Note it first: a crash between the two leaves a line too many, never one too few."""
    documents.append_line(f"{root}/ledger.jsonl", {"made": kind, "path": path, "id": ident})


def gone(root: str, kind: str, path: str) -> None:
    """It is removed. On a full disk the line is lost: one too many again, and removing goes on."""
    try:
        documents.append_line(f"{root}/ledger.jsonl", {"gone": kind, "path": path})
    except OSError:
        return


def standing(root: str, kind: str) -> list[str]:
    """What was made and not removed since, in the order it was made."""
    paths: dict[str, None] = {}
    for line in documents.read_lines(f"{root}/ledger.jsonl"):
        if line.get("made") == kind:
            paths[line["path"]] = None
        elif line.get("gone") == kind:
            paths.pop(line["path"], None)
    return list(paths)
