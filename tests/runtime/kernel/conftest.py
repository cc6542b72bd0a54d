"""A child process to try a kernel call in, for what it does cannot be taken back."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def child() -> Callable[[Callable[[], Any]], Any]:
    """`child(action)` runs action in a fork, and returns or raises what came of it."""

    def run(action: Callable[[], Any]) -> Any:
        reader, writer = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            # Whatever happens, the child must not go on as a second pytest.
            try:
                try:
                    answer = {"value": action()}
                except BaseException:
                    answer = {"error": traceback.format_exc()}
                os.write(writer, json.dumps(answer).encode())
            finally:
                os._exit(0)
        os.close(writer)
        data = b""
        while chunk := os.read(reader, 65536):
            data += chunk
        os.close(reader)
        status = os.waitpid(pid, 0)[1]
        assert data, f"the child ended with {status:#x}"
        told = json.loads(data)
        assert "error" not in told, told["error"]
        return told["value"]

    return run
