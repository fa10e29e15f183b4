"""The arrays of a saved explainer: one file, and its checksum."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from sktpecr._utils._atomic_file import atomic_file
from sktpecr.explanation._saved_parts import check_array

#: What is said of a file with another checksum.
CHANGED = "was changed after it was written: its checksum is another"


def write_arrays(path: Path, arrays: Mapping[str, NDArray]) -> str:
    """Write arrays as numpy does, and return the checksum of the file."""
    with atomic_file(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # mypy takes them for its flag
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_arrays(path: Path, digest: str) -> dict[str, NDArray]:
    """Return the arrays of a file that has this checksum, each checked."""
    # The checksum is found while the arrays are read: neither waits for the other.
    with ThreadPoolExecutor(1) as beside:
        found = beside.submit(_digest_of, path)
        try:
            return _read(path)
        finally:  # whatever reading it stumbled over
            if found.result() != digest:
                raise ValueError(f"{path.name} {CHANGED}")


def _read(path: Path) -> dict[str, NDArray]:
    arrays = {}
    with path.open("rb") as file, ZipFile(file) as archive:
        for member in archive.infolist():
            # Of compressed ones, a few bytes can ask for all of the memory.
            if member.compress_type:
                raise ValueError(f"{path.name} must not be compressed")
            # Right into the array, without the zip's own checksum: one of the file is enough. The
            # header of a member ends with two lengths, and what is as long.
            file.seek(member.header_offset + 26)
            file.seek(sum(struct.unpack("<HH", file.read(4))), os.SEEK_CUR)
            array = np.lib.format.read_array(file, allow_pickle=False)
            name = member.filename.removesuffix(".npy")
            check_array(array, name)
            # In the order of bytes of this machine: compiled code asks for no other.
            arrays[name] = array.astype(array.dtype.newbyteorder("="), order="K", copy=False)
    return arrays


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
