"""A file that is there with all of its content, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path


@contextmanager
def atomic_file(path: Path) -> Iterator[BufferedRandom]:
    """Open a file beside the path, which takes its place when all is written and on the disk."""
    # Threads and processes may write the same file at the same time: each beside it, by itself.
    half = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with half.open("xb+") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    if os.name == "posix":  # there, what a name stands for is written apart from the name
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
